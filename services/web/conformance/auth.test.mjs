// Who may do what, where the edge wants tokens: the official client with tokens that Helix mints, and with
// those of an issuer that signs with keys of its own.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Presence } from "phoenix";
import { Client, joined, newFlow, NEVER, VARIANTS } from "./client.mjs";
import { startEdge, startRedis, until } from "./harness.mjs";
import { Raw, upgrade } from "./raw.mjs";

const SECRET = randomBytes(24).toString("base64url");
const EXPIRED = "the token has expired; come back with a fresh one";

let redis, edges, issued, issuer;
before(async () => {
  [redis, issuer] = await Promise.all([startRedis(), startIssuer()]);
  const env = { HELIX_AUTH_MODE: "jwt", HELIX_AUTH_SECRET: SECRET, HELIX_AUTH_LEEWAY: "0s" };
  [issued, ...edges] = await Promise.all([
    startEdge(redis, "edge-i", { HELIX_AUTH_MODE: "jwt", HELIX_AUTH_JWKS_URL: issuer.url, HELIX_AUTH_ISSUER: issuer.url, HELIX_AUTH_AUDIENCE: "helix" }),
    startEdge(redis, "edge-a", env), startEdge(redis, "edge-b", env),
  ]);
});
after(async () => {
  await Promise.all([...(edges ?? []), issued].map((edge) => edge?.stop()));
  await redis?.stop();
  await issuer?.stop();
});

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const inSeconds = (n) => Math.floor(Date.now() / 1000) + n;
const may = (flows, ...rights) => ({ helix: { rights: [{ flows, may: rights }] } });

/** tokenOf signs claims as any issuer may, with the secret. */
function tokenOf(claims, { alg = "HS256", secret = SECRET } = {}) {
  const text = `${base64({ alg, typ: "JWT" })}.${base64({ sub: "ann", exp: inSeconds(600), ...claims })}`;
  return `${text}.${createHmac(alg.replace("HS", "sha"), secret).update(text).digest("base64url")}`;
}

/** minted gives what `helix token` prints. */
async function minted(edge, ...args) {
  const { stdout } = await promisify(execFile)(edge.command, ["token", ...args], { env: edge.env });
  return stdout.trim();
}

/** startIssuer serves the public keys that it has at the moment. */
async function startIssuer() {
  const made = { keys: new Map() };
  const server = http.createServer((_, response) => {
    response.setHeader("Content-Type", "application/jwk-set+json");
    response.end(JSON.stringify({ keys: [...made.keys].map(([kid, { publicKey }]) => ({ kid, use: "sig", ...publicKey.export({ format: "jwk" }) })) }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  made.url = `http://127.0.0.1:${server.address().port}/jwks.json`;
  made.stop = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  made.keys.set("first", generateKeyPairSync("ec", { namedCurve: "P-256" }));
  made.sign = (kid, alg, options, claims) => {
    const text = `${base64({ alg, kid, typ: "JWT" })}.${base64({ iss: made.url, aud: ["helix"], sub: "ann", exp: inSeconds(600), ...claims })}`;
    const hash = alg === "EdDSA" ? null : `sha${alg.slice(2)}`;
    return `${text}.${sign(hash, Buffer.from(text), { key: made.keys.get(kid).privateKey, ...options }).toString("base64url")}`;
  };
  return made;
}
const ES = { dsaEncoding: "ieee-p1363" };

describe("the upgrade", { concurrency: true }, () => {
  const bad = {
    "no token": () => "",
    "an empty token": () => "&token=",
    "no token at all": () => "&token=letmein",
    "an expired token": () => `&token=${tokenOf({ exp: inSeconds(-1) })}`,
    "a token that is not valid yet": () => `&token=${tokenOf({ nbf: inSeconds(60) })}`,
    "a token without an end": () => `&token=${tokenOf({ exp: undefined })}`,
    "a token of another secret": () => `&token=${tokenOf({}, { secret: "another" })}`,
    "a token that is not signed": () => `&token=${base64({ alg: "none" })}.${base64({ sub: "ann", exp: inSeconds(60) })}.`,
    "a token with claims of another": () => `&token=${tokenOf({}).replace(/\.[^.]+\./, `.${base64({ sub: "root", exp: inSeconds(60) })}.`)}`,
    "rights that are not of their form": () => `&token=${tokenOf(may("a*b", "read"))}`,
    "two tokens": () => `&token=${tokenOf({})}&token=${tokenOf({})}`,
  };
  for (const [name, query] of Object.entries(bad)) {
    test(`with ${name} is answered with 403 and nothing else`, async () => {
      const got = await upgrade(edges[0], `/socket/websocket?vsn=2.0.0${query()}`);
      assert.deepEqual([got.status, got.body, got.headers["content-type"]], [403, "", undefined]);
    });
  }

  for (const alg of ["HS256", "HS384", "HS512"]) {
    test(`with a good token of ${alg} is granted`, async () => {
      assert.equal((await upgrade(edges[0], `/socket/websocket?vsn=2.0.0&token=${tokenOf({}, { alg })}`)).status, 101);
    });
  }

  test("takes the authToken of the official client", async (t) => {
    const flow = newFlow();
    const member = await joined(t, VARIANTS[0], edges[0], flow, { authToken: tokenOf(may(flow, "read")) });
    assert.equal(member.client.socket.conn.protocol, "phoenix");
  });

  test("refuses a bad authToken", async () => {
    const protocol = `phoenix, base64url.bearer.phx.${Buffer.from(tokenOf({ exp: 1 })).toString("base64url")}`;
    const got = await upgrade(edges[0], "/socket/websocket?vsn=2.0.0", { "Sec-WebSocket-Protocol": protocol });
    assert.deepEqual([got.status, got.body], [403, ""]);
  });
});

/** clientOf opens a socket with a token, or with what a function gives at each connection. */
const clientOf = (t, variant, edge, token, options) =>
  new Client(t, variant, edge, { params: typeof token === "function" ? () => ({ token: token() }) : { token }, ...options });

/** memberOf gives a member that is in the flow, on a socket of its own. */
async function memberOf(t, variant, edge, flow, token, { params, ...options } = {}) {
  const member = clientOf(t, variant, edge, token, options).member(flow, params);
  await member.join();
  return member;
}

for (const variant of VARIANTS) {
  describe(variant.name, { concurrency: true }, () => {
    test("a client with a bad token comes in once it has a good one", async (t) => {
      const flow = newFlow();
      const tokens = ["letmein", tokenOf({ exp: inSeconds(-5) })];
      const client = clientOf(t, variant, edges[0], () => tokens.shift() ?? tokenOf(may(flow, "read")), { reconnectAfterMs: () => 20 });
      await client.until("it is connected", () => client.opened > 0);
      assert.equal(tokens.length, 0);
      await client.member(flow).join();
    });

    test("a join without the right to read is refused, and nobody hears of it", async (t) => {
      const flow = newFlow();
      const inside = await memberOf(t, variant, edges[0], flow, await minted(edges[0], "--user", "ann", "--right", `${flow}=read,write`));
      for (const rights of [`${flow}=write,manage`, `${flow}x=read`, "other/*=read"]) {
        const token = await minted(edges[1], "--user", "bob", "--right", rights);
        await assert.rejects(memberOf(t, variant, edges[1], flow, token, { rejoinAfterMs: NEVER }), { reason: "unauthorized" });
      }
      const other = await memberOf(t, variant, edges[1], flow, tokenOf(may(flow, "read")));
      await Promise.all([inside.untilCount(2), other.untilCount(2)]);
      assert.deepEqual(inside.events("client_joined").map(({ client_count: count }) => count), [1, 2]);
    });

    test("a change of who may only read is refused, and seen by nobody", async (t) => {
      const flow = newFlow();
      const read = tokenOf({ sub: "reader", ...may(flow, "read") });
      const reader = await memberOf(t, variant, edges[0], flow, read);
      const writer = await memberOf(t, variant, edges[1], flow, tokenOf({ sub: "writer", ...may(flow, "read", "write") }));
      await assert.rejects(reader.change({ refused: true }), { reason: "unauthorized" });
      assert.equal((await writer.change({ taken: true })).seq, 1);
      for (const member of [reader, writer]) {
        const [first] = await member.untilUpdates(1);
        assert.deepEqual([first.changes, first.seq], [{ taken: true }, 1]);
      }
      const response = await fetch(`${edges[0].http}/api/flows/${flow}`, { headers: { Authorization: `Bearer ${read}` } });
      assert.deepEqual(await response.json(), { taken: true });
    });

    test("only who may manage a flow ends its session", async (t) => {
      const flow = newFlow();
      const member = await memberOf(t, variant, edges[0], flow, tokenOf(may(flow, "read", "write")));
      const management = await member.client.joinTopic("flow_management");
      await assert.rejects(member.client.ask(management, "flow_deleted", { flow_id: flow }), { reason: "unauthorized" });
      const manager = clientOf(t, variant, edges[1], tokenOf(may(`${flow}*`, "manage")));
      const answer = await manager.ask(await manager.joinTopic("flow_management"), "flow_deleted", { flow_id: ` ${flow} ` });
      assert.deepEqual(answer, { status: "session_closed", clients_affected: 1 });
      await member.untilEvent("flow_deleted");
    });

    test("an expired token ends the socket with 1008, and a fresh one resumes", async (t) => {
      const flow = newFlow();
      const mint = (life) => minted(edges[0], "--user", "ann", "--right", `${flow}=read,write`, "--for", life);
      const fresh = await mint("10m");
      const writer = await memberOf(t, variant, edges[1], flow, fresh);
      // The client comes back by itself, with what it has for a token, which the edge refuses until it is fresh.
      let token = await mint("3s");
      const position = {};
      const follow = ({ epoch, seq }) => Object.assign(position, { epoch, seq });
      const member = await memberOf(t, variant, edges[0], flow, () => token, {
        params: () => (position.epoch ? { client_id: "ann-1", resume: position } : { client_id: "ann-1", sync: true }), reconnectAfterMs: () => 50, rejoinAfterMs: () => 20,
      });
      const { client } = member;
      const reasons = [];
      client.socket.onClose(({ reason }) => reasons.push(`${reason}`));
      follow(member.joined);
      await writer.change({ n: 1 });
      follow((await member.untilUpdates(1))[0]);

      await client.until("the socket is closed", () => client.closes.length > 0);
      assert.deepEqual([client.closes[0], reasons[0]], [1008, EXPIRED]);
      await writer.until("the other one left", () => writer.events("client_left").length === 1);
      await writer.change({ n: 2 });
      await client.until("it was refused", () => client.closes.length > 1);
      token = fresh;
      const answers = () => member.received.filter(({ event, payload }) => event === "phx_reply" && payload.response?.session);
      await member.until("the client is back", () => answers().length === 2);
      assert.deepEqual(answers()[1].payload.response.changes, [{ seq: 2, changes: { n: 2 } }]);
      assert.equal((await member.change({ n: 3 })).seq, 3);
      assert.deepEqual([client.opened, client.closes.filter((code) => code !== 1006)], [2, [1008]]);
    });

    test("presence tells who it is, whatever the client says", async (t) => {
      const flow = newFlow();
      const rights = may(flow, "read");
      await memberOf(t, variant, edges[0], flow, tokenOf({ sub: "ann", name: "Ann", ...rights }), { params: { client_id: "a", presence: { user_id: "root", color: "red" } } });
      const bob = clientOf(t, variant, edges[1], tokenOf({ sub: "bob", ...rights })).member(flow, { client_id: "b", presence: {} });
      const presence = new Presence(bob.channel);
      await bob.join();
      const seen = () => Object.fromEntries(presence.list((id, { metas }) => [id, metas[0]]));
      await bob.until("both are seen", () => seen().a && seen().b);
      assert.deepEqual([seen().a.user_id, seen().a.user_name, seen().a.color], ["ann", "Ann", "red"]);
      assert.deepEqual([seen().b.user_id, seen().b.user_name], ["bob", undefined]);
    });
  });
}

describe("tokens of an issuer with keys of its own", () => {
  const all = may("*", "read", "write", "manage");

  test("are taken by its public keys, and after it has changed them", async (t) => {
    const flow = newFlow();
    const token = issuer.sign("first", "ES256", ES, all);
    const member = await memberOf(t, VARIANTS[0], issued, flow, token);
    assert.equal((await member.change({ a: 1 })).seq, 1);

    issuer.keys.set("second", { alg: "RS256", how: {}, ...generateKeyPairSync("rsa", { modulusLength: 2048 }) });
    issuer.keys.set("third", { alg: "EdDSA", how: {}, ...generateKeyPairSync("ed25519") });
    issuer.keys.set("fourth", { alg: "ES384", how: ES, ...generateKeyPairSync("ec", { namedCurve: "P-384" }) });
    issuer.keys.delete("first");
    for (const kid of ["second", "third", "fourth"]) {
      const { alg, how } = issuer.keys.get(kid);
      const fresh = issuer.sign(kid, alg, how, all);
      // A kid that is not known has the keys fetched again, though not right after a fetch.
      await until(`a token of ${alg} is taken`, async () => (await upgrade(issued, `/socket/websocket?vsn=2.0.0&token=${fresh}`)).status === 101, 20_000);
    }
    assert.equal((await upgrade(issued, `/socket/websocket?vsn=2.0.0&token=${token}`)).status, 403);
    assert.equal((await member.change({ a: 2 })).seq, 2); // who is in stays in until the token ends
  });

  test("are refused where another may have made them", async () => {
    const [kid, { alg, how, publicKey }] = [...issuer.keys].at(-1);
    const pem = publicKey.export({ format: "pem", type: "spki" });
    for (const [name, token] of Object.entries({
      "another issuer": issuer.sign(kid, alg, how, { ...all, iss: "https://evil.example" }),
      "another audience": issuer.sign(kid, alg, how, { ...all, aud: "other" }),
      "a secret": tokenOf(all),
      "the public key as a secret": tokenOf({ ...all, iss: issuer.url, aud: "helix" }, { secret: pem }),
    })) assert.equal((await upgrade(issued, `/socket/websocket?vsn=2.0.0&token=${token}`)).status, 403, name);
  });
});

test("the HTTP API takes the token as a bearer, and shows what it allows", async () => {
  const [mine, other] = [newFlow("mine"), newFlow("other")];
  const ask = async (method, path, token, body) => {
    const response = await fetch(edges[0].http + path, {
      method, body, headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { "Content-Type": "application/json" }) },
    });
    return { status: response.status, challenge: response.headers.get("WWW-Authenticate"), body: await response.json().catch(() => null) };
  };
  const root = tokenOf(may("*", "read", "write", "manage"));
  const ann = await minted(edges[0], "--user", "ann", "--right", `${mine}=read,write`);
  for (const flow of [mine, other]) assert.equal((await ask("PUT", `/api/flows/${flow}`, root, '{"title":"T"}')).status, 201);

  const none = await ask("GET", `/api/flows/${mine}`);
  assert.deepEqual([none.status, none.body.code, none.challenge], [401, "unauthenticated", 'Bearer realm="helix"']);
  const old = await ask("GET", `/api/flows/${mine}`, tokenOf({ exp: inSeconds(-1) }));
  assert.deepEqual([old.status, old.body.code], [401, "token_expired"]);
  assert.match(old.challenge, /error="invalid_token"/);

  assert.deepEqual((await ask("GET", `/api/flows/${mine}`, ann)).body, { title: "T" });
  assert.equal((await ask("POST", `/api/flows/${mine}/changes`, ann, '{"changes":{"a":1}}')).status, 200);
  for (const [method, path, body] of [
    ["GET", `/api/flows/${other}`], ["GET", `/api/flows/${other}/status`], ["PUT", `/api/flows/${other}`, "{}"], ["POST", `/api/flows/${other}/changes`, '{"changes":{}}'],
    ["DELETE", `/api/flows/${mine}`], ["DELETE", `/api/flows/${mine}/session`],
  ]) {
    const got = await ask(method, path, ann, body);
    assert.deepEqual([got.status, got.body.code], [403, "unauthorized"], `${method} ${path}`);
  }
  const listed = async (token) => (await ask("GET", "/api/flows?limit=1000", token)).body.flows.map(({ flow_id: id }) => id);
  assert.deepEqual(await listed(ann), [mine]);
  const all = await listed(root);
  assert.ok(all.includes(mine) && all.includes(other));
  assert.equal((await ask("GET", "/api/openapi.json")).status, 200);
});

test("a socket says in its close why it ends, to any client", async (t) => {
  const raw = await Raw.open(t, edges[0], { path: `/socket/websocket?vsn=2.0.0&token=${tokenOf({ exp: inSeconds(2) })}` });
  assert.equal(await raw.closeCode(), 1008);
  assert.equal((await raw.closed).reason, EXPIRED);
});
