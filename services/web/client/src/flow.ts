// One flow: join and resume, the way of its changes, its state.
import type { Channel } from "phoenix";
import { waitMs } from "./backoff.ts";
import type { Connection, ConnectionState, Participant } from "./connection.ts";
import { clean, depth, isObject, utf8Length, type Json, type JsonObject } from "./json.ts";
import { Listeners, type Unsubscribe } from "./listeners.ts";
import type { Patch } from "./merge-patch.ts";
import type { Answer } from "./newest.ts";
import { Pending, type OutgoingChange, type Receipt } from "./pending.ts";
import { Presence } from "./presence.ts";
import { HelixError, refusal, type KnownReason } from "./reasons.ts";
import { Replica, type Catchup, type DocumentChange, type OrderedChange, type JoinAnswer, type Position, type Sync, type Update } from "./replica.ts";
import { Signals, type Signal } from "./signals.ts";
import { Keeper, type PendingStore } from "./store.ts";

export interface FlowOptions {
  /** This client's id, which nobody else may have at the same time. By itself a random one; with a store, the store's. */
  readonly clientId?: string;
  /** What the others see of this client at first; with it, the client takes part in the flow's presence. */
  readonly presence?: JsonObject;
  /** Keeps unacknowledged changes over a reload of the page. */
  readonly store?: PendingStore;
}

export type FlowState =
  | { readonly name: "joining" }
  /** Joined, and everything is acknowledged. */
  | { readonly name: "live" }
  /** Joined, and changes wait for their acknowledgement; with a reason, if they were put off until retryAt. */
  | { readonly name: "saving"; readonly reason?: string; readonly retryAt?: number }
  /** Not joined; changes are kept. retryAt, in milliseconds since 1970, is when the next try begins. */
  | { readonly name: "offline"; readonly retryAt?: number; readonly reason?: string }
  | { readonly name: "refused"; readonly reason: string; readonly sentence: string }
  | { readonly name: "deleted" }
  /** This client left. */
  | { readonly name: "closed" };

/** What the edge takes, with some room for the frame around it. */
const MOST_CHANGE = (1 << 20) - (4 << 10); // bytes
const MOST_DEPTH = 128;

/** A channel that was joined for so long is not one that fails again and again. */
const STEADY = 60_000; // ms

/** Attempt is one sending of a change. Only the newest one's answer counts. */
interface Attempt { readonly change: OutgoingChange }

/** Flow is one flow, opened by Helix.flow. */
export class Flow implements Participant {
  readonly id: string;
  readonly presence: Presence;
  /** Resolves when the document is here for the first time; rejects when the flow ends before that. */
  readonly ready: Promise<void>;

  readonly #connection: Connection;
  readonly #pending = new Pending();
  readonly #replica: Replica;
  readonly #signals: Signals;
  #keeper: Keeper | undefined; // once it was asked what it has
  #clientId: string;

  #channel: Channel | undefined;
  #joined = false;
  #readOnly = false;
  #sending: Attempt | undefined; // what was sent on this channel and has no answer yet
  #holds = 0;
  #unanswered: OutgoingChange | undefined; // the same, and still known when the channel is lost
  #joinedAt = 0;
  #reopens = 0; // in a row, soon after joining
  #reopenTimer: ReturnType<typeof setTimeout> | undefined;
  #refusals = 0; // in a row, of one change
  #resendTimer: ReturnType<typeof setTimeout> | undefined;
  #trouble: { reason: string; retryAt?: number } | undefined;
  #end: FlowState | undefined;
  #state: FlowState = { name: "joining" };

  readonly #onChange = new Listeners<DocumentChange>();
  readonly #onUpdate = new Listeners<OrderedChange>();
  readonly #onState = new Listeners<FlowState>();
  readonly #onSignal = new Listeners<Signal>();
  readonly #onRefused = new Listeners<HelixError>();
  #resolveReady!: () => void;
  #rejectReady!: (error: HelixError) => void;

  constructor(connection: Connection, id: string, { clientId = randomId(), presence, store }: FlowOptions) {
    this.id = id;
    this.#connection = connection;
    this.#clientId = clientId;
    this.#replica = new Replica(this.#pending, (change) => { this.#onChange.tell(change); }, (update) => { this.#onUpdate.tell(update); });
    const retryMs = () => waitMs(connection.backoff, 1);
    const push = (event: string, payload: object, done: (answer: Answer) => void) => { this.#push(event, payload, done); };
    this.presence = new Presence(presence, () => this.#clientId, push, retryMs);
    this.#signals = new Signals(push, retryMs);
    this.ready = new Promise((resolve, reject) => { this.#resolveReady = resolve; this.#rejectReady = reject; });
    this.ready.catch(() => undefined); // who does not ask need not handle it
    connection.participants.add(this);
    if (store) {
      void this.#restore(new Keeper(store, () => this.#pending.state(this.#clientId), connection.timeoutMs));
    } else {
      this.#open();
    }
  }

  get clientId(): string { return this.#clientId; }
  /** The document with this client's own changes in it, at once. Never changed in place: parts that are the same are the same objects. */
  get document(): JsonObject { return this.#replica.document; }
  /** The document as the server has it, as far as it came here. */
  get serverDocument(): JsonObject { return this.#replica.server; }
  get position(): Position | undefined { return this.#replica.position; }
  get state(): FlowState { return this.#state; }
  /** Whether the server would refuse this client's changes, as it said with the last join. */
  get readOnly(): boolean { return this.#readOnly; }
  /** Whether changes of this client wait for their acknowledgement. */
  get waiting(): boolean { return !this.#pending.acknowledged; }

  onChange(listener: (change: DocumentChange) => void): Unsubscribe { return this.#onChange.add(listener); }
  /** onUpdate tells what happened to the server's document, in order, before onChange tells what came of it for this
   * client's: each change, this client's own too; and as one what comes in one piece, after a break or where this client
   * could not follow. */
  onUpdate(listener: (update: OrderedChange) => void): Unsubscribe { return this.#onUpdate.add(listener); }
  onState(listener: (state: FlowState) => void): Unsubscribe { return this.#onState.add(listener); }
  onSignal(listener: (signal: Signal) => void): Unsubscribe { return this.#onSignal.add(listener); }
  /** onRefused tells of changes that were refused for good: of those too whose promise nobody looks at. */
  onRefused(listener: (error: HelixError) => void): Unsubscribe { return this.#onRefused.add(listener); }

  /**
   * change makes a change: in the document at once, at the server as soon as it can be. The promise resolves when
   * the server has it, and rejects with a HelixError when it is refused, and taken back; it need not be looked at.
   */
  change(patch: Patch): Promise<Receipt> {
    const receipt = this.#take(patch);
    receipt.catch(() => undefined);
    return receipt;
  }

  /** hold keeps changes from being sent until it is released, so that what is made meanwhile is one change (or two, where
   * no single patch has their effect). They are in the document at once as ever. */
  hold(): () => void {
    let held = true;
    this.#holds++;
    return () => {
      if (!held) return;
      held = false;
      this.#holds--;
      if (!this.#end) this.#send();
    };
  }

  /** signal tells the other clients something that is not stored, such as where the cursor is. It may get lost;
   * of one type the newest arrives. */
  signal(type: string, data: Json): void {
    if (this.#joined) this.#signals.send(type, data);
  }

  /** leave ends this client's part in the flow. Changes that are not acknowledged are given up, or left to the store. */
  async leave(): Promise<void> {
    if (this.#end?.name === "closed") return;
    const channel = this.#channel;
    this.#finish({ name: "closed" }, new HelixError("left"), false);
    await Promise.all([this.#keeper?.save(), channel && left(channel, this.#connection.timeoutMs)]);
  }

  // The way of a change.

  async #take(patch: Patch): Promise<Receipt> {
    const { value, bytes } = clean(patch);
    if (this.#end) throw this.#ended(this.#end);
    const refuse = (reason: KnownReason) => {
      const error = new HelixError(reason);
      this.#onRefused.tell(error);
      return error;
    };
    if (!isObject(value)) throw refuse("invalid_changes");
    if (bytes > MOST_CHANGE) throw refuse("changes_too_large");
    if (depth(value) > MOST_DEPTH) throw refuse("changes_too_deep");
    if (this.#pending.full(bytes)) throw refuse("too_many_pending");
    const receipt = this.#pending.add(value, bytes);
    this.#replica.settle("local");
    void this.#keeper?.save();
    this.#send();
    return receipt;
  }

  /** send sends the next change, if it may go: one at a time, so that what is made meanwhile can be composed, and
   * so that after any break it is clear what must be sent again, under the same id, before anything else. */
  #send(): void {
    if (this.#joined && !this.#sending && this.#resendTimer === undefined && this.#holds === 0) {
      const change = this.#pending.outgoing();
      if (change) {
        const attempt = this.#sending = { change };
        if (this.#keeper) void this.#keeper.save().then(() => { this.#pushChange(attempt); });
        else this.#pushChange(attempt);
      }
    }
    this.#show();
  }

  #pushChange(attempt: Attempt): void {
    const channel = this.#channel;
    const { change } = attempt;
    const current = () => this.#sending === attempt;
    if (!current() || !channel || !this.#canPush()) return;
    this.#unanswered = change;
    channel
      .push("flow_change", { changes: change.patch, change_id: change.id }, this.#connection.timeoutMs)
      .receive("ok", ({ seq }: Receipt) => { if (current()) this.#acknowledged(change, seq); })
      .receive("error", (response) => { if (current()) this.#refused(change, refusal(response)); })
      .receive("timeout", () => { if (current()) this.#refused(change, new HelixError("timeout")); });
  }

  /** synced takes a document. An answer that is on its way may count in the epoch before: so it is asked for again. */
  #synced(sync: Sync): void {
    const epoch = this.position?.epoch;
    this.#replica.synced(sync);
    if (this.#sending && sync.epoch !== epoch) {
      this.#sending = undefined;
      this.#send();
    }
  }

  #acknowledged({ id }: OutgoingChange, seq: number): void {
    this.#answered();
    this.#replica.acknowledged(id, seq);
    void this.#keeper?.save();
    this.#send();
  }

  #refused(change: OutgoingChange, error: HelixError): void {
    if (!error.transient) { this.#drop(change, error); return; }
    this.#sending = undefined;
    if (error.reason === "unmatched topic") { this.#reopen(true); return; }
    const wait = waitMs(this.#connection.backoff, ++this.#refusals);
    this.#trouble = { reason: error.reason, retryAt: Date.now() + wait };
    this.#resendTimer = setTimeout(() => { this.#resendTimer = undefined; this.#send(); }, wait);
    this.#show();
  }

  #drop({ id }: OutgoingChange, error: HelixError): void {
    this.#answered();
    this.#pending.refuse(id, error);
    this.#replica.settle("refused");
    void this.#keeper?.save();
    this.#onRefused.tell(error);
    this.#send();
  }

  #answered(): void {
    this.#sending = this.#unanswered = this.#trouble = undefined;
    this.#refusals = 0;
  }

  get unansweredBytes(): number { return this.#unanswered ? utf8Length(JSON.stringify(this.#unanswered.patch)) : 0; }

  refuseUnanswered(error: HelixError): void { if (this.#unanswered) this.#drop(this.#unanswered, error); }

  // The channel.

  async #restore(keeper: Keeper): Promise<void> {
    const state = await keeper.load();
    if (this.#end) return;
    this.#keeper = keeper;
    if (state) {
      this.#clientId = state.clientId;
      this.#pending.restore(state);
      this.#replica.settle("resumed");
    }
    this.#open();
  }

  #open(): void {
    const channel = this.#connection.socket.channel(`flow:${this.id}`, () => this.#joinParameters());
    this.#channel = channel;
    const mine = () => this.#channel === channel;
    // What comes between a loss and the next join's answer belongs to the join before: the answer brings it.
    const on = (event: string, follow: (payload: never) => boolean) => {
      channel.on(event, (payload: unknown) => {
        if (mine() && this.#joined && !follow(payload as never)) this.#reopen();
      });
    };
    on("flow_update", (update: Update) => this.#replica.updated(update));
    on("flow_catchup", (catchup: Catchup) => this.#replica.caughtUp(catchup));
    on("flow_sync", (sync: Sync) => { this.#synced(sync); return true; });
    on("signal", ({ type, data, client_id: clientId }: { type: string; data: Json; client_id: string }) => {
      this.#onSignal.tell({ type, data, clientId });
      return true;
    });
    on("flow_deleted", () => { this.#finish({ name: "deleted" }, new HelixError("deleted")); return true; });
    channel.onError(() => { if (mine()) this.#failed(); });
    // The server ended it and did not say that the flow is deleted: the session was idle for long. It begins anew.
    channel.onClose(() => { if (mine() && !this.#end) this.#reopen(true); });
    this.presence.follow(channel);
    channel
      .join(this.#connection.timeoutMs)
      .receive("ok", (answer: JoinAnswer) => { if (mine()) this.#welcome(answer); })
      .receive("error", (response) => { if (mine()) this.#unwelcome(refusal(response)); })
      .receive("timeout", () => { if (mine()) this.#unwelcome(new HelixError("timeout")); });
    this.#show();
  }

  /** joinParameters is asked for each time that phoenix joins. */
  #joinParameters(): object {
    this.#trouble = undefined;
    this.#show();
    const { position } = this.#replica;
    const presence = this.presence.joinParameter();
    return { client_id: this.#clientId, sync: true, ...(position && { resume: position }), ...(presence && { presence }) };
  }

  #welcome(answer: JoinAnswer): void {
    this.#joined = true;
    this.#joinedAt = Date.now();
    this.#readOnly = answer.read_only === true;
    this.#trouble = undefined;
    this.#replica.joined(answer);
    this.presence.joined();
    this.#resolveReady();
    this.#send();
  }

  #unwelcome(error: HelixError): void {
    this.#lost();
    if (error.transient) {
      this.#trouble = { reason: error.reason, retryAt: this.#connection.rejoinAt };
      this.#show();
    } else {
      this.#finish({ name: "refused", reason: error.reason, sentence: error.sentence }, error);
    }
  }

  /** failed: the server's side of the channel did, or the connection. phoenix joins again by itself. */
  #failed(): void {
    this.#lost();
    if (!this.#connection.socket.isConnected()) return;
    this.#trouble = { reason: "unavailable", retryAt: this.#connection.rejoinAt };
    this.#show();
  }

  /** lost: the channel is gone, or is about to be. What has no answer stays next to be sent. */
  #lost(): void {
    this.#joined = false;
    this.#sending = this.#trouble = undefined;
    clearTimeout(this.#resendTimer);
    this.#resendTimer = undefined;
    this.presence.lost();
    this.#signals.lost();
    this.#show();
  }

  /** reopen joins on a new channel: at once, or after a wait if others do the same or it happens again and again. */
  #reopen(wait = false): void {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#lost();
    if (channel && channel.state !== "closed") channel.leave();
    if (Date.now() - this.#joinedAt > STEADY) this.#reopens = 0;
    const ms = this.#reopens++ > 0 || wait ? waitMs(this.#connection.backoff, this.#reopens) : 0;
    if (ms > 0) this.#trouble = { reason: "unavailable", retryAt: Date.now() + ms };
    this.#reopenTimer = setTimeout(() => { this.#open(); }, ms);
    this.#show();
  }

  #canPush(): boolean {
    return this.#joined && this.#channel?.state === "joined" && this.#connection.socket.isConnected();
  }

  #push(event: string, payload: object, done: (answer: Answer) => void): void {
    if (!this.#channel || !this.#canPush()) { done("final"); return; }
    this.#channel
      .push(event, payload, this.#connection.timeoutMs)
      .receive("ok", () => { done("ok"); })
      .receive("error", (response) => { done(refusal(response).transient ? "transient" : "final"); })
      .receive("timeout", () => { done("timeout"); });
  }

  // The end, and the state.

  connectionChanged(_state: ConnectionState): void { this.#show(); }

  /** finish ends the flow here. Its pending changes are dropped, or kept as they are for the store. */
  #finish(end: FlowState, error: HelixError, drop = true): void {
    if (this.#end) return;
    this.#end = end;
    const channel = this.#channel;
    this.#lost();
    clearTimeout(this.#reopenTimer);
    this.#connection.participants.delete(this);
    if (drop) {
      if (channel && channel.state !== "closed") channel.leave();
      if (!this.#pending.acknowledged) this.#onRefused.tell(error);
      this.#pending.refuseAll(error);
      this.#replica.settle("refused");
      void this.#keeper?.save();
    } else {
      this.#pending.abandon(error);
    }
    this.#rejectReady(error);
    this.#show();
  }

  #ended(end: FlowState): HelixError {
    if (end.name === "refused") return new HelixError(end.reason, end.sentence);
    return new HelixError(end.name === "deleted" ? "deleted" : "left");
  }

  #show(): void {
    const next = this.#stateNow();
    if (JSON.stringify(next) === JSON.stringify(this.#state)) return;
    this.#state = next;
    this.#onState.tell(next);
  }

  #stateNow(): FlowState {
    if (this.#end) return this.#end;
    if (this.#joined) return this.#pending.acknowledged ? { name: "live" } : { name: "saving", ...this.#trouble };
    const connection = this.#connection.state;
    if (connection.name === "refused") return { name: "refused", reason: "unauthorized", sentence: connection.sentence };
    if (connection.name === "offline") return { name: "offline", retryAt: connection.retryAt, ...(connection.reason !== undefined && { reason: connection.reason }) };
    if (connection.name === "open" && !this.#connection.socket.isConnected()) return { name: "offline" }; // when it tries again is not known yet
    return this.#trouble ? { name: "offline", ...this.#trouble } : { name: "joining" };
  }
}

function left(channel: Channel, timeoutMs: number): Promise<void> {
  if (channel.state === "closed") return Promise.resolve();
  return new Promise((resolve) => {
    channel.leave(timeoutMs).receive("ok", () => { resolve(); }).receive("timeout", () => { resolve(); });
  });
}

/** A random id; getRandomValues, unlike randomUUID, is there on pages without TLS too. */
function randomId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
