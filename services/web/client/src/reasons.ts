// Why something was refused or closed, as data. The sentences are those of shared/flows/errors.go and
// of the edge's socket/close.go; reasons.test.ts holds them to that.

/** Reason says what a refusal means. */
export interface Reason {
  readonly sentence: string;
  /** The same thing may succeed later: changes are sent again, joins tried again. */
  readonly transient: boolean;
}

const final = (sentence: string): Reason => ({ sentence, transient: false });
const transient = (sentence: string): Reason => ({ sentence, transient: true });

/** reasons are all that the edge gives, and below them those of this library. */
export const reasons = {
  "Invalid flow identifier": final("a flow id has 1 to 255 bytes after trimming and no control characters"),
  max_clients_reached: transient("the flow has as many clients as it may have"),
  unavailable: transient("the flow's store cannot be reached now; try again"),
  unauthorized: final("this needs a right that the client does not have"),
  unauthenticated: final("this needs a valid token"),
  token_expired: final("the token has expired; come back with a fresh one"),
  invalid_changes: final("changes must be a JSON object"),
  changes_too_deep: final("changes are nested too deeply"),
  changes_too_large: final("changes are too large"),
  document_too_large: final("the flow's document would grow over its limit; make it smaller first"),
  rate_limited: transient("too many changes in too short a time; slow down and send it again"),
  invalid_params: final("a parameter is not of its form"),
  "Unknown event": final("the server does not know this event"),
  "unmatched topic": transient("the server has no such channel joined; join again"),
  "too many channels joined": transient("the socket has as many flows as it may have"),

  timeout: transient("no answer came in time"),
  too_many_pending: final("too many changes wait to be sent; try again when the flow is live"),
  left: final("the flow was left before the change was acknowledged"),
  deleted: final("the flow was deleted"),
} as const satisfies Record<string, Reason>;

export type KnownReason = keyof typeof reasons;

/** CloseReason says what a WebSocket's close code means. */
export interface CloseReason {
  readonly sentence: string;
  /** The client comes back by itself. */
  readonly comesBack: boolean;
}

const closed = (sentence: string, comesBack = true): CloseReason => ({ sentence, comesBack });

/** closeCodes are those with which Helix closes a socket. */
export const closeCodes: Readonly<Record<number, CloseReason>> = {
  1001: closed("the server moves its clients; come back"),
  1002: closed("silent for too long"),
  1006: closed("the connection broke"),
  1008: closed("the token has expired; come back with a fresh one", false),
  1009: closed("the frame is too large"),
  1011: closed("the frame does not decode"),
  1012: closed("the server restarts; come back"),
  1013: closed("too slow to follow; come back later"),
};

/** closeReason gives the meaning of any close code. */
export function closeReason(code: number): CloseReason {
  return closeCodes[code] ?? closed("the connection was closed");
}

/** HelixError is a refusal. Its message is a sentence for people, its reason a word for programs. */
export class HelixError extends Error {
  override readonly name = "HelixError";
  readonly reason: string;
  readonly transient: boolean;

  /** A reason that is not in the table counts as final. */
  constructor(reason: KnownReason | (string & {}), sentence?: string) {
    const known: Reason | undefined = Object.hasOwn(reasons, reason) ? reasons[reason as KnownReason] : undefined;
    super(sentence ?? known?.sentence ?? `the server refused: ${reason}`);
    this.reason = reason;
    this.transient = known?.transient ?? false;
  }

  get sentence(): string { return this.message; }
}

/** refusal makes the error of an error reply `{reason, message}`. */
export function refusal(response: unknown): HelixError {
  const { reason, message } = (response ?? {}) as { reason?: unknown; message?: unknown };
  return new HelixError(typeof reason === "string" ? reason : "unknown", typeof message === "string" ? message : undefined);
}
