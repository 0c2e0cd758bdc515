// A driver of the flow builder: what a person does, by the names that a person reads. Tests say what, this says how.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const OUT = fileURLToPath(new URL("out/", import.meta.url));
const PATIENCE = 15_000; // ms; on a busy machine a page may take its time

/** What a browser says of a connection that a test cut, or of an answer that a test provoked. */
const OF_THE_NETWORK = /WebSocket connection to|net::ERR_|Failed to load resource/;

/** launch starts the browser. */
export async function launch() {
  await mkdir(OUT, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
  });
}

/**
 * visit opens the builder as one person, in a browser profile of their own, which ends with the test. Whatever the page complains
 * about fails the test; `network: "cut"` says that the test cuts connections, of which browsers complain by themselves.
 */
export async function visit(t, browser, edge, { name = "Ann Baker", color = "#c2410c", network = "whole", path = "/", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options });
  await context.addInitScript((me) => { if (location.protocol.startsWith("http") && !localStorage.getItem("helix.me")) localStorage.setItem("helix.me", JSON.stringify(me)); }, { name, color });
  const complaints = [];
  context.on("page", (page) => { // each tab
    page.setDefaultTimeout(PATIENCE);
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      if (network === "cut" && OF_THE_NETWORK.test(message.text())) return;
      complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(`${error.stack ?? error}`));
  });
  const page = await context.newPage();
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints, [], `what the page of ${name} complained about`);
  });
  await page.goto(edge.http + path);
  return new Builder(page, edge, context);
}

/** Builder is one person's page. */
class Builder {
  constructor(page, edge, context) { Object.assign(this, { page, edge, context }); }

  /** tab opens another tab of the same person. */
  async tab(path) {
    const page = await this.context.newPage();
    await page.goto(this.edge.http + path);
    const one = new Builder(page, this.edge, this.context);
    await one.opened();
    return one;
  }

  /** line gives the line that this person's sockets, those of now and later, go over: it can be cut and mended. */
  async line() {
    const open = new Set();
    let whole = true;
    await this.context.routeWebSocket(/\/socket\//, (socket) => {
      if (!whole) {
        void socket.close({ code: 4000 });
        return;
      }
      socket.connectToServer();
      open.add(socket);
    });
    return {
      async cut() {
        whole = false;
        await Promise.all([...open].map((socket) => socket.close({ code: 4000 }).catch(() => undefined)));
        open.clear();
      },
      mend() { whole = true; },
    };
  }

  // The start page.

  card(title) { return this.page.locator(".card").filter({ has: this.page.getByRole("link", { name: title, exact: true }) }); }

  /** act chooses something from a flow's menu. */
  async act(title, action) {
    await this.card(title).getByRole("button", { name: `Actions for ${title}` }).click();
    await this.page.getByRole("menuitem", { name: action, exact: true }).click();
  }

  async newFlow() {
    await this.page.getByRole("button", { name: "New flow" }).click();
    return this.opened();
  }

  async fromTemplate(title) {
    await this.page.getByRole("button", { name: /^All \d+ templates$/ }).click();
    const dialog = this.page.getByRole("dialog", { name: "Templates" });
    await dialog.getByRole("searchbox", { name: "Search templates" }).fill(title);
    await dialog.getByRole("button", { name: `Create a flow from ${title}` }).click();
    return this.opened();
  }

  /** opened waits until a flow is open and here, and gives its address. */
  async opened() {
    await this.page.waitForURL("**/flows/*");
    await this.page.locator("main[data-loaded=true]").waitFor();
    return new URL(this.page.url()).pathname;
  }

  async open(path) {
    await this.page.goto(this.edge.http + path);
    return this.opened();
  }

  // The editor.

  /** status waits for a state of the connection: live, saving, offline, read_only, refused. */
  status(name) { return this.page.locator(`[data-status=${name}]`).waitFor(); }

  node(label) { return this.page.locator(".react-flow__node").filter({ has: this.page.locator(".node-label, .group-title", { hasText: new RegExp(`^${escape(label)}$`) }) }); }

  get nodes() { return this.page.locator(".react-flow__node"); }

  get edges() { return this.page.locator(".react-flow__edge"); }

  /** count waits for so many nodes, and edges: in the flow, for what is not on the screen is not drawn. */
  count(nodes, edges) { return this.page.locator(`main[data-nodes="${nodes}"]${edges === undefined ? "" : `[data-edges="${edges}"]`}`).waitFor(); }

  async add(kind) { await this.page.getByRole("navigation", { name: "Nodes" }).getByRole("button", { name: `Add ${kind}` }).click(); }

  /** dragFromPalette drags a kind to a place on the screen. */
  async dragFromPalette(kind, x, y) {
    const canvas = this.page.getByRole("region", { name: "Canvas of the flow" });
    const box = await canvas.boundingBox();
    await this.page.getByRole("button", { name: `Add ${kind}` }).dragTo(canvas, { targetPosition: { x: x - box.x, y: y - box.y } });
  }

  async select(label) { await this.node(label).click(); }

  /** rename names a node in its place, as a double click lets one. */
  async rename(label, name) {
    await this.node(label).dblclick();
    const input = this.page.locator(".node-name");
    await input.fill(name);
    await input.press("Enter");
    await this.node(name).waitFor();
  }

  /** property sets a field of the properties of what is selected. */
  async property(field, value) { await this.panel.getByLabel(field, { exact: true }).fill(value); }

  get panel() { return this.page.getByRole("complementary"); }

  /** drag moves a node by some pixels, in steps; `hold` is called before the button is let go. */
  async drag(label, dx, dy, { steps = 12, hold } = {}) {
    const box = await this.node(label).boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(x + dx, y + dy, { steps });
    await hold?.();
    await this.page.mouse.up();
  }

  /** connect draws a line from one node's right side to another's left. */
  async connect(from, to) {
    const [start, end] = await Promise.all([
      this.node(from).locator(".react-flow__handle.source").boundingBox(),
      this.node(to).locator(".react-flow__handle.target").boundingBox(),
    ]);
    await this.page.mouse.move(start.x + start.width / 2, start.y + start.height / 2);
    await this.page.mouse.down();
    await this.page.mouse.move(end.x + end.width / 2, end.y + end.height / 2, { steps: 8 });
    await this.page.mouse.up();
  }

  /** placeOf gives where a node is in the flow, whatever part of it is on the screen. */
  placeOf(label) {
    return this.node(label).evaluate((element) => {
      const { m41, m42 } = new DOMMatrix(getComputedStyle(element).transform);
      return { x: Math.round(m41), y: Math.round(m42) };
    });
  }

  /** isAt waits until a node is at a place, to the pixel. */
  async isAt(label, { x, y }) {
    const element = await this.node(label).elementHandle();
    await this.page.waitForFunction(([node, left, top]) => {
      const { m41, m42 } = new DOMMatrix(getComputedStyle(node).transform);
      return Math.abs(m41 - left) < 1.5 && Math.abs(m42 - top) < 1.5;
    }, [element, x, y]);
  }

  /** press presses a shortcut on the canvas: Mod is Control here. */
  async press(keys) { await this.page.keyboard.press(keys.replace("Mod", "Control")); }

  /** tryNow connects at once where the page waits for its next try. */
  async tryNow() { await this.page.getByRole("button", { name: "Try now" }).click({ timeout: 1000 }).catch(() => undefined); } // or it was quicker by itself

  /** told waits for a message. */
  told(words) { return this.page.getByRole("status", { name: "Messages" }).getByText(words).waitFor(); }

  /** noticed waits for what the editor says of the connection. */
  async noticed(words) { await this.page.locator(".notice-bar", { hasText: words }).waitFor(); }

  async screenshot(name) { await this.page.screenshot({ path: `${OUT}${name}.png`, animations: "disabled" }); }
}

function escape(words) { return words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"); }
