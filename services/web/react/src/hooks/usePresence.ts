import { useMemo } from "react";
import type { Edge, Node } from "@xyflow/react";
import type { Peer } from "../people.ts";
import type { FlowSession, FlowState } from "../session.ts";
import { useFlowState } from "./useFlowState.ts";

export interface PresenceHere {
  /** This client, as the others see it. */
  readonly me: Peer | undefined;
  readonly others: readonly Peer[];
  /** at gives who of the others has an element selected or edits it. */
  readonly at: (id: string) => readonly Peer[];
}

const othersOf = ({ others }: FlowState) => others;
const meOf = ({ me }: FlowState) => me;
const nobody: readonly Peer[] = [];

/** usePresence gives who is in the flow, and who of them is at a node or edge. It renders when that changes, and not when
 * the document does. */
export function usePresence<N extends Node = Node, E extends Edge = Edge>(flow?: FlowSession<N, E>): PresenceHere {
  const session = flow as unknown as FlowSession | undefined;
  const others = useFlowState(othersOf, session);
  const me = useFlowState(meOf, session);
  return useMemo(() => {
    const at = new Map<string, Peer[]>();
    for (const peer of others) {
      for (const id of new Set([...peer.selectedNodes, ...peer.selectedEdges, ...(peer.editing === undefined ? [] : [peer.editing])])) at.set(id, [...at.get(id) ?? [], peer]);
    }
    return { me, others, at: (id: string) => at.get(id) ?? nobody };
  }, [me, others]);
}
