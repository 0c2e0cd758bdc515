// The connection itself: who may connect, what closes it, and with which code.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { joined, newFlow, VARIANTS } from "./client.mjs";
import { startEdge, startRedis } from "./harness.mjs";
import { like, Raw, upgrade } from "./raw.mjs";

const IDLE = 2_000; // ms
const FRAME_LIMIT = 1 << 20; // bytes; the default
const heartbeat = (ref) => [null, ref, "phoenix", "heartbeat", {}];

let redis, edge, strict, listed;
before(async () => {
  redis = await startRedis();
  [edge, strict, listed] = await Promise.all([
    startEdge(redis, "edge-a", { HELIX_SOCKET_IDLE_TIMEOUT: `${IDLE}ms` }),
    startEdge(redis, "edge-b", { HELIX_SOCKET_ALLOWED_ORIGINS: "" }),
    startEdge(redis, "edge-c", { HELIX_SOCKET_ALLOWED_ORIGINS: "https://app.example,https://*.teams.example" }),
  ]);
});
after(async () => {
  await Promise.all([edge, strict, listed].map((one) => one?.stop()));
  await redis?.stop();
});

describe("the upgrade", { concurrency: true }, () => {
  for (const [query, status] of [
    ["", 101], ["?vsn=1.0.0", 101], ["?vsn=1.0.7", 101], ["?vsn=2.0.0", 101], ["?vsn=2.0.3", 101], ["?token=x&vsn=2.0.0", 101],
    ["?vsn=", 403], ["?vsn=2", 403], ["?vsn=1.5.0", 403], ["?vsn=2.1.0", 403], ["?vsn=3.0.0", 403], ["?vsn=abc", 403],
  ]) {
    test(`with ${query || "no vsn"} is answered with ${status}`, async () => {
      const got = await upgrade(strict, `/socket/websocket${query}`);
      assert.deepEqual([got.status, got.body, got.headers["content-type"]], [status, "", undefined]);
    });
  }

  test("without a vsn speaks 1.0.0", async (t) => {
    const raw = await Raw.open(t, strict, { path: "/socket/websocket" });
    raw.send({ topic: "phoenix", event: "heartbeat", payload: {}, ref: "1" });
    like(await raw.next(), { topic: "phoenix", event: "phx_reply", payload: { status: "ok", response: {} }, ref: "1" });
  });

  test("works with a trailing slash", async (t) => {
    const raw = await Raw.open(t, strict, { path: "/socket/websocket/?vsn=2.0.0" });
    raw.send(heartbeat("1"));
    like(await raw.next(), [null, "1", "phoenix", "phx_reply", { status: "ok", response: {} }]);
  });

  for (const path of ["/socket", "/socket/", "/socket/nowhere", "/socket/websocket/x", "/socket/longpoll", "/nowhere"]) {
    test(`on ${path} is answered with 404`, async () => {
      assert.equal((await upgrade(strict, `${path}?vsn=2.0.0`)).status, 404);
    });
  }

  test("that is none is answered with 400 and a sentence", async () => {
    const response = await fetch(`${strict.http}/socket/websocket?vsn=2.0.0`);
    assert.equal(response.status, 400);
    assert.match(await response.text(), /upgrade/i);
  });

  test("chooses no subprotocol and no compression", async () => {
    const got = await upgrade(strict, "/socket/websocket?vsn=2.0.0", {
      "Sec-WebSocket-Protocol": "phoenix, other", "Sec-WebSocket-Extensions": "permessage-deflate",
    });
    assert.deepEqual([got.status, got.headers["sec-websocket-protocol"], got.headers["sec-websocket-extensions"]], [101, undefined, undefined]);
  });

  // The second edge checks for its own host, the third has a list, the first lets all in.
  for (const [which, origin, status] of [
    ["own host", undefined, 101], ["own host", "SELF", 101], ["own host", "http://evil.example", 403], ["own host", "null", 403],
    ["own host", "http://127.0.0.1:1", 403],
    ["list", undefined, 101], ["list", "https://app.example", 101], ["list", "https://red.teams.example", 101],
    ["list", "http://app.example", 403], ["list", "https://app.example.evil.example", 403], ["list", "https://teams.example", 403], ["list", "null", 403],
    ["everybody", "http://evil.example", 101], ["everybody", "null", 101],
  ]) {
    test(`from ${origin ?? "no origin"} where ${which} may is answered with ${status}`, async () => {
      const to = { "own host": strict, list: listed, everybody: edge }[which];
      const headers = origin === undefined ? {} : { Origin: origin === "SELF" ? to.http : origin };
      const got = await upgrade(to, "/socket/websocket?vsn=2.0.0", headers);
      assert.deepEqual([got.status, got.body], [status, ""]);
    });
  }
});

describe("silence", { concurrency: true }, () => {
  test("closes with 1002", async (t) => {
    const raw = await Raw.open(t, edge);
    const began = performance.now();
    assert.equal(await raw.closeCode(), 1002);
    const took = performance.now() - began;
    assert.ok(took > 0.9 * IDLE && took < 2 * IDLE, `closed after ${took} ms`);
  });

  // Time is what is tested here: longer than a silent socket lives.
  const busy = async (raw, speak) => {
    const timer = setInterval(speak, IDLE / 4);
    const longer = new Promise((resolve) => setTimeout(resolve, 2 * IDLE, "open"));
    const how = await Promise.race([raw.closed, longer]);
    clearInterval(timer);
    assert.equal(how, "open");
  };

  test("is broken by WebSocket pings, which are answered with their data", async (t) => {
    const raw = await Raw.open(t, edge);
    const pongs = [];
    raw.socket.on("pong", (data) => pongs.push(`${data}`));
    let n = 0;
    await busy(raw, () => raw.socket.ping(`ping ${++n}`));
    assert.deepEqual(pongs.slice(0, 5), ["ping 1", "ping 2", "ping 3", "ping 4", "ping 5"]);
  });

  for (const variant of VARIANTS) {
    test(`is broken by the heartbeats of ${variant.name}`, async (t) => {
      const member = await joined(t, variant, edge, newFlow(), { heartbeatIntervalMs: IDLE / 4 });
      const beats = () => member.client.received.filter(({ topic }) => topic === "phoenix").length;
      await member.client.until("the heartbeats of twice the idle time", () => beats() >= 8);
      assert.deepEqual(member.client.closes, []);
    });
  }
});

describe("a frame that does not decode closes its socket with 1011, and nobody else notices", () => {
  const frames = {
    "2.0.0": ["not json", "", "[]", "{}", "null", "7", '"text"', "[1,2,3]", '["1","1","flow:x","ping"]',
      '{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}', '["1","1","t","e",{}', '["1","1","t","e",{}] x',
      Buffer.from([]), Buffer.from([0]), Buffer.from([0, 200, 1, 1, 1, 65]), Buffer.from([9, 1, 1, 1, 1, 65, 66, 67, 68])],
    "1.0.0": ["not json", "", "[]", "{}", "null", "7", '"text"', JSON.stringify(heartbeat("1"))],
  };
  for (const [vsn, list] of Object.entries(frames)) {
    for (const frame of list) {
      const name = typeof frame === "string" ? JSON.stringify(frame) : `bytes ${JSON.stringify([...frame])}`;
      test(`${name} under vsn ${vsn}`, async (t) => {
        const flow = newFlow();
        const [other, broken] = [await Raw.open(t, strict), await Raw.open(t, strict, { vsn })];
        other.send(["3", "4", `flow:${flow}`, "phx_join", {}]);
        await other.skipTo("client_joined");
        broken.send(vsn === "2.0.0" ? ["5", "6", `flow:${flow}`, "phx_join", {}] : { topic: `flow:${flow}`, event: "phx_join", payload: {}, ref: "6" });
        like((await other.skipTo("client_joined"))[4], { client_count: 2, flow_id: flow });
        broken.send(frame);
        assert.equal(await broken.closeCode(), 1011);
        like(await other.next(), [null, null, `flow:${flow}`, "client_left", { client_count: 1, flow_id: flow }]);
        other.send(["3", "7", `flow:${flow}`, "ping", {}]);
        like(await other.next(), ["3", "7", `flow:${flow}`, "phx_reply", { status: "ok", response: { status: "pong" } }]);
      });
    }
  }
});

describe("a frame's size", () => {
  const frameOf = (bytes, flow) => {
    const frame = ["3", "6", `flow:${flow}`, "flow_change", { changes: { text: "" } }];
    frame[4].changes.text = "x".repeat(bytes - JSON.stringify(frame).length);
    return JSON.stringify(frame);
  };

  test("may be up to the limit", async (t) => {
    const raw = await Raw.open(t, strict);
    const flow = newFlow();
    raw.send(["3", "4", `flow:${flow}`, "phx_join", {}]);
    await raw.skipTo("client_joined");
    const frame = frameOf(FRAME_LIMIT, flow);
    assert.equal(frame.length, FRAME_LIMIT);
    raw.send(frame);
    const [, , , , update] = await raw.skipTo("flow_update");
    assert.equal(update.changes.text, JSON.parse(frame)[4].changes.text);
  });

  test("past the limit closes with 1009", async (t) => {
    const raw = await Raw.open(t, strict);
    raw.send(frameOf(FRAME_LIMIT + 1, newFlow()));
    assert.equal(await raw.closeCode(), 1009);
  });
});

test("the text of a change reaches the others as it was sent", async (t) => {
  const flow = newFlow();
  const [sender, other] = [await Raw.open(t, strict), await Raw.open(t, listed)];
  for (const raw of [sender, other]) {
    raw.send(["3", "4", `flow:${flow}`, "phx_join", {}]);
    await raw.skipTo("client_joined");
  }
  const changes = '{"n":123456789012345678901234567890,"f":1e3,"g":1.50,"z":-0,"s":"\\u003c<\\u2028","b":{"y":1,"a":2}}';
  sender.send(`["3","6","flow:${flow}","flow_change",{"changes":${changes}}]`);
  for (const raw of [sender, other]) {
    for (;;) {
      const text = await raw.text();
      if (JSON.parse(text)[3] !== "flow_update") continue;
      assert.ok(text.includes(`"changes":${changes},`), text);
      break;
    }
  }
});

test("binary pushes are read: a ping is answered, a change is an unknown event", async (t) => {
  const raw = await Raw.open(t, strict);
  const topic = `flow:${newFlow()}`;
  const push = (ref, event, data) => Buffer.concat([
    Buffer.from([0, 1, ref.length, topic.length, event.length]), Buffer.from(`3${ref}${topic}${event}`), data,
  ]);
  raw.send(["3", "4", topic, "phx_join", {}]);
  await raw.skipTo("client_joined");
  raw.send(push("6", "ping", Buffer.from([1, 2, 3])));
  like(await raw.next(), ["3", "6", topic, "phx_reply", { status: "ok", response: { status: "pong" } }]);
  raw.send(push("7", "flow_change", Buffer.from('{"changes":{}}')));
  like(await raw.next(), ["3", "7", topic, "phx_reply", { status: "error", response: { reason: "Unknown event", "message?": String } }]);
});

test("a close is answered with its own code", async (t) => {
  for (const code of [1000, 1001, 4000]) {
    const raw = await Raw.open(t, strict);
    raw.socket.close(code);
    assert.equal(await raw.closeCode(), code);
  }
});
