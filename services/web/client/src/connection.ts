// The socket: phoenix's own, with the times of its tries told and its close codes understood.
import { Socket, type SocketConnectOption } from "phoenix";
import { defaultBackoff, waitMs, type Backoff } from "./backoff.ts";
import { withHint } from "./hint.ts";
import { Listeners, type Unsubscribe } from "./listeners.ts";
import { closeReason, HelixError } from "./reasons.ts";

export interface ConnectOptions {
  /** The socket's URL, for example `wss://example.com/socket`, or a path on the page's own host. */
  readonly url: string;
  /** The access token; a function is asked anew for every connection, so with one the client comes back by itself
   * after its token has expired (close code 1008). */
  readonly token?: string | (() => string | undefined);
  /** The WebSocket class, where there is none by itself (Node.js 20: that of `ws`). */
  readonly transport?: SocketConnectOption["transport"];
  /** Between tries to connect, to join, and to send a change again. */
  readonly backoff?: Partial<Backoff>;
  /** How long to wait for an answer, in milliseconds. */
  readonly timeoutMs?: number;
}

export type ConnectionState =
  | { readonly name: "connecting" }
  | { readonly name: "open" }
  /** The connection is lost; the next try is at retryAt, in milliseconds since 1970. */
  | { readonly name: "offline"; readonly retryAt: number; readonly reason?: string }
  /** The server does not want this client any more: it does not come back by itself. */
  | { readonly name: "refused"; readonly code: number; readonly sentence: string }
  | { readonly name: "closed" };

/** What a flow does with its connection's news. */
export interface Participant {
  connectionChanged(state: ConnectionState): void;
  /** How large the change is that was sent and not answered, in bytes; 0: none. */
  readonly unansweredBytes: number;
  /** The change that was sent does not fit through. */
  refuseUnanswered(error: HelixError): void;
  leave(): Promise<void>;
}

/** Connection is one socket to Helix, for any number of flows. */
export class Connection {
  readonly socket: Socket;
  readonly backoff: Backoff;
  readonly timeoutMs: number;
  readonly participants = new Set<Participant>();
  /** When the channel that was just refused tries again: phoenix asks for the wait before it tells of the refusal. */
  rejoinAt = 0;
  readonly #freshToken: boolean;
  #state: ConnectionState = { name: "connecting" };
  /** Of an edge that moves its clients, until it is used: within how many milliseconds to come back. */
  #comeBackWithin: number | undefined;
  readonly #listeners = new Listeners<ConnectionState>();

  constructor({ url, token, transport, backoff, timeoutMs = 10_000 }: ConnectOptions) {
    this.backoff = { ...defaultBackoff, ...backoff };
    this.timeoutMs = timeoutMs;
    const webSocket = transport ?? (globalThis as { WebSocket?: SocketConnectOption["transport"] }).WebSocket;
    this.#freshToken = typeof token === "function";
    this.socket = new Socket(url, {
      timeout: timeoutMs,
      ...(webSocket && { transport: withHint(webSocket, (ms) => { this.#comeBackWithin = ms; }) }),
      // phoenix asks for these once for each connection that it begins.
      params: () => {
        this.#become({ name: "connecting" });
        const value = typeof token === "function" ? token() : token;
        return value === undefined ? {} : { token: value };
      },
      reconnectAfterMs: (tries) => {
        const wait = this.#comeBackWithin === undefined ? waitMs(this.backoff, tries) : Math.round(Math.random() * this.#comeBackWithin);
        this.#comeBackWithin = undefined;
        this.#become({ name: "offline", retryAt: Date.now() + wait });
        return wait;
      },
      rejoinAfterMs: (tries) => {
        const wait = waitMs(this.backoff, tries);
        this.rejoinAt = Date.now() + wait;
        return wait;
      },
    });
    this.socket.onOpen(() => { this.#become({ name: "open" }); });
    this.socket.onClose(({ code }) => { this.#closed(code); });
    this.socket.connect();
  }

  get state(): ConnectionState { return this.#state; }

  onState(listener: (state: ConnectionState) => void): Unsubscribe { return this.#listeners.add(listener); }

  /** reconnect tries at once: for a button, or when the token is a new one. */
  reconnect(): void {
    if (this.#state.name === "open" || this.#state.name === "closed") return;
    this.socket.disconnect();
    this.socket.connect();
  }

  /** close leaves all flows and ends the socket, for good. */
  async close(): Promise<void> {
    if (this.#state.name === "closed") return;
    const left = [...this.participants].map((participant) => participant.leave());
    this.#become({ name: "closed" });
    await Promise.all(left);
    this.socket.disconnect();
  }

  #closed(code: number): void {
    const { comesBack, sentence } = closeReason(code);
    if (code === 1009) this.#refuseLargest();
    if (comesBack) return;
    if (this.#freshToken) { // phoenix has begun to wait for the next try, which asks for a token
      if (this.#state.name === "offline") this.#become({ ...this.#state, reason: "token_expired" });
      return;
    }
    this.socket.disconnect();
    this.#become({ name: "refused", code, sentence });
  }

  /** A frame was too large for the server. Sent again it would end the next connection too, so the largest
   * change that has no answer is given up. */
  #refuseLargest(): void {
    let largest: Participant | undefined;
    for (const participant of this.participants) {
      if (participant.unansweredBytes > (largest?.unansweredBytes ?? 0)) largest = participant;
    }
    largest?.refuseUnanswered(new HelixError("changes_too_large"));
  }

  #become(state: ConnectionState): void {
    if (this.#state.name === "closed" || (this.#state.name === "connecting" && state.name === "connecting")) return;
    this.#state = state;
    for (const participant of [...this.participants]) participant.connectionChanged(state);
    this.#listeners.tell(state);
  }
}
