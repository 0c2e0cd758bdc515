import type { Peer } from "../people.ts";
import type { FlowSession } from "../session.ts";

/** usePresence gives the others, and who of them has a node or edge selected or is editing it, by its id. */
export declare function usePresence(flow?: FlowSession): {
  readonly me: Peer | undefined;
  readonly others: readonly Peer[];
  /** at gives who has an element selected or edits it. */
  at(id: string): readonly Peer[];
};
