// What a template is, and how one is written: nodes on a grid of columns and rows, edges as pairs.
import { GROUP, nodeSize, type FlowDocument, type FlowEdge, type FlowNode } from "../document.ts";
import type { Kind, SettingValue } from "../kinds.ts";

export interface Template {
  readonly id: string;
  readonly title: string;
  readonly field: string;
  /** What it is for, in one or two sentences. */
  readonly about: string;
  readonly document: FlowDocument;
}

/** Id, kind, column, row, label, what it does, settings. */
export type NodeRow = readonly [id: string, kind: Kind, column: number, row: number, label: string, description?: string, settings?: Readonly<Record<string, SettingValue>>];
/** From, to, label. */
export type EdgeRow = readonly [from: string, to: string, label?: string];
/** Label, then the ids of the nodes in it. */
export type GroupRow = readonly [id: string, label: string, ...members: string[]];

const column = nodeSize.width + 72;
const row = nodeSize.height + 48;
const around = { side: 32, top: 48, bottom: 32 };

export function template(about: Omit<Template, "document">, nodeRows: readonly NodeRow[], edgeRows: readonly EdgeRow[], groupRows: readonly GroupRow[] = []): Template {
  const nodes: Record<string, FlowNode> = {};
  for (const [id, type, x, y, label, description, settings] of nodeRows) {
    nodes[id] = { type, position: { x: x * column, y: y * row }, data: { label, ...(description && { description }), ...(settings && { settings }) } };
  }
  for (const [id, label, ...members] of groupRows) {
    const places = members.map((member) => nodes[member]?.position ?? { x: 0, y: 0 });
    const left = Math.min(...places.map(({ x }) => x)) - around.side;
    const top = Math.min(...places.map(({ y }) => y)) - around.top;
    const width = Math.max(...places.map(({ x }) => x)) + nodeSize.width + around.side - left;
    const height = Math.max(...places.map(({ y }) => y)) + nodeSize.height + around.bottom - top;
    nodes[id] = { type: GROUP, position: { x: left, y: top }, width, height, data: { label } };
    members.forEach((member, i) => {
      const place = places[i] ?? { x: 0, y: 0 };
      nodes[member] = { ...nodes[member], parentId: id, position: { x: place.x - left, y: place.y - top } };
    });
  }
  const edges: Record<string, FlowEdge> = {};
  for (const [source, target, label] of edgeRows) edges[`${source}-${target}`] = { source, target, ...(label && { label }) };
  return { ...about, document: { title: about.title, nodes, edges } };
}
