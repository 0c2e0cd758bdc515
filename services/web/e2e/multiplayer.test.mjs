// The example of @helix/react in a real browser: React Flow's starter with many people in it, two pages on two edges.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build, preview } from "vite";
import { startCluster, until } from "../conformance/harness.mjs";

const EXAMPLE = fileURLToPath(new URL("../react/examples/multiplayer/", import.meta.url));
const OUT = fileURLToPath(new URL("out/", import.meta.url));

let cluster, browser;
const servers = []; // of the page: each passes sockets on to an edge of its own
before(async () => {
  const vite = { root: EXAMPLE, configFile: `${EXAMPLE}vite.config.ts`, logLevel: "error" };
  [cluster, browser] = await Promise.all([
    startCluster({ HELIX_SOCKET_ALLOWED_ORIGINS: "" }), // as in production: the page's own host
    chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] }),
    build(vite),
  ]);
  for (const { http } of cluster.edges) {
    const proxy = { "/socket": { target: http, ws: true }, "/api": { target: http } };
    servers.push(await preview({ ...vite, logLevel: "silent", preview: { port: 0, host: "127.0.0.1", proxy } }));
  }
});
after(async () => {
  await browser?.close();
  await Promise.all(servers.map((server) => server.close()));
  await cluster?.stop();
});

/** tab opens the example; what the browser complains about ends up in complaints. */
async function tab(t, place, flow, name, complaints = []) {
  const context = await browser.newContext({ viewport: { width: 900, height: 600 } });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(`${error}`));
  const { port } = servers[place].httpServer.address();
  await page.goto(`http://127.0.0.1:${port}/?flow=${encodeURIComponent(flow)}&name=${name}`);
  await page.locator("output", { hasText: "live:" }).waitFor();
  return page;
}

const node = (page, label) => page.locator(".react-flow__node", { hasText: new RegExp(`^${label}$`) });
const place = (page, label) => node(page, label).evaluate((element) => new DOMMatrix(getComputedStyle(element).transform)).then(({ e, f }) => [Math.round(e), Math.round(f)]);

test("two pages edit one flow: nodes, drags, cursors, selections and my own undo", async (t) => {
  const complaints = [];
  const ann = await tab(t, 0, "together", "Ann", complaints);
  const bob = await tab(t, 1, "together", "Bob", complaints);
  await ann.locator("output", { hasText: "Ann, Bob" }).waitFor();
  await ann.getByText("Add a node").click();
  await ann.getByText("Add a node").click();
  await node(bob, "Node 2").waitFor();

  // While Ann drags, Bob sees it move, and her cursor over it; the drop is one change.
  const box = await node(ann, "Node 1").boundingBox();
  const start = await place(bob, "Node 1");
  await ann.mouse.move(box.x + 20, box.y + 15);
  await ann.mouse.down();
  await ann.mouse.move(box.x - 80, box.y - 85, { steps: 10 });
  await until("Bob sees it move", async () => `${await place(bob, "Node 1")}` !== `${start}`);
  await bob.locator(".helix-cursor", { hasText: "Ann" }).waitFor();
  const held = await (await fetch(`${cluster.edges[2].http}/api/flows/together`)).json();
  assert.deepEqual(Object.values(held.nodes)[0].position, { x: 0, y: 0 });
  await ann.mouse.move(box.x - 180, box.y - 135, { steps: 10 });
  await ann.mouse.up();
  await until("both have it in one place", async () => `${await place(ann, "Node 1")}` === `${await place(bob, "Node 1")}`);
  await bob.locator(".helix-selection", { hasText: "Ann" }).waitFor();
  const dropped = await place(ann, "Node 1");
  assert.notDeepEqual(dropped, start);

  // Bob connects the two; Ann's undo takes back her drag, and not his edge.
  const from = await node(bob, "Node 1").locator(".react-flow__handle-bottom").boundingBox();
  const to = await node(bob, "Node 2").locator(".react-flow__handle-top").boundingBox();
  await bob.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await bob.mouse.down();
  await bob.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 10 });
  await bob.mouse.up();
  await ann.locator(".react-flow__edge").waitFor({ state: "attached" });
  await ann.getByText("Undo").click();
  await until("it is back where it was", async () => `${await place(bob, "Node 1")}` === `${start}`);
  await ann.getByText("Redo").click();
  await until("it is where she had put it", async () => `${await place(bob, "Node 1")}` === `${dropped}`);
  assert.equal(await bob.locator(".react-flow__edge").count(), 1);
  await bob.screenshot({ path: `${OUT}multiplayer.png` });
  assert.deepEqual(complaints, []);
});

test("an edge that is killed in the middle of a drag, edits while it is away, and a reload of the page lose nothing: each goes out once, of two tabs too", async (t) => {
  const flow = "away";
  const edge = cluster.edges[0];
  const ann = await tab(t, 0, flow, "Ann");
  const bob = await tab(t, 1, flow, "Bob");
  await ann.getByText("Add a node").click();
  await node(bob, "Node 1").waitFor();
  const second = await ann.context().newPage(); // another tab of Ann's
  await second.goto(ann.url());
  await second.locator("output", { hasText: "live:" }).waitFor();

  const box = await node(ann, "Node 1").boundingBox();
  const start = await place(bob, "Node 1");
  await ann.mouse.move(box.x + 20, box.y + 15);
  await ann.mouse.down();
  await ann.mouse.move(box.x + 60, box.y - 60, { steps: 5 });
  await until("Bob sees it move", async () => `${await place(bob, "Node 1")}` !== `${start}`);
  await edge.kill();
  await ann.locator("output", { hasText: /offline:|joining:/ }).waitFor();
  await ann.mouse.move(box.x + 120, box.y - 120, { steps: 5 });
  await ann.mouse.up();
  const dropped = await place(ann, "Node 1");
  await ann.getByText("Add a node").click();
  await node(ann, "Node 2").waitFor();
  await second.getByText("Add a node").click();
  await node(second, "Node 2").waitFor();
  await ann.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 300); })); // a save takes its time
  await ann.reload();
  await ann.getByText("Add a node").waitFor();

  await edge.start();
  for (const page of [ann, second]) await page.locator("output", { hasText: "live:" }).waitFor({ timeout: 40_000 });
  await until("all three nodes are with everybody", async () => {
    for (const page of [ann, second, bob]) if (await page.locator(".react-flow__node").count() !== 3) return false;
    return true;
  });
  await until("it is where Ann dropped it", async () => `${await place(bob, "Node 1")}` === `${dropped}`);
  const { nodes } = await (await fetch(`${cluster.edges[2].http}/api/flows/${flow}`)).json();
  assert.deepEqual(Object.values(nodes).map(({ data }) => data.label).sort(), ["Node 1", "Node 2", "Node 2"]);
});
