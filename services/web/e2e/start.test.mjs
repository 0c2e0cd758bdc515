// The start page: one person's way with flows.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
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

test("flows are created, found, renamed, copied, exported, imported, deleted", async (t) => {
  const a = await visit(t, browser, edge);
  const { page } = a;
  await page.getByText("Nothing here yet").waitFor();
  await a.fromTemplate("Fraud detection");
  await page.getByRole("link", { name: "All flows" }).click();
  await a.card("Fraud detection").getByText("12 nodes").waitFor();
  await a.card("Fraud detection").locator("svg.picture").waitFor();

  await a.act("Fraud detection", "Rename");
  await page.getByRole("textbox", { name: "Title" }).fill("Card fraud");
  await page.getByRole("button", { name: "Save" }).click();
  await a.card("Card fraud").waitFor();
  await a.act("Card fraud", "Duplicate");
  await a.card("Card fraud (copy)").waitFor();

  await page.getByRole("searchbox", { name: "Search flows" }).fill("copy");
  await a.card("Card fraud").waitFor({ state: "detached" });
  assert.equal(await page.locator(".card").count(), 1);
  await page.getByRole("button", { name: "Clear the search" }).click();

  const files = {};
  for (const [action, extension] of [["Export as JSON", "json"], ["Export as SVG", "svg"], ["Export as PNG", "png"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), a.act("Card fraud", action)]);
    files[extension] = { name: download.suggestedFilename(), content: await readFile(await download.path()) };
  }
  assert.equal(files.json.name, "card-fraud.helix.json");
  assert.equal(Object.keys(JSON.parse(files.json.content).nodes).length, 12);
  assert.match(`${files.svg.content}`, /^<svg [^>]*>\n<title>Card fraud<\/title>/);
  assert.deepEqual([...files.png.content.subarray(1, 4)], [...Buffer.from("PNG")]);
  assert.ok(files.png.content.length > 20_000, "the PNG has something on it");

  const input = page.locator("input[type=file]");
  await input.setInputFiles({ name: "other.json", mimeType: "application/json", buffer: Buffer.from('{"nodes":[{"id":"1","position":{"x":0,"y":0},"data":{"label":"Plain"}}],"edges":[]}') });
  await a.card("other").getByText("1 node").waitFor();
  await input.setInputFiles({ name: "broken.json", mimeType: "application/json", buffer: Buffer.from("{") });
  await a.told("The file is not JSON.");

  await a.act("Card fraud (copy)", "Delete");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await a.card("Card fraud (copy)").waitFor({ state: "detached" });
  await page.reload();
  await a.card("Card fraud").waitFor();
  assert.equal(await page.locator(".card").count(), 2);
});

test("a link to a flow opens it, whatever its id", async (t) => {
  for (const id of ["Größe & #1/2", "page.css"]) {
    const a = await visit(t, browser, edge, { path: `/flows/${encodeURIComponent(id)}` });
    await a.opened();
    await a.status("live");
    await a.add("Sensor");
    await a.node("Sensor").waitFor();
    await a.status("live");
    await a.context.close();
    assert.equal((await fetch(`${edge.http}/api/flows/${encodeURIComponent(id)}`)).status, 200);
  }
});

test("an id that is refused is said to be refused", async (t) => {
  const a = await visit(t, browser, edge, { path: `/flows/${"x".repeat(256)}` });
  await a.status("refused");
  await a.noticed("There is no flow at this address");
});

test("the page loads what is the edge's own alone: a strict content policy, hashed files that are kept for ever", async (t) => {
  const a = await visit(t, browser, edge);
  const answers = [];
  a.page.on("response", (response) => { answers.push(response); });
  const index = await a.page.reload();
  await a.fromTemplate("Support triage"); // a policy that is broken is said in the console, which fails the test
  const policy = index.headers()["content-security-policy"] ?? "";
  assert.match(policy, /default-src 'none'|default-src 'self'/);
  assert.doesNotMatch(policy, /script-src[^;]*(unsafe|\*|https?:)/);
  assert.doesNotMatch(policy, /style-src[^;]*(\*|https?:)/);
  assert.match(policy, /frame-ancestors|default-src/);
  assert.match(index.headers()["cache-control"] ?? "", /no-cache/);
  const assets = answers.filter((answer) => new URL(answer.url()).pathname.startsWith("/assets/"));
  assert.ok(assets.length >= 4, "scripts and styles of the start page and of the editor");
  for (const answer of assets) {
    const headers = await answer.allHeaders();
    assert.match(answer.url(), /-[\w-]{8,}\.\w+$/);
    assert.match(headers["cache-control"] ?? "", /immutable/, answer.url());
    if (/\.(js|css)$/.test(answer.url())) assert.match(headers["content-encoding"] ?? "", /^(br|gzip)$/, answer.url());
  }
  for (const answer of answers) if (!answer.url().startsWith("data:")) assert.ok(answer.url().startsWith(edge.http), answer.url());
  t.diagnostic(policy);
});

test("a flow that opens shifts nothing, and neither does what others do", async (t) => {
  const a = await visit(t, browser, edge);
  await a.context.addInitScript(() => {
    globalThis.shift = 0;
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shift += entry.value; }).observe({ type: "layout-shift", buffered: true });
  });
  const path = await a.fromTemplate("Lead qualification");
  await a.status("live");
  await a.page.reload();
  await a.opened();
  await a.status("live");
  const b = await visit(t, browser, edge, { name: "Bob Cole", path });
  await b.opened();
  await a.page.getByRole("button", { name: /People in this flow: .*Bob Cole/ }).waitFor();
  await b.rename("Score the lead", "A much longer name than it had before");
  await a.node("A much longer name than it had before").waitFor();
  const shift = await a.page.evaluate(() => globalThis.shift);
  t.diagnostic(`layout shift ${shift.toFixed(4)}`);
  assert.ok(shift < 0.02, `layout shift of ${shift}`);
});

test("the start page needs little: under 300 KB of script, compressed, and no layout shift", async (t) => {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
  t.after(() => context.close());
  const page = await context.newPage();
  const sizes = [];
  page.on("response", (response) => {
    if (!/\.js$/.test(new URL(response.url()).pathname)) return;
    sizes.push({ url: response.url(), encoding: response.headers()["content-encoding"], cache: response.headers()["cache-control"], bytes: Number(response.headers()["content-length"]) });
  });
  await page.addInitScript(() => {
    globalThis.shift = 0;
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shift += entry.value; }).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(edge.http);
  await page.locator(".card svg.picture").first().waitFor();
  await page.waitForLoadState("networkidle");
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  t.diagnostic(`${Math.round(total / 1024)} KB of script in ${sizes.length} files`);
  assert.ok(sizes.length > 0 && total < 300 * 1024, `${total} bytes`);
  for (const { url, encoding, cache } of sizes) {
    assert.match(encoding ?? "", /^(br|gzip)$/, url);
    assert.match(cache ?? "", /immutable/, url);
  }
  const shift = await page.evaluate(() => globalThis.shift);
  t.diagnostic(`layout shift ${shift.toFixed(4)}`);
  assert.ok(shift < 0.02, `layout shift of ${shift}`);
});
