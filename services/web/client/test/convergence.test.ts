// The promise of the library, under random interleavings of everything that may happen: several clients, changes,
// answers, echoes, catch-ups, refusals, breaks, and a Redis that forgets. The official phoenix client is real; the
// server and the clock are the test's.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { applyPatch, connect, HelixError, type DocumentChange, type Flow, type Helix, type Json, type JsonObject } from "../src/index.ts";
import { isObject } from "../src/json.ts";
import { integer, object, pick, seeded, type Random } from "./random.ts";
import { Sim } from "./sim.ts";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); vi.restoreAllMocks(); });

/** text is JSON by which equal documents are equal texts. */
function text(value: Json): string {
  return JSON.stringify(value, (_name, inner: Json) => (isObject(inner)
    ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
    : inner));
}

function freeze(value: Json): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
}

type Outcome = "made" | "acknowledged" | "refused";

/** Editor is a client that makes changes and remembers each by a mark of its own in the document. */
class Editor {
  readonly helix: Helix;
  readonly flow: Flow;
  readonly marks = new Map<string, Outcome>();
  failure: unknown; // of what a listener saw
  #seen: JsonObject = {};
  #count = 0;

  constructor(sim: Sim, readonly name: string) {
    this.helix = connect({ url: "ws://sim/socket", transport: sim.transport() });
    this.flow = this.helix.flow("f", { clientId: name });
    this.flow.onChange((change) => {
      try {
        this.#look(change);
      } catch (error) {
        this.failure ??= error;
      }
    });
  }

  #look({ document, patch, origin }: DocumentChange): void {
    freeze(document); // who changes it in place fails
    const chained = applyPatch(this.#seen, patch);
    if (text(chained) !== text(document)) throw new Error(`the patch ${JSON.stringify(patch)} does not make ${text(document)} of ${text(this.#seen)}`);
    this.#seen = document;
    if (origin !== "refused") this.check(); // while one is taken back, its promise does not know yet
  }

  change(random: Random, refused: boolean): void {
    const mark = `${this.name}-${String(++this.#count)}`;
    this.marks.set(mark, "made");
    const settled = (outcome: Outcome) => { this.marks.set(mark, outcome); };
    this.flow.change({ ...object(random, 3, true), marks: { [mark]: true, ...(refused && { refuse: true }) } }).then(
      () => { settled("acknowledged"); },
      (error: unknown) => {
        if (!(error instanceof HelixError) || error.reason !== "document_too_large") throw error;
        settled("refused");
      },
    );
    this.check();
  }

  /** check: what was made and not refused is in the document, always. */
  check(): void {
    if (this.failure) throw this.failure as Error;
    const there = this.flow.document["marks"] as JsonObject | undefined ?? {};
    for (const [mark, outcome] of this.marks) {
      if ((there[mark] === true) !== (outcome !== "refused")) throw new Error(`${mark} was ${outcome}, and the document ${there[mark] === true ? "has" : "lacks"} it`);
    }
  }
}

const isRefused = (changes: JsonObject) => isObject(changes["marks"]) && changes["marks"]["refuse"] === true;

/** act does one random thing. */
async function act(random: Random, sim: Sim, editors: readonly Editor[]): Promise<void> {
  const link = pick(random, sim.links);
  const member = sim.members.length > 0 ? pick(random, sim.members) : undefined;
  const dice = integer(random, 100);
  if (dice < 22) pick(random, editors).change(random, random() < 0.05);
  else if (dice < 30) sim.change("http", object(random, 3, true), 0);
  else if (dice < 50) link.serve();
  else if (dice < 70) link.deliver();
  else if (dice < 74) { if (link.connecting) link.open(); }
  else if (dice < 84) { if (member) sim.tell(member, "update"); }
  else if (dice < 87) { if (member) sim.tell(member, "catchup", { most: 1 + integer(random, 5), overlap: integer(random, 4) }); }
  else if (dice < 88) { if (member) sim.tell(member, "sync"); }
  else if (dice < 91) { if (member) member.link.release(member); }
  else if (dice < 93) { if (link.up || link.connecting) { if (random() < 0.5) link.lose(); link.end(pick(random, [1006, 1012, 1013])); } }
  else if (dice < 94) { if (member) member.link.crash(member); }
  else if (dice < 95) sim.forgetLog();
  else if (dice < 96) { if (random() < 0.5) sim.restore(); }
  else await vi.advanceTimersByTimeAsync(pick(random, [10, 300, 1_000, 1_000, 12_000]));
  await vi.advanceTimersByTimeAsync(0);
}

async function play(seed: number): Promise<void> {
  const random = seeded(seed);
  vi.spyOn(Math, "random").mockImplementation(random);
  const sim = new Sim();
  const troubled = random() < 0.5;
  sim.refuse = (_client, changes) => (isRefused(changes) ? "document_too_large" : troubled && random() < 0.1 ? "unavailable" : undefined);
  sim.holdReply = () => random() < 0.4;
  const editors = ["ann", "bob", "cem"].map((name) => new Editor(sim, name));
  const steps = 20 + integer(random, 200);
  for (let i = 0; i < steps; i++) {
    await act(random, sim, editors);
    for (const editor of editors) editor.check();
  }

  sim.refuse = (_client, changes) => (isRefused(changes) ? "document_too_large" : undefined);
  sim.holdReply = () => false;
  for (let i = 0; i < 200 && !(i > 2 && editors.every(({ flow }) => flow.state.name === "live")); i++) {
    await sim.settle();
    await vi.advanceTimersByTimeAsync(2_000);
  }
  await sim.settle();
  await vi.advanceTimersByTimeAsync(0);

  const folded = sim.history.reduce<JsonObject>((document, { changes }) => applyPatch(document, changes), {});
  expect(text(sim.document), "the server's document is the fold of its history").toBe(text(folded));
  for (const { name, flow, marks } of editors) {
    expect(flow.state, name).toEqual({ name: "live" });
    expect(flow.position, name).toEqual({ epoch: sim.epoch, seq: sim.seq });
    expect(text(flow.serverDocument), name).toBe(text(folded));
    expect(text(flow.document), name).toBe(text(folded));
    for (const [mark, outcome] of marks) {
      const times = sim.history.filter(({ changes }) => isObject(changes["marks"]) && mark in changes["marks"]).length;
      expect(`${mark}: ${outcome}, ${String(times)} times`).toBe(outcome === "acknowledged" ? `${mark}: acknowledged, 1 times` : `${mark}: refused, 0 times`);
    }
  }
  await Promise.race([Promise.all(editors.map(({ helix }) => helix.close())), vi.advanceTimersByTimeAsync(60_000)]);
}

test("whatever happens, every client ends with the server's document, sees its own changes all the time, and each counts once", { timeout: 600_000 }, async () => {
  const { SEED: alone, SEEDS: many } = process.env;
  const [from, count] = alone ? [Number(alone), 1] : [1, Number(many ?? 400)];
  for (let seed = from; seed < from + count; seed++) {
    try {
      await play(seed);
    } catch (error) {
      throw new Error(`seed ${String(seed)} (SEED=${String(seed)} runs it alone)`, { cause: error });
    }
    vi.clearAllTimers();
  }
});
