/** Answer is how a push ended. */
export type Answer = "ok" | "transient" | "final" | "timeout";

/**
 * Newest sends values of which only the newest matters: one is under way at a time, and of what comes
 * meanwhile the newest follows. So what is sent keeps to the pace of the server's answers.
 */
export class Newest<T> {
  readonly #send: (value: T, done: (answer: Answer) => void) => void;
  readonly #again: boolean;
  readonly #retryMs: () => number;
  #waiting: { value: T } | undefined;
  #underWay: object | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** again: a value that got no lasting answer is sent again, unless a newer one came. */
  constructor(send: (value: T, done: (answer: Answer) => void) => void, again: boolean, retryMs: () => number) {
    this.#send = send;
    this.#again = again;
    this.#retryMs = retryMs;
  }

  set(value: T): void {
    this.#waiting = { value };
    this.#next();
  }

  /** Whether nothing is under way and nothing waits. */
  get idle(): boolean { return !this.#underWay && !this.#waiting && this.#timer === undefined; }

  /** forget drops everything: the channel is gone. */
  forget(): void {
    this.#waiting = this.#underWay = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #next(): void {
    if (this.#underWay || this.#timer !== undefined || !this.#waiting) return;
    const { value } = this.#waiting;
    this.#waiting = undefined;
    const mine = this.#underWay = {};
    this.#send(value, (answer) => {
      if (this.#underWay !== mine) return;
      this.#underWay = undefined;
      if (answer !== "transient" && answer !== "timeout") { this.#next(); return; }
      if (this.#again) this.#waiting ??= { value };
      this.#timer = setTimeout(() => { this.#timer = undefined; this.#next(); }, this.#retryMs());
    });
  }
}
