// Others in the same flow, and what of theirs must not reach me: my focus, my view, my undo. And what of mine reaches the wire.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, VARIANTS } from "../conformance/client.mjs";
import { startCluster } from "../conformance/harness.mjs";
import { launch, visit } from "./builder.mjs";

let cluster, browser;
before(async () => {
  [cluster, browser] = await Promise.all([startCluster({ HELIX_SOCKET_ALLOWED_ORIGINS: "" }), launch()]);
});
after(async () => {
  await browser?.close();
  await cluster?.stop();
});

const bob = { name: "Bob Cole", color: "#0369a1" };

test("undo with the edits of others between: mine goes, theirs stays, and what is theirs by now too", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.newFlow();
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path });
  await b.opened();
  await a.dragFromPalette("Skill", 500, 250);
  await a.rename("Skill", "Mine");
  await b.node("Mine").waitFor();
  await b.drag("Mine", 40, 120);
  const moved = await b.placeOf("Mine");
  await a.isAt("Mine", moved);
  await a.dragFromPalette("Output", 850, 250);
  await b.node("Output").waitFor();
  await b.rename("Output", "Theirs");
  await a.node("Theirs").waitFor();
  await a.page.getByRole("region", { name: "Canvas of the flow" }).click({ position: { x: 700, y: 650 } });

  // What I made and another one has named or moved is theirs too by now: of mine the name alone is left to take back.
  await a.press("Mod+z");
  await b.node("Skill").waitFor();
  await b.isAt("Skill", moved);
  assert.equal(await b.node("Theirs").count(), 1);
  await a.page.locator("button[aria-label=Undo]:disabled").waitFor();
  await a.press("Mod+z");
  await a.press("Mod+Shift+z");
  await b.node("Mine").waitFor();
  await b.isAt("Mine", moved);
});

test("what I edit is deleted by another one: I am told by whom, and it comes back with their undo", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.newFlow();
  await a.dragFromPalette("Skill", 500, 250);
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path });
  await b.node("Skill").waitFor();
  await a.select("Skill");
  await a.property("Description", "Half a sent");
  await b.select("Skill");
  await b.panel.getByText("Ann Baker is editing this too").waitFor();
  await b.page.keyboard.press("Delete");
  await a.told("Bob Cole deleted “Skill”, which you were editing.");
  await a.count(0, 0);
  await a.panel.waitFor({ state: "detached" });
  await a.screenshot("deleted-while-editing");
  await b.press("Mod+z");
  await a.node("Skill").waitFor();
  await a.status("live");
});

test("edits of others take neither my focus nor my place in the text, and move no view of mine", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  const path = await a.fromTemplate("Support triage");
  const b = await visit(t, browser, cluster.edges[1], { ...bob, path });
  await b.count(10, 10);
  await a.select("Draft an answer");
  const text = a.panel.getByLabel("Instructions");
  await text.fill("Answer in three sentences.");
  await text.evaluate((element) => { element.setSelectionRange(7, 9); element.closest(".side-body").scrollTop = 60; });
  const state = () => a.page.evaluate(() => {
    const { id, tagName, selectionStart, selectionEnd, value } = document.activeElement;
    return { id, tagName, selectionStart, selectionEnd, value, view: document.querySelector(".react-flow__viewport").style.transform, panel: document.querySelector(".side-body").scrollTop, page: scrollY };
  });
  const before_ = await state();
  assert.equal(before_.tagName, "TEXTAREA");
  await b.dragFromPalette("Loop", 300, 700);
  await b.rename("Draft an answer", "Write an answer"); // the very node that I edit
  await b.drag("Write an answer", 0, 150);
  await b.select("Urgent?");
  await b.page.keyboard.press("Delete");
  await a.count(10, 7);
  await a.isAt("Write an answer", await b.placeOf("Write an answer"));
  assert.deepEqual(await state(), before_);
  await a.page.keyboard.type("with"); // goes on where I was
  await b.select("Write an answer");
  await b.page.waitForFunction(() => [...document.querySelectorAll("textarea")].some(({ value }) => value === "Answer with three sentences."));
});

test("a drag sends at most 30 signals a second, and one change at its end", async (t) => {
  const a = await visit(t, browser, cluster.edges[0]);
  await a.context.addInitScript(() => {
    globalThis.sent = [];
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      if (typeof data === "string") globalThis.sent.push({ at: performance.now(), event: JSON.parse(data)[3], data });
      return send.call(this, data);
    };
  });
  await a.page.reload();
  await a.newFlow();
  await a.dragFromPalette("Agent", 500, 300);
  await a.status("live");
  await a.page.evaluate(() => { globalThis.sent.length = 0; });
  const from = await a.placeOf("Agent");
  const began = Date.now();
  await a.drag("Agent", 200, 200, {
    hold: async () => { // on and on, more often than any screen draws
      const box = await a.node("Agent").boundingBox();
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      for (let i = 0; Date.now() - began < 2500; i++) await a.page.mouse.move(x + (i % 40), y + (i % 30));
    },
  });
  await a.status("live");
  const sent = await a.page.evaluate(() => globalThis.sent);
  const signals = sent.filter(({ event }) => event === "signal").map(({ at }) => at);
  const most = Math.max(...signals.map((at) => signals.filter((other) => other >= at && other < at + 1000).length));
  t.diagnostic(`${signals.length} signals in ${Date.now() - began} ms, at most ${most} in one second; ${sent.filter(({ event }) => event === "flow_change").length} changes`);
  assert.ok(most >= 5, "others see the drag");
  assert.ok(most <= 30, `${most} signals in one second`);
  const changes = sent.filter(({ event }) => event === "flow_change");
  assert.equal(changes.length, 1, changes.map(({ data }) => data).join("\n"));
  assert.notDeepEqual(await a.placeOf("Agent"), from);
});

test("plain clients with whole arrays work beside, in flows of their own; the page shows what they draw", async (t) => {
  const [first, second] = cluster.edges.slice(0, 2).map((edge) => new Client(t, VARIANTS[2], edge));
  const [writer, reader] = [first.member("plain"), second.member("plain")];
  await Promise.all([writer.join(), reader.join()]);
  const a = await visit(t, browser, cluster.edges[2]);
  await a.fromTemplate("Hiring pipeline");
  const own = await a.page.locator("main").getAttribute("data-nodes");
  const whole = (n) => ({
    nodes: Array.from({ length: n }, (_, i) => ({ id: `n${i}`, type: "default", position: { x: i * 260, y: 0 }, data: { label: `Plain ${i}` } })),
    edges: [{ id: "e", source: "n0", target: "n1" }],
    viewport: { x: 0, y: 0, zoom: 1 },
  });
  await writer.change(whole(2));
  await second.until("the other one gets the whole arrays", () => reader.updates.find(({ changes }) => JSON.stringify(changes) === JSON.stringify(whole(2))));
  assert.equal(await a.page.locator("main").getAttribute("data-nodes"), own);
  await a.open("/flows/plain");
  await a.count(2, 1);
  await a.node("Plain 1").waitFor();
  await writer.change(whole(3));
  await a.count(3, 1);
  // An edit by id would replace the arrays: so the page lets one look, and go on in a copy.
  await a.noticed("Drawn by another app");
  await a.drag("Plain 0", 0, 200);
  await a.page.keyboard.press("Delete");
  await a.screenshot("plain");
  await a.page.getByRole("button", { name: "Continue in a copy" }).click();
  await a.page.waitForURL((url) => url.pathname !== "/flows/plain");
  await a.opened();
  await a.count(3, 1);
  await a.rename("Plain 2", "Ours");
  await a.status("live");
  const kept = await (await fetch(`${cluster.edges[0].http}/api/flows/plain`)).json();
  assert.deepEqual(kept, whole(3));
});
