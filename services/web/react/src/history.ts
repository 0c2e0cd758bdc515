// This person's steps, to be taken back and made again. It holds edits and their places in the flow's order; what they
// mean is in edit.ts.
import type { Json, JsonObject, OrderedChange, Patch, Receipt } from "@helix/client";
import { covered, join, newsOf, rebaseEarlier, rebaseLater, record, takeBack, uncovered, type Edit } from "./edit.ts";

/** Edits with the same name are one step where they follow each other within this. */
const MERGE_MS = 1_000;

interface Step {
  edit: Edit;
  /** Rises from step to step, over both stacks: the order in which they were made. */
  readonly made: number;
  readonly merge: string | undefined;
  /** It takes another one back or makes it again: so it gives way to what others do at the same time. */
  readonly gives: boolean;
  at: number; // ms
  /** Changes without an answer yet. */
  waiting: number;
  /** Of the last of its changes, once it has an answer. */
  seq: number;
}

/** Taken is a step that is taken from a stack. */
export type Taken =
  | { readonly patch: Patch; readonly kept: boolean; readonly done: (before: JsonObject, after: JsonObject, receipt: Promise<Receipt>) => void }
  | { readonly patch?: undefined; readonly kept: boolean };

/** History is the undo and redo stacks of one client. */
export class History {
  readonly #depth: number;
  readonly #now: () => number;
  readonly #changed: () => void;
  readonly #putBack: (patch: Patch) => void;
  #undo: Step[] = [];
  #redo: Step[] = [];
  #giving: Step[] = []; // that give way, and are in no stack any more, until the server has them
  #made = 0;
  #at = 0; // the seq up to which the server's document was heard of
  #epoch: string | undefined;

  /**
   * depth is the most steps; changed is called when a stack may have become empty, or no longer is. putBack is called with
   * what somebody else did at the same time as this person took something back, where that hides it: it is to be done
   * again. (What is done again gives way to nothing more: two people would do so for each other for ever.)
   */
  constructor(depth: number, changed: () => void, putBack: (patch: Patch) => void, now: () => number = Date.now) {
    this.#depth = depth;
    this.#changed = changed;
    this.#putBack = putBack;
    this.#now = now;
  }

  get canUndo(): boolean { return this.#undo.length > 0; }
  get canRedo(): boolean { return this.#redo.length > 0; }

  /** made takes an edit that was made just now, and its change's answer. */
  made(before: JsonObject, after: JsonObject, receipt: Promise<Receipt>, merge?: string): void {
    const edit = record(before, after);
    if (!edit) return;
    const step = this.#mergeInto(edit, merge) ?? this.#push(this.#undo, edit, { merge });
    for (const other of this.#redo.splice(0)) this.#leave(other);
    this.#follow(step, receipt);
    this.#changed();
  }

  /** take gives the patch that takes the last step back (undo) or makes it again (redo). Steps of which nothing is left
   * are passed over; where that is all of them there is no patch, and `kept` says so. `done` is to be called with the
   * document before and after the change. */
  take(kind: "undo" | "redo", document: JsonObject): Taken {
    const from = kind === "undo" ? this.#undo : this.#redo;
    let kept = false;
    for (let step = from.pop(); step; step = from.pop()) {
      this.#leave(step);
      const back = takeBack(document, step.edit);
      kept ||= back.kept;
      if (!back.patch) continue;
      const done = (before: JsonObject, after: JsonObject, receipt: Promise<Receipt>) => {
        const edit = record(before, after);
        if (edit) this.#follow(this.#push(kind === "undo" ? this.#redo : this.#undo, edit, { gives: true }), receipt);
        this.#changed();
      };
      return { patch: back.patch, kept, done };
    }
    this.#changed();
    return { kept };
  }

  /** heard rebases the steps over what happened to the server's document; `document` is this client's, before it shows there. */
  heard(update: OrderedChange, me: string, document: JsonObject): void {
    if (this.#epoch !== undefined && this.#epoch !== update.epoch) this.#newEpoch();
    this.#epoch = update.epoch;
    const before = this.#at;
    this.#at = update.seq;
    if (update.clientId === me) return;
    const steps = [...this.#undo, ...this.#redo, ...this.#giving].sort((a, b) => a.made - b.made);
    let back: Patch = {};
    // In a run may be what this client did itself, where the answer was lost: that is in its document already.
    const changes = update.clientId === undefined ? newsOf(update.changes, document) : update.changes;
    let later = changes;
    for (const step of steps) {
      // A change that the server had put into its document came before this one, whatever else came after it.
      if (step.waiting === 0 && step.seq <= before) {
        this.#become(step, rebaseEarlier(step.edit, changes));
      } else if (step.gives) {
        back = merged(back, covered(step.edit, later));
        this.#become(step, rebaseEarlier(step.edit, later));
      } else {
        back = uncovered(step.edit, back);
        const rebased = rebaseLater(step.edit, later);
        later = rebased.rest;
        this.#become(step, rebased.edit);
      }
    }
    this.#giving = this.#giving.filter((step) => step.waiting > 0 || step.seq > update.seq);
    if (Object.keys(back).length > 0) this.#putBack(back);
    this.#changed();
  }

  /** clear forgets all steps: the flow is another one. */
  clear(): void {
    this.#undo = [];
    this.#redo = [];
    this.#giving = [];
    this.#at = 0;
    this.#epoch = undefined;
    this.#changed();
  }

  #push(stack: Step[], edit: Edit, { merge, gives = false }: { merge?: string | undefined; gives?: boolean }): Step {
    const step: Step = { edit, made: ++this.#made, merge, gives, at: this.#now(), waiting: 0, seq: 0 };
    stack.push(step);
    if (stack.length > this.#depth) {
      const [oldest] = stack.splice(0, 1);
      if (oldest) this.#leave(oldest);
    }
    return step;
  }

  /** leave takes a step that has left its stack. One that gives way does so until the server has it. */
  #leave(step: Step): void { if (step.gives && (step.waiting > 0 || step.seq > this.#at)) this.#giving.push(step); }

  #mergeInto(edit: Edit, merge: string | undefined): Step | undefined {
    const last = this.#undo.at(-1);
    const now = this.#now();
    if (merge === undefined || last?.merge !== merge || now - last.at > MERGE_MS || this.#redo.length > 0) return undefined;
    const joined = join(last.edit, edit);
    last.at = now;
    if (joined) last.edit = joined;
    else this.#drop(last);
    return last;
  }

  #follow(step: Step, receipt: Promise<Receipt>): void {
    step.waiting++;
    receipt.then(({ seq }) => {
      step.waiting--;
      step.seq = seq;
    }, () => { // refused, and taken back
      this.#drop(step);
      this.#changed();
    });
  }

  #become(step: Step, edit: Edit | undefined): void {
    if (edit) step.edit = edit;
    else this.#drop(step);
  }

  #drop(step: Step): void {
    this.#undo = this.#undo.filter((other) => other !== step);
    this.#redo = this.#redo.filter((other) => other !== step);
    this.#giving = this.#giving.filter((other) => other !== step);
  }

  /** newEpoch: the seqs of before mean nothing any more, and what was acknowledged is in the document that came. */
  #newEpoch(): void {
    for (const step of [...this.#undo, ...this.#redo, ...this.#giving]) step.seq = 0;
    this.#at = 0;
  }
}

/** merged gives two parts of one patch together. */
function merged(one: Patch, other: Patch): Patch {
  const both: Record<string, Json> = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const there = Object.hasOwn(one, name) ? one[name] : undefined;
    const inner = typeof there === "object" && there !== null && !Array.isArray(there) && typeof value === "object" && value !== null && !Array.isArray(value)
      ? merged(there as Patch, value as Patch)
      : value;
    Object.defineProperty(both, name, { value: inner, enumerable: true, configurable: true, writable: true });
  }
  return both;
}
