// Signals: cursors, typing. Never stored; of one type the newest wins.
import { clean, utf8Length, type Json } from "./json.ts";
import { Newest, type Answer } from "./newest.ts";
import { HelixError } from "./reasons.ts";

/** Signal is one that another client sent. */
export interface Signal {
  readonly type: string;
  readonly data: Json;
  readonly clientId: string;
}

const MOST_TYPE = 64; // bytes
const MOST_DATA = 16 << 10; // bytes
const MOST_TYPES = 64; // under way at once

export type PushSignal = (event: "signal", payload: { type: string; data: Json }, done: (answer: Answer) => void) => void;

/** Signals sends those of one client: one of each type under way, the newest of what comes meanwhile behind it. */
export class Signals {
  readonly #push: PushSignal;
  readonly #retryMs: () => number;
  readonly #types = new Map<string, Newest<Json>>();

  constructor(push: PushSignal, retryMs: () => number) {
    this.#push = push;
    this.#retryMs = retryMs;
  }

  send(type: string, data: Json): void {
    const { value, bytes } = clean(data);
    if (type === "" || utf8Length(type) > MOST_TYPE) throw new HelixError("invalid_params", `a signal's type has 1 to ${String(MOST_TYPE)} bytes`);
    if (value === undefined || bytes > MOST_DATA) throw new HelixError("invalid_params", `a signal's data is JSON of at most ${String(MOST_DATA)} bytes`);
    let newest = this.#types.get(type);
    if (!newest) {
      if (this.#types.size >= MOST_TYPES) this.#forgetIdle();
      if (this.#types.size >= MOST_TYPES) return; // nothing promises that a signal arrives
      newest = new Newest((newer, done) => { this.#push("signal", { type, data: newer }, done); }, false, this.#retryMs);
      this.#types.set(type, newest);
    }
    newest.set(value);
  }

  /** lost: the channel is gone, and what was to be said with it. */
  lost(): void {
    for (const newest of this.#types.values()) newest.forget();
    this.#types.clear();
  }

  #forgetIdle(): void {
    for (const [type, newest] of this.#types) {
      if (newest.idle) this.#types.delete(type);
    }
  }
}
