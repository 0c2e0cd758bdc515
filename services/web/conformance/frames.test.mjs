// Exact frames, as a plain WebSocket sees them. Each case is written once, in the arrays of vsn 2.0.0,
// and played on 2.0.0 and on 1.0.0. Its sockets are on different edges, and no two refs are alike.
import { after, before, describe, test } from "node:test";
import { newFlow } from "./client.mjs";
import { startCluster } from "./harness.mjs";
import { aText, aUnixSecond, like, Raw } from "./raw.mjs";

const ID = "{id}"; // becomes a fresh flow id in every case
const F = `flow:${ID}`;
const JOINED = (count) => ({ client_id: aText, client_count: count, epoch: aText, seq: 0, session: { started_at: aUnixSecond } });
const ok = (response) => ({ status: "ok", response });
const refused = (reason) => ({ status: "error", response: { reason, "message?": aText } });
const update = (seq, changes, more) => ({ changes, timestamp: aUnixSecond, seq, epoch: aText, client_id: aText, ...more });
const count = (n) => ({ client_count: n, flow_id: ID });

// A step is [socket, "sends" or "gets", frame].
const join = (who, joinRef, ref, n, topic = F) => [
  [who, "sends", [joinRef, ref, topic, "phx_join", {}]],
  [who, "gets", [joinRef, ref, topic, "phx_reply", ok(JOINED(n))]],
  [who, "gets", [null, null, topic, "client_joined", count(n)]],
];
const refusesJoin = (topic, reason, joinRef) => [
  ["a", "sends", ["3", "5", topic, "phx_join", {}]],
  ["a", "gets", [joinRef, "5", topic, "phx_reply", refused(reason)]],
];
const answers = (event, payload, reply) => [
  ...join("a", "3", "5", 1),
  ["a", "sends", ["3", "6", F, event, payload]],
  ["a", "gets", ["3", "6", F, "phx_reply", reply]],
];
const manager = [
  ["m", "sends", ["20", "21", "flow_management", "phx_join", {}]],
  ["m", "gets", ["20", "21", "flow_management", "phx_reply", ok({})]],
];
const manages = (event, payload, reply) => [
  ...manager,
  ["m", "sends", ["20", "22", "flow_management", event, payload]],
  ["m", "gets", ["20", "22", "flow_management", "phx_reply", reply]],
];

const CASES = {
  "a heartbeat is answered": [
    ["a", "sends", [null, "1", "phoenix", "heartbeat", {}]],
    ["a", "gets", [null, "1", "phoenix", "phx_reply", ok({})]],
  ],
  "a join is answered first, then told to all": [
    ...join("a", "3", "5", 1),
    ...join("b", "9", "11", 2),
    ["a", "gets", [null, null, F, "client_joined", count(2)]],
  ],
  "a ping is answered": answers("ping", {}, ok({ status: "pong" })),
  "a change is answered, then told to its sender and to the others": [
    ...join("a", "3", "5", 1),
    ...join("b", "9", "11", 2),
    ["a", "gets", [null, null, F, "client_joined", count(2)]],
    ["a", "sends", ["3", "7", F, "flow_change", { changes: { nodes: { n1: { x: 1 } } } }]],
    ["a", "gets", ["3", "7", F, "phx_reply", ok({ status: "broadcasted", seq: 1 })]],
    ["a", "gets", [null, null, F, "flow_update", update(1, { nodes: { n1: { x: 1 } } })]],
    ["b", "gets", [null, null, F, "flow_update", update(1, { nodes: { n1: { x: 1 } } })]],
    ["b", "sends", ["9", "12", F, "flow_change", { changes: { nodes: { n1: null } } }]],
    ["b", "gets", ["9", "12", F, "phx_reply", ok({ status: "broadcasted", seq: 2 })]],
    ["b", "gets", [null, null, F, "flow_update", update(2, { nodes: { n1: null } })]],
    ["a", "gets", [null, null, F, "flow_update", update(2, { nodes: { n1: null } })]],
  ],
  "further fields of a change are dropped": [
    ...answers("flow_change", { changes: {}, timestamp: 1, colour: "red" }, ok({ status: "broadcasted", seq: 1 })),
    ["a", "gets", [null, null, F, "flow_update", update(1, {})]],
  ],
  "a member that wants no echo gets none, the others get the change with its client id": [
    ["a", "sends", ["3", "5", F, "phx_join", { echo: false, client_id: "tab-7" }]],
    ["a", "gets", ["3", "5", F, "phx_reply", ok({ ...JOINED(1), client_id: "tab-7" })]],
    ["a", "gets", [null, null, F, "client_joined", count(1)]],
    ...join("b", "9", "11", 2),
    ["a", "gets", [null, null, F, "client_joined", count(2)]],
    ["a", "sends", ["3", "6", F, "flow_change", { changes: { a: 1 } }]],
    ["a", "gets", ["3", "6", F, "phx_reply", ok({ status: "broadcasted", seq: 1 })]],
    ["b", "gets", [null, null, F, "flow_update", update(1, { a: 1 }, { client_id: "tab-7" })]],
  ],
  "an unknown event is refused": answers("no_such_event", { a: 1 }, refused("Unknown event")),
  "a leave is answered and closed, and told to the others": [
    ...join("a", "3", "5", 1),
    ...join("b", "9", "11", 2),
    ["a", "gets", [null, null, F, "client_joined", count(2)]],
    ["b", "sends", ["9", "12", F, "phx_leave", {}]],
    ["b", "gets", ["9", "12", F, "phx_reply", ok({})]],
    ["b", "gets", ["9", "9", F, "phx_close", {}]],
    ["a", "gets", [null, null, F, "client_left", count(1)]],
    ["b", "sends", ["9", "13", F, "ping", {}]],
    ["b", "gets", [null, "13", F, "phx_reply", refused("unmatched topic")]],
  ],
  "a second join on a topic closes the first and leaves no ghost": [
    ...join("a", "3", "5", 1),
    ["a", "sends", ["7", "8", F, "phx_join", {}]],
    ["a", "gets", ["3", "3", F, "phx_close", {}]],
    ["a", "gets", ["7", "8", F, "phx_reply", ok(JOINED(1))]],
    ["a", "gets", [null, null, F, "client_joined", count(1)]],
    ...join("b", "9", "11", 2),
    ["a", "gets", [null, null, F, "client_joined", count(2)]],
  ],
  "a leave of what is not joined is answered and not closed": [
    ["a", "sends", ["9", "12", F, "phx_leave", {}]],
    ["a", "gets", ["9", "12", F, "phx_reply", ok({})]],
  ],
  "a topic that is not joined is unmatched": [
    ["a", "sends", ["9", "11", F, "ping", {}]],
    ["a", "gets", [null, "11", F, "phx_reply", refused("unmatched topic")]],
    ["a", "sends", ["9", "13", F, "flow_change", { changes: {} }]],
    ["a", "gets", [null, "13", F, "phx_reply", refused("unmatched topic")]],
  ],
  "a deletion ends the session everywhere, and the next join begins a new one": [
    ...join("a", "3", "5", 1),
    ...join("b", "9", "11", 2),
    ["a", "gets", [null, null, F, "client_joined", count(2)]],
    ...manages("flow_deleted", { flow_id: ` ${ID} ` }, ok({ status: "session_closed", clients_affected: 2 })),
    ["a", "gets", [null, null, F, "flow_deleted", { flow_id: ID, timestamp: aUnixSecond }]],
    ["a", "gets", ["3", "3", F, "phx_close", {}]],
    ["b", "gets", [null, null, F, "flow_deleted", { flow_id: ID, timestamp: aUnixSecond }]],
    ["b", "gets", ["9", "9", F, "phx_close", {}]],
    ...join("b", "14", "15", 1),
  ],
  "a deletion of a flow without a session affects nobody":
    manages("flow_deleted", { flow_id: ID }, ok({ status: "session_closed", clients_affected: 0 })),
  "an unknown event of the management is refused": manages("flow_created", { flow_id: ID }, refused("Unknown event")),
  "a field more than the known ones is ignored": [
    ["a", "sends", [null, "1", "phoenix", "heartbeat", {}, "more"]],
    ["a", "gets", [null, "1", "phoenix", "phx_reply", ok({})]],
  ],
  "refs keep the JSON type in which they came": [
    ["a", "sends", [3, 5, F, "phx_join", {}]],
    ["a", "gets", [3, 5, F, "phx_reply", ok(JOINED(1))]],
    ["a", "gets", [null, null, F, "client_joined", count(1)]],
    ["a", "sends", [3, 6, F, "ping", {}]],
    ["a", "gets", [3, 6, F, "phx_reply", ok({ status: "pong" })]],
  ],
};

for (const changes of [null, 7, "text", true, [], [{ a: 1 }]]) {
  CASES[`changes of ${JSON.stringify(changes)} are refused`] = [
    ...answers("flow_change", { changes }, refused("invalid_changes")),
    ["a", "sends", ["3", "8", F, "ping", {}]],
    ["a", "gets", ["3", "8", F, "phx_reply", ok({ status: "pong" })]],
  ];
}
for (const payload of [{}, { change: {} }, null, "text", 7, [{ changes: {} }]]) {
  CASES[`a change with a payload of ${JSON.stringify(payload)} is an unknown event`] =
    answers("flow_change", payload, refused("Unknown event"));
}
for (const payload of [{}, { flow_id: null }, { flow_id: 7 }, { flow_id: "" }, { flow_id: " \t " }, { flow_id: "\u3000" }, null, []]) {
  CASES[`a deletion with ${JSON.stringify(payload)} is refused`] = manages("flow_deleted", payload, refused("Invalid flow_id"));
}
for (const topic of ["room:1", "flow", "FLOW:x", "Flow:x", "flow_management:x", "", "phoenix"]) {
  CASES[`a join of ${JSON.stringify(topic)} is unmatched`] = refusesJoin(topic, "unmatched topic", null);
}
for (const id of ["", "   ", "\t\n", "\u00a0", "\u2003 \u3000", "a\u0000b", "a\u001fb", "a\u007fb", "x".repeat(256), "ü".repeat(128)]) {
  CASES[`the id ${JSON.stringify(id).slice(0, 20)} (${Buffer.byteLength(id)} bytes) is refused`] =
    refusesJoin(`flow:${id}`, "Invalid flow identifier", "3");
}
for (const payload of [null, [], 7, "text"]) {
  CASES[`a join with a payload of ${JSON.stringify(payload)} joins`] = [
    ["a", "sends", ["3", "5", F, "phx_join", payload]],
    ["a", "gets", ["3", "5", F, "phx_reply", ok(JOINED(1))]],
    ["a", "gets", [null, null, F, "client_joined", count(1)]],
  ];
}
for (const [shape, topic] of Object.entries({
  "angle brackets, dots, a number sign, spaces": `flow:<b>${ID}</b>.x #1`,
  "letters that are not ASCII": `flow:${ID}-größe-流れ-🙂`,
  "colons and slashes": `flow:a:b/${ID}`,
  "blanks around": `flow:  ${ID}\t `,
})) {
  const flowID = topic.slice("flow:".length).trim();
  CASES[`an id with ${shape} is fine`] = [
    ["a", "sends", ["3", "5", topic, "phx_join", {}]],
    ["a", "gets", ["3", "5", topic, "phx_reply", ok(JOINED(1))]],
    ["a", "gets", [null, null, topic, "client_joined", { client_count: 1, flow_id: flowID }]],
    ["a", "sends", ["3", "6", topic, "flow_change", { changes: { a: 1 } }]],
    ["a", "gets", ["3", "6", topic, "phx_reply", ok({ status: "broadcasted", seq: 1 })]],
    ["a", "gets", [null, null, topic, "flow_update", update(1, { a: 1 })]],
  ];
}
for (const [joinRef, ref, topic, event, payload] of [["1", "2", null, null, null], ["1", "2", 5, "x", {}], ["1", "2", F, 5, {}], ["1", "2", { a: [1] }, "phx_join", {}]]) {
  CASES[`a frame with topic ${JSON.stringify(topic)} and event ${JSON.stringify(event)} is unmatched, and echoed`] = [
    ["a", "sends", [joinRef, ref, topic, event, payload]],
    ["a", "gets", [null, ref, topic, "phx_reply", refused("unmatched topic")]],
  ];
}

// What only 2.0.0 can say.
const CASES_OF_V2 = {
  "pushes under an earlier join_ref are ignored": [
    ...join("a", "3", "5", 1),
    ["a", "sends", ["2", "6", F, "ping", {}]],
    ["a", "sends", ["2", "7", F, "flow_change", { changes: { a: 1 } }]],
    ["a", "sends", ["2", "8", F, "phx_leave", {}]],
    ["a", "sends", ["3", "10", F, "flow_change", { changes: { b: 1 } }]],
    ["a", "gets", ["3", "10", F, "phx_reply", ok({ status: "broadcasted", seq: 1 })]],
    ["a", "gets", [null, null, F, "flow_update", update(1, { b: 1 })]],
  ],
  "pushes with a null join_ref are answered under the present one": [
    ...join("a", "3", "5", 1),
    ["a", "sends", [null, "6", F, "ping", {}]],
    ["a", "gets", ["3", "6", F, "phx_reply", ok({ status: "pong" })]],
    ["a", "sends", [null, "7", F, "phx_leave", {}]],
    ["a", "gets", ["3", "7", F, "phx_reply", ok({})]],
    ["a", "gets", ["3", "3", F, "phx_close", {}]],
  ],
  "a join with a null join_ref is answered under its ref": [
    ["a", "sends", [null, "5", F, "phx_join", {}]],
    ["a", "gets", ["5", "5", F, "phx_reply", ok(JOINED(1))]],
    ["a", "gets", [null, null, F, "client_joined", count(1)]],
    ["a", "sends", ["5", "6", F, "phx_leave", {}]],
    ["a", "gets", ["5", "6", F, "phx_reply", ok({})]],
    ["a", "gets", [null, null, F, "phx_close", {}]],
  ],
};

let cluster;
before(async () => { cluster = await startCluster(); });
after(() => cluster?.stop());

for (const vsn of ["2.0.0", "1.0.0"]) {
  describe(`frames of vsn ${vsn}`, { concurrency: 8 }, () => {
    for (const [name, steps] of Object.entries(vsn === "2.0.0" ? { ...CASES, ...CASES_OF_V2 } : CASES)) {
      test(name, (t) => play(t, vsn, steps));
    }
  });
}

async function play(t, vsn, steps) {
  const sockets = {};
  const flow = newFlow("frames");
  for (const [who, what, frame] of withFlow(steps, flow)) {
    const edge = cluster.edges[["a", "b", "m"].indexOf(who)];
    sockets[who] ??= await Raw.open(t, edge, { vsn });
    if (what === "sends") sockets[who].send(vsn === "2.0.0" ? frame : sentByV1(frame));
    else like(await sockets[who].next(), vsn === "2.0.0" ? frame : gotByV1(frame), `what ${who} gets`);
  }
  // Nothing else may have come: the answer to one more message is the next frame.
  for (const [who, socket] of Object.entries(sockets)) {
    const beat = [null, "99", "phoenix", "heartbeat", {}];
    socket.send(vsn === "2.0.0" ? beat : sentByV1(beat));
    const reply = [null, "99", "phoenix", "phx_reply", ok({})];
    like(await socket.next(), vsn === "2.0.0" ? reply : gotByV1(reply), `what ${who} gets after the last step`);
  }
}

function withFlow(value, flow) {
  if (typeof value === "string") return value.replaceAll(ID, flow);
  if (Array.isArray(value)) return value.map((part) => withFlow(part, flow));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withFlow(part, flow)]));
}

function sentByV1([, ref, topic, event, payload, ...more]) {
  return { topic, event, payload, ref, ...(more.length > 0 && { more }) };
}

// No join_ref goes out, and what a channel says of its own end has none to repeat.
function gotByV1([, ref, topic, event, payload]) {
  return { topic, event, payload, ref: event === "phx_close" ? null : ref };
}
