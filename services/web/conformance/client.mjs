// The official phoenix client as tests use it: promises instead of callbacks, and a record of all that
// came, in the order in which it came.
import { Socket as Socket18 } from "phoenix";
import { Socket as Socket17 } from "phoenix17";
import WebSocket from "ws";

// The client always speaks 2.0.0 by itself; the old serializer is what clients before Phoenix 1.3 sent:
// objects without a join_ref.
const v1 = {
  vsn: "1.0.0",
  encode: ({ topic, event, payload, ref }, done) => done(JSON.stringify({ topic, event, payload, ref })),
  decode: (text, done) => done(JSON.parse(text)),
};
const v2 = { vsn: "2.0.0" };

/** VARIANTS are the clients that every test runs with. */
export const VARIANTS = [
  { name: "phoenix 1.8, vsn 2.0.0", Socket: Socket18, serializer: v2 },
  { name: "phoenix 1.7, vsn 2.0.0", Socket: Socket17, serializer: v2 },
  { name: "phoenix 1.8, vsn 1.0.0", Socket: Socket18, serializer: v1 },
  { name: "phoenix 1.7, vsn 1.0.0", Socket: Socket17, serializer: v1 },
];

/** Refused is an error reply of the server. */
export class Refused extends Error {
  constructor(response) {
    super(`refused: ${JSON.stringify(response)}`);
    this.reason = response.reason;
  }
}

const answer = (push) => new Promise((resolve, reject) => {
  push
    .receive("ok", resolve)
    .receive("error", (response) => reject(new Refused(response)))
    .receive("timeout", () => reject(new Error("no answer within 10 s")));
});

/** Client is one socket. It ends with the test t. */
export class Client {
  constructor(t, variant, edge, { params = {}, ...options } = {}) {
    this.received = []; // every message, decoded: {topic, event, payload, ref, join_ref}
    this.opened = 0;
    this.closes = []; // the codes
    this.waiters = new Set();
    this.socket = new variant.Socket(`${edge.ws}/socket`, { transport: WebSocket, params, ...variant.serializer, ...options });
    this.socket.onOpen(() => { this.opened++; this.#changed(); });
    this.socket.onClose(({ code }) => { this.closes.push(code); this.#changed(); });
    this.socket.onMessage((message) => { this.received.push(message); this.#changed(); });
    t.after(() => this.close());
    this.socket.connect();
  }

  /** until resolves with the first truthy value of check, which is asked again whenever something came. */
  until(what, check, ms = 10_000) {
    return new Promise((resolve, reject) => {
      const waiter = () => {
        const got = check();
        if (!got) return;
        clearTimeout(timer);
        this.waiters.delete(waiter);
        resolve(got);
      };
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        const last = this.received.slice(-8).map((m) => JSON.stringify(m).slice(0, 300)).join("\n");
        reject(new Error(`not within ${ms} ms: ${what}. Last received:\n${last}`));
      }, ms);
      this.waiters.add(waiter);
      waiter();
    });
  }

  #changed() { for (const waiter of [...this.waiters]) waiter(); }

  /** member is a channel on this socket that is yet to join. */
  member(flow, params) { return new Member(this, flow, params); }

  /** ask sends one event on such a channel and gives the answer. */
  ask(channel, event, payload) { return answer(channel.push(event, payload)); }

  /** joinTopic gives the phoenix channel of any topic, once it is joined. */
  async joinTopic(topic) {
    const channel = this.socket.channel(topic);
    await answer(channel.join());
    return channel;
  }

  /** cut breaks the connection as a pulled cable does, as far as one process can: no close frame. */
  cut() { this.socket.conn.terminate(); }

  close() {
    const connection = this.socket.conn;
    this.socket.disconnect();
    connection?.terminate(); // an edge that was killed does not answer the close frame
    // Without a connection a leave only ends what the channel plans, such as its next try to join.
    for (const channel of [...this.socket.channels]) channel.leave();
  }
}

/** Member is one client of a flow. */
export class Member {
  constructor(client, flow, params = {}) {
    this.client = client;
    this.topic = `flow:${flow}`;
    this.channel = client.socket.channel(this.topic, params);
    this.closed = false;
    this.errors = 0;
    this.channel.onClose(() => { this.closed = true; });
    this.channel.onError(() => { this.errors++; });
  }

  /** join resolves with the answer, kept as `joined`, or rejects with Refused. */
  async join() {
    this.joined = await answer(this.channel.join());
    return this.joined;
  }

  /** change resolves with the answer {status, seq}, or rejects with Refused. */
  change(changes) { return this.push("flow_change", { changes }); }

  push(event, payload) { return answer(this.channel.push(event, payload)); }

  leave() { return answer(this.channel.leave()); }

  get received() { return this.client.received.filter((message) => message.topic === this.topic); }

  events(name) { return this.received.filter(({ event }) => event === name).map(({ payload }) => payload); }

  get updates() { return this.events("flow_update"); }

  /** count is what this member was last told of the number of clients. */
  get count() {
    return this.received.findLast(({ event }) => event === "client_joined" || event === "client_left")?.payload.client_count;
  }

  until(what, check, ms) { return this.client.until(`${this.topic}: ${what}`, check, ms); }

  untilCount(count, ms) { return this.until(`the count is ${count}`, () => this.count === count, ms); }

  untilUpdates(number, ms) { return this.until(`${number} updates came`, () => this.updates.length >= number && this.updates, ms); }

  untilEvent(name, ms) { return this.until(`${name} came`, () => this.events(name)[0], ms); }
}

let flows = 0;

/** newFlow gives a flow id that no other test has. */
export const newFlow = (name = "flow") => `${name}-${process.pid}-${++flows}`;

/** joined gives a member that is in the flow, on a socket of its own. */
export async function joined(t, variant, edge, flow, { params, ...options } = {}) {
  const member = new Client(t, variant, edge, options).member(flow, params);
  await member.join();
  return member;
}

/** NEVER is a reconnect or rejoin delay for clients that must not come back within the test. */
export const NEVER = () => 3_600_000;
