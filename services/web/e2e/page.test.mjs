// The plain page in a real browser: two tabs, each on an edge of its own, on one flow.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startCluster } from "../conformance/harness.mjs";

const OUT = fileURLToPath(new URL("out/", import.meta.url));

let cluster, browser;
before(async () => {
  [cluster, browser] = await Promise.all([
    startCluster({ HELIX_SOCKET_ALLOWED_ORIGINS: "" }), // as in production: the page's own host
    chromium.launch({
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    }),
    mkdir(OUT, { recursive: true }),
  ]);
});
after(async () => {
  await browser?.close();
  await cluster?.stop();
});

/** tab opens the page of one edge; what the browser complains about ends up in complaints. */
async function tab(t, edge, flow, complaints, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 640 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(`${error}`));
  await page.goto(`${edge.http}/?flow=${encodeURIComponent(flow)}`);
  return page;
}

const joined = (page) => page.locator("#state[data-state=joined]").waitFor();
const clients = (page, text) => page.locator("#clients", { hasText: text }).waitFor();
const node = (page, label) => page.locator(".node", { hasText: new RegExp(`^${label}$`) });
const placeOf = (page, label) => node(page, label).evaluate(({ offsetLeft, offsetTop }) => [offsetLeft, offsetTop]);

test("two tabs on two edges see each other's edits", async (t) => {
  const complaints = [];
  const flow = "Größe <b>& #1";
  const a = await tab(t, cluster.edges[0], flow, complaints, { colorScheme: "light" });
  const b = await tab(t, cluster.edges[1], flow, complaints, { colorScheme: "dark" });
  await Promise.all([a, b].map(joined));
  await Promise.all([a, b].map((page) => clients(page, "2 clients")));
  assert.equal(await b.locator("#flow").inputValue(), flow);

  await a.locator("#add").click();
  await node(b, "Node 1").waitFor();

  await node(b, "Node 1").dblclick();
  await b.keyboard.type("Read the ticket");
  await b.keyboard.press("Enter");
  await node(a, "Read the ticket").waitFor();

  // A node that is added while another is chosen is tied to it.
  await node(a, "Read the ticket").focus();
  await a.locator("#add").click();
  await b.locator("#add").click();
  for (const page of [a, b]) {
    await page.locator(".node").nth(2).waitFor();
    await page.locator("#edges path").nth(0).waitFor({ state: "attached" });
  }

  const [left, top] = await placeOf(a, "Read the ticket");
  const box = await node(a, "Read the ticket").boundingBox();
  await a.mouse.move(box.x + 20, box.y + 20);
  await a.mouse.down();
  await a.mouse.move(box.x + 80, box.y + 160, { steps: 12 });
  await a.mouse.move(box.x + 140, box.y + 260, { steps: 12 });
  await a.mouse.up();
  await b.waitForFunction(([x, y]) => [...document.querySelectorAll(".node")].some((one) =>
    one.textContent === "Read the ticket" && one.offsetLeft === x && one.offsetTop === y), [left + 120, top + 240]);
  assert.deepEqual(await placeOf(a, "Read the ticket"), [left + 120, top + 240]);

  const late = await tab(t, cluster.edges[2], flow, complaints); // who comes late sees it all
  await node(late, "Read the ticket").waitFor();
  assert.deepEqual(await placeOf(late, "Read the ticket"), [left + 120, top + 240]);
  assert.equal(await late.locator(".node").count(), 3);
  await late.context().close();
  await Promise.all([a, b].map((page) => clients(page, "2 clients")));

  await a.screenshot({ path: `${OUT}page-light.png` });
  await b.screenshot({ path: `${OUT}page-dark.png` });

  await node(b, "Read the ticket").press("Delete");
  await node(a, "Read the ticket").waitFor({ state: "detached" });
  for (const page of [a, b]) assert.equal(await page.locator("#edges path").count(), 0);

  await b.context().close();
  await clients(a, "1 client");
  assert.deepEqual(complaints, []);
});

test("a tab comes back by itself when its edge does", async (t) => {
  const [edge, other] = [cluster.edges[2], cluster.edges[0]];
  const page = await tab(t, edge, "back", []);
  const witness = await tab(t, other, "back", []);
  await Promise.all([page, witness].map(joined));
  await edge.stop();
  await page.locator("#state[data-state=connecting]").waitFor();
  await witness.locator("#add").click();
  await edge.start();
  await joined(page);
  await node(page, "Node 1").waitFor(); // what was added while it was away
  await page.locator("#add").click();
  await node(witness, "Node 2").waitFor();
});

test("an id that is refused is said to be refused", async (t) => {
  const page = await tab(t, cluster.edges[0], "x".repeat(256), []);
  await page.locator("#state[data-state=refused]").waitFor();
  assert.equal(await page.locator("#add").isDisabled(), true);
});

test("a page without the phoenix client says what to run", async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.route("**/vendor/phoenix.mjs", (route) => route.fulfill({ status: 404 }));
  await page.goto(cluster.edges[0].http);
  await page.locator("#problem", { hasText: "make build" }).waitFor();
});
