// Any React Flow app, with many people in it: the public surface. Begin with useHelixFlow.
export { useHelixFlow } from "./hooks/useHelixFlow.ts";
export type { EditOptions, Elements, FlowActions, FlowState, HelixFlow, ReactFlowProps, UseHelixFlowOptions } from "./hooks/useHelixFlow.ts";
export { useFlowState } from "./hooks/useFlowState.ts";
export { usePresence } from "./hooks/usePresence.ts";
export { useFollow } from "./hooks/useFollow.ts";
export { Cursors } from "./components/Cursors.tsx";
export type { CursorsProps } from "./components/Cursors.tsx";
export { Selections } from "./components/Selections.tsx";
export type { SelectionsProps } from "./components/Selections.tsx";
export { HelixProvider, useHelix } from "./components/HelixProvider.tsx";
export type { FlowSession, FlowSessionOptions } from "./session.ts";
export type { FlowDocument, NodeRecord, EdgeRecord } from "./document.ts";
export type { Cause, NextStep, Status } from "./status.ts";
export type { Cursor, Peer, User, View } from "./people.ts";
export type { Author, FlowEvent } from "./events.ts";
