// What people see of the pods, through the Service: that they are served by different ones and edit together, and
// that nothing is lost while pods are replaced and killed, and Redis restarts. Run it by make test-k8s.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { joined, newFlow, VARIANTS } from "../conformance/client.mjs";
import { until } from "../conformance/harness.mjs";
import { judge } from "../cluster/judge.mjs";
import { HelixWriter, PhoenixWriter } from "../cluster/writers.mjs";
import { Front } from "./front.mjs";
import { forward, Kube, kubectl } from "./kube.mjs";

const EDGES = 3;
const NEXT = process.env.HELIX_K8S_NEXT; // the image that replaces the first
const [plain] = VARIANTS;

let kube;
let front;
before(async () => {
  kube = await Kube.start();
  front = await Front.start(kube);
  await kube.settled(EDGES);
});
after(async () => {
  await front?.stop();
  await kube?.stop();
});

/** restricted is what the namespace asks of every pod. */
const restricted = {
  allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsNonRoot: true, runAsUser: 65532,
  capabilities: { drop: ["ALL"] }, seccompProfile: { type: "RuntimeDefault" },
};

const runPod = (name, securityContext, ...args) => kubectl("run", name, `--image=${NEXT}`, "--image-pull-policy=IfNotPresent", "--restart=Never",
  `--overrides=${JSON.stringify({ spec: { containers: [{
    name, image: NEXT, args: ["healthcheck"], env: [{ name: "HELIX_HTTP_ADDR", value: "helix:80" }], ...(securityContext && { securityContext }),
  }] } })}`, ...args);

test("the namespace enforces the restricted level: another pod is refused", async () => {
  await assert.rejects(runPod("refused", null, "--dry-run=server"), /violates PodSecurity "restricted/);
});

test("a pod finds a ready edge by the Service's name", async () => {
  await runPod("healthcheck", restricted);
  const ended = await until("the healthcheck has ended", () => {
    const phase = kube.pods.objects.get("healthcheck")?.status.phase;
    return (phase === "Succeeded" || phase === "Failed") && phase;
  }, 30_000);
  assert.equal(ended, "Succeeded", await kubectl("logs", "healthcheck"));
  await kubectl("delete", "pod", "healthcheck", "--wait=false");
});

test("metrics are on the pods' own admin port, and the Service does not have it", async () => {
  const admin = await forward(kube.ready[0], 4001);
  try {
    assert.match(await (await fetch(`http://127.0.0.1:${admin.port}/metrics`)).text(), /^helix_sockets \d+$/m);
  } finally {
    await admin.stop();
  }
  const service = JSON.parse(await kubectl("get", "service", "helix", "--output=json"));
  assert.deepEqual(service.spec.ports.map(({ targetPort }) => targetPort), ["http"]);
});

test("two official clients are on two pods, and see each other", async (t) => {
  const flow = newFlow("kubernetes");
  const [ann, bob] = ["ann", "bob"].map((name) => new PhoenixWriter(t, plain, front.ws, flow, name));
  await Promise.all([ann.joined, bob.joined]);
  assert.notEqual(ann.edge, bob.edge);
  t.diagnostic(`ann is on ${ann.edge}, bob on ${bob.edge}`);
  await ann.send(1);
  await until("bob has ann's change", () => bob.document.newest?.ann === 1);
  await bob.send(1);
  await until("ann has bob's change", () => ann.document.newest?.bob === 1);
  const plainly = await joined(t, plain, front, flow);
  assert.equal(plainly.joined.client_count, 3);
});

test("writers go on while the image is replaced, a pod is deleted by force, and Redis restarts: nothing is lost", { timeout: 170_000 }, async (t) => {
  const flow = newFlow("kubernetes");
  const writers = VARIANTS.slice(0, 3).map((variant, i) => new PhoenixWriter(t, variant, front.ws, flow, `phoenix-${i}`));
  for (let i = 0; i < 3; i++) writers.push(new HelixWriter(t, front.ws, flow, `helix-${i}`));
  await Promise.all(writers.map((writer) => writer.joined));
  assert.equal(new Set(writers.map(({ edge }) => edge)).size, EDGES, "all pods have clients");
  const written = Promise.all(writers.map((writer) => writer.write(100)));

  /** during does something, waits until each writer goes on afterwards, and tells how long they waited. */
  const during = async (what, act) => {
    const began = performance.now();
    await act();
    const acknowledged = writers.map((writer) => writer.acknowledged.size);
    await until(() => `all go on after: ${what}`, () => writers.every((writer, i) => writer.acknowledged.size > acknowledged[i] + 2), 30_000);
    const longest = Math.max(...writers.flatMap(({ pauses }) => pauses.filter(({ from, ms }) => from + ms > began).map(({ ms }) => ms)));
    t.diagnostic(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s, the longest wait for an acknowledgement ${(longest / 1000).toFixed(1)} s`);
  };

  const replaced = kube.ready;
  await during("replace the image", async () => {
    await kubectl("set", "image", "deployment/helix", `helix=${NEXT}`);
    await kubectl("rollout", "status", "deployment/helix", "--timeout=120s");
    await kube.settled(EDGES);
  });
  assert.deepEqual(kube.edges.map(({ spec }) => spec.containers[0].image), Array(EDGES).fill(NEXT));
  assert.ok(writers.every(({ edge }) => !replaced.includes(edge)), "all clients are on the new pods");
  const codes = Object.fromEntries(kube.exits.filter(({ pod }) => replaced.includes(pod)).map(({ pod, code }) => [pod, code]));
  assert.deepEqual(codes, Object.fromEntries(replaced.map((pod) => [pod, 0])), "each old pod ended well, and in time");

  const [{ edge: killed }] = writers;
  await during("delete a pod by force", async () => {
    const there = writers.filter(({ edge }) => edge === killed);
    await kubectl("delete", "pod", killed, "--force", "--grace-period=0");
    await until("its clients are elsewhere", () => there.every(({ edge }) => edge !== killed), 30_000);
    await kube.settled(EDGES);
  });

  await during("restart Redis", async () => {
    const { uid } = kube.pods.objects.get("redis-0").metadata;
    await kubectl("delete", "pod", "redis-0");
    await until("another Redis is ready", () => {
      const redis = kube.pods.objects.get("redis-0");
      return redis && redis.metadata.uid !== uid && redis.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    }, 60_000);
    await kube.settled(EDGES);
  });

  for (const writer of writers) writer.stop();
  await written;
  const newest = await judge(front.http, flow, writers);
  const late = new PhoenixWriter(t, plain, front.ws, flow, "late");
  await late.joined;
  assert.deepEqual([late.position, late.document], [writers[0].position, writers[0].document]);
  const status = async () => (await fetch(`${front.http}/api/flows/${flow}/status`)).json();
  await until("the ghosts of the killed pod are gone", async () => (await status()).client_count === writers.length + 1, 20_000);
  const restarts = kube.edges.flatMap(({ status: { containerStatuses } }) => containerStatuses.map(({ restartCount }) => restartCount));
  assert.deepEqual(restarts, Array(EDGES).fill(0), "no edge was started again");
  t.diagnostic(`${newest} changes of ${writers.length} writers, each once, in order, the same for all`);
});
