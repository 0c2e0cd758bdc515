// What breaks while people work, and what they notice of it: nothing that they did is lost, and each time there is a next step.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startCluster, startEdge } from "../conformance/harness.mjs";
import { launch, visit } from "./builder.mjs";
import { startFront } from "./front.mjs";

let cluster, browser;
before(async () => {
  [cluster, browser] = await Promise.all([startCluster({ HELIX_SOCKET_ALLOWED_ORIGINS: "" }), launch()]);
});
after(async () => {
  await browser?.close();
  await cluster?.stop();
});

const bob = { name: "Bob Cole", color: "#0369a1" };
const network = "cut";

/** documentOf is what the server holds. */
const documentOf = async (edge, path) => (await fetch(`${edge.http}/api${path}`)).json();

/** changesOf is how many changes a flow has had. */
const changesOf = async (edge, path) => (await (await fetch(`${edge.http}/api/flows`)).json()).flows.find(({ flow_id: id }) => `/flows/${id}` === path).seq;

test("an edge is killed under one who is dragging: the drag goes on, and ends where it is dropped, as one change", async (t) => {
  const [first, second] = cluster.edges;
  const front = await startFront(t, cluster.edges);
  const a = await visit(t, browser, front, { network });
  const path = await a.newFlow();
  await a.dragFromPalette("Agent", 500, 300);
  await a.dragFromPalette("Output", 900, 300);
  await a.status("live");
  const b = await visit(t, browser, second, { ...bob, path, network });
  await b.select("Agent");
  const { x, y } = await a.placeOf("Agent");
  const before_ = await changesOf(second, path);

  await a.drag("Agent", 120, 160, {
    hold: async () => {
      t.after(() => first.start());
      await first.kill();
      await a.status("offline");
      await b.property("Name", "Renamed meanwhile"); // the other one goes on
      await a.status("live"); // through another edge, with the button still down
      await a.node("Renamed meanwhile").waitFor();
    },
  });
  const dropped = await a.placeOf("Renamed meanwhile");
  assert.ok(dropped.x - x > 80 && dropped.y - y > 100, `from ${x}, ${y} to ${JSON.stringify(dropped)}`);
  await b.isAt("Renamed meanwhile", dropped);
  await a.status("live");
  const { nodes } = await documentOf(second, path);
  const held = Object.values(nodes).find(({ data }) => data.label === "Renamed meanwhile");
  assert.deepEqual({ x: Math.round(held.position.x), y: Math.round(held.position.y) }, dropped);
  assert.equal(await changesOf(second, path) - before_, 2, "one change for the name, one for the drag");
  await a.press("Mod+z"); // and is one step to undo
  await b.isAt("Renamed meanwhile", { x, y });
});

test("two tabs of one person, offline: what each did goes out once, whether the tab is reloaded or closed", async (t) => {
  const a = await visit(t, browser, cluster.edges[0], { network });
  const line = await a.line();
  const path = await a.newFlow();
  await a.dragFromPalette("Agent", 500, 300);
  await a.status("live");
  const [second, closed] = [await a.tab(path), await a.tab(path)];
  for (const one of [second, closed]) await one.node("Agent").waitFor();
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path });
  await b.node("Agent").waitFor();

  await line.cut();
  for (const one of [a, second, closed]) await one.status("offline");
  await a.rename("Agent", "Named in one tab");
  await second.dragFromPalette("Output", 900, 300);
  await second.node("Output").waitFor();
  await closed.dragFromPalette("Loop", 500, 560);
  await closed.node("Loop").waitFor();
  await second.page.reload();
  await second.status("offline");
  await second.noticed("The flow comes when the connection is back");
  await second.screenshot("offline-reloaded");
  await closed.page.close();

  line.mend();
  for (const one of [a, second]) {
    await one.tryNow();
    await one.status("live");
  }
  for (const one of [a, second, b]) {
    await one.count(3, 0);
    for (const label of ["Named in one tab", "Output", "Loop"]) assert.equal(await one.node(label).count(), 1, label);
  }
});

test("a session that is closed says so, keeps the flow, and opens again", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.newFlow();
  await a.dragFromPalette("Agent", 500, 300);
  await a.status("live");
  assert.equal((await fetch(`${cluster.edges[1].http}/api${path}/session`, { method: "DELETE" })).status, 200);
  await a.noticed("This session was closed");
  await a.screenshot("session-closed");
  await a.page.getByRole("button", { name: "Open it again" }).click();
  await a.status("live");
  await a.node("Agent").waitFor();
});

test("a change that is too large is taken back and told, and the work goes on", async (t) => {
  const edge = await startEdge(cluster.redis, "edge-small", { HELIX_SOCKET_ALLOWED_ORIGINS: "", HELIX_SOCKET_MAX_FRAME_BYTES: "4KiB", HELIX_DOCUMENT_MAX_BYTES: "4KiB" });
  t.after(() => edge.stop());
  const a = await visit(t, browser, edge, { network });
  await a.newFlow();
  await a.dragFromPalette("Agent", 500, 300);
  await a.select("Agent");
  await a.property("Instructions", "x".repeat(5000));
  await a.told("That change was too large");
  await a.page.waitForFunction(() => [...document.querySelectorAll("textarea")].every(({ value }) => value === ""));
  await a.screenshot("too-large");
  // One after another: what waits for the connection goes out as one change, which would be too large again.
  await a.status("live");
  await a.property("Description", "y".repeat(2500));
  await a.page.waitForFunction(async () => (await (await fetch(`/api${location.pathname}`)).text()).includes("yyy"));
  await a.property("Instructions", "z".repeat(2500));
  await a.told("This flow has reached its size limit");
  await a.rename("Agent", "Goes on");
  await a.status("live");
});
