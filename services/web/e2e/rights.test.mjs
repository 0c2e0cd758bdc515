// Tokens, rights and limits, as people meet them: each with a clear message and a next step.
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { startEdge, startRedis } from "../conformance/harness.mjs";
import { launch, visit } from "./builder.mjs";

const SECRET = "a secret of thirty-two bytes or more";

/** token makes a JSON Web Token as an identity provider would. */
function token(may, seconds = 3600, flows = "*") {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: "ann", name: "Ann", exp: Math.floor(Date.now() / 1000) + seconds, helix: { rights: [{ flows, may }] } })}`;
  return `${body}.${createHmac("sha256", SECRET).update(body).digest("base64url")}`;
}

let redis, guarded, small, browser;
before(async () => {
  redis = await startRedis();
  const own = { HELIX_SOCKET_ALLOWED_ORIGINS: "" };
  [guarded, small, browser] = await Promise.all([
    startEdge(redis, "edge-a", { ...own, HELIX_AUTH_MODE: "jwt", HELIX_AUTH_SECRET: SECRET, HELIX_AUTH_LEEWAY: "0s" }),
    startEdge(redis, "edge-b", { ...own, HELIX_REDIS_KEY_PREFIX: "small", HELIX_SESSION_MAX_CLIENTS: "1" }),
    launch(),
  ]);
});
after(async () => {
  await browser?.close();
  await Promise.all([guarded?.stop(), small?.stop()]);
  await redis?.stop();
});

const network = "cut"; // browsers complain of every refusal

test("who may only read sees everything, and is told that they may only look", async (t) => {
  const a = await visit(t, browser, guarded, { network, path: `/#token=${token(["read", "write", "manage"])}` });
  const path = await a.fromTemplate("Lead qualification");
  await a.status("live");
  const reader = await visit(t, browser, guarded, { network, name: "Rea", path: `${path}#token=${token(["read"])}` });
  await reader.opened();
  await reader.count(10);
  await a.rename("Score the lead", "Rate the lead");
  await reader.node("Rate the lead").waitFor();
  await reader.status("read_only");
  await reader.noticed("View only");
  await reader.count(10);
  await reader.page.getByRole("button", { name: "Add Agent" }).waitFor({ state: "detached" });
  await reader.screenshot("read-only");
});

test("without a token one is asked for one, and goes on with it", async (t) => {
  const a = await visit(t, browser, guarded, { network });
  await a.page.getByText("A token is needed").waitFor();
  await a.page.getByLabel("Access token").fill(token(["read", "write"]));
  await a.page.getByRole("button", { name: "Continue" }).click();
  await a.page.getByRole("heading", { name: "Your flows" }).waitFor();
  await a.newFlow();
  await a.status("live");

  const b = await visit(t, browser, guarded, { network, path: "/flows/some" });
  await b.noticed("A token is needed");
  await b.page.getByLabel("Access token").fill(token(["read", "write"]));
  await b.page.getByRole("button", { name: "Continue with this token" }).click();
  await b.status("live");
});

test("a link with a token that is opened where the page is already lets one in", async (t) => {
  const a = await visit(t, browser, guarded, { network });
  await a.page.getByText("A token is needed").waitFor();
  await a.page.evaluate((hash) => { location.hash = hash; }, `token=${token(["read", "write"])}`);
  await a.page.getByText("A token is needed").waitFor({ state: "detached" });
  await a.page.waitForURL((url) => url.hash === "");
});

test("a token that is none, or has expired, is told apart from a missing one, on the start page too", async (t) => {
  for (const [wrong, words, about] of [["not.a.token", "This token is not valid", "cut off, or meant for another"], [token(["read"], -60), "Your access has expired", "Paste a new token"]]) {
    const a = await visit(t, browser, guarded, { network, path: `/flows/some#token=${wrong}` });
    await a.noticed(words);
    await a.noticed(about);
    await a.page.getByRole("button", { name: "Back to all flows" }).click();
    await a.page.getByText("A token is needed").waitFor();
    await a.page.getByLabel("Access token").fill(token(["read"]));
    await a.page.getByRole("button", { name: "Continue" }).click();
    await a.page.getByRole("heading", { name: "Your flows" }).waitFor();
    await a.page.locator(".sign-in").waitFor({ state: "detached" });
  }
  const none = await visit(t, browser, guarded, { network, path: `/flows/secret#token=${token(["read"], 3600, "public-*")}` });
  await none.noticed("You do not have access");
  await none.page.getByRole("button", { name: "Try again" }).waitFor();
});

test("a token that expires is asked for anew, and what was changed meanwhile is kept", async (t) => {
  const a = await visit(t, browser, guarded, { network, path: `/flows/expiring#token=${token(["read", "write"], 6)}` });
  await a.opened();
  await a.status("live");
  await a.noticed("Your access has expired");
  await a.page.getByLabel("Access token").fill(token(["read", "write"]));
  await a.page.getByRole("button", { name: "Continue with this token" }).click();
  await a.status("live");
});

test("a flow that is full says so, and lets one in when there is room", async (t) => {
  const a = await visit(t, browser, small);
  const path = await a.newFlow();
  await a.status("live");
  const b = await visit(t, browser, small, { name: "Bob Cole", path });
  await b.noticed("This flow is full");
  await a.context.close();
  await b.tryNow();
  await b.status("live");
});
