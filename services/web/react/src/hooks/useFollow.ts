import type { Peer } from "../people.ts";
import type { FlowSession } from "../session.ts";

/**
 * useFollow lets this person follow another's view, and tells the others this one's. It belongs below a
 * `ReactFlowProvider`, once a flow. Moving the pane by hand ends it, and so does the other's leaving.
 */
export declare function useFollow(flow?: FlowSession): {
  /** Who is followed. */
  readonly following: Peer | undefined;
  follow(clientId: string): void;
  unfollow(): void;
};
