// Helix in TypeScript: the public surface. Begin with connect.
export { connect } from "./helix.ts";
export type { Helix } from "./helix.ts";
export type { ConnectionState, ConnectOptions } from "./connection.ts";
export type { Flow, FlowOptions, FlowState } from "./flow.ts";
export type { DocumentChange, OrderedChange, Origin, Position } from "./replica.ts";
export type { PendingState, Receipt, OutgoingChange } from "./pending.ts";
export type { PendingStore } from "./store.ts";
export type { Person, Presence } from "./presence.ts";
export type { Signal } from "./signals.ts";
export type { Backoff } from "./backoff.ts";
export type { Unsubscribe } from "./listeners.ts";
export { applyPatch, diff, Run } from "./merge-patch.ts";
export type { Patch } from "./merge-patch.ts";
export type { Json, JsonObject } from "./json.ts";
export { httpUrl, whyRefused } from "./admission.ts";
export { closeCodes, closeReason, HelixError, reasons } from "./reasons.ts";
export type { CloseReason, KnownReason, Reason } from "./reasons.ts";
