// What is shown of a person while they move: cursor, drag and view. One kind of signal for all three, so that they share
// one pace; each holds everything, for the newest one replaces those before it.
import type { XYPosition } from "@xyflow/react";
import type { Json } from "@helix/client";
import type { View } from "./people.ts";

export const LIVE = "helix:live";

/** At most 30 signals a second. */
const PACE = 34; // ms
/** A drag that holds still is told again, for others let go of one that they hear nothing of. */
const AGAIN = 1_000; // ms
/** So many of the dragged nodes are shown to others on their way; a signal has a bound. */
const MOST_DRAGGED = 300;

/** Live is what one signal says. */
export interface Live {
  readonly cursor?: XYPosition;
  readonly view?: View;
  /** Which drag it is, of this client's, and where the nodes are. */
  readonly drag?: { readonly number: number; readonly positions: ReadonlyMap<string, XYPosition> };
}

/** LiveOut tells the others, at their pace. */
export class LiveOut {
  readonly #send: (data: Json) => void;
  #live: { -readonly [F in keyof Live]?: Live[F] | undefined } = {};
  #drags = 0;
  #last = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setInterval> | undefined;

  constructor(send: (data: Json) => void) { this.#send = send; }

  setCursor(cursor: XYPosition | undefined): void {
    if (cursor === undefined && this.#live.cursor === undefined) return;
    this.#live.cursor = cursor;
    this.#soon();
  }

  setView(view: View): void {
    this.#live.view = view;
    this.#soon();
  }

  /** drag tells where dragged nodes are; the first one begins a drag. */
  drag(positions: ReadonlyMap<string, XYPosition>): void {
    if (!this.#live.drag) {
      this.#drags++;
      this.#again = setInterval(() => { this.#soon(); }, AGAIN);
    }
    this.#live.drag = { number: this.#drags, positions };
    this.#soon();
  }

  /** dropped: the drag is over. */
  dropped(): void {
    if (!this.#live.drag) return;
    this.#live.drag = undefined;
    clearInterval(this.#again);
    this.#soon();
  }

  /** tell says it once more: somebody has come who has not heard it. */
  tell(): void { if (Object.values(this.#live).some((value) => value !== undefined)) this.#soon(); }

  end(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#again);
    this.#timer = undefined;
    this.#live = {};
  }

  #soon(): void {
    if (this.#timer !== undefined) return;
    const wait = this.#last + PACE - performance.now();
    if (wait <= 0) this.#now();
    else this.#timer = setTimeout(() => { this.#timer = undefined; this.#now(); }, Math.ceil(wait));
  }

  #now(): void {
    this.#last = performance.now();
    this.#send(encode(this.#live));
  }
}

const tenth = (n: number) => Math.round(n * 10) / 10;

function encode({ cursor, view, drag }: { readonly [F in keyof Live]?: Live[F] | undefined }): Json {
  return {
    ...(cursor && { c: [tenth(cursor.x), tenth(cursor.y)] }),
    ...(view && { v: [tenth(view.x), tenth(view.y), Math.round(view.zoom * 1000) / 1000, Math.round(view.width), Math.round(view.height)] }),
    ...(drag && { d: { n: drag.number, p: Object.fromEntries([...drag.positions].slice(0, MOST_DRAGGED).map(([id, { x, y }]) => [id, [tenth(x), tenth(y)]])) } }),
  };
}

/** decode reads what another client sent, of whatever version: what is not of its form counts as not there. */
export function decode(data: Json): Live {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return {};
  const { c, v, d } = data as Record<string, unknown>;
  const cursor = point(c);
  const drag = typeof d === "object" && d !== null ? d as { n?: unknown; p?: unknown } : undefined;
  const positions = new Map<string, XYPosition>();
  if (typeof drag?.p === "object" && drag.p !== null) {
    for (const [id, at] of Object.entries(drag.p)) {
      const position = point(at);
      if (position) positions.set(id, position);
    }
  }
  return {
    ...(cursor && { cursor }),
    ...(numbers(v, 5) && { view: { x: v[0], y: v[1], zoom: v[2], width: v[3], height: v[4] } }),
    ...(typeof drag?.n === "number" && positions.size > 0 && { drag: { number: drag.n, positions } }),
  };
}

function numbers(value: unknown, count: 5): value is [number, number, number, number, number];
function numbers(value: unknown, count: 2): value is [number, number];
function numbers(value: unknown, count: number): boolean {
  return Array.isArray(value) && value.length === count && value.every((n) => Number.isFinite(n));
}

function point(value: unknown): XYPosition | undefined { return numbers(value, 2) ? { x: value[0], y: value[1] } : undefined; }
