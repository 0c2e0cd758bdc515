// Where a page may keep its unacknowledged changes over a reload.
import type { PendingState } from "./pending.ts";

/**
 * PendingStore keeps one flow's pending changes. A change is sent only after it was saved with its id, so that
 * the same id never goes with another change. What load or save rejects with is the store's own to report: the
 * flow then goes on without it. Two flows that are open at once must not share one, for they would share its client id.
 */
export interface PendingStore {
  load(): Promise<PendingState | undefined>;
  save(state: PendingState): Promise<void>;
}

/** Keeper saves the newest state, one save at a time. */
export class Keeper {
  readonly #store: PendingStore;
  readonly #state: () => PendingState;
  readonly #timeoutMs: number;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(store: PendingStore, state: () => PendingState, timeoutMs: number) {
    this.#store = store;
    this.#state = state;
    this.#timeoutMs = timeoutMs;
  }

  load(): Promise<PendingState | undefined> {
    return within(this.#timeoutMs, () => this.#store.load());
  }

  /** save resolves when the state of this moment, or a newer one, is saved, or could not be. */
  save(): Promise<void> {
    if (!this.#running) return this.#start();
    return this.#next ??= this.#running.then(() => this.#start());
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const run = within(this.#timeoutMs, () => this.#store.save(this.#state())).then(() => {
      if (this.#running === run) this.#running = undefined;
    });
    this.#running = run;
    return run;
  }
}

/** within gives what work resolves to; undefined where it fails or takes too long. */
async function within<T>(ms: number, work: () => Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => { timer = setTimeout(() => { resolve(undefined); }, ms); });
  try {
    return await Promise.race([work(), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
