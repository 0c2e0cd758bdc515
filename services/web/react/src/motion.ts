// Nodes that others move: on their way here, gently, to where they are put.
import type { XYPosition } from "@xyflow/react";
import { calm, nextFrame } from "./frames.ts";

/** The time in which a node goes most of its way (all but a third of it), in ms. */
const EASE = 60;
/** So near it is there, in pixels. */
const THERE = 0.5;

interface Moving { at: XYPosition; to: XYPosition }

/** Motion moves nodes towards their targets, frame by frame, while there are any. */
export class Motion {
  readonly #moving = new Map<string, Moving>();
  readonly #show: (moved: ReadonlyMap<string, XYPosition | undefined>) => void;
  #cancel: (() => void) | undefined;
  #last = 0;

  /** show takes where nodes are now; undefined: the node is where it should be. */
  constructor(show: (moved: ReadonlyMap<string, XYPosition | undefined>) => void) { this.#show = show; }

  /** move sends a node from where it is seen to another place. */
  move(id: string, from: XYPosition, to: XYPosition): void {
    if (calm()) { this.#show(new Map([[id, undefined]])); return; }
    this.#moving.set(id, { at: this.#moving.get(id)?.at ?? from, to });
    this.#run();
  }

  /** stop leaves a node where it is. */
  stop(id: string): void { this.#moving.delete(id); }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#moving.clear();
  }

  #run(): void {
    if (this.#cancel) return;
    this.#last = performance.now();
    this.#cancel = nextFrame((now) => { this.#step(now); });
  }

  #step(now: number): void {
    const share = 1 - Math.exp(-Math.max(now - this.#last, 1) / EASE);
    this.#last = now;
    const moved = new Map<string, XYPosition | undefined>();
    for (const [id, { at, to }] of this.#moving) {
      const next = { x: at.x + (to.x - at.x) * share, y: at.y + (to.y - at.y) * share };
      if (Math.abs(to.x - next.x) < THERE && Math.abs(to.y - next.y) < THERE) {
        this.#moving.delete(id);
        moved.set(id, undefined);
      } else {
        this.#moving.set(id, { at: next, to });
        moved.set(id, next);
      }
    }
    this.#cancel = this.#moving.size > 0 ? nextFrame((then) => { this.#step(then); }) : undefined;
    this.#show(moved);
  }
}
