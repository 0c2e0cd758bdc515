// A thousand nodes: what a drag costs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startEdge, startRedis } from "../conformance/harness.mjs";
import { launch, visit } from "./builder.mjs";

const COLUMNS = 40, NODES = 1000;
/** Of the page's own work for one frame of a drag, in milliseconds, on a machine that does much else. An ordinary laptop needs a fraction. */
const MOST = 50;

let redis, edge, browser;
before(async () => {
  redis = await startRedis();
  [edge, browser] = await Promise.all([startEdge(redis, "edge-a", { HELIX_SOCKET_ALLOWED_ORIGINS: "" }), launch()]);
});
after(async () => {
  await browser?.close();
  await edge?.stop();
  await redis?.stop();
});

test("a thousand nodes open, and are dragged smoothly", async (t) => {
  const kinds = ["agent", "sensor", "skill", "decision", "input", "output", "memory", "loop", "transform", "api"];
  const nodes = {}, edges = {};
  for (let i = 0; i < NODES; i++) {
    nodes[`n${i}`] = { type: kinds[i % 10], position: { x: (i % COLUMNS) * 300, y: Math.floor(i / COLUMNS) * 120 }, data: { label: `Step ${i}` } };
    if (i % COLUMNS > 0) edges[`e${i}`] = { source: `n${i - 1}`, target: `n${i}` };
  }
  const put = await fetch(`${edge.http}/api/flows/large`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ title: "Large", nodes, edges }) });
  assert.equal(put.status, 201);

  const a = await visit(t, browser, edge);
  const began = Date.now();
  await a.open("/flows/large");
  await a.count(NODES);
  await a.node("Step 0").waitFor();
  t.diagnostic(`opened in ${Date.now() - began} ms`);

  await a.page.keyboard.press("0"); // 100 %: what one works at
  await a.page.waitForFunction(() => document.querySelectorAll(".canvas .react-flow__node").length < 200);
  const session = await a.context.newCDPSession(a.page);
  await session.send("Performance.enable");
  const metrics = async () => Object.fromEntries((await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const box = await a.nodes.nth(20).boundingBox();
  await a.page.mouse.move(box.x + 100, box.y + 30);
  await a.page.mouse.down();
  await a.page.evaluate(() => { globalThis.frames = []; let last = performance.now(); const next = (now) => { globalThis.frames.push(now - last); last = now; requestAnimationFrame(next); }; requestAnimationFrame(next); });
  const before_ = await metrics();
  const steps = 60;
  for (let i = 1; i <= steps; i++) await a.page.mouse.move(box.x + 100 + 3 * i, box.y + 30 + 2 * i);
  const after_ = await metrics();
  await a.page.mouse.up();
  const perStep = (name) => ((after_[name] - before_[name]) * 1000) / steps;
  const frames = (await a.page.evaluate(() => globalThis.frames)).sort((x, y) => x - y);
  t.diagnostic(`a step of a drag: ${perStep("ScriptDuration").toFixed(1)} ms of script, ${perStep("LayoutDuration").toFixed(1)} ms of layout, ${perStep("RecalcStyleDuration").toFixed(1)} ms of style; frames: median ${frames[frames.length >> 1].toFixed(0)} ms, of ${frames.length}`);
  assert.ok(perStep("ScriptDuration") + perStep("LayoutDuration") + perStep("RecalcStyleDuration") < MOST);
  await a.status("live");
});
