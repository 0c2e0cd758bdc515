// What stands before the edges for a browser: a load balancer in small. Each connection goes to the first edge that takes it.
import net from "node:net";

/** startFront listens, and passes connections on to edges, in their order, until the test ends. */
export async function startFront(t, edges) {
  const open = new Set();
  const server = net.createServer((client) => {
    open.add(client);
    client.on("error", () => undefined); // "close" follows
    client.once("close", () => open.delete(client));
    pass(client, edges);
  });
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  t.after(() => {
    for (const client of open) client.destroy();
    return new Promise((resolve) => { server.close(resolve); });
  });
  return { http: `http://127.0.0.1:${server.address().port}` };
}

function pass(client, [edge, ...others]) {
  if (!edge) {
    client.destroy();
    return;
  }
  const upstream = net.connect(new URL(edge.http).port, "127.0.0.1");
  let taken = false;
  upstream.on("error", () => { if (!taken) pass(client, others); }); // nobody listens there: the next one
  upstream.once("connect", () => {
    taken = true;
    client.once("close", () => upstream.destroy());
    upstream.once("close", () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
}
