/** Unsubscribe takes a listener away again. */
export type Unsubscribe = () => void;

/** Listeners are those of one event. All hear the events in the order in which they happened, those too that a
 * listener itself brings about. One that throws hinders nobody: its error surfaces as that of any event handler does. */
export class Listeners<T> {
  #all: readonly ((event: T) => void)[] = [];
  readonly #events: T[] = [];

  add(listener: (event: T) => void): Unsubscribe {
    const each = (event: T) => { listener(event); }; // the same function may listen twice
    this.#all = [...this.#all, each];
    return () => { this.#all = this.#all.filter((other) => other !== each); };
  }

  tell(event: T): void {
    this.#events.push(event);
    if (this.#events.length > 1) return; // whoever is telling goes on with it
    for (let next: T | undefined = event; next !== undefined; next = this.#events[0]) {
      this.#tellAll(next);
      this.#events.shift();
    }
  }

  #tellAll(event: T): void {
    for (const listener of this.#all) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
  }
}
