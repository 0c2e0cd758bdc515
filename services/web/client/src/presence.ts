// Who is in the flow, and what they show of themselves.
import { Presence as PhoenixPresence, type Channel } from "phoenix";
import { clean, isObject, type JsonObject } from "./json.ts";
import { Listeners, type Unsubscribe } from "./listeners.ts";
import { Newest, type Answer } from "./newest.ts";
import { HelixError } from "./reasons.ts";

/** Person is one client that takes part in a flow's presence. */
export interface Person {
  readonly clientId: string;
  /** What it shows of itself. */
  readonly meta: JsonObject;
  /** It is this client. */
  readonly me: boolean;
}

/** The most bytes of what a client may show of itself. */
const MOST_META = 4 << 10;

/** A channel's push, with its answer. */
export type PushPresence = (event: "presence_update", payload: JsonObject, done: (answer: Answer) => void) => void;

/**
 * Presence is the people of one flow. Only who opened the flow with the `presence` option takes part: is
 * shown, and sees the others.
 */
export class Presence {
  #meta: JsonObject | undefined;
  #told: JsonObject | undefined; // to the server
  #joined = false;
  #people: readonly Person[] = [];
  readonly #clientId: () => string;
  readonly #updates: Newest<JsonObject>;
  readonly #listeners = new Listeners<readonly Person[]>();

  constructor(meta: JsonObject | undefined, clientId: () => string, push: PushPresence, retryMs: () => number) {
    this.#meta = meta && checked(meta);
    this.#clientId = clientId;
    this.#updates = new Newest((value, done) => { push("presence_update", value, done); }, true, retryMs);
  }

  /** The people who take part, by client id. The same list until somebody comes, goes or shows something else. */
  list(): readonly Person[] { return this.#people; }

  onChange(listener: (people: readonly Person[]) => void): Unsubscribe { return this.#listeners.add(listener); }

  /** update replaces what the others see of this client; of many in a row the newest is sent. */
  update(meta: JsonObject): void {
    if (!this.#meta) throw new Error("To take part, open the flow with the presence option: helix.flow(id, {presence: {…}}).");
    this.#meta = checked(meta);
    if (this.#joined) this.#tell();
  }

  /** joinParameter gives what a join is to tell of this client; undefined: it takes no part. */
  joinParameter(): JsonObject | undefined { return this.#told = this.#meta; }

  /** joined: what changed since the join was sent follows. */
  joined(): void {
    this.#joined = true;
    if (this.#told !== this.#meta) this.#tell();
  }

  /** follow listens on a channel. */
  follow(channel: Channel): void {
    if (!this.#meta) return;
    const official = new PhoenixPresence(channel);
    official.onSync(() => { this.#show(official); });
  }

  /** lost: the channel is gone; the next join tells the newest. */
  lost(): void {
    this.#joined = false;
    this.#updates.forget();
  }

  #tell(): void {
    if (!this.#meta) return;
    this.#told = this.#meta;
    this.#updates.set(this.#meta);
  }

  #show(official: PhoenixPresence): void {
    const mine = this.#clientId();
    this.#people = official
      .list((clientId, { metas }: { metas: readonly JsonObject[] }): Person => {
        const { phx_ref: _ref, phx_ref_prev: _prev, ...meta } = metas.at(-1) ?? {};
        return { clientId, meta, me: clientId === mine };
      })
      .sort((a, b) => (a.clientId < b.clientId ? -1 : 1));
    this.#listeners.tell(this.#people);
  }
}

function checked(meta: JsonObject): JsonObject {
  const { value, bytes } = clean(meta);
  if (!isObject(value) || bytes > MOST_META) throw new HelixError("invalid_params", `presence must be an object of at most ${String(MOST_META)} bytes`);
  return value;
}
