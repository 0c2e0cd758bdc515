// What clients see when parts of the system break: edges that die, stop and come back, and Redis.
// Each test has a cluster of its own, and the clients of all variants in it at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, joined, newFlow, NEVER, Refused, VARIANTS } from "./client.mjs";
import { LEASE_TTL, startCluster, until } from "./harness.mjs";

const SLACK = 1_500; // what the machine may be late by, in milliseconds

async function cluster(t) {
  const it = await startCluster();
  t.after(() => it.stop());
  return it;
}

/** crowd gives for each variant a flow with one member on each edge, all of whom have heard the count. */
function crowd(t, edges, options = []) {
  return Promise.all(VARIANTS.map(async (variant) => {
    const flow = newFlow("fault");
    const members = [];
    for (const [i, edge] of edges.entries()) members.push(await joined(t, variant, edge, flow, options[i]));
    await Promise.all(members.map((member) => member.untilCount(edges.length)));
    return { name: variant.name, variant, flow, members };
  }));
}

/** taken sends a change until it is taken; the only refusal on the way may be "unavailable". */
function taken(member, changes) {
  return until("a change is taken", async () => {
    try {
      return await member.change(changes);
    } catch (error) {
      if (!(error instanceof Refused) || error.reason !== "unavailable") throw error;
      return false;
    }
  }, 20_000);
}

/** goesOn has all members change the flow in rounds until all of them hear a whole round. What is told
 * while an edge still listens to the Redis that is gone is not heard there: the first rounds may have
 * holes at some members, but never anything twice or out of order. */
async function goesOn(members) {
  for (let round = 1; ; round++) {
    for (const [who, member] of members.entries()) await taken(member, { round, who });
    const whole = (member) => member.updates.filter(({ changes }) => changes.round === round).length === members.length;
    try {
      await Promise.all(members.map((member) => member.until(`round ${round} came`, () => whole(member), 1_000)));
      break;
    } catch (error) {
      if (round === 10) throw error;
    }
  }
  for (const { updates } of members) {
    const order = updates.map(({ epoch, seq }) => ({ epoch, seq }));
    for (let i = 1; i < order.length; i++) {
      assert.ok(order[i].epoch !== order[i - 1].epoch || order[i].seq > order[i - 1].seq, `${JSON.stringify(order[i])} after ${JSON.stringify(order[i - 1])}`);
    }
  }
}

test("an edge that is killed leaves no ghosts for longer than one lease, and changes go on meanwhile", async (t) => {
  const { edges } = await cluster(t);
  const flows = await crowd(t, edges, [{}, {}, { reconnectAfterMs: NEVER }]);
  await edges[2].kill();
  const died = performance.now();
  await Promise.all(flows.map(async ({ name, members: [a, b] }) => {
    await a.change({ meanwhile: name });
    assert.deepEqual((await b.untilUpdates(1, 1_000))[0].changes, { meanwhile: name });
    await Promise.all([a, b].map((member) => member.untilCount(2, LEASE_TTL + SLACK)));
    assert.equal(a.events("client_left").at(-1).client_count, 2);
  }));
  const took = performance.now() - died;
  t.diagnostic(`the ghosts were gone after ${Math.round(took)} ms, with leases of ${LEASE_TTL} ms`);
  for (const { variant, flow } of flows) assert.equal((await joined(t, variant, edges[0], flow)).joined.client_count, 3);
});

test("two of three edges that are killed leave no ghosts, whoever held the lease", async (t) => {
  const { edges } = await cluster(t);
  const flows = await crowd(t, edges, [{ reconnectAfterMs: NEVER }, { reconnectAfterMs: NEVER }, {}]);
  await Promise.all([edges[0].kill(), edges[1].kill()]);
  await Promise.all(flows.map(({ members: [, , last] }) => last.untilCount(1, LEASE_TTL + SLACK)));
});

test("clients come back to an edge that was killed and started again, after waiting longer and longer", async (t) => {
  const { edges } = await cluster(t);
  const waits = VARIANTS.map(() => []);
  const flows = await Promise.all(VARIANTS.map(async (variant, i) => {
    const flow = newFlow("back");
    const away = await joined(t, variant, edges[0], flow, {
      reconnectAfterMs: (tries) => { waits[i].push(tries); return 50 * tries; },
      rejoinAfterMs: () => 100,
    });
    const stays = await joined(t, variant, edges[1], flow);
    await stays.untilCount(2);
    return { flow, away, stays };
  }));
  await edges[0].kill();
  // The tries are those of the official client; its clock is told by the numbers that it asks with.
  await until("every client tried four times", () => waits.every((tries) => tries.length >= 4));
  for (const tries of waits) assert.deepEqual(tries.slice(0, 4), [1, 2, 3, 4]);
  await edges[0].start();
  await Promise.all(flows.map(async ({ away, stays }) => {
    await away.until("joined again", () => away.client.opened === 2 && away.channel.state === "joined");
    // The life before the kill may still be counted for one lease.
    await Promise.all([away, stays].map((member) => member.untilCount(2, LEASE_TTL + SLACK)));
    await stays.change({ after: "the restart" });
    await away.until("the change came", () => away.updates.some(({ changes }) => changes.after === "the restart"));
    await away.change({ from: "who came back" });
    await stays.until("the change came", () => stays.updates.some(({ changes }) => changes.from === "who came back"));
  }));
});

test("an edge that is told to stop closes with a code that brings its clients back, and takes them out of the count at once", async (t) => {
  const { edges } = await cluster(t);
  const flows = await crowd(t, edges, [{ reconnectAfterMs: () => 50, rejoinAfterMs: () => 50 }, {}, {}]);
  await edges[0].stop(); // fails unless the edge ends by itself, with code 0
  for (const { name, members: [moved, ...others] } of flows) {
    assert.ok([1012, 1001].includes(moved.client.closes[0]), `${name}: closed with ${moved.client.closes[0]}`);
    await Promise.all(others.map((member) => member.untilCount(2, 1_000)));
  }
  await edges[0].start();
  await Promise.all(flows.map(async ({ members }) => {
    await members[0].until("joined again", () => members[0].client.opened === 2 && members[0].channel.state === "joined");
    await Promise.all(members.map((member) => member.untilCount(3, 2_000)));
  }));
});

test("while Redis is away clients stay connected and changes are unavailable; when it is back all goes on", async (t) => {
  const { redis, edges } = await cluster(t);
  const flows = await crowd(t, edges);
  await Promise.all(flows.map(async ({ members }) => {
    assert.equal((await members[0].change({ before: 1 })).seq, 1);
    await Promise.all(members.map((member) => member.untilUpdates(1)));
  }));
  await redis.stop();
  await Promise.all(flows.map(async ({ variant, members }) => {
    await Promise.all(members.map((member) => assert.rejects(member.change({ lost: 1 }), { reason: "unavailable" })));
    assert.deepEqual(await members[1].push("ping", {}), { status: "pong" });
    const late = new Client(t, variant, edges[1], { rejoinAfterMs: NEVER });
    await assert.rejects(late.member(newFlow("late")).join(), { reason: "unavailable" });
  }));
  for (const edge of edges) {
    assert.equal((await fetch(`${edge.http}/healthz`)).status, 200);
    assert.equal((await fetch(`${edge.http}/readyz`)).status, 503);
  }
  await redis.start();
  await Promise.all(flows.map(async ({ variant, flow, members }) => {
    const [{ epoch }] = members[0].updates;
    await goesOn(members);
    for (const member of members) {
      assert.ok(member.updates.every(({ changes }) => !("lost" in changes)));
      assert.equal(member.updates.at(-1).epoch, epoch, "a Redis that forgot nothing goes on counting");
      assert.deepEqual([member.client.opened, member.client.closes, member.errors], [1, [], 0]);
    }
    const late = await joined(t, variant, edges[2], flow);
    await Promise.all([...members, late].map((member) => member.untilCount(4, LEASE_TTL + SLACK)));
  }));
});

test("a Redis that comes back with nothing hears of the members from the edges, and changes go on under a new epoch", async (t) => {
  const { redis, edges } = await cluster(t);
  const flows = await crowd(t, edges);
  await Promise.all(flows.map(({ members }) => members[0].change({ before: 1 })));
  await redis.kill();
  await redis.forget();
  await redis.start();
  await Promise.all(flows.map(async ({ variant, flow, members }) => {
    await goesOn(members);
    for (const member of members) {
      assert.notEqual(member.updates.at(-1).epoch, member.joined.epoch);
      assert.deepEqual([member.client.opened, member.client.closes], [1, []]);
    }
    const late = await joined(t, variant, edges[2], flow);
    await Promise.all([...members, late].map((member) => member.untilCount(4, LEASE_TTL + SLACK)));
  }));
});
