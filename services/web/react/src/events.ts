// What an app may want to tell its user when it happens.
import type { Origin, Patch } from "@helix/client";
import type { Peer } from "./people.ts";
import type { Cause } from "./status.ts";

/** Author is who made a change: a peer, where they are (or just were) in the flow; else what is known of them. */
export interface Author {
  readonly clientId: string;
  readonly peer?: Peer;
}

export type FlowEvent =
  /** Somebody else deleted what this person was busy with. Nothing is to be done; it should be told. */
  | {
    readonly type: "removedByOther";
    readonly nodes: readonly string[];
    readonly edges: readonly string[];
    /** The last that was seen of the first node or edge: its label, its type. */
    readonly data: unknown;
    /** Unknown where it happened while this client was away. */
    readonly by?: Author;
    /** What this person did with it: the strongest of these that fits. */
    readonly engaged: "dragging" | "editing" | "selected";
  }
  /** A change was refused for good and is taken back. */
  | { readonly type: "refused"; readonly cause: Cause; readonly sentence: string }
  /** The document changed: by whom, where it is known, and how. For a list of what happened. */
  | { readonly type: "changed"; readonly origin: Origin; readonly by?: Author; readonly patch: Patch; readonly at: number }
  /** An undo or redo left out what others have changed meanwhile; `nothing` where that was all of it. */
  | { readonly type: "undoKept"; readonly kind: "undo" | "redo"; readonly nothing: boolean };
