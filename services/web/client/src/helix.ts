import { Connection, type ConnectionState, type ConnectOptions } from "./connection.ts";
import { Flow, type FlowOptions } from "./flow.ts";
import type { Unsubscribe } from "./listeners.ts";

/** Helix is one connection, and the flows that are open on it. */
export class Helix {
  readonly #connection: Connection;

  constructor(options: ConnectOptions) { this.#connection = new Connection(options); }

  get state(): ConnectionState { return this.#connection.state; }

  onState(listener: (state: ConnectionState) => void): Unsubscribe { return this.#connection.onState(listener); }

  /** flow opens a flow: it is joined as soon as it can be, and may be changed at once. */
  flow(flowId: string, options: FlowOptions = {}): Flow {
    const id = flowId.trim();
    if (this.#connection.state.name === "closed") throw new Error("This connection is closed: make another with connect.");
    for (const open of this.#connection.participants) {
      if (open instanceof Flow && open.id === id) throw new Error(`The flow ${id} is open on this connection already: use that one, or leave it first.`);
    }
    return new Flow(this.#connection, id, options);
  }

  /** reconnect tries to connect at once: for a button, or when the token is a new one. */
  reconnect(): void { this.#connection.reconnect(); }

  /** close leaves all flows and ends the connection. */
  close(): Promise<void> { return this.#connection.close(); }
}

/** connect connects to Helix, and stays connected until it is closed. */
export function connect(options: ConnectOptions): Helix { return new Helix(options); }
