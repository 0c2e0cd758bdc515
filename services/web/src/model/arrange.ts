// Where things go when they are aligned, distributed and grouped: pure geometry.
import type { Point } from "./document.ts";
import type { Box } from "./picture.ts";

export interface Placed extends Box { readonly id: string }

export type Alignment = "left" | "center" | "right" | "top" | "middle" | "bottom";
export type Axis = "horizontal" | "vertical";

/** align gives the new place of each box, so that all have one edge, or their middles, on one line. */
export function align(boxes: readonly Placed[], to: Alignment): Map<string, Point> {
  const left = Math.min(...boxes.map(({ x }) => x));
  const top = Math.min(...boxes.map(({ y }) => y));
  const right = Math.max(...boxes.map(({ x, width }) => x + width));
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height));
  const place = ({ x, y, width, height }: Placed): Point => {
    switch (to) {
      case "left": return { x: left, y };
      case "center": return { x: (left + right - width) / 2, y };
      case "right": return { x: right - width, y };
      case "top": return { x, y: top };
      case "middle": return { x, y: (top + bottom - height) / 2 };
      case "bottom": return { x, y: bottom - height };
    }
  };
  return new Map(boxes.map((box) => [box.id, place(box)]));
}

/** distribute gives the new place of each box, so that the gaps between neighbours are equal; the outer ones stay. */
export function distribute(boxes: readonly Placed[], axis: Axis): Map<string, Point> {
  const [at, size] = axis === "horizontal" ? ["x", "width"] as const : ["y", "height"] as const;
  const sorted = [...boxes].sort((a, b) => a[at] - b[at] || (a.id < b.id ? -1 : 1));
  const places = new Map<string, Point>(sorted.map(({ id, x, y }) => [id, { x, y }]));
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (!first || !last || sorted.length < 3) return places;
  const taken = sorted.reduce((sum, box) => sum + box[size], 0);
  const gap = (last[at] + last[size] - first[at] - taken) / (sorted.length - 1);
  let next = first[at];
  for (const box of sorted) {
    places.set(box.id, { x: box.x, y: box.y, [at]: next });
    next += box[size] + gap;
  }
  return places;
}

/** The room that a group has around what is in it. */
export const groupRoom = { side: 24, top: 44, bottom: 24 } as const;

/** groupAround gives the box of a group around boxes. */
export function groupAround(boxes: readonly Box[]): Box {
  const left = Math.min(...boxes.map(({ x }) => x)) - groupRoom.side;
  const top = Math.min(...boxes.map(({ y }) => y)) - groupRoom.top;
  return {
    x: left,
    y: top,
    width: Math.max(...boxes.map(({ x, width }) => x + width)) + groupRoom.side - left,
    height: Math.max(...boxes.map(({ y, height }) => y + height)) + groupRoom.bottom - top,
  };
}

/** snap puts a point on the grid. */
export function snap({ x, y }: Point, grid: number): Point {
  return { x: Math.round(x / grid) * grid, y: Math.round(y / grid) * grid };
}

/** freePlace moves a box down and to the right until it covers none of the others. */
export function freePlace(box: Box, others: readonly Box[], step: number): Point {
  let { x, y } = box;
  const covers = (other: Box) => Math.abs(other.x - x) < step && Math.abs(other.y - y) < step;
  for (let i = 0; i < others.length && others.some(covers); i++) {
    x += 2 * step;
    y += 2 * step;
  }
  return { x, y };
}
