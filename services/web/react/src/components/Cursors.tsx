import { useEffect, useState, useSyncExternalStore, type CSSProperties } from "react";
import { useReactFlow, useStore, useStoreApi, ViewportPortal, type Edge, type Node, type ReactFlowState } from "@xyflow/react";
import { usePresence } from "../hooks/usePresence.ts";
import type { Cursor, Peer } from "../people.ts";
import type { FlowSession } from "../session.ts";
import { useSession } from "./HelixProvider.tsx";

export interface CursorsProps<N extends Node = Node, E extends Edge = Edge> {
  /** By itself that of the `HelixProvider` around. */
  readonly flow?: FlowSession<N, E>;
  /** Hide a cursor that did not move for so long, in milliseconds; 30 000 by itself. */
  readonly idleMs?: number;
}

const zoomOf = ({ transform }: ReactFlowState) => transform[2];
const paneOf = ({ domNode }: ReactFlowState) => domNode;

/** Cursors shows where the others point, with their names and colours, and tells them where this person does. It belongs
 * inside `<ReactFlow>`. */
export function Cursors<N extends Node = Node, E extends Edge = Edge>({ flow, idleMs = 30_000 }: CursorsProps<N, E>) {
  const session = useSession(flow);
  usePointer(session);
  const cursors = useSyncExternalStore(session.subscribeCursors, session.getCursors, session.getCursors);
  const { others } = usePresence(session);
  const now = useNow(cursors.size > 0 ? idleMs : undefined);
  const zoom = useStore(zoomOf);
  return (
    <ViewportPortal>
      {others.map((peer) => {
        const cursor = cursors.get(peer.clientId);
        return cursor && now - cursor.at < idleMs && <Pointer key={peer.clientId} peer={peer} cursor={cursor} zoom={zoom} />;
      })}
    </ViewportPortal>
  );
}

const pointer: CSSProperties = { position: "absolute", top: 0, left: 0, pointerEvents: "none", zIndex: 2000, transition: "transform 70ms linear", transformOrigin: "0 0" };
const label: CSSProperties = { position: "absolute", left: 12, top: 16, padding: "1px 6px", borderRadius: 4, color: "#fff", font: "500 11px/16px system-ui, sans-serif", whiteSpace: "nowrap", maxWidth: 160, overflow: "hidden", textOverflow: "ellipsis" };

function Pointer({ peer: { clientId, name, color }, cursor: { x, y }, zoom }: { readonly peer: Peer; readonly cursor: Cursor; readonly zoom: number }) {
  return (
    <div className="helix-cursor" data-client={clientId} aria-hidden style={{ ...pointer, transform: `translate(${String(x)}px, ${String(y)}px) scale(${String(1 / zoom)})` }}>
      <svg width="16" height="20" viewBox="0 0 16 20" style={{ display: "block", overflow: "visible" }}>
        <path d="M1 1 L1 15 L5 11.5 L7.6 17.4 L10 16.3 L7.5 10.6 L13 10.4 Z" fill={color} stroke="#fff" strokeWidth="1.2" strokeLinejoin="round" />
      </svg>
      <span style={{ ...label, background: color }}>{name}</span>
    </div>
  );
}

/** usePointer tells the others where this person points, while that is on the pane. */
function usePointer(session: Pick<FlowSession, "setCursor">): void {
  const pane = useStore(paneOf);
  const store = useStoreApi();
  const { screenToFlowPosition } = useReactFlow();
  useEffect(() => {
    if (!pane) return undefined;
    let last: { x: number; y: number } | undefined;
    const show = () => { if (last) session.setCursor(screenToFlowPosition(last, { snapToGrid: false })); };
    const move = ({ clientX, clientY }: PointerEvent) => { last = { x: clientX, y: clientY }; show(); };
    const leave = () => { last = undefined; session.setCursor(undefined); };
    pane.addEventListener("pointermove", move);
    pane.addEventListener("pointerleave", leave);
    // Under a pointer that rests, the flow may move.
    const forget = store.subscribe((state, before) => { if (state.transform !== before.transform) show(); });
    return () => {
      pane.removeEventListener("pointermove", move);
      pane.removeEventListener("pointerleave", leave);
      forget();
      session.setCursor(undefined);
    };
  }, [pane, session, store, screenToFlowPosition]);
}

/** useNow gives the time, some times in a span. */
function useNow(span: number | undefined): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (span === undefined) return undefined;
    const timer = setInterval(() => { setNow(Date.now()); }, Math.max(span / 10, 250));
    return () => { clearInterval(timer); };
  }, [span]);
  return now;
}
