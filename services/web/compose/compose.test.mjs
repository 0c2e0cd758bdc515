// What people see of the containers, through the balancer: that they are served by different edges and
// edit together, and that nothing is lost while edges and Redis come and go. Run it by make test-compose.
import assert from "node:assert/strict";
import { test } from "node:test";
import { joined, newFlow, VARIANTS } from "../conformance/client.mjs";
import { until } from "../conformance/harness.mjs";
import { upgrade } from "../conformance/raw.mjs";
import { judge } from "../cluster/judge.mjs";
import * as stack from "./stack.mjs";
import { HelixWriter, PhoenixWriter } from "../cluster/writers.mjs";

const [plain] = VARIANTS;

test("every container is healthy, and the balancer serves the page and the version that was built", async () => {
  const states = await stack.states();
  assert.deepEqual(states, Object.fromEntries(["balancer", "edge-a", "edge-b", "edge-c", "redis"].map((name) => [name, "healthy"])));
  const page = await fetch(stack.http);
  assert.deepEqual([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  assert.match(await page.text(), /<script/);
  assert.equal((await (await fetch(`${stack.http}/api/version`)).json()).version, process.env.VERSION);
});

test("no container can change its image, gain a right, or run as root; the edges' image is small, and says what it is", async () => {
  for (const service of Object.keys(await stack.states())) {
    const { it: { HostConfig: host } } = await stack.inspect(service);
    assert.deepEqual([host.ReadonlyRootfs, host.CapDrop, host.SecurityOpt, host.Privileged], [true, ["ALL"], ["no-new-privileges:true"], false], service);
    assert.ok(host.Memory > 0 && host.NanoCpus > 0 && host.PidsLimit > 0, `${service} has limits`);
    assert.equal(host.RestartPolicy.Name, "unless-stopped", service);
    for (const { uid, args } of await stack.programs(service)) assert.notEqual(uid, 0, `${service}: ${args}`);
  }
  const { image } = await stack.inspect("edge-a");
  assert.ok(image.Size < 40e6, `${image.Size} bytes`);
  assert.equal(image.Config.Labels["org.opencontainers.image.version"], process.env.VERSION);
  assert.equal(image.Config.Labels["org.opencontainers.image.revision"], process.env.REVISION);
});

test("the edges believe the balancer when it says who comes, and nobody else", async () => {
  // A page of a foreign origin is refused, and the refusal is logged with the address.
  const lie = "192.0.2.66";
  const ask = "/socket/websocket?vsn=2.0.0";
  const { status } = await upgrade(stack, ask, { Origin: "https://through.example", "X-Forwarded-For": lie });
  assert.equal(status, 403);
  const answer = await stack.request("redis", "edge-a/4000", [
    `GET ${ask} HTTP/1.0`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Host: edge-a", "Origin: https://beside.example", `X-Forwarded-For: ${lie}`,
  ]);
  assert.match(answer, / 403 /);
  const addressOf = (origin) => until(`an edge logs ${origin}`, async () => (await stack.logged(origin))[0]?.address);
  const [through, beside] = [await addressOf("https://through.example"), await addressOf("https://beside.example")];
  assert.ok(![lie, ...await stack.addresses("balancer")].includes(through), `through the balancer: ${through}`);
  assert.ok((await stack.addresses("redis")).includes(beside), `past it: ${beside}`);
});

test("two official clients land on different edges, and see each other", async (t) => {
  const flow = newFlow("compose");
  const edges = [];
  const members = [];
  for (const name of ["ann", "bob"]) {
    const writer = new PhoenixWriter(t, plain, stack.ws, flow, name);
    await writer.joined;
    edges.push(writer.edge);
    members.push(writer);
  }
  assert.notEqual(edges[0], edges[1]);
  t.diagnostic(`ann is on ${edges[0]}, bob on ${edges[1]}`);
  const [ann, bob] = members;
  await ann.send(1);
  await until("bob has ann's change", () => bob.document.newest?.ann === 1);
  await bob.send(1);
  await until("ann has bob's change", () => ann.document.newest?.bob === 1);
  const plainly = await joined(t, plain, stack, flow);
  assert.equal(plainly.joined.client_count, 3);
});

test("writers go on while edges are stopped, killed and replaced, Redis restarted and the balancer reloaded: nothing is lost", { timeout: 300_000 }, async (t) => {
  const flow = newFlow("compose");
  const writers = VARIANTS.slice(0, 3).map((variant, i) => new PhoenixWriter(t, variant, stack.ws, flow, `phoenix-${i}`));
  for (let i = 0; i < 3; i++) writers.push(new HelixWriter(t, stack.ws, flow, `helix-${i}`));
  await Promise.all(writers.map((writer) => writer.joined));
  assert.equal(new Set(writers.map(({ edge }) => edge)).size, 3, "all three edges have clients");
  const written = Promise.all(writers.map((writer) => writer.write(100)));

  /** during does something, waits until each writer goes on afterwards, and tells how long they waited. */
  const during = async (what, act) => {
    const began = performance.now();
    const told = await act();
    const acknowledged = writers.map((writer) => writer.acknowledged.size);
    await until(() => `all go on after: ${what}`, () => writers.every((writer, i) => writer.acknowledged.size > acknowledged[i] + 2), 30_000);
    const longest = Math.max(...writers.flatMap(({ pauses }) => pauses.filter(({ from, ms }) => from + ms > began).map(({ ms }) => ms)));
    t.diagnostic(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s, the longest wait for an acknowledgement ${(longest / 1000).toFixed(1)} s`);
    return told;
  };
  const on = (edge) => writers.filter((writer) => writer.edge === edge);

  const moved = on("edge-a");
  await during("compose stop edge-a", async () => assert.equal(await stack.stop("edge-a"), 0, "it ends well, and in time"));
  assert.ok(moved.length > 0 && moved.every(({ edge }) => edge !== "edge-a"), "its clients are elsewhere");
  await during("start edge-a", () => stack.start("edge-a"));

  await during("kill edge-b", () => stack.kill("edge-b"));
  assert.ok(writers.every(({ edge }) => edge !== "edge-b"), "its clients are elsewhere");
  await during("start edge-b", () => stack.start("edge-b"));

  await during("replace edge-c", () => stack.replace("edge-c"));

  await during("restart redis", () => stack.restart("redis"));

  const sockets = writers.map(({ edges }) => edges.length);
  await during("reload the balancer", () => stack.reload());
  const late = new PhoenixWriter(t, plain, stack.ws, flow, "late");
  await late.joined;
  assert.deepEqual(writers.map(({ edges }) => edges.length), sockets, "running sockets live on");

  for (const writer of writers) writer.stop();
  await written;
  const newest = await judge(stack.http, flow, writers);
  await until("the late one has everything", () => late.position.seq === newest);
  assert.deepEqual(late.document, writers[0].document);
  const status = async () => (await fetch(`${stack.http}/api/flows/${flow}/status`)).json();
  await until("the ghosts of the killed edge are gone", async () => (await status()).client_count === writers.length + 1, 20_000);
  t.diagnostic(`${newest} changes of ${writers.length} writers, each once, in order, the same for all`);
});
