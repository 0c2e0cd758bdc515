// The editor, as one person uses it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startEdge, startRedis } from "../conformance/harness.mjs";
import { launch, visit } from "./builder.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

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

/** serious gives what axe finds that keeps people out. */
async function serious(page) {
  await page.evaluate(axe);
  // What is still fading in has not its colours yet.
  await page.evaluate(() => Promise.all(document.getAnimations().filter(({ effect }) => effect.getTiming().iterations !== Infinity).map(({ finished }) => finished.catch(() => undefined))));
  // React Flow's own pane and handles have no text of ours; everything else is looked at.
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}

test("copy, paste, duplicate, undo, delete, select everything: by the keyboard", async (t) => {
  const a = await visit(t, browser, edge);
  await a.fromTemplate("Support triage");
  await a.select("Draft an answer");
  await a.page.keyboard.press("Escape");
  await a.press("Mod+a");
  await a.page.getByRole("toolbar", { name: "Selected nodes" }).getByText("10 selected").waitFor();
  await a.press("Mod+c");
  await a.press("Mod+v");
  await a.count(20, 20);
  await a.press("Mod+z");
  await a.count(10, 10);
  await a.page.keyboard.press("Escape");
  await a.select("Urgent?");
  await a.press("Mod+d");
  await a.count(11, 10);
  await a.page.keyboard.press("Delete");
  await a.count(10, 10);
  await a.select("Urgent?");
  await a.page.keyboard.press("Delete");
  await a.count(9, 7);
  await a.press("Mod+z");
  await a.count(10, 10);
  await a.status("live");
});

test("group, ungroup, align, distribute, tidy up", async (t) => {
  const a = await visit(t, browser, edge);
  await a.newFlow();
  for (const [kind, x, y] of [["Input", 420, 200], ["Agent", 700, 330], ["Output", 1000, 260]]) {
    await a.dragFromPalette(kind, x, y);
    await a.node(kind).waitFor();
  }
  await a.connect("Input", "Agent");
  await a.connect("Agent", "Output");
  await a.count(3, 2);
  await a.press("Mod+a");
  await a.page.getByRole("button", { name: "Align", exact: true }).click();
  await a.page.getByRole("menuitem", { name: "Align top" }).click();
  const tops = async () => new Set(await Promise.all(["Input", "Agent", "Output"].map(async (label) => (await a.placeOf(label)).y)));
  await a.page.waitForFunction(() => new Set([...document.querySelectorAll(".canvas .react-flow__node")].map((node) => Math.round(new DOMMatrix(getComputedStyle(node).transform).m42))).size === 1);
  assert.equal((await tops()).size, 1);
  await a.press("Mod+g");
  await a.count(4, 2);
  await a.node("Group").waitFor();
  const home = await a.page.locator(".react-flow__node-agent").boundingBox();
  await a.page.locator(".group-title").hover();
  await a.page.mouse.down();
  await a.page.mouse.move(500, 500, { steps: 6 });
  await a.page.mouse.up();
  const moved = await a.page.locator(".react-flow__node-agent").boundingBox();
  assert.ok(Math.abs(moved.y - home.y) > 50, "what is in a group moves with it");
  await a.press("Mod+Shift+g");
  await a.count(3, 2);
  await a.page.keyboard.press("Escape");
  await a.page.keyboard.press("l");
  await a.told("The flow was tidied up.");
  const places = await Promise.all(["Input", "Agent", "Output"].map((label) => a.placeOf(label)));
  assert.ok(places[0].x < places[1].x && places[1].x < places[2].x);
});

test("a connection that is let go over nothing offers what may come next", async (t) => {
  const a = await visit(t, browser, edge);
  await a.newFlow();
  await a.dragFromPalette("Sensor", 500, 300);
  const handle = await a.node("Sensor").locator(".react-flow__handle.source").boundingBox();
  await a.page.mouse.move(handle.x + 5, handle.y + 5);
  await a.page.mouse.down();
  await a.page.mouse.move(860, 460, { steps: 6 });
  await a.page.mouse.up();
  await a.page.getByRole("menu", { name: "What comes next?" }).getByRole("menuitem", { name: "Memory" }).click();
  await a.count(2, 1);
});

test("the main paths work without a mouse", async (t) => {
  const a = await visit(t, browser, edge);
  const { page } = a;
  await page.getByRole("button", { name: "New flow" }).focus();
  await page.keyboard.press("Enter");
  await a.opened();
  await page.getByRole("button", { name: "Add Input" }).focus();
  await page.keyboard.press("Enter");
  await a.count(1);
  await page.getByRole("button", { name: "Add API" }).focus();
  await page.keyboard.press("Enter");
  await a.count(2);
  await a.press("Mod+k"); // find, and go there
  await page.getByRole("combobox").fill("input");
  await page.keyboard.press("Enter");
  await a.panel.getByLabel("Name").fill("Order");
  await a.panel.getByLabel("Connect to …").selectOption({ label: "API" });
  await a.count(2, 1);
  await a.node("Order").focus();
  await page.keyboard.press("Enter");
  const from = await a.placeOf("Order");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction(([x, y]) => [...document.querySelectorAll(".react-flow__node")].some((node) => { const { m41, m42 } = new DOMMatrix(getComputedStyle(node).transform); return m41 > x && m42 > y && node.textContent.includes("Order"); }), [from.x, from.y]);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("c");
  await page.keyboard.type("Is this the right order?");
  await page.keyboard.press("Enter");
  await page.getByText("Is this the right order?").waitFor();
  await a.node("Order").getByRole("button", { name: "1 comment" }).waitFor();
});

test("axe finds nothing serious, in light and in dark", async (t) => {
  await fetch(`${edge.http}/api/flows/looked-at`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ title: "Looked at", nodes: {}, edges: {} }) });
  for (const colorScheme of ["light", "dark"]) {
    const a = await visit(t, browser, edge, { colorScheme });
    await a.card("Looked at").waitFor();
    assert.deepEqual(await serious(a.page), [], `start, ${colorScheme}`);
    await a.fromTemplate("Research agent");
    await a.select("Doubt it");
    await a.panel.waitFor();
    await a.status("live");
    assert.deepEqual(await serious(a.page), [], `editor, ${colorScheme}`);
    await a.page.keyboard.press("Escape");
    await a.page.keyboard.press("?");
    await a.page.getByRole("dialog").waitFor();
    assert.deepEqual(await serious(a.page), [], `help, ${colorScheme}`);
  }
});

test("a phone and a tablet: touch adds, selects and moves", async (t) => {
  for (const [name, viewport] of [["phone", { width: 390, height: 844 }], ["tablet", { width: 834, height: 1112 }]]) {
    const a = await visit(t, browser, edge, { viewport, hasTouch: true, isMobile: true });
    await a.page.getByRole("button", { name: "New flow" }).tap();
    await a.opened();
    await a.page.getByRole("button", { name: "Add Agent" }).tap();
    await a.count(1);
    await a.node("Agent").tap();
    await a.panel.getByLabel("Name").fill("Thinks");
    await a.node("Thinks").waitFor();
    if (name === "phone") { // where the bar has no room for it
      await a.page.getByRole("button", { name: "Flow menu" }).tap();
      await a.page.getByRole("menuitem", { name: "Undo" }).tap();
      await a.node("Agent").waitFor();
    }
    await a.screenshot(`editor-${name}`);
    const wide = await a.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name}: ${wide} px too wide`);
  }
});
