// The document as the server has it, and as this client sees it: with its own pending changes.
import { shareObject, type JsonObject } from "./json.ts";
import { applyPatch, diff, type Patch } from "./merge-patch.ts";
import type { Pending } from "./pending.ts";

/** Position is a place in a flow's history: its changes up to seq, in one unbroken run of seqs. */
export interface Position { readonly epoch: string; readonly seq: number }

/** Origin says whose doing a change of the document is:
 *  - `local`: this client made it, just now;
 *  - `remote`: somebody else did, and it came;
 *  - `resumed`: it was made while this client was away or could not follow; it came in one piece;
 *  - `refused`: a change of this client was refused, and is taken back. */
export type Origin = "local" | "remote" | "resumed" | "refused";

/** DocumentChange tells that the document is another one. */
export interface DocumentChange {
  readonly document: JsonObject;
  /** What is different: it makes this document of the one before. */
  readonly patch: Patch;
  readonly origin: Origin;
  /** Who made a `remote` change, where it shows what one client did. Empty: it came over HTTP. */
  readonly clientId?: string;
}

/** OrderedChange is one change at its place in the flow's history; or a run of changes that came in one piece. */
export interface OrderedChange extends Position {
  readonly changes: Patch;
  /** Who made it; empty: it came over HTTP. Undefined: it is a run, in which this client's own may be. */
  readonly clientId?: string;
  /** When the server took it, in milliseconds since 1970, to the second. Undefined for a run. */
  readonly at?: number;
  /** The server's document without it, and with it. */
  readonly before: JsonObject;
  readonly after: JsonObject;
}

/** What the wire brings; see protocol.md. */
export interface JoinAnswer extends Position {
  readonly snapshot?: { readonly seq: number; readonly document: JsonObject };
  readonly changes?: readonly { readonly seq: number; readonly changes: Patch }[];
  readonly read_only?: boolean;
}
export interface Update extends Position { readonly changes: Patch; readonly client_id?: string; readonly timestamp?: number }
export interface Catchup extends Position { readonly from_seq: number; readonly patches: readonly Patch[] }
export interface Sync extends Position { readonly document: JsonObject }

/**
 * Replica follows one flow. Each step ends in a document that holds all that the client made and that was
 * not refused: a change stays applied from the moment it is made until the server's document has it, which
 * its seq tells, whichever of its answer and its echo comes first.
 */
export class Replica {
  readonly #pending: Pending;
  readonly #tell: (change: DocumentChange) => void;
  readonly #tellUpdate: (update: OrderedChange) => void;
  #server: JsonObject = {};
  #document: JsonObject = this.#server;
  #position: Position | undefined;

  constructor(pending: Pending, tell: (change: DocumentChange) => void, tellUpdate: (update: OrderedChange) => void) {
    this.#pending = pending;
    this.#tell = tell;
    this.#tellUpdate = tellUpdate;
  }

  /** The server's document, as far as it came here. */
  get server(): JsonObject { return this.#server; }
  /** The server's document with the pending changes. The same object until something in it changes. */
  get document(): JsonObject { return this.#document; }
  /** Where the server's document is; undefined before the first join. */
  get position(): Position | undefined { return this.#position; }

  /** settle makes the document anew, from what is known now. */
  settle(origin: Origin, clientId?: string): void {
    const before = this.#document;
    const next = shareObject(before, this.#pending.patches().reduce(applyPatch, this.#server));
    if (next === before) return;
    this.#document = next;
    this.#tell({ document: next, patch: diff(before, next) ?? {}, origin, ...(clientId !== undefined && { clientId }) });
  }

  /** joined takes a join's answer. What it holds may overlap what is here. */
  joined(answer: JoinAnswer): void {
    const { snapshot, changes, epoch, seq } = answer;
    if (snapshot) {
      this.#replace({ epoch, seq: snapshot.seq, document: snapshot.document });
    } else {
      let server = this.#server;
      for (const missed of changes ?? []) {
        if (missed.seq > (this.#position?.seq ?? 0)) server = applyPatch(server, missed.changes);
      }
      this.#advanceBy(server, { epoch, seq });
    }
    this.settle("resumed");
  }

  /** updated takes the next change. False: it is not the next one, and the flow must be joined anew. */
  updated({ epoch, seq, changes, client_id: clientId = "", timestamp = 0 }: Update): boolean {
    const at = this.#position;
    if (at?.epoch !== epoch) return false;
    if (seq <= at.seq) return true;
    if (seq > at.seq + 1) return false;
    const before = this.#server;
    this.#advance(applyPatch(before, changes), { epoch, seq });
    this.#tellUpdate({ epoch, seq, changes, clientId, at: timestamp * 1000, before, after: this.#server });
    this.settle("remote", clientId);
    return true;
  }

  /** caughtUp takes what stands for a run of changes, of which the first may be here already: they have no second
   * effect. False as in updated. */
  caughtUp({ epoch, from_seq: from, seq, patches }: Catchup): boolean {
    const at = this.#position;
    if (at?.epoch !== epoch || from > at.seq) return false;
    if (seq <= at.seq) return true;
    this.#advanceBy(patches.reduce(applyPatch, this.#server), { epoch, seq });
    this.settle("resumed");
    return true;
  }

  /** synced takes a document in place of all that is here. */
  synced(sync: Sync): void {
    this.#replace(sync);
    this.settle("resumed");
  }

  /** acknowledged takes the answer to a change of this client. */
  acknowledged(id: number, seq: number): void {
    this.#pending.acknowledge(id, seq);
    this.#pending.seen(this.#position?.seq ?? 0);
    this.settle("remote"); // where others' later changes show now
  }

  #replace({ epoch, seq, document }: Sync): void {
    this.#advanceBy(shareObject(this.#server, document), { epoch, seq });
  }

  /** advanceBy is advance by a run of changes, which is told as one. */
  #advanceBy(server: JsonObject, position: Position): void {
    const before = this.#server;
    const first = this.#position === undefined;
    this.#advance(server, position);
    const changes = first ? undefined : diff(before, server);
    if (changes) this.#tellUpdate({ ...position, changes, before, after: server });
  }

  #advance(server: JsonObject, { epoch, seq }: Position): void {
    if (this.#position && this.#position.epoch !== epoch) this.#pending.newEpoch();
    this.#server = server;
    this.#position = { epoch, seq };
    this.#pending.seen(seq);
  }
}
