// The containers of docker-compose.yml, as an operator handles them. scripts/test-compose has started them,
// and says by the environment which they are (COMPOSE_PROJECT_NAME) and where (HELIX_URL).
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "../conformance/harness.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const run = promisify(execFile);

async function docker(...args) {
  const { stdout } = await run("docker", args, { cwd: ROOT, timeout: 120_000, maxBuffer: 64 << 20 });
  return stdout.trim();
}

const compose = (...args) => docker("compose", "--progress", "quiet", ...args);
const container = (service) => compose("ps", "--all", "--quiet", service);

/** http is where the balancer is; ws the same for sockets. */
export const http = process.env.HELIX_URL ?? "";
export const ws = http.replace(/^http/, "ws");
if (!http) throw new Error("HELIX_URL is not set: this is for scripts/test-compose, which starts what is tested.");

/** stop asks a container to end, as a deploy does, and gives the code that it ended with. */
export async function stop(service) {
  await compose("stop", service);
  return Number(await docker("inspect", "--format", "{{.State.ExitCode}}", await container(service)));
}

/** kill ends a container without a word. */
export async function kill(service) { await docker("kill", await container(service)); }

/** start starts a container that ended, and waits until it is healthy. */
export async function start(service) {
  await compose("up", "--detach", "--no-build", "--no-deps", "--wait", "--wait-timeout", "60", service);
}

/** replace puts another container in the place of one, as an upgrade does. */
export async function replace(service) {
  await compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--wait", "--wait-timeout", "90", service);
}

/** restart stops a container and starts it again. */
export async function restart(service) { await compose("restart", service); }

/** reload has the balancer read its file anew, and waits until it has. */
export async function reload() {
  const loads = async () => (await compose("logs", "--no-color", "balancer")).split("Loading success").length;
  const before = await loads();
  await compose("kill", "--signal", "SIGHUP", "balancer");
  await until("the balancer has read its file anew", async () => await loads() > before);
}

/** states tells of each container whether it is healthy. */
export async function states() {
  const lines = (await compose("ps", "--all", "--format", "json")).split("\n");
  return Object.fromEntries(lines.map((line) => JSON.parse(line)).map(({ Service, Health }) => [Service, Health]));
}

/** inspect gives what the engine knows of a container and of its image. */
export async function inspect(service) {
  const [it] = JSON.parse(await docker("inspect", await container(service)));
  const [image] = JSON.parse(await docker("image", "inspect", it.Image));
  return { it, image };
}

/** addresses gives a container's addresses in the networks of the others. */
export async function addresses(service) {
  const { it } = await inspect(service);
  return Object.values(it.NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
}

/** request sends an HTTP/1.0 request from inside a container that has bash, and gives the first line of the answer. */
export function request(from, to, lines) {
  const text = [...lines, "", ""].join("\\r\\n");
  return compose("exec", "--no-TTY", from, "bash", "-c", `exec 3<>/dev/tcp/${to} && printf '${text}' >&3 && head -n 1 <&3`);
}

/** logged gives the lines in the log of the edges that hold a text, decoded. */
export async function logged(text) {
  const lines = (await compose("logs", "--no-color", "--no-log-prefix", "edge-a", "edge-b", "edge-c")).split("\n");
  return lines.filter((line) => line.includes(text)).map((line) => JSON.parse(line));
}

/** programs lists what runs in a container, with the user's number as the engine's host sees it. */
export async function programs(service) {
  const [, ...lines] = (await docker("top", await container(service), "-eo", "pid,uid,args")).split("\n");
  return lines.map((line) => line.trim().split(/\s+/)).map(([, uid, ...args]) => ({ uid: Number(uid), args: args.join(" ") }));
}
