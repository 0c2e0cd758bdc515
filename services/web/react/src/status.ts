// What a person should know of the network, and what may be done about it.
import { reasons, type FlowState as ClientState } from "@helix/client";

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

/** The server's reasons, as causes. What is not here is "other". */
const causes: Readonly<Record<string, Cause>> = {
  max_clients_reached: "full",
  deleted: "removed",
  session_closed: "session_closed",
  read_only: "read_only",
  unauthorized: "unauthorized",
  token_missing: "token_missing",
  token_expired: "token_expired",
  unauthenticated: "token_invalid",
  changes_too_large: "change_too_large",
  changes_too_deep: "change_too_large",
  document_too_large: "flow_too_large",
  too_many_pending: "too_much_waiting",
  rate_limited: "rate_limited",
  unavailable: "unavailable",
  timeout: "unavailable",
  "Invalid flow identifier": "invalid_flow_id",
};

export function causeOf(reason: string): Cause { return (Object.hasOwn(causes, reason) ? causes[reason] : undefined) ?? "other"; }

const steps: Readonly<Record<Cause, NextStep>> = {
  full: "wait",
  removed: "reopen",
  session_closed: "reopen",
  read_only: "ask_for_access",
  unauthorized: "ask_for_access",
  token_missing: "sign_in",
  token_expired: "sign_in",
  token_invalid: "sign_in",
  change_too_large: "make_smaller",
  flow_too_large: "make_smaller",
  too_much_waiting: "wait",
  rate_limited: "wait",
  unavailable: "wait",
  invalid_flow_id: "leave",
  other: "retry",
};

/** What this library finds out beside the flow's own state. */
export interface Findings {
  readonly waiting: boolean;
  /** The server lets this client look only. */
  readonly readOnly: boolean;
  /** Why no connection can be opened, as the HTTP API says. */
  readonly token: { readonly reason: string; readonly sentence: string } | undefined;
  /** The document of a flow that ended is kept: only its session was closed. */
  readonly kept: boolean;
}

const READ_ONLY = "you may look at this flow, and not change it";
const SESSION_CLOSED = "the flow's session was closed; its document is kept";
const SIGN_IN = "this needs a token";

/** statusOf gives the status of a flow. */
export function statusOf(state: ClientState, { waiting, readOnly, token, kept }: Findings): Status {
  const refused = (cause: Cause, sentence: string): Status => ({ name: "refused", cause, sentence, next: steps[cause] });
  if (token && (state.name === "offline" || state.name === "joining" || state.name === "refused")) return refused(causeOf(token.reason), token.reason === "token_missing" ? SIGN_IN : token.sentence);
  switch (state.name) {
    case "joining": return { name: "joining", waiting };
    case "live": return readOnly ? { name: "read_only", cause: "read_only", sentence: READ_ONLY, next: "ask_for_access" } : { name: "live" };
    case "saving": return { name: "saving", ...why(state.reason), ...(state.retryAt !== undefined && { retryAt: state.retryAt }) };
    case "offline": {
      const cause = state.reason === undefined ? undefined : causeOf(state.reason);
      return { name: "offline", waiting, ...(state.retryAt !== undefined && { retryAt: state.retryAt }), ...why(state.reason), next: cause === undefined ? "retry" : steps[cause] };
    }
    case "refused": return refused(causeOf(state.reason), state.sentence);
    case "deleted": return kept ? refused("session_closed", SESSION_CLOSED) : refused("removed", reasons.deleted.sentence);
    case "closed": return { name: "closed" };
  }
}

function why(reason: string | undefined): { cause?: Cause; sentence?: string } {
  if (reason === undefined) return {};
  const known = Object.hasOwn(reasons, reason) ? reasons[reason as keyof typeof reasons].sentence : undefined;
  return { cause: causeOf(reason), ...(known !== undefined && { sentence: known }) };
}
