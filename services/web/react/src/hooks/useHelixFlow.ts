import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { Edge, Node } from "@xyflow/react";
import type { FlowEvent } from "../events.ts";
import { createFlowSession } from "../flow-session.ts";
import { actionNames, type FlowActions, type FlowSession, type FlowSessionOptions, type FlowState, type ReactFlowProps } from "../session.ts";

/** UseHelixFlowOptions say which flow, and who. A new `url` or `flowId` opens another flow; of all else the newest counts. */
export interface UseHelixFlowOptions extends FlowSessionOptions {
  /** Tells what happens; the newest function is called, so it need not be the same. */
  readonly onEvent?: (event: FlowEvent) => void;
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
export function useHelixFlow<N extends Node = Node, E extends Edge = Edge>(options: UseHelixFlowOptions): HelixFlow<N, E> {
  const { url, flowId, onEvent } = options;
  // The options of the first render open the flow; what may change later goes by setOptions.
  const session = useMemo(() => createFlowSession<N, E>({ ...options, url, flowId }), [url, flowId]); // eslint-disable-line react-hooks/exhaustive-deps
  const state = useSyncExternalStore(session.subscribe, session.getState, session.getState);

  useEffect(() => { session.setOptions(options); });
  useEffect(() => {
    session.start();
    return () => { void session.stop(); };
  }, [session]);

  const tell = useRef(onEvent);
  useEffect(() => { tell.current = onEvent; });
  useEffect(() => session.onEvent((event) => { tell.current?.(event); }), [session]);

  return useMemo(() => {
    const { nodes, edges } = state;
    const { onNodesChange, onEdgesChange, onConnect, onReconnect, onDelete } = session;
    return { ...actionsOf(session), ...state, session, props: { nodes, edges, onNodesChange, onEdgesChange, onConnect, onReconnect, onDelete } };
  }, [session, state]);
}

function actionsOf<N extends Node, E extends Edge>(session: FlowSession<N, E>): FlowActions<N, E> {
  return Object.fromEntries(actionNames.map((name) => [name, session[name]])) as unknown as FlowActions<N, E>;
}
