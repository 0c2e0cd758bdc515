// A flow's document as the builder writes it: nodes and edges by id, so that edits by several people merge
// field by field. What somebody else wrote into it is read with care: every field may be missing.
import { isKind, type Kind, type SettingValue } from "./kinds.ts";

export interface Point { readonly x: number; readonly y: number }

/** Comment is one remark on a node; comments are kept by id, as nodes are. */
export interface Comment {
  readonly text: string;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface NodeData extends Record<string, unknown> {
  readonly label?: string;
  readonly description?: string;
  readonly settings?: Readonly<Record<string, SettingValue>>;
  readonly comments?: Readonly<Record<string, Comment>>;
}

export interface FlowNode {
  /** A kind, or `group`. Another client may have written anything: what is unknown is shown as a plain node. */
  readonly type?: string;
  readonly position?: Point;
  readonly parentId?: string;
  readonly width?: number;
  readonly height?: number;
  readonly data?: NodeData;
}

export interface FlowEdge {
  readonly source: string;
  readonly target: string;
  readonly label?: string;
}

export interface FlowDocument {
  readonly title?: string;
  readonly nodes?: Readonly<Record<string, FlowNode>>;
  readonly edges?: Readonly<Record<string, FlowEdge>>;
}

export const GROUP = "group";

/** The size of a node that does not say its own. The canvas draws them so; pictures and layout count on it. */
export const nodeSize = { width: 224, height: 64 } as const;
export const groupSize = { width: 320, height: 200 } as const;
/** The distance of the grid that nodes snap to. */
export const grid = 16;

/** What a title may be, in characters. */
export const MOST_TITLE = 120;

/** newId gives an id that nobody else makes: on a page without TLS too, where randomUUID is missing. */
export function newId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return `${prefix}-${[...bytes].map((byte) => byte.toString(36).padStart(2, "0")).join("")}`;
}

/** isPlain says whether something is an object with named members. */
export const isPlain = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** byId reads nodes or edges, which a plain client may have written as an array of `{id, …}`. */
function byId(value: unknown): Record<string, Record<string, unknown>> {
  const out: Record<string, Record<string, unknown>> = {};
  if (Array.isArray(value)) {
    for (const one of value) {
      if (isPlain(one) && typeof one["id"] === "string") {
        const { id, ...rest } = one;
        out[id] = rest;
      }
    }
  } else if (isPlain(value)) {
    for (const [id, one] of Object.entries(value)) if (isPlain(one)) out[id] = one;
  }
  return out;
}

const isPoint = (value: unknown): value is Point => isPlain(value) && isNumber(value["x"]) && isNumber(value["y"]);

/** readNode takes from anything what a node has, and leaves out the rest. */
function readNode(raw: Record<string, unknown>): FlowNode {
  const data = isPlain(raw["data"]) ? raw["data"] : {};
  // The original's nodes, and the simplest ones, have their label beside their position.
  const label = typeof data["label"] === "string" ? data["label"] : typeof raw["label"] === "string" ? raw["label"] : undefined;
  return {
    ...(typeof raw["type"] === "string" && { type: raw["type"] }),
    position: isPoint(raw["position"]) ? { x: raw["position"].x, y: raw["position"].y } : { x: 0, y: 0 },
    ...(typeof raw["parentId"] === "string" && { parentId: raw["parentId"] }),
    ...(isNumber(raw["width"]) && { width: raw["width"] }),
    ...(isNumber(raw["height"]) && { height: raw["height"] }),
    data: { ...data, ...(label !== undefined && { label }) },
  };
}

/** readDocument takes a flow out of any JSON object, and leaves out what is none: edges without ends, parents that are not there. */
export function readDocument(raw: unknown): { title: string; nodes: Record<string, FlowNode>; edges: Record<string, FlowEdge> } {
  const source = isPlain(raw) ? raw : {};
  const nodes: Record<string, FlowNode> = {};
  const edges: Record<string, FlowEdge> = {};
  const rawNodes = byId(source["nodes"]);
  for (const [id, one] of Object.entries(rawNodes)) {
    const { parentId, ...node } = readNode(one);
    const parent = parentId === undefined ? undefined : rawNodes[parentId];
    nodes[id] = parentId !== undefined && parent?.["type"] === GROUP && parentId !== id ? { ...node, parentId } : node;
  }
  for (const [id, one] of Object.entries(byId(source["edges"]))) {
    const { source: from, target: to, label } = one;
    if (typeof from !== "string" || typeof to !== "string" || !nodes[from] || !nodes[to]) continue;
    edges[id] = { source: from, target: to, ...(typeof label === "string" && label !== "" && { label }) };
  }
  return { title: typeof source["title"] === "string" ? source["title"].slice(0, MOST_TITLE) : "", nodes, edges };
}

/** inArrays says whether a plain client wrote this document: its nodes or edges are whole arrays. One edit by id would replace all of them. */
export const inArrays = (raw: { readonly nodes?: unknown; readonly edges?: unknown }): boolean => Array.isArray(raw.nodes) || Array.isArray(raw.edges);

/** toMaps gives a document in the builder's form: one that has it is given back as it is. */
export function toMaps(raw: FlowDocument): FlowDocument {
  return inArrays(raw) ? { ...raw, ...readDocument(raw) } : raw;
}

export function kindOf(node: { readonly type?: string | undefined }): Kind | undefined {
  return isKind(node.type) ? node.type : undefined;
}

export function sizeOf(node: FlowNode): { width: number; height: number } {
  const own = node.type === GROUP ? groupSize : nodeSize;
  return { width: node.width ?? own.width, height: node.height ?? own.height };
}

/** placeOf gives where a node is on the canvas: a node in a group stands where the group puts it. */
export function placeOf(id: string, nodes: Readonly<Record<string, FlowNode>>): Point {
  let [x, y] = [0, 0];
  const seen = new Set<string>(); // a circle of parents is nobody's fault and nobody's end
  for (let at: string | undefined = id; at !== undefined && !seen.has(at); at = nodes[at]?.parentId) {
    seen.add(at);
    x += nodes[at]?.position?.x ?? 0;
    y += nodes[at]?.position?.y ?? 0;
  }
  return { x, y };
}
