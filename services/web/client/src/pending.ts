// The changes that the server has not acknowledged, or whose effect has not come back yet.
import { utf8Length } from "./json.ts";
import { Run, type Patch } from "./merge-patch.ts";
import type { HelixError } from "./reasons.ts";

/** Receipt is the answer to a change: its place in the flow's order. */
export interface Receipt { readonly seq: number }

/** OutgoingChange is a change that has its id. What it holds never changes again: the server counts an id once,
 * whatever is sent under it the second time. */
export interface OutgoingChange { readonly id: number; readonly patch: Patch }

/** PendingState is what a store keeps: with it, a page that comes back sends what it had not got answered. */
export interface PendingState {
  readonly clientId: string;
  readonly nextId: number;
  readonly sent: readonly OutgoingChange[];
  /** Changes without an id yet: each one or two patches that belong together. */
  readonly waiting: readonly (readonly Patch[])[];
}

/** What may be composed into one change, in bytes: a change that must be sent again should not be large. */
const MOST_COMPOSED = 256 << 10;
/** What may wait in all, in bytes. */
const MOST_PENDING = 8 << 20;

interface Waiter { resolve: (receipt: Receipt) => void; reject: (error: HelixError) => void }

/** Group is changes that are sent as one, and answered as one. */
class Group {
  readonly run = new Run();
  readonly waiters: Waiter[] = [];
  atMost = 0; // bytes of the composed patches
  #composed: Patch[] | undefined;

  /** add composes a patch behind the others, if it may still. The first always may. */
  add(patch: Patch, bytes: number): boolean {
    // A name may stand in both of the composed patches. Where this estimate is over the bound it is measured,
    // and a group that is half full then takes no more: so measuring stays rare.
    if (this.run.length > 0 && this.atMost + 2 * bytes > MOST_COMPOSED) {
      this.atMost = this.patches().reduce((sum, p) => sum + utf8Length(JSON.stringify(p)), 0);
      if (this.atMost > MOST_COMPOSED / 2 || this.atMost + 2 * bytes > MOST_COMPOSED) return false;
    }
    this.run.add(patch);
    this.atMost += this.run.length > 1 ? 2 * bytes : bytes;
    this.#composed = undefined;
    return true;
  }

  patches(): Patch[] { return this.#composed ??= this.run.patches(); }
}

interface Sent extends OutgoingChange {
  readonly group: Group;
  readonly lastOfGroup: boolean;
  seq?: number; // once it is acknowledged
}

/**
 * Pending is the queue of one client's changes, in order: those that have ids, of which the first may be
 * acknowledged already and wait to be seen in the server's document; then those that wait and are composed.
 */
export class Pending {
  #nextId: number;
  #sent: Sent[] = [];
  #waiting: Group[] = [];

  /** Ids rise, over reloads too where the client id is kept: so they begin with the time, in thousandths of a millisecond. */
  constructor(nextId = Date.now() * 1000) { this.#nextId = nextId; }

  /** full says whether a change of so many bytes is one too many. */
  full(bytes: number): boolean { return this.#bytes() + bytes > MOST_PENDING; }

  /** add takes a change. Its promise tells how it ended: with the others that it was composed with. */
  add(patch: Patch, bytes: number): Promise<Receipt> {
    let group = this.#waiting.at(-1);
    if (!group?.add(patch, bytes)) {
      group = new Group();
      group.add(patch, bytes);
      this.#waiting.push(group);
    }
    const { waiters } = group;
    return new Promise((resolve, reject) => { waiters.push({ resolve, reject }); });
  }

  /** Whether the server has acknowledged every change. */
  get acknowledged(): boolean { return this.#waiting.length === 0 && this.#sent.every(({ seq }) => seq !== undefined); }

  /** patches gives what is to be applied to the server's document to see the client's own. */
  patches(): Patch[] {
    return [...this.#sent.map(({ patch }) => patch), ...this.#waiting.flatMap((group) => group.patches())];
  }

  /** outgoing gives the change that is next to be acknowledged. It is the same one until it is; what waits
   * gets its ids, and is settled for good, when its turn comes. */
  outgoing(): OutgoingChange | undefined {
    const next = this.#firstUnanswered();
    if (next) return next;
    const group = this.#waiting.shift();
    if (!group) return undefined;
    const patches = group.patches();
    patches.forEach((patch, i) => {
      this.#sent.push({ id: this.#nextId++, patch, group, lastOfGroup: i === patches.length - 1 });
    });
    return this.#firstUnanswered();
  }

  #bytes(): number {
    const sent = this.#sent.filter(({ seq }) => seq === undefined).map(({ group }) => group);
    return [...new Set([...sent, ...this.#waiting])].reduce((sum, group) => sum + group.atMost, 0);
  }

  #firstUnanswered(): Sent | undefined { return this.#sent.find(({ seq }) => seq === undefined); }

  /** acknowledge notes the server's answer to a change. It stays applied until seen. */
  acknowledge(id: number, seq: number): void {
    const change = this.#sent.find((sent) => sent.id === id);
    if (!change || change.seq !== undefined) return;
    change.seq = seq;
    if (change.lastOfGroup) {
      for (const { resolve } of change.group.waiters.splice(0)) resolve({ seq });
    }
  }

  /** seen drops the acknowledged changes that the server's document holds at a seq. */
  seen(upTo: number): void { this.#sent = this.#sent.filter(({ seq }) => seq === undefined || seq > upTo); }

  /** newEpoch drops all acknowledged changes: their seqs mean nothing any more, and the document that came holds them. */
  newEpoch(): void { this.seen(Infinity); }

  /** refuse drops a change for good, and the one that was to follow it if they belong together. */
  refuse(id: number, error: HelixError): void {
    const group = this.#sent.find((sent) => sent.id === id)?.group;
    if (!group) return;
    this.#sent = this.#sent.filter((sent) => sent.group !== group || sent.seq !== undefined);
    for (const { reject } of group.waiters.splice(0)) reject(error);
  }

  /** refuseAll drops everything that is not acknowledged. */
  refuseAll(error: HelixError): void {
    this.abandon(error);
    this.#sent = this.#sent.filter(({ seq }) => seq !== undefined);
    this.#waiting = [];
  }

  /** abandon tells who waits that nobody will, and keeps the changes for a store. */
  abandon(error: HelixError): void {
    for (const group of [...this.#sent.map((sent) => sent.group), ...this.#waiting]) {
      for (const { reject } of group.waiters.splice(0)) reject(error);
    }
  }

  /** state is what a store should keep now. */
  state(clientId: string): PendingState {
    return {
      clientId,
      nextId: this.#nextId,
      sent: this.#sent.filter(({ seq }) => seq === undefined).map(({ id, patch }) => ({ id, patch })),
      waiting: this.#waiting.map((group) => group.patches()),
    };
  }

  /** restore puts what a store kept before everything else. */
  restore(state: PendingState): void {
    this.#nextId = Math.max(this.#nextId, state.nextId);
    this.#sent = [...state.sent.map((change) => ({ ...change, group: groupOf([change.patch]), lastOfGroup: true })), ...this.#sent];
    this.#waiting = [...state.waiting.map(groupOf), ...this.#waiting];
  }
}

function groupOf(patches: readonly Patch[]): Group {
  const group = new Group();
  for (const patch of patches) {
    group.run.add(patch);
    group.atMost += utf8Length(JSON.stringify(patch));
  }
  return group;
}
