import { useCallback, useEffect, useState } from "react";
import { useOnViewportChange, useReactFlow, useStoreApi, type Edge, type Node } from "@xyflow/react";
import { calm } from "../frames.ts";
import { useSession } from "../components/HelixProvider.tsx";
import type { Peer } from "../people.ts";
import type { FlowSession } from "../session.ts";
import { usePresence } from "./usePresence.ts";

export interface Following {
  /** Who is followed. */
  readonly following: Peer | undefined;
  readonly follow: (clientId: string) => void;
  readonly unfollow: () => void;
}

/** How long the pane takes to where the other one looks; what comes meanwhile goes on from there. */
const GLIDE = 150; // ms

/**
 * useFollow lets this person follow another's view, and tells the others this one's. It belongs below a
 * `ReactFlowProvider`, once a flow. Moving the pane by hand ends it, and so does the other's leaving.
 */
export function useFollow<N extends Node = Node, E extends Edge = Edge>(flow?: FlowSession<N, E>): Following {
  const session = useSession(flow);
  const { others } = usePresence(session);
  const { setViewport } = useReactFlow();
  const store = useStoreApi();
  const [followed, setFollowed] = useState<string>();

  // Mine, for the others.
  const tell = useCallback(({ x, y, zoom }: { x: number; y: number; zoom: number }) => {
    const { width, height } = store.getState();
    if (width > 0) session.setView({ x: (width / 2 - x) / zoom, y: (height / 2 - y) / zoom, zoom, width, height });
  }, [session, store]);
  useOnViewportChange({ onChange: tell });
  useEffect(() => {
    const { transform: [x, y, zoom] } = store.getState();
    tell({ x, y, zoom });
  }, [store, tell]);

  // Theirs.
  useEffect(() => {
    if (followed === undefined) return undefined;
    return session.onView(followed, (view) => {
      const { width, height, minZoom, maxZoom } = store.getState();
      if (width === 0) return;
      // All that they see is seen here, in a pane of another size too.
      const zoom = Math.min(Math.max(view.zoom * Math.min(width / view.width, height / view.height, 1), minZoom), maxZoom);
      void setViewport({ x: width / 2 - view.x * zoom, y: height / 2 - view.y * zoom, zoom }, { duration: calm() ? 0 : GLIDE });
    });
  }, [followed, session, setViewport, store]);

  // Whoever takes the pane in hand looks elsewhere from now on. (That it moves says nothing: this hook moves it too.)
  useEffect(() => {
    const { domNode: pane } = store.getState();
    if (followed === undefined || !pane) return undefined;
    const end = ({ type, target }: Event) => {
      if (type === "wheel" || (target instanceof Element && target.classList.contains("react-flow__pane"))) setFollowed(undefined);
    };
    const taken = ["wheel", "pointerdown"];
    for (const name of taken) pane.addEventListener(name, end, { passive: true });
    return () => { for (const name of taken) pane.removeEventListener(name, end); };
  }, [followed, store]);

  const following = others.find(({ clientId }) => clientId === followed);
  return {
    following,
    follow: useCallback((clientId: string) => { setFollowed(clientId); }, []),
    unfollow: useCallback(() => { setFollowed(undefined); }, []),
  };
}
