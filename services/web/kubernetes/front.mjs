// What stands before a Service for clients outside of the cluster: an ingress in small. Each new connection goes
// to the ready pod that has the fewest; which one that is, the answer tells in the header helix-edge.
import net from "node:net";
import { forward } from "./kube.mjs";

const PORT = 4000;

export class Front {
  #server = net.createServer((client) => { void this.#pass(client); });
  #open = new Map(); // by the pod: its connections
  #forwards = new Map(); // by the pod: a promise of its forward

  constructor(kube) { this.kube = kube; }

  static async start(kube) {
    const front = new Front(kube);
    await new Promise((resolve) => front.#server.listen(0, "127.0.0.1", resolve));
    const { port } = front.#server.address();
    return Object.assign(front, { http: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}` });
  }

  async stop() {
    for (const connections of this.#open.values()) for (const connection of connections) connection.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await Promise.all([...this.#forwards.values()].map(async (each) => (await each.catch(() => null))?.stop()));
  }

  connections(pod) { return this.#open.get(pod)?.size ?? 0; }

  async #pass(client) {
    client.on("error", () => undefined); // "close" follows
    const [pod] = this.kube.ready.sort((a, b) => this.connections(a) - this.connections(b));
    if (!pod) {
      client.destroy(); // as a Service without endpoints does
      return;
    }
    // Counted at once, so that many who come together are spread.
    const mine = this.#open.get(pod) ?? new Set();
    this.#open.set(pod, mine.add(client));
    client.once("close", () => mine.delete(client));
    try {
      const { port } = await this.#forward(pod);
      const edge = net.connect(port, "127.0.0.1");
      edge.setNoDelay(true);
      client.setNoDelay(true);
      for (const [from, to] of [[client, edge], [edge, client]]) {
        from.on("error", () => undefined);
        from.once("close", () => to.destroy());
      }
      client.pipe(edge);
      edge.once("data", (first) => {
        client.write(naming(first, pod));
        edge.pipe(client);
      });
    } catch {
      client.destroy(); // the pod was gone before its endpoint was
    }
  }

  async #forward(pod) {
    const before = this.#forwards.get(pod);
    if (before && (await before).alive) return before;
    if (this.#forwards.get(pod) !== before) return this.#forward(pod); // another was quicker
    const made = forward(pod, PORT);
    this.#forwards.set(pod, made);
    made.catch(() => { if (this.#forwards.get(pod) === made) this.#forwards.delete(pod); });
    return made;
  }
}

/** naming puts the header behind the first line of an answer. */
function naming(answer, pod) {
  const end = answer.indexOf("\r\n") + 2;
  return Buffer.concat([answer.subarray(0, end), Buffer.from(`helix-edge: ${pod}\r\n`), answer.subarray(end)]);
}
