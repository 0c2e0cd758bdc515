// Everything by the keyboard alone: no mouse moves here. And what one sees, and a screen reader hears, on the way.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startEdge, startRedis } from "../conformance/harness.mjs";
import { launch, visit } from "./builder.mjs";

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

/** focused gives what a screen reader says of what has the focus, and whether one sees that it has it. */
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
  const inner = element.querySelector(".node");
  const shadow = inner ? getComputedStyle(inner).boxShadow + getComputedStyle(inner).outlineStyle : "";
  return {
    tag: element.tagName,
    name: element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent.trim(),
    seen: (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none" || /rgb|solid|auto/.test(shadow),
  };
});

/** tabTo presses Tab until something of that name has the focus; on the way everything has a name, and is seen. */
async function tabTo(page, name, key = "Tab") {
  const way = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press(key);
    const now = await focused(page);
    way.push(now.name);
    if (now.tag === "BODY") continue; // over the end, and again from the beginning
    assert.ok(now.name, `what has the focus has a name, after ${way.join(", ")}`);
    assert.ok(now.seen, `one sees that ${now.name} has the focus`);
    if (now.name.startsWith(name)) return;
  }
  assert.fail(`${name} is not reached: ${way.join(", ")}`);
}

test("a flow is made, nodes added, named, connected, moved, deleted, and taken back: from Tab to Tab", async (t) => {
  const a = await visit(t, browser, edge);
  const { page } = a;
  await tabTo(page, "New flow");
  await page.keyboard.press("Enter");
  await a.opened();
  await tabTo(page, "Add Input");
  await page.keyboard.press("Enter");
  await a.count(1);
  await tabTo(page, "Add API");
  await page.keyboard.press(" ");
  await a.count(2);
  await page.screenshot({ path: new URL("out/keyboard-focus.png", import.meta.url).pathname });

  await tabTo(page, "Input, Input", "Shift+Tab"); // the node: its name, and its kind
  await page.keyboard.press("Enter");
  await page.keyboard.press("F2");
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Order");
  await page.keyboard.press("Enter");
  await a.node("Order").waitFor();
  assert.match((await focused(page)).name, /^Order, Input/, "after naming it the node has the focus again");

  await page.keyboard.press("Enter"); // opens its properties
  await a.panel.waitFor();
  await tabTo(page, "Connect to …");
  await page.keyboard.type("API");
  await page.keyboard.press("Enter");
  await a.count(2, 1);
  await a.panel.getByRole("button", { name: "Remove the connection with API" }).waitFor();

  await page.keyboard.press("Escape");
  await tabTo(page, "Order, Input", "Shift+Tab");
  await page.keyboard.press("Enter");
  const from = await a.placeOf("Order");
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction(([y]) => [...document.querySelectorAll(".react-flow__node")].some((node) => node.textContent.includes("Order") && new DOMMatrix(getComputedStyle(node).transform).m42 > y), [from.y]);
  await page.keyboard.press("Delete");
  await a.count(1, 0);
  await page.keyboard.press("Control+z");
  await a.count(2, 1);
  await a.isAt("Order", { x: from.x, y: (await a.placeOf("Order")).y });
  await page.keyboard.press("Control+z"); // the way with the arrow
  await a.isAt("Order", from);
  await a.status("live");
});
