// What must be true of a flow when its writers have ended, whatever broke while they wrote.
import assert from "node:assert/strict";
import { until } from "../conformance/harness.mjs";

/** expected is the document that all changes of the writers make. */
function expected(writers) {
  const numbers = (count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i + 1, true]));
  return {
    kept: Object.fromEntries(writers.map(({ name, made }) => [name, numbers(made)])),
    newest: Object.fromEntries(writers.map(({ name, made }) => [name, made])),
  };
}

/** judge asserts that nothing acknowledged was lost, doubled or reordered, and that all have one document.
 * It gives the seq of the last change. */
export async function judge(http, flow, writers) {
  // Each seq belongs to one writer (its library may have put several changes into one), and they are
  // 1, 2, 3 …: a lost change would leave a gap, one that counted twice has a seq that nobody knows.
  const owner = new Map();
  for (const { name, made, acknowledged, violations } of writers) {
    assert.deepEqual(violations, [], name);
    assert.equal(acknowledged.size, made, `${name}: acknowledged`);
    let last = 0;
    for (let n = 1; n <= made; n++) {
      const seq = acknowledged.get(n);
      assert.ok(seq >= last, `${name}: change ${n} has seq ${seq}, the one before ${last}`);
      last = seq;
      assert.ok((owner.get(seq) ?? name) === name, `seq ${seq} is of ${owner.get(seq)} and of ${name}`);
      owner.set(seq, name);
    }
  }
  const newest = Math.max(...owner.keys());
  assert.equal(owner.size, newest, "seqs without a gap");

  const document = expected(writers);
  for (const writer of writers) {
    await until(() => `${writer.name} is at ${newest}: ${JSON.stringify(writer.position)}`, () => writer.position.seq === newest);
    assert.deepEqual(writer.document, document, writer.name);
  }
  const answer = await fetch(`${http}/api/flows/${flow}`);
  assert.equal(answer.headers.get("helix-seq"), `${newest}`);
  assert.deepEqual(await answer.json(), document);
  return newest;
}
