// Clients that change one flow for as long as they are asked to, and remember what was acknowledged. Whatever
// breaks meanwhile, they come back through the balancer.
import WebSocket from "ws";
import { connect } from "@helix/client";
import { Client } from "../conformance/client.mjs";
import { mergePatch } from "../conformance/merge-patch.mjs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** through gives a WebSocket class that tells which edge the balancer chose. */
function through(tell) {
  return class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.once("upgrade", ({ headers }) => tell(headers["helix-edge"]));
    }
  };
}

/** change is what the nth change of a writer says: that it was, and that it is the writer's newest. */
const change = (name, n) => ({ kept: { [name]: { [n]: true } }, newest: { [name]: n } });

class Writer {
  edges = []; // each that the balancer chose, in order
  made = 0; // changes
  acknowledged = new Map(); // by the change's number: its seq
  pauses = []; // {from, ms}: between two acknowledgements
  #lastAt = performance.now();
  #stopped = false;

  constructor(name) { this.name = name; }

  get edge() { return this.edges.at(-1); }

  acknowledge(n, seq) {
    const now = performance.now();
    this.pauses.push({ from: this.#lastAt, ms: now - this.#lastAt });
    this.#lastAt = now;
    this.acknowledged.set(n, seq);
  }

  /** write makes a change every so many milliseconds, until stop; it resolves when each was acknowledged. */
  async write(everyMs) {
    this.#lastAt = performance.now();
    const receipts = [];
    while (!this.#stopped) {
      const receipt = this.send(++this.made);
      receipts.push(receipt);
      if (this.oneAtATime) await receipt;
      await pause(everyMs);
    }
    await Promise.all(receipts);
  }

  stop() { this.#stopped = true; }
}

/** PhoenixWriter is the official client in a careful program: it joins with what it has, sends again under
 * the same change id what was not answered, and applies what comes, step by step. */
export class PhoenixWriter extends Writer {
  violations = []; // what came and should not have
  document = {};
  position = null; // {epoch, seq}

  constructor(t, variant, ws, flow, name) {
    super(name);
    const transport = through((edge) => this.edges.push(edge));
    this.client = new Client(t, variant, { ws }, { transport, rejoinAfterMs: () => 200 });
    const { channel } = this.client.member(flow, () => ({ client_id: name, ...(this.position ? { resume: this.position } : { sync: true }) }));
    this.channel = channel;
    channel.on("flow_update", ({ epoch, seq, changes }) => this.#step("update", { epoch, from: seq - 1, seq }, [changes]));
    channel.on("flow_catchup", ({ epoch, from_seq, seq, patches }) => this.#step("catchup", { epoch, from: Math.max(from_seq, this.position.seq), seq }, patches));
    channel.on("flow_sync", ({ epoch, seq, document }) => { Object.assign(this, { document, position: { epoch, seq } }); });
    this.joined = new Promise((resolve) => {
      // For every join, the later ones too.
      channel.join().receive("ok", ({ epoch, seq, snapshot, changes }) => {
        if (snapshot) this.document = snapshot.document;
        else this.document = changes.reduce((document, each) => mergePatch(document, each.changes), this.document);
        this.position = { epoch, seq };
        resolve();
      });
    });
  }

  #step(what, { epoch, from, seq }, patches) {
    if (epoch !== this.position.epoch || from !== this.position.seq) {
      this.violations.push(`${what} ${epoch} ${from}..${seq} at ${JSON.stringify(this.position)}`);
    }
    this.document = patches.reduce(mergePatch, this.document);
    this.position = { epoch, seq };
  }

  oneAtATime = true;

  /** send resolves when the change was acknowledged, after as many tries as that takes. */
  async send(n) {
    for (;;) {
      const { status, response } = await new Promise((resolve) => {
        const push = this.channel.push("flow_change", { changes: change(this.name, n), change_id: n }, 2_000);
        for (const each of ["ok", "error", "timeout"]) push.receive(each, (answer) => resolve({ status: each, response: answer }));
      });
      if (status === "ok") {
        this.acknowledge(n, response.seq);
        return;
      }
      if (status === "error" && !["unavailable", "rate_limited"].includes(response.reason)) {
        throw new Error(`${this.name}: change ${n} was refused: ${JSON.stringify(response)}`);
      }
      await pause(50);
    }
  }
}

/** HelixWriter is the client library: what it cannot send it keeps, and composes. */
export class HelixWriter extends Writer {
  violations = [];

  constructor(t, ws, flow, name) {
    super(name);
    const helix = connect({ url: `${ws}/socket`, transport: through((edge) => this.edges.push(edge)) });
    t.after(() => helix.close());
    this.flow = helix.flow(flow, { clientId: name });
    this.joined = this.flow.ready;
  }

  get document() { return this.flow.serverDocument; }
  get position() { return this.flow.position; }

  oneAtATime = false;

  /** send resolves when the change was acknowledged; the library does what that takes. */
  async send(n) {
    const { seq } = await this.flow.change(change(this.name, n));
    this.acknowledge(n, seq);
  }
}
