// One namespace of a Kubernetes, as an operator handles it: kubectl, and the API behind it for what is to be
// watched. scripts/test-k8s has made it, and says by the environment which one it is (HELIX_K8S_NAMESPACE).
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { until } from "../conformance/harness.mjs";

const run = promisify(execFile);

export const namespace = process.env.HELIX_K8S_NAMESPACE ?? "";
if (!namespace) throw new Error("HELIX_K8S_NAMESPACE is not set: this is for scripts/test-k8s, which makes what is tested.");

const children = new Set();
process.on("exit", () => { for (const child of children) child.kill("SIGKILL"); });

/** kubectl runs one command in the namespace and gives what it printed. */
export async function kubectl(...args) {
  const { stdout } = await run("kubectl", ["--namespace", namespace, ...args], { timeout: 180_000, maxBuffer: 64 << 20 });
  return stdout.trim();
}

/** serving starts a kubectl that goes on running, and gives it with the port that it says it is on. */
async function serving(says, ...args) {
  const child = spawn("kubectl", ["--namespace", namespace, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  let said = "";
  child.stderr.on("data", (data) => { said = (said + data).slice(-2_000); });
  const port = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => { // to the end, so that the pipe never fills
      const found = says.exec(line);
      if (found) resolve(Number(found[1]));
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`kubectl ${args.join(" ")} ended: ${said}`)));
  });
  return { child, port };
}

async function ended(child) {
  if (!children.has(child)) return;
  child.kill();
  await once(child, "exit");
}

/** forward gives a port of this machine that leads to a port of a pod, for as long as the pod lives. */
export async function forward(pod, port) {
  const { child, port: local } = await serving(/^Forwarding from 127\.0\.0\.1:(\d+)/, "port-forward", "--address", "127.0.0.1", `pod/${pod}`, `:${port}`);
  return { port: local, get alive() { return children.has(child); }, stop: () => ended(child) };
}

/** Watch keeps what the API tells of some objects: `objects` by name, and `seen`, called with each state of each. */
class Watch {
  objects = new Map();
  #stopping = new AbortController();

  constructor(url, seen) { Object.assign(this, { url, seen }); }

  async start() {
    const list = await (await fetch(this.url, { signal: this.#stopping.signal })).json();
    this.objects = new Map(list.items.map((item) => [item.metadata.name, item]));
    this.following = this.#follow(list.metadata.resourceVersion);
  }

  async #follow(version) {
    while (!this.#stopping.signal.aborted) {
      try {
        const query = `${this.url.includes("?") ? "&" : "?"}watch=1&resourceVersion=${version}`;
        const { body } = await fetch(this.url + query, { signal: this.#stopping.signal });
        for await (const line of lines(body)) {
          const { type, object } = JSON.parse(line);
          if (type === "ERROR") throw new Error(object.message);
          version = object.metadata.resourceVersion;
          this.seen(object);
          if (type === "DELETED") this.objects.delete(object.metadata.name);
          else this.objects.set(object.metadata.name, object);
        }
      } catch (error) {
        if (!this.#stopping.signal.aborted) throw error;
      }
    }
  }

  async stop() {
    this.#stopping.abort();
    await this.following;
  }
}

async function* lines(body) {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}

/** Kube is what goes on in the namespace, as it goes on. */
export class Kube {
  /** exits tells of each container of an edge that has ended: {pod, code}. */
  exits = [];

  static async start() {
    const kube = new Kube();
    const proxy = await serving(/on 127\.0\.0\.1:(\d+)/, "proxy", "--port", "0");
    kube.proxy = proxy.child;
    const base = `http://127.0.0.1:${proxy.port}`;
    kube.slices = new Watch(`${base}/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dhelix`, () => undefined);
    kube.pods = new Watch(`${base}/api/v1/namespaces/${namespace}/pods`, (pod) => kube.#ended(pod));
    await Promise.all([kube.slices.start(), kube.pods.start()]);
    return kube;
  }

  async stop() {
    await Promise.all([this.slices.stop(), this.pods.stop()]);
    await ended(this.proxy);
  }

  /** ready gives the names of the pods that the Service leads to, in their order. */
  get ready() {
    const names = [...this.slices.objects.values()].flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions.ready).map(({ targetRef }) => targetRef.name);
    return [...new Set(names)].sort();
  }

  /** edges gives the pods of the Deployment. */
  get edges() {
    return [...this.pods.objects.values()].filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/component"] === "edge");
  }

  /** settled waits until so many pods are what the Service leads to, and there are no others. */
  settled(count, ms = 60_000) {
    return until(() => `${count} edges are ready: ${this.ready}`, () => this.ready.length === count && this.edges.length === count, ms);
  }

  #ended({ metadata, status }) {
    if (metadata.labels?.["app.kubernetes.io/component"] !== "edge") return;
    for (const { state } of status.containerStatuses ?? []) {
      const { terminated } = state;
      if (terminated && !this.exits.some(({ pod, at }) => pod === metadata.name && at === terminated.finishedAt)) {
        this.exits.push({ pod: metadata.name, code: terminated.exitCode, at: terminated.finishedAt });
      }
    }
  }
}
