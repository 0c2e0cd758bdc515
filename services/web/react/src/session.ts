// One flow as an app uses it, without React: what the hooks stand on.
import type { Edge, Node } from "@xyflow/react";
import type { ConnectOptions, Json, PendingStore } from "@helix/client";
import type { FlowEvent } from "./events.ts";
import type { FlowActions, FlowState } from "./hooks/useHelixFlow.ts";
import type { Cursor, User, View } from "./people.ts";

export interface FlowSessionOptions extends ConnectOptions {
  readonly flowId: string;
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

/** FlowSession is one flow, and this tab's part in it. Everything that the hook gives is here; it also starts and stops. */
export interface FlowSession<N extends Node = Node, E extends Edge = Edge> extends FlowActions<N, E> {
  readonly flowId: string;
  /** The newest state. The same object until something in it changes. */
  getState(): FlowState<N, E>;
  /** subscribe calls a function whenever the state is another one. It gives the function that ends that. */
  subscribe(listener: () => void): () => void;
  onEvent(listener: (event: FlowEvent) => void): () => void;
  onSignal(listener: (signal: { readonly type: string; readonly data: Json; readonly clientId: string }) => void): () => void;

  /** The others' cursors, by client id. Apart from the state, so that a moving cursor renders nothing but itself. */
  getCursors(): ReadonlyMap<string, Cursor>;
  subscribeCursors(listener: () => void): () => void;
  /** setCursor shows where this person points, in flow coordinates; undefined: nowhere. `<Cursors/>` does it by itself. */
  setCursor(position: { readonly x: number; readonly y: number } | undefined): void;
  /** setView shows what this person looks at, for who follows them. `useFollow` does it by itself. */
  setView(view: View): void;
  /** onView tells where a peer looks, at once if it is known, and whenever that changes. */
  onView(clientId: string, listener: (view: View) => void): () => void;

  /** start opens the flow, stop leaves it; the hook calls them. A session may start again. */
  start(): void;
  stop(): Promise<void>;
}
