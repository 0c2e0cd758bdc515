// A Helix in memory, for tests that decide themselves when each frame moves. The official phoenix client
// talks to it through Link, which stands for a WebSocket and the edge at its end. What it does is what
// protocol.md allows an edge to do; what breaks is what may break.
import { applyPatch, Run, type ConnectOptions, type JsonObject, type Patch } from "../src/index.ts";

interface Entry { readonly epoch: string; readonly seq: number; readonly changes: Patch; readonly clientId: string }

type Frame = readonly [joinRef: string | null, ref: string | null, topic: string, event: string, payload: Record<string, unknown>];

/** Member is one joined channel at its edge. */
export interface Member {
  readonly link: Link;
  readonly topic: string;
  readonly joinRef: string;
  readonly clientId: string;
  epoch: string;
  seq: number; // up to which it was told
  again: number; // the change id that it must send again first; 0: none
  held: Frame[]; // replies on their way
}

export class Sim {
  // What Redis holds, of one flow.
  epoch = "epoch-1";
  seq = 0;
  document: JsonObject = {};
  log: Entry[] = []; // of this epoch, as far as it reaches back
  answered = new Map<string, { id: number; seq: number }>();

  /** Every change that was ever carried out, in order. */
  readonly history: Entry[] = [];
  /** Every join's parameters, in order. */
  readonly joins: Record<string, unknown>[] = [];
  /** Every change that came, as often as it came. */
  readonly received: { clientId: string; id: number; text: string }[] = [];
  readonly links: Link[] = [];

  // What tests decide.
  refuse: (clientId: string, changes: JsonObject) => string | undefined = () => undefined;
  refuseJoin: (parameters: Record<string, unknown>) => string | undefined = () => undefined;
  readOnly: (clientId: string) => boolean = () => false;
  holdReply: () => boolean = () => false;
  /** Other events than changes: what to answer; undefined: nothing yet. */
  answer: (event: string, payload: Record<string, unknown>) => { status: string; response: object } | undefined = () => ({ status: "ok", response: {} });

  readonly #texts = new Map<string, string>();

  /** transport is the WebSocket class whose links end here. */
  transport(): NonNullable<ConnectOptions["transport"]> { return transportOf(this); }

  get members(): Member[] { return this.links.filter((link) => link.up).flatMap((link) => [...link.members.values()]); }

  /** change carries a change out: once per id. */
  change(clientId: string, changes: Patch, id: number): number {
    const last = this.answered.get(clientId) ?? { id: 0, seq: 0 };
    if (id > 0 && id <= last.id) return id === last.id && last.seq > 0 ? last.seq : this.seq;
    this.seq++;
    this.document = applyPatch(this.document, changes);
    const entry = { epoch: this.epoch, seq: this.seq, changes, clientId };
    this.log.push(entry);
    this.history.push(entry);
    if (id > 0) this.answered.set(clientId, { id, seq: this.seq });
    return this.seq;
  }

  /** noteReceived fails when an id comes with another change than before. */
  noteReceived(clientId: string, id: number, changes: JsonObject): void {
    const text = JSON.stringify(changes);
    this.received.push({ clientId, id, text });
    const key = `${clientId} ${String(id)}`;
    const before = this.#texts.get(key);
    if (before !== undefined && before !== text) throw new Error(`change ${key} came as ${before} and then as ${text}`);
    this.#texts.set(key, text);
  }

  /** forgetLog has the log reach back no further than to here. */
  forgetLog(): void { this.log = []; }

  /** restore is a Redis that lost its memory and got the document back: a new epoch. */
  restore(): void {
    this.epoch = `epoch-${String(Number(this.epoch.slice(6)) + 1)}`;
    this.seq = 0;
    this.log = [];
    for (const [client, { id }] of this.answered) this.answered.set(client, { id, seq: 0 });
  }

  /** tell gives a member what it misses: the next change, or in one piece up to `most` of them, or the document. */
  tell(member: Member, how: "update" | "catchup" | "sync", { most = Infinity, overlap = 0 } = {}): void {
    if (member.epoch === this.epoch && member.seq === this.seq && how !== "sync") return;
    const missed = this.log.filter(({ seq }) => seq > member.seq);
    if (how === "sync" || member.epoch !== this.epoch || missed[0]?.seq !== member.seq + 1) {
      member.link.give([null, null, member.topic, "flow_sync", { epoch: this.epoch, seq: this.seq, document: this.document }]);
      member.epoch = this.epoch;
      member.seq = this.seq;
    } else if (how === "update") {
      const { seq, epoch, changes, clientId } = missed[0];
      member.link.give([null, null, member.topic, "flow_update", { changes, timestamp: 0, seq, epoch, client_id: clientId }]);
      member.seq = seq;
    } else {
      const to = missed[Math.min(most, missed.length) - 1]?.seq ?? member.seq;
      const first = this.log[0]?.seq ?? 1;
      const from = Math.max(member.seq - overlap, first - 1);
      const run = new Run();
      for (const { seq, changes } of this.log) if (seq > from && seq <= to) run.add(changes);
      member.link.give([null, null, member.topic, "flow_catchup", { epoch: this.epoch, from_seq: from, seq: to, patches: run.patches() }]);
      member.seq = to;
    }
  }

  /** settle moves everything that can move, without any fault, until nothing does. Promises keep up with every frame. */
  async settle(): Promise<void> {
    for (let moved = true; moved;) {
      moved = false;
      for (const link of this.links) {
        if (link.connecting) { link.open(); moved = true; }
        while (link.serve()) moved = true;
        for (const member of link.up ? link.members.values() : []) {
          link.release(member);
          while (member.seq !== this.seq || member.epoch !== this.epoch) { this.tell(member, "update"); moved = true; }
        }
        while (link.deliver()) {
          moved = true;
          for (let i = 0; i < 10; i++) await Promise.resolve();
        }
      }
    }
  }
}

function transportOf(sim: Sim) {
  return class extends Link {
    constructor(url: string) {
      super(sim, url);
      sim.links.push(this);
    }
  };
}

/** Link is a WebSocket as phoenix.js uses it, and the edge's side of it. Frames wait on both ways until they are moved. */
export class Link {
  binaryType = "";
  bufferedAmount = 0;
  readyState = 0;
  onopen: () => void = () => undefined;
  onerror: (error: unknown) => void = () => undefined;
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: (event: { code: number; reason: string; wasClean: boolean }) => void = () => undefined;

  readonly url: string;
  readonly members = new Map<string, Member>();
  readonly toServer: string[] = [];
  readonly toClient: string[] = [];
  readonly #sim: Sim;
  readonly #closing: ((event: { code: number; reason: string }) => void)[] = [];

  constructor(sim: Sim, url: string) { this.#sim = sim; this.url = url; }

  addEventListener(_: "close", listener: (event: { code: number; reason: string }) => void): void { this.#closing.push(listener); }

  get connecting(): boolean { return this.readyState === 0; }
  get up(): boolean { return this.readyState === 1; }

  open(): void { this.readyState = 1; this.onopen(); }

  send(text: string): void { this.toServer.push(text); }

  close(code = 1000, reason = ""): void { if (this.readyState < 2) this.end(code, reason); }

  /** end ends the connection. What is on its way to the client is lost; what is on its way to the server may still
   * arrive, for serve goes on. */
  end(code: number, reason = ""): void {
    this.readyState = 3;
    this.toClient.length = 0;
    for (const listener of this.#closing) listener({ code, reason });
    this.onclose({ code, reason, wasClean: code !== 1006 });
  }

  /** lose forgets what was on its way to the server. */
  lose(): void { this.toServer.length = 0; }

  give(frame: Frame): void { if (this.up) this.toClient.push(JSON.stringify(frame)); }

  /** deliver gives the client its next frame. */
  deliver(): boolean {
    const data = this.up ? this.toClient.shift() : undefined;
    if (data === undefined) return false;
    this.onmessage({ data });
    return true;
  }

  /** serve has the edge take its next frame. */
  serve(): boolean {
    const text = this.toServer.shift();
    if (text === undefined) return false;
    this.#take(JSON.parse(text) as Frame);
    return true;
  }

  /** release gives the replies that were held back. */
  release(member: Member): void { for (const frame of member.held.splice(0)) this.give(frame); }

  /** crash fails a member's channel. */
  crash(member: Member): void {
    this.members.delete(member.topic);
    this.give([member.joinRef, member.joinRef, member.topic, "phx_error", {}]);
  }

  #take([joinRef, ref, topic, event, payload]: Frame): void {
    const reply = (status: string, response: object): Frame => [joinRef, ref, topic, "phx_reply", { status, response }];
    const member = this.members.get(topic);
    if (event === "heartbeat") { this.give(reply("ok", {})); return; }
    if (event === "phx_join") { this.#join(joinRef ?? "", topic, payload, reply); return; }
    if (event === "phx_leave") {
      if (member?.joinRef === joinRef) this.members.delete(topic);
      this.give(reply("ok", {}));
      return;
    }
    if (!member) { this.give([null, ref, topic, "phx_reply", { status: "error", response: { reason: "unmatched topic" } }]); return; }
    if (member.joinRef !== joinRef) return;
    if (event !== "flow_change") {
      const answer = this.#sim.answer(event, payload);
      if (answer) this.give(reply(answer.status, answer.response));
      return;
    }
    const frame = reply(...this.#change(member, payload["change_id"] as number, payload["changes"] as JsonObject));
    if (this.#sim.holdReply()) member.held.push(frame);
    else this.give(frame);
  }

  #change(member: Member, id: number, changes: JsonObject): [string, object] {
    this.#sim.noteReceived(member.clientId, id, changes);
    if (member.epoch !== this.#sim.epoch) this.#sim.tell(member, "sync"); // an edge learns of an epoch before it changes anything in it
    if (member.again > 0 && id > member.again) return ["error", { reason: "unavailable" }];
    const reason = this.#sim.refuse(member.clientId, changes);
    if (reason) {
      if (reason === "unavailable" || reason === "rate_limited") member.again = id;
      return ["error", { reason, message: `no: ${reason}` }];
    }
    member.again = 0;
    return ["ok", { status: "broadcasted", seq: this.#sim.change(member.clientId, changes, id) }];
  }

  #join(joinRef: string, topic: string, parameters: Record<string, unknown>, reply: (status: string, response: object) => Frame): void {
    const sim = this.#sim;
    sim.joins.push(parameters);
    const reason = sim.refuseJoin(parameters);
    if (reason) { this.give(reply("error", { reason })); return; }
    const clientId = parameters["client_id"] as string;
    const { epoch, seq } = sim;
    this.members.set(topic, { link: this, topic, joinRef, clientId, epoch, seq, again: 0, held: [] });
    const resume = parameters["resume"] as { epoch: string; seq: number } | undefined;
    const missed = sim.log.filter((entry) => entry.seq > (resume?.seq ?? 0));
    const resumed = resume?.epoch === epoch && (resume.seq === seq || missed[0]?.seq === resume.seq + 1);
    this.give(reply("ok", {
      client_id: clientId, client_count: 1, epoch, seq, session: { started_at: 0 }, ...(sim.readOnly(clientId) && { read_only: true }),
      ...(resumed ? { changes: missed.map((entry) => ({ seq: entry.seq, changes: entry.changes })) } : { snapshot: { seq, document: sim.document } }),
    }));
  }
}
