import type { CSSProperties } from "react";
import { useStore, ViewportPortal, type Edge, type Node, type ReactFlowState } from "@xyflow/react";
import { usePresence } from "../hooks/usePresence.ts";
import type { Peer } from "../people.ts";
import type { FlowSession } from "../session.ts";
import { useSession } from "./HelixProvider.tsx";

export interface SelectionsProps<N extends Node = Node, E extends Edge = Edge> {
  /** By itself that of the `HelixProvider` around. */
  readonly flow?: FlowSession<N, E>;
}

/** Selections draws a frame in a peer's colour, with their name, around the nodes that they have selected or are editing.
 * It belongs inside `<ReactFlow>`. */
export function Selections<N extends Node = Node, E extends Edge = Edge>({ flow }: SelectionsProps<N, E>) {
  const session = useSession(flow);
  const { others } = usePresence(session);
  return (
    <ViewportPortal>
      {others.flatMap((peer) => nodesOf(peer).map((id) => <Frame key={`${peer.clientId} ${id}`} id={id} peer={peer} />))}
    </ViewportPortal>
  );
}

function nodesOf({ selectedNodes, editing }: Peer): string[] {
  return [...new Set([...selectedNodes, ...(editing === undefined ? [] : [editing])])];
}

const zoomOf = ({ transform }: ReactFlowState) => transform[2];

const frame: CSSProperties = { position: "absolute", top: 0, left: 0, boxSizing: "border-box", pointerEvents: "none", zIndex: 1900 };
const tag: CSSProperties = { position: "absolute", left: 0, bottom: "100%", transformOrigin: "0 100%", padding: "0 5px", borderRadius: "4px 4px 4px 0", color: "#fff", font: "500 10px/14px system-ui, sans-serif", whiteSpace: "nowrap" };
const MARGIN = 4; // px between a node and its frame

function Frame({ id, peer: { clientId, name, color, editing } }: { readonly id: string; readonly peer: Peer }) {
  const box = useStore((state: ReactFlowState) => boxOf(state, id));
  const zoom = useStore(zoomOf);
  if (box === undefined) return null;
  const [x = 0, y = 0, width = 0, height = 0] = box.split(" ").map(Number);
  const pixel = 1 / zoom; // frame and tag are as large at every zoom
  const margin = MARGIN * pixel;
  return (
    <div
      className="helix-selection" data-client={clientId} data-id={id} aria-hidden
      style={{ ...frame, border: `${String(2 * pixel)}px ${editing === id ? "dashed" : "solid"} ${color}`, borderRadius: 8 * pixel, transform: `translate(${String(x - margin)}px, ${String(y - margin)}px)`, width: width + 2 * margin, height: height + 2 * margin }}
    >
      <span style={{ ...tag, background: color, transform: `scale(${String(pixel)})` }}>{name}</span>
    </div>
  );
}

/** boxOf gives where a node is, as a text: one that is the same renders nothing. */
function boxOf({ nodeLookup }: ReactFlowState, id: string): string | undefined {
  const node = nodeLookup.get(id);
  if (!node || node.hidden) return undefined;
  const { x, y } = node.internals.positionAbsolute;
  const { width = node.width ?? 0, height = node.height ?? 0 } = node.measured;
  return width > 0 ? [x, y, width, height].join(" ") : undefined;
}
