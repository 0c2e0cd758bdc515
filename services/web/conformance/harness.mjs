// The machinery under test: a real Redis and real edges, on free ports, ended by their process ids.
// Nothing here outlives the test process, however it ends.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const EDGE = process.env.HELIX_BIN || path.join(ROOT, "bin", "helix");
const REDIS = process.env.REDIS_SERVER || "redis-server";

const running = new Set();
const folders = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]]) {
  process.on(signal, () => process.exit(code));
}

/** until resolves when check gives (or resolves to) something truthy; it asks every 20 ms. Only for
 * what tells nothing by itself, such as a process that is starting. Rejects after ms with what, a
 * text or a function that gives one. */
export async function until(what, check, ms = 10_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const got = await check();
    if (got) return got;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${typeof what === "function" ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Process is one child, started anew as often as a test wants, always with the same command. */
class Process {
  constructor(name, command, args, env) {
    Object.assign(this, { name, command, args, env, output: "" });
  }

  spawn() {
    const child = spawn(this.command, this.args, { env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    running.add(child);
    const keep = (data) => { this.output = (this.output + data).slice(-20_000); };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    this.ended = new Promise((resolve) => {
      const end = (how) => { running.delete(child); resolve(how); };
      child.once("error", (error) => { keep(`${error}\n`); end({ error }); });
      child.once("exit", (code, signal) => end({ code, signal }));
    });
  }

  get alive() { return running.has(this.child); }

  /** started waits until ready says true; it fails with the process's own words when that ends first. */
  async started(ready) {
    await until(() => `${this.name} is ready. It said:\n${this.output}`, () => {
      if (!this.alive) throw new Error(`${this.name} ended while it started. It said:\n${this.output}`);
      return ready();
    });
  }

  /** signal sends one and waits for the end; SIGKILL follows when that takes longer than ms. */
  async signal(signal, ms = 15_000) {
    if (!this.alive) return this.ended;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill("SIGKILL"), ms);
    const how = await this.ended;
    clearTimeout(timer);
    return how;
  }

  /** stop asks the process to end, as an operator would. */
  stop() { return this.signal("SIGTERM"); }

  /** kill ends the process without a word, as a crash would. */
  kill() { return this.signal("SIGKILL"); }
}

class Redis extends Process {
  constructor(port, folder) {
    // Everything is on disk before it is answered, so that a restart forgets nothing.
    super("redis", REDIS, ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
      "--appendfsync", "always", "--dir", folder, "--loglevel", "notice"]);
    this.port = port;
    this.folder = folder;
    this.url = `redis://127.0.0.1:${port}/0`;
  }

  async start() {
    this.spawn();
    await this.started(() => answersPing(this.port));
  }

  /** forget removes what a stopped Redis has on disk: it comes back empty. */
  async forget() {
    await rm(path.join(this.folder, "appendonlydir"), { recursive: true, force: true });
  }
}

class Edge extends Process {
  constructor(name, port, adminPort, env) {
    super(name, EDGE, [], {
      PATH: process.env.PATH,
      HELIX_NODE_ID: name,
      HELIX_HTTP_ADDR: `127.0.0.1:${port}`,
      HELIX_ADMIN_ADDR: `127.0.0.1:${adminPort}`,
      ...env,
    });
    this.http = `http://127.0.0.1:${port}`;
    this.ws = `ws://127.0.0.1:${port}`;
  }

  async start() {
    this.spawn();
    await this.started(async () => {
      const answer = await fetch(`${this.http}/readyz`).catch(() => null);
      await answer?.body?.cancel();
      return answer?.status === 200;
    });
  }

  /** stop fails when a running edge does not end well: with a code, or only by force. */
  async stop() {
    const wasAlive = this.alive;
    const how = await super.stop();
    if (wasAlive && how.code !== 0) throw new Error(`${this.name} ended with ${JSON.stringify(how)}. It said:\n${this.output}`);
    return how;
  }
}

function answersPing(port) {
  return new Promise((resolve) => {
    const connection = net.connect(port, "127.0.0.1", () => connection.write("PING\r\n"));
    connection.once("data", (data) => { resolve(`${data}`.startsWith("+PONG")); connection.destroy(); });
    connection.once("error", () => resolve(false));
    connection.once("close", () => resolve(false));
  });
}

// Below the range that the system gives to outgoing connections, so that a port stays free while a
// process that is to come back on it is away.
const PORTS = { first: 15_000, count: 15_000 };

async function freePort() {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const free = await new Promise((resolve) => {
      const probe = net.createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

// Another test run may take a port between the look and the start: then with other ports.
async function onFreePorts(make) {
  for (let attempt = 1; ; attempt++) {
    const made = await make();
    try {
      await made.start();
      return made;
    } catch (error) {
      await made.kill();
      if (attempt === 5 || !/address already in use/i.test(made.output)) throw error;
    }
  }
}

/** startRedis starts a Redis that keeps its data in a folder of its own. */
export async function startRedis() {
  const folder = await mkdtemp(path.join(os.tmpdir(), "helix-redis-"));
  folders.add(folder);
  return onFreePorts(async () => new Redis(await freePort(), folder));
}

/** startEdge starts one edge; env overrides the settings that all tests share. */
export function startEdge(redis, name, env = {}) {
  return onFreePorts(async () => new Edge(name, await freePort(), await freePort(), {
    HELIX_REDIS_URL: redis.url,
    HELIX_SESSION_LEASE_TTL: `${LEASE_TTL}ms`,
    HELIX_SOCKET_ALLOWED_ORIGINS: "*",
    ...env,
  }));
}

/** LEASE_TTL is how long a dead edge's clients may stay in the count, in milliseconds. */
export const LEASE_TTL = 3_000;

/** startCluster starts a Redis and three edges on it. */
export async function startCluster(env) {
  const redis = await startRedis();
  const edges = await Promise.all(["edge-a", "edge-b", "edge-c"].map((name) => startEdge(redis, name, env)));
  return {
    redis,
    edges,
    async stop() {
      await Promise.all(edges.map((edge) => edge.stop()));
      await redis.stop();
      await rm(redis.folder, { recursive: true, force: true });
      folders.delete(redis.folder);
    },
  };
}
