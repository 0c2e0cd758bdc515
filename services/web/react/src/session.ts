// One flow as an app uses it, without React: what the hooks stand on.
import type { Edge, Node, OnConnect, OnDelete, OnEdgesChange, OnNodesChange, OnReconnect, XYPosition } from "@xyflow/react";
import type { ConnectOptions, Flow, Json, Patch, PendingStore } from "@helix/client";
import type { FlowDocument } from "./document.ts";
import type { FlowEvent } from "./events.ts";
import type { Cursor, Peer, User, View } from "./people.ts";
import type { Status } from "./status.ts";

export interface FlowSessionOptions extends Omit<ConnectOptions, "token"> {
  readonly flowId: string;
  /** The access token, or what gives it: asked anew for every connection, so that a session comes back by itself after
   * its token has expired. */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>);
  /** What the others see of this person. Without it the tab is not shown, and sees nobody. */
  readonly user?: User;
  /**
   * Where unacknowledged edits are kept over a reload. By itself IndexedDB, one queue a tab; false: nowhere; a function
   * gives a store of your own, for this tab alone.
   */
  readonly store?: boolean | (() => PendingStore);
  /** How many steps can be undone; 200 by itself. */
  readonly undoDepth?: number;
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
  readonly undo: () => boolean;
  readonly redo: () => boolean;
  /** transact makes all edits in it one undo step and one change on the wire. It gives what the function gives. */
  readonly transact: <T>(edit: () => T, options?: EditOptions) => T;

  /** addNodes adds nodes, parents with or before their children. Selected ones become the selection. */
  readonly addNodes: (nodes: readonly N[], options?: EditOptions) => void;
  readonly addEdges: (edges: readonly E[], options?: EditOptions) => void;
  /** setNode changes fields of a node: `undefined` takes one away; `data` is merged. Nothing happens where the node is gone. */
  readonly setNode: (id: string, fields: Partial<Omit<N, "id">>, options?: EditOptions) => void;
  /** setNodeData merges into a node's data; null or undefined takes a member away. */
  readonly setNodeData: (id: string, data: Readonly<Record<string, unknown>>, options?: EditOptions) => void;
  readonly setEdge: (id: string, fields: Partial<Omit<E, "id">>, options?: EditOptions) => void;
  readonly setEdgeData: (id: string, data: Readonly<Record<string, unknown>>, options?: EditOptions) => void;
  /** remove deletes elements, the edges at removed nodes and the nodes inside removed groups with them, as one step. */
  readonly remove: (elements: Elements, options?: EditOptions) => void;
  /** patch changes anything in the document: a title, comments. A JSON Merge Patch: objects merge, null deletes. */
  readonly patch: (patch: Patch, options?: EditOptions) => void;
  /**
   * replace makes the document another one, by the smallest change: for a restored version or an import. It is one undo
   * step, and concurrent edits of what it leaves as it is still hold.
   */
  readonly replace: (document: FlowDocument, options?: EditOptions) => void;
  /** paste adds copies under new ids, edges between them included, moved by `by`, and selects them. It gives the new
   * id for each old one. */
  readonly paste: (elements: { readonly nodes: readonly N[]; readonly edges: readonly E[] }, by?: XYPosition, options?: EditOptions) => ReadonlyMap<string, string>;

  /** select makes this the selection; without an argument nothing is selected. It is this browser's alone, and shown to the others. */
  readonly select: (elements?: Elements) => void;
  /** setUser changes what the others see of this person. */
  readonly setUser: (user: Partial<User>) => void;
  /** setEditing shows the others what is being edited, and asks for `removedByOther` when it goes. */
  readonly setEditing: (id: string | undefined) => void;
  /** signal tells the others something that is not stored; types that begin with "helix:" are this library's own. */
  readonly signal: (type: string, data: Json) => void;

  /** retry connects at once: for a button, or when there is a new token. */
  readonly retry: () => void;
  /** reopen begins again with a flow that was removed, refused, or whose session was closed. */
  readonly reopen: () => void;
}

/** FlowSession is one flow, and this tab's part in it. Everything that the hook gives is here; it also starts and stops. */
export interface FlowSession<N extends Node = Node, E extends Edge = Edge> extends FlowActions<N, E> {
  readonly flowId: string;
  /** The client library's flow behind it, for what is not here; undefined while the session is not started. Changes that
   * are made there are no steps to undo. */
  readonly client: Flow | undefined;
  /** The newest state. The same object until something in it changes. */
  readonly getState: () => FlowState<N, E>;
  /** subscribe calls a function whenever the state is another one. It gives the function that ends that. */
  readonly subscribe: (listener: () => void) => () => void;
  readonly onEvent: (listener: (event: FlowEvent) => void) => () => void;
  readonly onSignal: (listener: (signal: { readonly type: string; readonly data: Json; readonly clientId: string }) => void) => () => void;

  /** The others' cursors, by client id. Apart from the state, so that a moving cursor renders nothing but itself. */
  readonly getCursors: () => ReadonlyMap<string, Cursor>;
  readonly subscribeCursors: (listener: () => void) => () => void;
  /** setCursor shows where this person points, in flow coordinates; undefined: nowhere. `<Cursors/>` does it by itself. */
  readonly setCursor: (position: { readonly x: number; readonly y: number } | undefined) => void;
  /** setView shows what this person looks at, for who follows them. `useFollow` does it by itself. */
  readonly setView: (view: View) => void;
  /** onView tells where a peer looks, at once if it is known, and whenever that changes. */
  readonly onView: (clientId: string, listener: (view: View) => void) => () => void;

  /** setOptions takes the newest token and undo depth; where `user` is another one, the others see it. */
  readonly setOptions: (options: FlowSessionOptions) => void;
  /** start opens the flow, stop leaves it; the hook calls them. A session may start again. */
  readonly start: () => void;
  readonly stop: () => Promise<void>;
}

/** The names of all actions, for who hands them on. */
export const actionNames = [
  "onNodesChange", "onEdgesChange", "onConnect", "onReconnect", "onDelete", "undo", "redo", "transact", "addNodes", "addEdges", "setNode", "setNodeData",
  "setEdge", "setEdgeData", "remove", "patch", "replace", "paste", "select", "setUser", "setEditing", "signal", "retry", "reopen",
] as const satisfies readonly (keyof FlowActions)[];
