// Two people, each on an edge of their own, over a real Redis, in one flow.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startCluster } from "../conformance/harness.mjs";
import { launch, visit } from "./builder.mjs";

let cluster, browser;
before(async () => {
  [cluster, browser] = await Promise.all([startCluster({ HELIX_SOCKET_ALLOWED_ORIGINS: "" }), launch()]); // as in production: the page's own host
});
after(async () => {
  await browser?.close();
  await cluster?.stop();
});

const bob = { name: "Bob Cole", color: "#0369a1" };

test("two people build one flow: nodes, names, connections, labels, deletion", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.newFlow();
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path });
  await b.opened();
  await a.page.getByRole("button", { name: /People in this flow: .*Bob Cole/ }).waitFor();

  await a.dragFromPalette("Input", 420, 300);
  await a.node("Input").waitFor();
  await b.node("Input").waitFor();
  await b.dragFromPalette("Agent", 820, 420);
  await a.node("Agent").waitFor();
  await a.rename("Input", "New ticket");
  await b.node("New ticket").waitFor();

  await a.connect("New ticket", "Agent");
  await b.count(2, 1);
  await a.connect("New ticket", "Agent"); // once is enough
  await a.told("These two are connected already.");
  await b.count(2, 1);

  await b.edges.first().click({ force: true });
  await b.property("Label", "Urgent");
  await a.page.locator(".edge-label", { hasText: "Urgent" }).waitFor();

  await a.select("Agent");
  await a.property("Instructions", "Answer kindly.");
  await b.select("Agent");
  await b.page.waitForFunction(() => [...document.querySelectorAll("textarea")].some(({ value }) => value === "Answer kindly."));

  await b.page.getByRole("region", { name: "Canvas of the flow" }).click({ position: { x: 700, y: 600 } });
  await b.select("New ticket");
  await b.press("Delete");
  await a.count(1, 0);
  await a.status("live");
});

test("one drags a node while the other renames it: both hold", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.newFlow();
  await a.dragFromPalette("Skill", 600, 300);
  await a.node("Skill").waitFor();
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path });
  await b.node("Skill").waitFor();
  const from = await a.placeOf("Skill");
  await a.drag("Skill", 180, 140, { hold: () => b.rename("Skill", "Read the invoice") });
  await a.node("Read the invoice").waitFor();
  const to = await a.placeOf("Read the invoice");
  assert.ok(Math.hypot(to.x - from.x, to.y - from.y) > 100, `moved from ${JSON.stringify(from)} to ${JSON.stringify(to)}`);
  await b.isAt("Read the invoice", to);
});

test("undo is mine: it takes back my edits and leaves the other's", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.newFlow();
  const b = await visit(t, browser, cluster.edges[2], { ...bob, path });
  await b.opened();
  await a.dragFromPalette("Memory", 400, 300);
  await b.node("Memory").waitFor();
  await b.dragFromPalette("Loop", 700, 300);
  await a.node("Loop").waitFor();
  await a.press("Mod+z");
  await b.count(1);
  assert.equal(await b.node("Loop").count(), 1);
  await a.press("Mod+Shift+z");
  await b.count(2);
  await b.press("Mod+z");
  await a.count(1);
  assert.equal(await a.node("Memory").count(), 1);
});

test("who comes late sees it all; who is deleted away from hears it", async (t) => {
  const network = "cut"; // what was deleted is asked for, and not found
  const a = await visit(t, browser, cluster.edges[0], { network });
  const path = await a.fromTemplate("Incident response");
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path, network });
  await b.opened();
  await b.count(30);
  const c = await visit(t, browser, cluster.edges[2], { name: "Chen Lu", color: "#6d28d9" });
  await c.card("Incident response").getByText("2 here now").waitFor();
  await c.act("Incident response", "Delete");
  await c.page.getByRole("dialog").getByText("2 people are in it right now").waitFor();
  await c.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await c.card("Incident response").waitFor({ state: "detached" });
  for (const one of [a, b]) {
    await one.status("refused");
    await one.noticed("This flow was deleted");
  }
  await b.page.getByRole("button", { name: "Back to all flows" }).click();
  await b.page.getByRole("heading", { name: "Your flows" }).waitFor();
});

test("offline edits are kept over a reload, and go out once", async (t) => {
  const edge = cluster.edges[1];
  const a = await visit(t, browser, edge, { network: "cut" });
  const path = await a.newFlow();
  await a.dragFromPalette("Agent", 500, 300);
  await a.status("live");
  const b = await visit(t, browser, cluster.edges[0], { ...bob, path });
  await b.node("Agent").waitFor();

  await edge.stop();
  await a.status("offline");
  await a.noticed("kept in this browser");
  await a.rename("Agent", "Renamed offline");
  await a.dragFromPalette("Output", 800, 300);
  await b.dragFromPalette("Loop", 800, 500); // goes on meanwhile
  await a.screenshot("offline");

  // The edge is back, but its sockets do not come through: what was done offline outlives a reload.
  let through = false;
  await a.page.routeWebSocket(/\/socket\//, (socket) => { if (through) socket.connectToServer(); else socket.close({ code: 4000 }); });
  await edge.start();
  await a.page.reload();
  await a.status("offline");
  through = true;
  await a.tryNow();
  await a.status("live");
  for (const one of [a, b]) {
    await one.count(3);
    await one.node("Renamed offline").waitFor();
  }
});

test("a version is named, looked at, restored, and the restoring undone", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.fromTemplate("Support triage");
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path });
  await b.count(10, 10);
  await a.page.getByRole("button", { name: "History" }).click();
  await a.panel.getByLabel("Name of the present version").fill("Before the demo");
  await a.panel.getByRole("button", { name: "Name this version" }).click();
  await a.panel.getByText("Before the demo").waitFor();
  await b.select("Urgent?");
  await b.press("Delete");
  await a.count(9, 7);
  await a.panel.getByRole("button", { name: /^Look at the version of/ }).filter({ hasText: "Before the demo" }).click();
  const preview = a.page.getByRole("region", { name: /^Version of/ });
  await preview.locator(".react-flow__node").filter({ hasText: "Urgent?" }).waitFor();
  await a.screenshot("history");
  await a.count(9, 7); // looking changes nothing
  await preview.getByRole("button", { name: "Restore this version" }).click();
  for (const one of [a, b]) await one.count(10, 10);
  await a.press("Mod+z");
  for (const one of [a, b]) await one.count(9, 7);
});

test("following shows what the other one looks at", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.fromTemplate("Content moderation");
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path });
  await b.opened();
  await a.page.getByRole("button", { name: /People in this flow: .*Bob Cole/ }).click();
  await a.page.getByRole("menuitem", { name: "Follow Bob Cole" }).click();
  await a.page.getByText("You follow Bob Cole").waitFor();
  await b.page.getByRole("button", { name: "Zoom in" }).click();
  await b.page.getByRole("button", { name: "Zoom in" }).click();
  const zoomOf = (one) => one.page.locator(".react-flow__viewport").first().evaluate((element) => new DOMMatrix(getComputedStyle(element).transform).a);
  await a.page.waitForFunction((zoom) => Math.abs(new DOMMatrix(getComputedStyle(document.querySelector(".react-flow__viewport")).transform).a - zoom) < 0.02, await zoomOf(b));
  await a.page.getByRole("button", { name: "Stop" }).click();
  await a.page.getByText("You follow Bob Cole").waitFor({ state: "detached" });
});
