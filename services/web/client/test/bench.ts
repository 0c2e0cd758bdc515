// What most tests need: a flow on the simulated server, and a way to let everything that can happen happen.
import { vi } from "vitest";
import { connect, type ConnectOptions, type DocumentChange, type Flow, type FlowOptions, type FlowState, type Helix, type JsonObject } from "../src/index.ts";
import { Sim, type Link, type Member } from "./sim.ts";

/** Bench is one client and the server. Timers are faked: time passes when a test says so. */
export class Bench {
  readonly sim = new Sim();
  readonly helix: Helix;
  readonly flow: Flow;
  readonly changes: DocumentChange[] = [];
  readonly states: FlowState[] = [];

  constructor(options: FlowOptions = {}, connection: Partial<ConnectOptions> = {}) {
    this.helix = connect({ url: "ws://sim/socket", transport: this.sim.transport(), ...connection });
    this.flow = this.helix.flow("f", { clientId: "me", ...options });
    this.flow.onChange((change) => { this.changes.push(change); });
    this.flow.onState((state) => { this.states.push(state); });
  }

  /** joined gives a bench whose flow is live. */
  static async joined(options?: FlowOptions, connection?: Partial<ConnectOptions>, document: JsonObject = {}): Promise<Bench> {
    const bench = new Bench(options, connection);
    if (Object.keys(document).length > 0) bench.sim.change("other", document, 0);
    await bench.settle();
    bench.changes.length = bench.states.length = 0;
    return bench;
  }

  /** The newest connection. */
  get link(): Link {
    const link = this.sim.links.at(-1);
    if (!link) throw new Error("no connection was begun");
    return link;
  }

  /** The flow's channel at its edge. */
  get member(): Member {
    const member = this.link.members.get("flow:f");
    if (!member) throw new Error("the flow is not joined");
    return member;
  }

  /** settle lets everything happen that waits for no timer. */
  async settle(): Promise<void> {
    await this.pass(0);
    await this.sim.settle();
    await this.pass(0);
    await this.sim.settle();
  }

  /** pass lets time pass, and nothing move but timers. */
  async pass(ms: number): Promise<void> { await vi.advanceTimersByTimeAsync(ms); }

  /** back lets the client come back from whatever it waits for. */
  async back(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      await this.pass(1_000);
      await this.settle();
    }
  }

  /** The changes that came to the server: id and text, in order. */
  get received(): [id: number, text: string][] { return this.sim.received.filter(({ clientId }) => clientId === this.flow.clientId).map(({ id, text }) => [id, text]); }

  /** The patches that were carried out, in order. */
  get carriedOut(): JsonObject[] { return this.sim.history.map(({ changes }) => changes); }
}
