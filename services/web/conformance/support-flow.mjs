// A believable automation of customer support: what a team would draw, in the shape of the data that
// the canvas of a flow editor holds, keyed by id so that single fields merge. The same on every run.

const CHANNELS = ["Email", "Web chat", "Phone transcript", "WhatsApp", "Mobile app", "Contact form", "Social mention", "Partner portal"];
const TOPICS = ["Billing", "Refunds", "Shipping", "Returns", "Account access", "Outages", "Feature requests", "Abuse reports",
  "Data privacy", "Contract changes", "Warranty", "Onboarding"];
const LANGUAGES = ["en", "de", "fr", "es", "pt-BR", "ja", "tr", "uk"];
const MODELS = ["small-fast", "medium", "large-careful"];

/** The nodes that each topic's lane has: type, what it is called, its settings. */
const LANE = [
  ["decision", (topic) => `Is it about ${topic.toLowerCase()}?`, (r) => ({ condition: "intent == lane.intent", threshold: r.fraction(0.5, 0.95), branches: ["yes", "no"] })],
  ["memory", (topic) => `${topic}: earlier tickets`, (r) => ({ store: "tickets", lookback_days: r.integer(14, 365), top_k: r.integer(3, 12), embed: true })],
  ["skill", (topic) => `Read the ${topic.toLowerCase()} policy`, (r) => ({ document: `policy-${r.integer(100, 999)}`, version: r.integer(1, 9), cite: true })],
  ["agent", (topic) => `${topic} agent`, (r) => ({ model: r.pick(MODELS), temperature: r.fraction(0, 0.7), max_steps: r.integer(3, 15), tools: ["search", "crm", "draft"], system_prompt: "You help a customer. Be brief, say what happens next, never promise what the policy does not." })],
  ["api", (topic) => `Look up the ${topic.toLowerCase()} record`, (r) => ({ method: "GET", url: "https://crm.example/v2/records/{customer_id}", timeout_ms: 250 * r.integer(2, 20), retries: r.integer(0, 4), headers: { accept: "application/json" } })],
  ["transform", () => "Mask personal data", (r) => ({ language: "jsonata", expression: "$merge([$, {'email': '***', 'phone': '***'}])", strict: r.chance(0.5) })],
  ["loop", (topic) => `Retry until ${topic.toLowerCase()} is answered`, (r) => ({ max_iterations: r.integer(2, 6), until: "draft.confidence > 0.8", delay_seconds: r.integer(0, 30) })],
  ["sensor", (topic) => `${topic}: tone of the customer`, (r) => ({ signal: "sentiment", window: r.integer(1, 10), alert_below: r.fraction(-0.8, -0.2) })],
  ["decision", () => "Sure enough to send?", (r) => ({ condition: "draft.confidence >= threshold", threshold: r.fraction(0.7, 0.95), branches: ["send", "ask a person"] })],
  ["agent", () => "Second reader", (r) => ({ model: r.pick(MODELS), temperature: 0, max_steps: 2, tools: [], system_prompt: "Check the draft against the policy. Answer with pass or with what is wrong." })],
  ["output", (topic) => `Send the ${topic.toLowerCase()} answer`, (r) => ({ channel: "same as received", template: `reply-${r.integer(1, 40)}`, survey: r.chance(0.4) })],
  ["output", (topic) => `Hand over to the ${topic.toLowerCase()} desk`, (r) => ({ queue: `desk-${r.integer(1, 12)}`, priority: r.pick(["low", "normal", "high"]), include_transcript: true })],
];

/** The edges inside a lane, by place in LANE. */
const LANE_EDGES = [[0, 1, "yes"], [0, 2, "yes"], [1, 3], [2, 3], [3, 4, "needs data"], [4, 5], [5, 3], [3, 6], [6, 3, "again"], [7, 3, "context"],
  [6, 8], [8, 9, "send"], [8, 11, "ask a person"], [9, 10, "pass"], [9, 6, "wrong"], [7, 11, "angry"]];

/** supportFlow gives the finished document: {meta, nodes, edges}. */
export function supportFlow(seed = 20) {
  const r = random(seed);
  const nodes = {};
  const edges = {};
  const node = (id, type, label, settings, x, y) => {
    nodes[id] = {
      id, type,
      position: { x: x + r.integer(-12, 12), y: y + r.integer(-12, 12) },
      size: { width: type === "decision" ? 160 : 240, height: r.pick([72, 96, 120]) },
      data: { label, description: `${label}, step ${Object.keys(nodes).length + 1} of the flow`, enabled: r.chance(0.95), settings },
    };
  };
  const edge = (source, target, label) => {
    const id = `e-${source}-${target}`;
    edges[id] = { id, source, target, sourceHandle: "out", targetHandle: "in", type: label ? "conditional" : "default", ...(label && { label, data: { weight: r.fraction(0, 1) } }) };
  };

  CHANNELS.forEach((channel, i) => {
    node(`in-${i}`, "input", `${channel} arrives`, { channel, poll_seconds: r.integer(5, 60), attachments: r.chance(0.6) }, 0, 160 * i);
    edge(`in-${i}`, `lang-${i}`);
    node(`lang-${i}`, "transform", `Translate from ${LANGUAGES[i]}`, { from: LANGUAGES[i], to: "en", keep_original: true }, 320, 160 * i);
    edge(`lang-${i}`, "triage");
  });
  node("triage", "agent", "Triage", { model: "medium", temperature: 0.1, labels: TOPICS, system_prompt: "Say what this is about: one of the labels." }, 720, 640);
  node("spam", "sensor", "Spam and abuse", { signal: "spam", threshold: 0.92 }, 720, 400);
  node("bin", "output", "Drop silently", { keep_days: 30 }, 720, 200);
  node("log", "memory", "Audit log", { store: "audit", retention_days: 730 }, 3_600, 640);
  edge("triage", "spam");
  edge("spam", "bin", "spam");
  TOPICS.forEach((topic, lane) => {
    const id = (place) => `${topic.toLowerCase().replaceAll(" ", "-")}-${place}`;
    LANE.forEach(([type, label, settings], place) => {
      node(id(place), type, label(topic), { ...settings(r), lane: topic }, 1_100 + 280 * (place % 6), 1_000 * Math.floor(lane / 2) + 340 * (lane % 2) + 150 * Math.floor(place / 6));
    });
    for (const [from, to, label] of LANE_EDGES) edge(id(from), id(to), label);
    edge("triage", id(0), topic);
    edge(id(0), id(7));
    edge(id(10), "log");
    edge(id(11), "log");
  });
  return { meta: { name: "Customer support, all channels", version: 1, owner: "support-automation", tags: ["support", "triage"] }, nodes, edges };
}

/** random gives the same numbers for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let n = Math.imul(state ^ (state >>> 15), 1 | state);
    n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
    return ((n ^ (n >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (low, high) => low + Math.floor(next() * (high - low + 1));
  return {
    integer,
    fraction: (low, high) => Math.round((low + next() * (high - low)) * 1_000) / 1_000,
    chance: (p) => next() < p,
    pick: (list) => list[integer(0, list.length - 1)],
  };
}
