// What a person should know of the network, and what may be done about it.

/** Cause is why a flow is not live, as a word for programs. */
export type Cause =
  /** As many people are in the flow as may be: it tries again by itself. */
  | "full"
  /** Somebody deleted the flow. */
  | "removed"
  /** Somebody closed the flow's session; its document is kept. */
  | "session_closed"
  /** This person may look, and not change anything. */
  | "read_only"
  /** This person may not even look. */
  | "unauthorized"
  /** The server wants a token, and none was given. */
  | "token_missing"
  /** The token has expired. */
  | "token_expired"
  /** The token is not one that the server takes. */
  | "token_invalid"
  /** One change is larger than a change may be. */
  | "change_too_large"
  /** The flow would grow over its limit. */
  | "flow_too_large"
  /** So much waits to be sent that no more is taken. */
  | "too_much_waiting"
  /** Too many changes in too short a time: they go out later by themselves. */
  | "rate_limited"
  /** The server cannot reach its store now: changes go out later by themselves. */
  | "unavailable"
  /** The flow id is none that may be. */
  | "invalid_flow_id"
  /** Anything else; the sentence says what. */
  | "other";

/** NextStep is what a person can do about it, for a button or a sentence. */
export type NextStep =
  /** Nothing: it goes on by itself. */
  | "wait"
  /** `retry()`: try again now. */
  | "retry"
  /** Get a token: sign in (again). */
  | "sign_in"
  /** Ask who may give the right. */
  | "ask_for_access"
  /** `reopen()`: begin again with this flow, empty if it was deleted. */
  | "reopen"
  /** Make the change, or the flow, smaller. */
  | "make_smaller"
  /** Go to another flow. */
  | "leave";

/**
 * Status is the flow's state as people see it. `waiting` says that changes of this tab are not acknowledged yet; they
 * are kept. Times are milliseconds since 1970.
 */
export type Status =
  /** On the way; nothing has failed yet. */
  | { readonly name: "joining"; readonly waiting: boolean }
  /** Everything is acknowledged. */
  | { readonly name: "live" }
  /** Changes wait for their acknowledgement; with a cause where the server put them off until retryAt. */
  | { readonly name: "saving"; readonly cause?: Cause; readonly sentence?: string; readonly retryAt?: number }
  /** Not connected, or not let in for now. retryAt is when the next try begins. */
  | { readonly name: "offline"; readonly waiting: boolean; readonly retryAt?: number; readonly cause?: Cause; readonly sentence?: string; readonly next: NextStep }
  /** Joined to look only: changes are refused here already. */
  | { readonly name: "read_only"; readonly cause: "read_only"; readonly sentence: string; readonly next: NextStep }
  /** Not wanted, or over: it does not come back by itself. */
  | { readonly name: "refused"; readonly cause: Cause; readonly sentence: string; readonly next: NextStep }
  /** This tab left. */
  | { readonly name: "closed" };
