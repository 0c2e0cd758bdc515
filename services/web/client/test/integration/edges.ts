// The real thing: Redis and edges as processes (those of the conformance tests), clients over `ws`, and between
// them a proxy that stands for the load balancer and for everything that breaks on the way.
import net from "node:net";
import { onTestFinished } from "vitest";
import WebSocket from "ws";
import { connect, type ConnectOptions, type Flow, type FlowOptions, type Helix, type JsonObject, type Patch } from "../../src/index.ts";

/** An edge of the harness. */
export interface Edge { readonly http: string; readonly ws: string; kill(): Promise<unknown> }

/** LoadBalancer passes connections on to the edge that it points to. */
export class LoadBalancer {
  readonly #server = net.createServer((client) => { this.#pass(client); });
  readonly #open = new Set<net.Socket>();
  #edge: Edge;
  #losing = false;
  down = false;

  constructor(edge: Edge) { this.#edge = edge; }

  static async start(edge: Edge): Promise<LoadBalancer> {
    const balancer = new LoadBalancer(edge);
    await new Promise<void>((resolve) => { balancer.#server.listen(0, "127.0.0.1", resolve); });
    onTestFinished(() => balancer.stop());
    return balancer;
  }

  get url(): string { return `ws://127.0.0.1:${String((this.#server.address() as net.AddressInfo).port)}/socket`; }

  /** point sends new connections to another edge. */
  point(edge: Edge): void { this.#edge = edge; }

  /** loseNextAnswer lets what a client sends next pass, and breaks that connection in place of what would be answered. */
  loseNextAnswer(): void { this.#losing = true; }

  /** cut breaks all connections, without a word. */
  cut(): void { for (const socket of this.#open) socket.resetAndDestroy(); }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }

  #pass(client: net.Socket): void {
    if (this.down) { client.resetAndDestroy(); return; }
    const edge = net.connect(Number(new URL(this.#edge.http).port), "127.0.0.1");
    let losing = false;
    for (const [from, to] of [[client, edge], [edge, client]] as const) {
      this.#open.add(from);
      from.setNoDelay(true);
      from.on("error", () => undefined); // "close" follows
      from.on("close", () => { this.#open.delete(from); to.destroy(); });
      from.on("data", (data) => {
        if (from === client && this.#losing) {
          losing = true;
          this.#losing = false;
        }
        if (from === edge && losing) client.resetAndDestroy();
        else to.write(data);
      });
    }
  }
}

/** connected connects, and closes when the test ends. */
export function connected(url: string, options: Partial<ConnectOptions> = {}): Helix {
  const helix = connect({ url, transport: WebSocket, backoff: { firstMs: 50, mostMs: 500 }, timeoutMs: 5_000, ...options });
  onTestFinished(() => helix.close());
  return helix;
}

export function direct(edge: Edge): Helix { return connected(`${edge.ws}/socket`); }

let flows = 0;

/** newFlow gives a flow id that no other test has. */
export function newFlow(): string { return `client-${String(process.pid)}-${String(++flows)}`; }

/** opened gives a flow that is live. */
export async function opened(helix: Helix, id: string, options?: FlowOptions): Promise<Flow> {
  const flow = helix.flow(id, options);
  await flow.ready;
  return flow;
}

/** until waits for something that a flow tells of: its document, its state, its people. It looks by itself too, for of
 * its position a flow tells nothing where the document stays as it is. */
export function until(flow: Flow, what: string, check: () => boolean, ms = 20_000): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!check()) return;
      done();
      resolve();
    };
    const timer = setTimeout(() => {
      done();
      reject(new Error(`not within ${String(ms)} ms: ${what}. The flow is ${JSON.stringify(flow.state)} at ${JSON.stringify(flow.position)}`));
    }, ms);
    const looking = setInterval(look, 20);
    const listening = [flow.onChange(look), flow.onState(look), flow.presence.onChange(look), flow.onSignal(look)];
    const done = () => { clearTimeout(timer); clearInterval(looking); for (const forget of listening) forget(); };
    look();
  });
}

/** Witness is a plain member of a flow, on the official client's own events: it counts what was carried out. */
export class Witness {
  readonly updates: { seq: number; changes: Patch }[] = [];

  static async of(edge: Edge, id: string): Promise<Witness> {
    const witness = new Witness();
    const { Socket } = await import("phoenix");
    const socket = new Socket(`${edge.ws}/socket`, { transport: WebSocket });
    onTestFinished(() => { socket.disconnect(); });
    socket.connect();
    const channel = socket.channel(`flow:${id}`, {});
    channel.on("flow_update", (update: { seq: number; changes: Patch }) => { witness.updates.push(update); });
    await new Promise((resolve, reject) => { channel.join().receive("ok", resolve).receive("error", reject); });
    return witness;
  }

  /** times says how often a member of `marks` was set. */
  times(mark: string): number { return this.updates.filter(({ changes }) => Object.hasOwn((changes["marks"] as JsonObject | undefined) ?? {}, mark)).length; }

  /** inOrder says whether the seqs that came have no gap and no repeat. */
  get inOrder(): boolean { return this.updates.every(({ seq }, i) => seq === (this.updates[0]?.seq ?? 0) + i); }
}
