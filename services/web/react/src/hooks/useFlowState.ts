import { useCallback, useRef, useSyncExternalStore } from "react";
import type { Edge, Node } from "@xyflow/react";
import { useSession } from "../components/HelixProvider.tsx";
import type { FlowSession, FlowState } from "../session.ts";

/**
 * useFlowState reads a part of the state, and renders only when that part is another one: for panels and custom nodes.
 * Select what is there, or a string or number made of it; what is made anew each time renders each time. Without a
 * session it takes that of the `HelixProvider` around.
 *
 * @example const title = useFlowState((state) => state.document.title);
 */
export function useFlowState<T, N extends Node = Node, E extends Edge = Edge>(select: (state: FlowState<N, E>) => T, flow?: FlowSession<N, E>): T {
  const session = useSession(flow);
  const last = useRef<{ state: FlowState<N, E>; select: unknown; part: T }>(undefined);
  const read = useCallback(() => {
    const state = session.getState();
    if (last.current?.state !== state || last.current.select !== select) last.current = { state, select, part: select(state) };
    return last.current.part;
  }, [session, select]);
  return useSyncExternalStore(session.subscribe, read, read);
}
