import type { Edge, Node, OnConnect, OnDelete, OnEdgesChange, OnNodesChange, OnReconnect, XYPosition } from "@xyflow/react";
import type { Json, JsonObject, Patch } from "@helix/client";
import type { FlowDocument } from "../document.ts";
import type { FlowEvent } from "../events.ts";
import type { Peer, User } from "../people.ts";
import type { FlowSession, FlowSessionOptions } from "../session.ts";
import type { Status } from "../status.ts";

/** UseHelixFlowOptions say which flow, and who. A new `url` or `flowId` opens another flow; of all else the newest counts. */
export interface UseHelixFlowOptions extends FlowSessionOptions {
  /** Tells what happens; the newest function is called, so it need not be the same. */
  readonly onEvent?: (event: FlowEvent) => void;
}

/** EditOptions say how an edit stands in the undo history. */
export interface EditOptions {
  /** Edits with the same name that follow each other within a second are one step: the keystrokes in one field. */
  readonly merge?: string;
  /** false: this edit cannot be undone. */
  readonly undo?: boolean;
}

/** ReactFlowProps are what a controlled `<ReactFlow>` takes: `<ReactFlow {...flow.props}>`. */
export interface ReactFlowProps<N extends Node = Node, E extends Edge = Edge> {
  readonly nodes: N[];
  readonly edges: E[];
  readonly onNodesChange: OnNodesChange<N>;
  readonly onEdgesChange: OnEdgesChange<E>;
  readonly onConnect: OnConnect;
  readonly onReconnect: OnReconnect<E>;
  readonly onDelete: OnDelete<N, E>;
}

/** Elements are nodes and edges by id. */
export interface Elements {
  readonly nodes?: readonly string[];
  readonly edges?: readonly string[];
}

/** FlowState is what changes: every render has the newest. What did not change is the same object. */
export interface FlowState<N extends Node = Node, E extends Edge = Edge> {
  /** With what this browser alone knows (selected, dragging, measured), and where others are dragging to. */
  readonly nodes: N[];
  readonly edges: E[];
  /** The whole document, for everything else that is in it. */
  readonly document: FlowDocument;
  readonly status: Status;
  /** Whether the document was here once. Until then `nodes` is empty, whatever the flow holds. */
  readonly loaded: boolean;
  /** Whether edits are taken: not where the flow is refused, over, or to be looked at only. Offline they are. */
  readonly editable: boolean;
  /** The others in the flow, in a lasting order. */
  readonly others: readonly Peer[];
  /** This client, as the others see it; undefined until it has joined. */
  readonly me: Peer | undefined;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
}

/** FlowActions are what one can do. They are the same functions all the time, and may be called from anywhere. */
export interface FlowActions<N extends Node = Node, E extends Edge = Edge> extends Omit<ReactFlowProps<N, E>, "nodes" | "edges"> {
  /** undo takes back this person's last step, and leaves what others have changed since. False: there was none. */
  undo(): boolean;
  redo(): boolean;
  /** transact makes all edits in it one undo step and one change on the wire. It gives what the function gives. */
  transact<T>(edit: () => T, options?: EditOptions): T;

  /** addNodes adds nodes, parents with or before their children. Selected ones become the selection. */
  addNodes(nodes: readonly N[], options?: EditOptions): void;
  addEdges(edges: readonly E[], options?: EditOptions): void;
  /** setNode changes fields of a node: `undefined` takes one away; `data` is merged. Nothing happens where the node is gone. */
  setNode(id: string, fields: Partial<Omit<N, "id">>, options?: EditOptions): void;
  /** setNodeData merges into a node's data; null or undefined takes a member away. */
  setNodeData(id: string, data: Readonly<Record<string, unknown>>, options?: EditOptions): void;
  setEdge(id: string, fields: Partial<Omit<E, "id">>, options?: EditOptions): void;
  setEdgeData(id: string, data: Readonly<Record<string, unknown>>, options?: EditOptions): void;
  /** remove deletes elements, the edges at removed nodes and the nodes inside removed groups with them, as one step. */
  remove(elements: Elements, options?: EditOptions): void;
  /** patch changes anything in the document: a title, comments. A JSON Merge Patch: objects merge, null deletes. */
  patch(patch: Patch, options?: EditOptions): void;
  /**
   * replace makes the document another one, by the smallest change: for a restored version or an import. It is one undo
   * step, and concurrent edits of what it leaves as it is still hold.
   */
  replace(document: FlowDocument, options?: EditOptions): void;
  /** paste adds copies under new ids, edges between them included, moved by `by`, and selects them. It gives the new
   * id for each old one. */
  paste(elements: { readonly nodes: readonly N[]; readonly edges: readonly E[] }, by?: XYPosition, options?: EditOptions): ReadonlyMap<string, string>;

  /** select makes this the selection; without an argument nothing is selected. It is this browser's alone, and shown to the others. */
  select(elements?: Elements): void;
  /** setUser changes what the others see of this person. */
  setUser(user: Partial<User>): void;
  /** setEditing shows the others what is being edited, and asks for `removedByOther` when it goes. */
  setEditing(id: string | undefined): void;
  /** signal tells the others something that is not stored; types that begin with "helix:" are this library's own. */
  signal(type: string, data: Json): void;

  /** retry connects at once: for a button, or when there is a new token. */
  retry(): void;
  /** reopen begins again with a flow that was removed, refused, or whose session was closed. */
  reopen(): void;
}

/** HelixFlow is a flow that many people edit. */
export interface HelixFlow<N extends Node = Node, E extends Edge = Edge> extends FlowState<N, E>, FlowActions<N, E> {
  /** All that `<ReactFlow>` needs, in one object. */
  readonly props: ReactFlowProps<N, E>;
  /** What is behind it: the same object while url and flow id are. The components and the other hooks take it. */
  readonly session: FlowSession<N, E>;
}

/**
 * useHelixFlow opens a flow while the component is there, and gives it in the shape that a controlled `<ReactFlow>` takes.
 *
 * @example
 * ```tsx
 * const flow = useHelixFlow({ url: "ws://localhost:4000/socket", flowId: "demo", user: { name: "Ann" } });
 * return <ReactFlow {...flow.props} fitView><Cursors flow={flow.session} /></ReactFlow>;
 * ```
 */
export declare function useHelixFlow<N extends Node = Node, E extends Edge = Edge>(options: UseHelixFlowOptions): HelixFlow<N, E>;

export type { JsonObject };
