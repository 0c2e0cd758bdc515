// Where this tab keeps its unacknowledged changes over a reload: IndexedDB, one queue a tab.
import { connect, type ConnectOptions, type PendingState, type PendingStore } from "@helix/client";
import { TabLocks, type Held } from "./tab-locks.ts";

/** Queues of one flow and person in one browser: so many tabs keep theirs; one more keeps it for no reload. */
const MOST_SLOTS = 16;
/** A queue that nobody came back to for so long is dropped. */
const MOST_AGE = 30 * 24 * 3_600_000; // ms
/** How long a queue that another tab left has to go out. */
const ORPHAN_MS = 30_000;

const slots = Array.from({ length: MOST_SLOTS }, (_, slot) => slot);

const DATABASE = "helix", STORE = "pending";

/** Place says whose queues they are: of a server and a person, and of a flow. */
export interface Place { readonly scope: string; readonly flowId: string }

interface Row { readonly scope: string; readonly flowId: string; readonly slot: number; readonly at: number; readonly state: PendingState }

/** TabStore is the queue that this tab has taken: the first that no other tab has. */
export class TabStore implements PendingStore {
  readonly place: Place;
  readonly #after: Promise<unknown>;
  readonly #locks: TabLocks;
  #held: Held | undefined;
  #slot = -1;
  #closed = false;

  /** after is what must end before: the same tab's last session on this flow. */
  constructor(place: Place, after: Promise<unknown> = Promise.resolve(), locks = new TabLocks()) {
    this.place = place;
    this.#after = after;
    this.#locks = locks;
  }

  async load(): Promise<PendingState | undefined> {
    await this.#after;
    const rows = await rowsOf(this.place);
    const left = rows.map(({ slot }) => slot);
    for (const slot of [...left, ...slots.filter((one) => !left.includes(one))]) {
      const held = await this.take(slot);
      if (!held) continue;
      if (this.#closed) { held.release(); return undefined; }
      this.#held = held;
      this.#slot = slot;
      const row = await read(this.place, slot);
      return row && Date.now() - row.at < MOST_AGE ? row.state : undefined;
    }
    throw new Error("as many tabs keep changes of this flow as may");
  }

  async save(state: PendingState): Promise<void> {
    if (!this.#held) throw new Error("this tab has no queue");
    if (state.sent.length === 0 && state.waiting.length === 0) await remove(this.place, this.#slot);
    else await write({ ...this.place, slot: this.#slot, at: Date.now(), state });
  }

  /** take takes a queue, if no tab has it. */
  take(slot: number): Promise<Held | undefined> { return this.#locks.take(JSON.stringify(["helix", this.place.scope, this.place.flowId, slot])); }

  get slot(): number { return this.#slot; }

  /** close gives the queue to whoever comes next. */
  close(): Promise<void> {
    this.#closed = true;
    this.#held?.release();
    this.#held = undefined;
    return Promise.resolve();
  }
}

/**
 * sendOrphans sends what tabs left that are gone and will not come back: on connections of their own, for the changes go
 * under those tabs' client ids. Rows that are too old are dropped.
 */
export async function sendOrphans(store: TabStore, options: ConnectOptions, ms = ORPHAN_MS): Promise<void> {
  try {
    for (const row of await rowsOf(store.place)) {
      if (row.slot === store.slot) continue;
      const held = await store.take(row.slot);
      if (!held) continue;
      try {
        const newest = await read(store.place, row.slot); // its tab may have ended well meanwhile
        if (newest && Date.now() - newest.at < MOST_AGE) await sendAll(newest, options, ms);
        else await remove(store.place, row.slot);
      } finally {
        held.release();
      }
    }
  } catch {
    // What could not be read or sent stays where it is, for another time.
  }
}

async function sendAll(row: Row, options: ConnectOptions, ms: number): Promise<void> {
  const place = { scope: row.scope, flowId: row.flowId };
  const helix = connect(options);
  try {
    const flow = helix.flow(row.flowId, {
      store: {
        load: () => Promise.resolve(row.state),
        save: (state) => (state.sent.length === 0 && state.waiting.length === 0 ? remove(place, row.slot) : write({ ...row, at: Date.now(), state })),
      },
    });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      flow.onState(({ name }) => {
        if (name !== "live" && name !== "refused" && name !== "deleted") return;
        clearTimeout(timer);
        resolve();
      });
    });
  } finally {
    await helix.close();
  }
}

// The database.

let opening: Promise<IDBDatabase> | undefined;

/** forgetDatabase has the database opened anew: for tests, which bring their own. */
export function forgetDatabase(): void { opening = undefined; }

function database(): Promise<IDBDatabase> {
  opening ??= new Promise<IDBDatabase>((resolve, reject) => {
    // Where the browser keeps nothing, open itself may throw: that rejects too.
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => { request.result.createObjectStore(STORE, { keyPath: ["scope", "flowId", "slot"] }); };
    request.onsuccess = () => {
      request.result.onversionchange = () => { request.result.close(); opening = undefined; };
      request.result.onclose = () => { opening = undefined; };
      resolve(request.result);
    };
    request.onerror = () => { reject(request.error ?? new Error("the database cannot be opened")); };
    request.onblocked = () => { reject(new Error("another tab keeps an older database open")); };
  });
  opening.catch(() => { opening = undefined; });
  return opening;
}

async function perform<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await database()).transaction(STORE, mode);
  return await new Promise((resolve, reject) => {
    const request = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => { resolve(request.result); };
    transaction.onabort = transaction.onerror = () => { reject(transaction.error ?? new Error("the database refused")); };
  });
}

async function rowsOf({ scope, flowId }: Place): Promise<Row[]> {
  return await perform<unknown[]>("readonly", (store) => store.getAll(IDBKeyRange.bound([scope, flowId, 0], [scope, flowId, MOST_SLOTS]))) as Row[];
}

async function read({ scope, flowId }: Place, slot: number): Promise<Row | undefined> {
  return await perform<unknown>("readonly", (store) => store.get([scope, flowId, slot])) as Row | undefined;
}

async function write(row: Row): Promise<void> { await perform("readwrite", (store) => store.put(row)); }

async function remove({ scope, flowId }: Place, slot: number): Promise<void> {
  await perform<undefined>("readwrite", (store) => store.delete([scope, flowId, slot]));
}
