// Edits of a graph as merge patches: pure functions of the document.
import type { Edge, Node, XYPosition } from "@xyflow/react";
import { diff, type Json, type JsonObject, type Patch } from "@helix/client";
import { edgeRecord, newId, nodeRecord, rounded } from "./document.ts";
import { element, map } from "./projection.ts";

/** addition gives the patch that adds elements, above all that are there. */
export function addition(document: JsonObject, nodes: readonly Node[], edges: readonly Edge[]): Patch {
  return {
    ...(nodes.length > 0 && { nodes: added(map(document, "nodes"), nodes, (node) => ({ ...nodeRecord(node), position: rounded(node.position) })) }),
    ...(edges.length > 0 && { edges: added(map(document, "edges"), edges, edgeRecord) }),
  };
}

function added<T extends { id: string }>(there: JsonObject, elements: readonly T[], record: (one: T) => object): JsonObject {
  let order = 0;
  for (const one of Object.values(there)) {
    const place = typeof one === "object" && one !== null && !Array.isArray(one) ? (one as JsonObject)["order"] : undefined;
    if (typeof place === "number") order = Math.max(order, place);
  }
  return Object.fromEntries(elements.map((one) => [one.id, { ...record(one), order: ++order }]));
}

/** removal gives the patch that deletes elements: the nodes inside removed nodes too, and all edges at them, those too that
 * nobody sees. Undefined: there is nothing of them. */
export function removal(document: JsonObject, nodeIds: Iterable<string>, edgeIds: Iterable<string>): Patch | undefined {
  const nodes = map(document, "nodes"), edges = map(document, "edges");
  const inside = new Map<string, string[]>();
  for (const [id, node] of Object.entries(nodes)) {
    const parent = (node as JsonObject | null)?.["parentId"];
    if (typeof parent === "string") inside.set(parent, [...inside.get(parent) ?? [], id]);
  }
  const gone = new Set<string>();
  const go = (id: string) => {
    if (gone.has(id) || !Object.hasOwn(nodes, id)) return;
    gone.add(id);
    for (const child of inside.get(id) ?? []) go(child);
  };
  for (const id of nodeIds) go(id);
  const goneEdges = new Set([...edgeIds].filter((id) => Object.hasOwn(edges, id)));
  if (gone.size > 0) {
    for (const [id, edge] of Object.entries(edges)) {
      const { source, target } = (edge ?? {}) as { source?: unknown; target?: unknown };
      if (gone.has(source as string) || gone.has(target as string)) goneEdges.add(id);
    }
  }
  if (gone.size === 0 && goneEdges.size === 0) return undefined;
  const nulls = (ids: Set<string>): JsonObject => Object.fromEntries([...ids].map((id) => [id, null]));
  return { ...(gone.size > 0 && { nodes: nulls(gone) }), ...(goneEdges.size > 0 && { edges: nulls(goneEdges) }) };
}

/** fields gives the patch of some fields: undefined takes one away, objects merge. */
export function fields(values: object): JsonObject {
  const nulled = (value: unknown): Json | undefined => {
    if (value === undefined) return null;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, nulled(inner)]).filter(([, inner]) => inner !== undefined)) as JsonObject;
    }
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined ? undefined : JSON.parse(text) as Json;
  };
  return nulled(values) as JsonObject;
}

/** replaced gives the patch between an element as it was shown and as it should be; undefined where they are the same. */
export function replaced(shown: object, wanted: object, record: (element: object) => object): Patch | undefined {
  return diff(record(shown) as JsonObject, record(wanted) as JsonObject);
}

/** pasted gives copies under new ids. Nodes whose parent is copied too move with it; edges are copied where both ends are. */
export function pasted<N extends Node, E extends Edge>(elements: { readonly nodes: readonly N[]; readonly edges: readonly E[] }, by: XYPosition): { nodes: N[]; edges: E[]; ids: Map<string, string> } {
  const ids = new Map(elements.nodes.map(({ id }) => [id, newId()]));
  const idOf = (old: string) => ids.get(old) ?? old;
  const nodes = elements.nodes.map((node): N => {
    const parent = node.parentId === undefined ? undefined : ids.get(node.parentId);
    const { x, y } = node.position;
    return {
      ...node,
      id: idOf(node.id),
      ...(parent === undefined ? { position: { x: x + by.x, y: y + by.y } } : { parentId: parent }),
    };
  });
  const edges = elements.edges.flatMap((edge): E[] => {
    const source = ids.get(edge.source), target = ids.get(edge.target);
    if (source === undefined || target === undefined) return [];
    const id = newId();
    ids.set(edge.id, id);
    return [{ ...edge, id, source, target }];
  });
  return { nodes, edges, ids };
}

/** connected says whether there is an edge between two handles already. */
export function connected(document: JsonObject, { source, target, sourceHandle, targetHandle }: { readonly source: string; readonly target: string; readonly sourceHandle?: string | null; readonly targetHandle?: string | null }): boolean {
  return Object.keys(map(document, "edges")).some((id) => {
    const edge = element(document, "edges", id);
    return edge?.["source"] === source && edge["target"] === target
      && (edge["sourceHandle"] ?? null) === (sourceHandle ?? null) && (edge["targetHandle"] ?? null) === (targetHandle ?? null);
  });
}
