// Undo and redo are mine: whatever others do at the same time, taking everything back leaves what there would be had I
// never been there.
import { applyPatch, type Json, type JsonObject } from "@helix/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { integer, object, pick, seeded, type Random } from "../../client/test/random.ts";
import { Stage, type Session } from "./stage.ts";

let stage: Stage;
beforeEach(() => {
  vi.useFakeTimers();
  stage = new Stage();
});
afterEach(async () => {
  await stage.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** text is JSON by which equal documents are equal texts. */
function text(value: Json): string {
  return JSON.stringify(value, (_name, inner: Json) => (typeof inner === "object" && inner !== null && !Array.isArray(inner)
    ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
    : inner));
}

/** without is the flow as it would be without what one client ever did. */
function without(clientId: string): JsonObject {
  return stage.sim.history.filter((entry) => entry.clientId !== clientId).reduce<JsonObject>((document, { changes }) => applyPatch(document, changes), {});
}

const idOf = (session: Session) => session.client?.clientId ?? "";

function undoAll(session: Session): void {
  for (let i = 0; session.getState().canUndo; i++) {
    if (i > 1_000) throw new Error("there is no end of undoing");
    session.undo();
  }
}

/** edit does something to fields: of nodes, of the document, over few names, so that people meet. */
function edit(random: Random, session: Session): void {
  const id = pick(random, ["a", "b"]);
  const dice = integer(random, 10);
  if (dice < 4) session.patch({ nodes: { [id]: { data: object(random, 3, true) } } });
  else if (dice < 6) session.setNode(id, { position: { x: integer(random, 3), y: integer(random, 3) } });
  else if (dice < 7) session.setNodeData(id, { label: pick(random, ["one", "two"]), gone: undefined });
  else if (dice < 8) session.patch({ title: pick(random, ["one", "two", null]) });
  else session.patch({ comments: object(random, 3, true) });
}

/** pass lets a little of what is on its way arrive: frames, answers. Seldom everything. */
async function pass(random: Random): Promise<void> {
  const { sim } = stage;
  const link = pick(random, sim.links);
  const dice = integer(random, 8);
  if (dice < 3) link.serve();
  else if (dice < 6) link.deliver();
  else if (dice < 7) { const [member] = sim.members.length > 0 ? [pick(random, sim.members)] : []; if (member) sim.tell(member, "update"); }
  else if (random() < 0.2) await stage.settle();
  await vi.advanceTimersByTimeAsync(0);
}

/** play lets people edit at once. What they take back, they take back when all is quiet: what others do at that very
 * moment is for the tests below. */
async function play(random: Random, after: (people: Session[]) => Promise<void> | void, steps = 10 + integer(random, 60)): Promise<void> {
  stage = new Stage();
  stage.sim.change("seed", { nodes: { a: { type: "default", position: { x: 0, y: 0 }, data: {} }, b: { type: "default", position: { x: 0, y: 0 }, data: {} } } }, 0);
  const people: Session[] = [];
  for (let i = 0; i < 2 + integer(random, 2); i++) people.push(await stage.person());
  for (let i = 0; i < steps; i++) {
    const person = pick(random, people);
    const dice = integer(random, 10);
    if (dice < 4) edit(random, person);
    else if (dice < 9) await pass(random);
    else {
      await stage.settle();
      for (let n = integer(random, 4); n > 0; n--) {
        if (random() < 0.7) person.undo();
        else person.redo();
      }
      await stage.settle();
    }
  }
  await stage.settle();
  await after(people);
  await stage.stop();
}

async function seeds(count: number, run: (random: Random) => Promise<void>): Promise<void> {
  const { SEED: alone, SEEDS: many } = process.env;
  const [from, all] = alone ? [Number(alone), 1] : [1, Number(many ?? count)];
  for (let seed = from; seed < from + all; seed++) {
    try {
      await run(seeded(seed));
    } catch (error) {
      throw new Error(`seed ${String(seed)} (SEED=${String(seed)} runs it alone)`, { cause: error });
    }
    vi.clearAllTimers();
  }
}

test("who takes everything back leaves the flow as it would be had they never edited, whatever the others did meanwhile", { timeout: 600_000 }, async () => {
  await seeds(150, async (random) => {
    await play(random, async ([ann]) => {
      if (!ann) return;
      undoAll(ann);
      await stage.settle();
      expect(text(stage.sim.document)).toBe(text(without(idOf(ann))));
    });
  });
});
