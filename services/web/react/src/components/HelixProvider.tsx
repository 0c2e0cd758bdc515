import { createContext, useContext, type ReactNode } from "react";
import type { Edge, Node } from "@xyflow/react";
import type { FlowSession } from "../session.ts";

const Context = createContext<FlowSession | undefined>(undefined);

export interface HelixProviderProps<N extends Node, E extends Edge> {
  readonly flow: FlowSession<N, E>;
  readonly children: ReactNode;
}

/** HelixProvider hands a session to the components and hooks below it, custom nodes too. */
export function HelixProvider<N extends Node, E extends Edge>({ flow, children }: HelixProviderProps<N, E>) {
  return <Context.Provider value={flow as unknown as FlowSession}>{children}</Context.Provider>; // React 18 knows it by this name alone
}

/** useHelix gives the session of the HelixProvider around. */
export function useHelix<N extends Node = Node, E extends Edge = Edge>(): FlowSession<N, E> { return useSession<N, E>(undefined); }

/** useSession gives the session that was handed over, or that of the HelixProvider around. */
export function useSession<N extends Node, E extends Edge>(given: FlowSession<N, E> | undefined): FlowSession<N, E> {
  const around = useContext(Context);
  const session = given ?? (around as unknown as FlowSession<N, E> | undefined);
  if (!session) throw new Error("No flow here: pass flow={flow.session}, or put a <HelixProvider flow={flow.session}> around.");
  return session;
}
