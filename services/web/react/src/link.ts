// The way to the flow: the connection with its token, the store of this tab, and what there is to know of both.
import { connect, type ConnectionState, type Flow, type FlowOptions, type Helix, type HelixError } from "@helix/client";
import { claims, isKept, refusedToken } from "./access.ts";
import type { FlowSessionOptions } from "./session.ts";
import { statusOf, type Status } from "./status.ts";
import { sendOrphans, TabStore } from "./tab-store.ts";
import { presenceOf } from "./people.ts";

/** LinkHost is what hears of the link. */
export interface LinkHost {
  /** There is a flow, just now opened; what it tells is to be listened to. */
  opened(flow: Flow): void;
  statusChanged(): void;
}

export class Link {
  #options: FlowSessionOptions;
  readonly #host: LinkHost;
  #helix: Helix | undefined;
  #flow: Flow | undefined;
  #store: TabStore | undefined;
  #ending: Promise<void> = Promise.resolve();
  #run = 0; // of starts and stops: what was begun in another one is over
  #token: string | undefined; // the newest that is known
  #refusal: { reason: string; sentence: string } | undefined;
  #kept = false;
  #readOnly = false;
  #loaded = false;
  #shown = false;
  #connecting = false;
  #stopped = false;
  #status: Status = { name: "joining", waiting: false };

  constructor(options: FlowSessionOptions, host: LinkHost) {
    this.#options = options;
    this.#host = host;
  }

  get flow(): Flow | undefined { return this.#flow; }
  get status(): Status { return this.#status; }
  /** Whether this client takes part in the flow's presence. */
  get shown(): boolean { return this.#shown; }
  get loaded(): boolean { return this.#loaded; }
  /** Whether the server would take a change, as far as is known; offline it would, later. */
  get takesChanges(): boolean {
    return this.#flow !== undefined && !this.#readOnly && !["refused", "deleted", "closed"].includes(this.#flow.state.name);
  }

  setOptions(options: FlowSessionOptions): void {
    const before = this.#options.token;
    this.#options = options;
    // Another string is another token. Another function is, in an app that renders, most likely the same one.
    if (typeof options.token === "string" && options.token !== before && this.#helix && this.#helix.state.name !== "open") this.retry();
  }

  start(): void {
    const run = ++this.#run;
    this.#stopped = false;
    this.#show();
    const token = this.#ask();
    const go = () => { if (run === this.#run) this.#connect(); };
    if (token instanceof Promise) void token.then(go, go);
    else this.#connect();
  }

  async stop(): Promise<void> {
    this.#run++;
    this.#stopped = true;
    const helix = this.#helix, store = this.#store;
    this.#helix = this.#store = undefined;
    this.#ending = (async () => {
      await helix?.close();
      await store?.close();
    })();
    this.#flow = undefined;
    this.#loaded = this.#readOnly = this.#kept = false;
    this.#refusal = undefined;
    this.#show();
    await this.#ending;
  }

  /** retry connects at once, with a token that is asked for anew. */
  retry(): void {
    this.#refusal = undefined;
    const run = this.#run;
    const go = () => { if (run === this.#run) this.#helix?.reconnect(); };
    const token = this.#ask();
    if (token instanceof Promise) void token.then(go, go);
    else go();
    this.#show();
  }

  /** reopen begins anew with the flow, where it has ended. */
  reopen(): void {
    const { name } = this.#status;
    if (name === "refused" && this.#refusal) { this.retry(); return; }
    if (name !== "refused" && name !== "read_only") return;
    const helix = this.#helix;
    if (!helix) return;
    const run = this.#run;
    this.#readOnly = this.#kept = false;
    void Promise.all([this.#flow?.leave(), this.#store?.close()]).then(() => { if (run === this.#run) this.#open(helix); });
  }

  #connect(): void {
    const { url, transport, backoff, timeoutMs } = this.#options;
    const helix = this.#helix = connect({
      url,
      token: () => this.#newest(),
      ...(transport && { transport }),
      ...(backoff && { backoff }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    helix.onState((state) => { if (helix === this.#helix) this.#connectionChanged(state); });
    this.#open(helix);
  }

  #open(helix: Helix): void {
    const { flowId, user } = this.#options;
    this.#store = this.#newStore();
    const store = this.#store ?? (typeof this.#options.store === "function" ? this.#options.store() : undefined);
    const options: FlowOptions = { ...(user && { presence: presenceOf(user, [], [], undefined) }), ...(store && { store }) };
    const flow = this.#flow = helix.flow(flowId, options);
    this.#shown = user !== undefined;
    const mine = () => this.#flow === flow;
    this.#loaded = false;
    flow.onState((state) => {
      if (!mine()) return;
      if (state.name === "deleted") this.#lookIfKept(flow);
      // The next join may be with another token: its answer tells.
      if (state.name === "offline" || state.name === "joining") this.#readOnly = false;
      else this.#readOnly ||= flow.readOnly;
      this.#show();
    });
    flow.onRefused((error: HelixError) => {
      if (!mine() || error.reason !== "unauthorized") return;
      this.#readOnly = true;
      this.#show();
    });
    flow.ready.then(() => {
      if (!mine()) return;
      this.#loaded = true;
      this.#host.statusChanged();
      if (this.#store) void sendOrphans(this.#store, this.#connectOptions());
    }, () => undefined);
    this.#host.opened(flow);
    this.#show();
  }

  #newStore(): TabStore | undefined {
    const { store = true, url, flowId } = this.#options;
    if (store !== true || typeof indexedDB === "undefined") return undefined;
    const who = claims(this.#token)?.sub;
    return new TabStore({ scope: JSON.stringify([url, typeof who === "string" ? who : ""]), flowId }, this.#ending);
  }

  #connectOptions(): Parameters<typeof connect>[0] {
    const { url, transport, timeoutMs } = this.#options;
    return { url, token: () => this.#newest(), ...(transport && { transport }), ...(timeoutMs !== undefined && { timeoutMs }) };
  }

  // The token.

  /** ask asks for a token anew; a promise where it takes time. */
  #ask(): Promise<void> | undefined {
    const { token } = this.#options;
    const given = typeof token === "function" ? token() : token;
    if (!(given instanceof Promise)) { this.#token = given; return undefined; }
    return given.then((value) => { this.#token = value; });
  }

  /** newest gives the token for a connection that begins now. One that takes time comes for the connection after it,
   * which then begins as soon as it is there. */
  #newest(): string | undefined {
    const before = this.#token;
    const run = this.#run;
    void this.#ask()?.then(() => {
      if (run === this.#run && this.#token !== before && this.#helix?.state.name !== "open") this.#helix?.reconnect();
    }, () => undefined);
    return this.#token;
  }

  #connectionChanged(state: ConnectionState): void {
    const failed = state.name === "offline" && (this.#connecting || state.reason !== undefined);
    if (state.name === "connecting") this.#connecting = true;
    else if (state.name === "open" || state.name === "offline") this.#connecting = false;
    if (state.name === "open") this.#refusal = undefined;
    if (failed) this.#lookWhyRefused();
    this.#show();
  }

  #lookWhyRefused(): void {
    const run = this.#run;
    void refusedToken(this.#options.url, this.#token).then((refusal) => {
      if (run !== this.#run || this.#helix?.state.name === "open") return;
      this.#refusal = refusal;
      this.#show();
    });
  }

  #lookIfKept(flow: Flow): void {
    void isKept(this.#options.url, flow.id, this.#token).then((kept) => {
      if (this.#flow !== flow || flow.state.name !== "deleted") return;
      this.#kept = kept;
      this.#show();
    });
  }

  /** look looks whether the status is another one, where something has happened that no state tells of. */
  look(): void { this.#show(); }

  #show(): void {
    const flow = this.#flow;
    const next: Status = flow
      ? statusOf(flow.state, { waiting: flow.waiting, readOnly: this.#readOnly, token: this.#refusal, kept: this.#kept })
      : this.#stopped ? { name: "closed" } : { name: "joining", waiting: false };
    if (JSON.stringify(next) === JSON.stringify(this.#status)) return;
    this.#status = next;
    this.#host.statusChanged();
  }
}
