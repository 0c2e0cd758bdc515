// Which of this browser's tabs has something. Web Locks tell, and let go when a tab ends however it ends; they are there
// on pages with TLS and on localhost. Elsewhere tabs ask each other.

/** Held is something that this tab has and nobody else. */
export interface Held { release(): void }

/** How long a tab waits for another one's objection. */
const OBJECTION_MS = 250;

type Word =
  | { readonly word: "claim"; readonly name: string; readonly id: string }
  | { readonly word: "held"; readonly name: string };

export class TabLocks {
  readonly #locks: LockManager | undefined;
  readonly #channel: (() => BroadcastChannel) | undefined;

  constructor(
    locks: LockManager | undefined = typeof navigator === "undefined" ? undefined : (navigator as { locks?: LockManager }).locks,
    channel: (() => BroadcastChannel) | undefined = typeof BroadcastChannel === "undefined" ? undefined : () => new BroadcastChannel("helix-locks"),
  ) {
    this.#locks = locks;
    this.#channel = channel;
  }

  /** take gives what nobody else has; undefined: somebody has it, or it cannot be known. */
  take(name: string): Promise<Held | undefined> {
    if (this.#locks) return byLock(this.#locks, name);
    return this.#channel ? byAsking(this.#channel(), name) : Promise.resolve(undefined);
  }
}

function byLock(locks: LockManager, name: string): Promise<Held | undefined> {
  return new Promise((resolve, reject) => {
    locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) { resolve(undefined); return undefined; }
      return new Promise<void>((release) => { resolve({ release }); });
    }).catch(reject);
  });
}

/** byAsking claims it; who has it, or claims it too and comes first by id, objects. */
function byAsking(channel: BroadcastChannel, name: string): Promise<Held | undefined> {
  const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const say = (word: Word) => { channel.postMessage(word); };
  return new Promise((resolve) => {
    let mine = false;
    const decide = (held: Held | undefined) => {
      clearTimeout(timer);
      mine = held !== undefined;
      if (!held) channel.close();
      resolve(held);
    };
    const timer = setTimeout(() => { decide({ release: () => { channel.close(); } }); }, OBJECTION_MS);
    channel.onmessage = ({ data }: MessageEvent<Word>) => {
      if (data.name !== name) return;
      if (data.word === "claim" && (mine || id < data.id)) say({ word: "held", name });
      else if (!mine) decide(undefined);
    };
    say({ word: "claim", name, id });
  });
}
