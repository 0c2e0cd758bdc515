// The limit of clients per flow holds for the whole cluster, also when all come at once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, joined, newFlow, NEVER, Refused, VARIANTS } from "./client.mjs";
import { startCluster } from "./harness.mjs";

const LIMIT = 5;

let cluster;
before(async () => { cluster = await startCluster({ HELIX_SESSION_MAX_CLIENTS: `${LIMIT}` }); });
after(() => cluster?.stop());

for (const variant of VARIANTS) {
  test(`${variant.name}: of many joins at once on three edges exactly ${LIMIT} are let in`, async (t) => {
    const flow = newFlow("full");
    const members = Array.from({ length: 4 * LIMIT }, (_, i) =>
      new Client(t, variant, cluster.edges[i % 3], { rejoinAfterMs: NEVER }).member(flow));
    const outcomes = await Promise.allSettled(members.map((member) => member.join()));
    const refusals = outcomes.filter(({ status }) => status === "rejected");
    for (const { reason } of refusals) {
      assert.ok(reason instanceof Refused, `${reason}`);
      assert.equal(reason.reason, "max_clients_reached");
    }
    assert.equal(outcomes.length - refusals.length, LIMIT);
    const inside = members.filter((member) => member.joined);
    await Promise.all(inside.map((member) => member.untilCount(LIMIT)));

    // A flow that is full refuses its next member only; another flow takes it.
    await joined(t, variant, cluster.edges[0], newFlow("other"));
  });

  test(`${variant.name}: who was refused tries again by itself, and takes a freed place`, async (t) => {
    const flow = newFlow("full");
    const inside = [];
    for (let i = 0; i < LIMIT; i++) inside.push(await joined(t, variant, cluster.edges[i % 3], flow));
    const waiting = new Client(t, variant, cluster.edges[1], { rejoinAfterMs: () => 50 }).member(flow);
    await assert.rejects(waiting.join(), { reason: "max_clients_reached" });
    await inside[0].leave();
    await waiting.until("the freed place is taken", () => waiting.channel.state === "joined");
    await Promise.all([...inside.slice(1), waiting].map((member) => member.untilCount(LIMIT)));
  });
}
