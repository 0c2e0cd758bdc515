// The plain page of a flow: what two tabs need to see each other's changes, and nothing more.
const flow = new URLSearchParams(location.search).get("flow")?.trim() || "demo";
const $ = (id) => document.getElementById(id);
const SIZE = { width: 160, height: 44 }; // of a node, in pixels, as in page.css
const DRAG_EVERY = 50; // ms between the changes that a drag sends: 20 a second, of 100 that one may send

// What the server has taken, and on top of it what it has yet to take. An own change leaves `waiting`
// when it comes back in its place among the others, so nothing jumps back while it is under way.
let taken = {};
let waiting = []; // {changes, seq}
let at = null; // {epoch, seq} of what is taken
let chosen = null; // the id of a node
let channel = null;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** mergePatch is RFC 7396. */
function mergePatch(target, patch) {
  if (!isObject(patch)) return patch;
  const result = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, mergePatch(result.get(key), value));
  }
  return Object.fromEntries(result);
}

const shown = () => waiting.reduce((document_, { changes }) => mergePatch(document_, changes), taken);
const entries = (value) => Object.entries(isObject(value) ? value : {}).filter(([, one]) => isObject(one));
const placeOf = ({ position }) => ({ x: Math.max(0, Number(position?.x) || 0), y: Math.max(0, Number(position?.y) || 0) });

function change(changes) {
  const own = { changes, seq: null };
  waiting.push(own);
  draw();
  const drop = (why) => {
    waiting = waiting.filter((other) => other !== own);
    note(why, "bad");
    draw();
  };
  channel.push("flow_change", { changes })
    .receive("ok", ({ seq }) => { own.seq = seq; take(taken, at); })
    .receive("error", ({ reason, message }) => drop(`refused: ${message ?? reason}`))
    .receive("timeout", () => drop("no answer to a change; it may come yet"));
}

/** take takes what the server has at a position. An own change that it holds waits no more. */
function take(whole, position) {
  if (at && at.epoch !== position.epoch) waiting = waiting.filter((own) => own.seq === null);
  [taken, at] = [whole, position];
  waiting = waiting.filter((own) => own.seq === null || own.seq > at.seq);
  draw();
}

function note(text, kind = "") {
  const line = document.createElement("li");
  line.className = kind;
  line.textContent = `${new Date().toLocaleTimeString()} ${text}`.slice(0, 240);
  $("log").prepend(line);
  while ($("log").children.length > 40) $("log").lastChild.remove();
}

function show(state) {
  $("state").dataset.state = state;
  $("state").textContent = state;
  $("add").disabled = state !== "joined";
}

// Elements are kept by id, so that a node that is being dragged or renamed is never replaced.
const elements = new Map();

function draw() {
  const { nodes, edges } = shown();
  const here = new Map(entries(nodes));
  for (const [id, element] of elements) {
    if (!here.has(id)) { element.remove(); elements.delete(id); }
  }
  for (const [id, node] of here) {
    const element = elements.get(id) ?? make(id);
    const { x, y } = placeOf(node);
    element.style.left = `${x}px`;
    element.style.top = `${y}px`;
    element.classList.toggle("chosen", id === chosen);
    element.firstChild.textContent = node.data?.label ?? id;
  }
  $("edges").replaceChildren(...entries(edges).filter(([, { source, target }]) => here.has(source) && here.has(target)).map(([, { source, target }]) => {
    const [a, b] = [placeOf(here.get(source)), placeOf(here.get(target))];
    const [x1, y1, x2, y2] = [a.x + SIZE.width, a.y + SIZE.height / 2, b.x, b.y + SIZE.height / 2];
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", `M${x1} ${y1}C${x1 + 60} ${y1} ${x2 - 60} ${y2} ${x2} ${y2}`);
    return path;
  }));
  $("empty").hidden = here.size > 0;
}

function make(id) {
  const element = document.createElement("div");
  element.className = "node";
  element.dataset.id = id;
  element.tabIndex = 0;
  element.append(document.createElement("span"));
  element.addEventListener("pointerdown", (event) => drag(event, id, element));
  element.addEventListener("dblclick", () => rename(id, element));
  element.addEventListener("focus", () => { chosen = id; draw(); });
  element.addEventListener("keydown", (event) => {
    if (event.target !== element) return;
    if (event.key === "Enter") rename(id, element);
    if (event.key === "Delete") remove(id);
  });
  elements.set(id, element);
  $("canvas").append(element);
  return element;
}

function drag(event, id, element) {
  if (event.button !== 0 || event.target.matches("input")) return;
  const from = placeOf(shown().nodes[id]);
  let sent = 0;
  let latest = null;
  const move = ({ clientX, clientY }) => {
    latest = { x: Math.max(0, Math.round(from.x + clientX - event.clientX)), y: Math.max(0, Math.round(from.y + clientY - event.clientY)) };
    if (performance.now() - sent >= DRAG_EVERY) send();
  };
  const send = () => {
    if (latest) change({ nodes: { [id]: { position: latest } } });
    sent = performance.now();
    latest = null;
  };
  element.setPointerCapture(event.pointerId);
  element.addEventListener("pointermove", move);
  element.addEventListener("lostpointercapture", () => { element.removeEventListener("pointermove", move); send(); }, { once: true });
}

function rename(id, element) {
  if (element.querySelector("input")) return;
  const field = document.createElement("input");
  field.value = element.firstChild.textContent;
  field.setAttribute("aria-label", "New name");
  element.append(field);
  element.firstChild.hidden = true;
  field.select();
  let keep = true;
  field.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") keep = false;
    if (key === "Escape" || key === "Enter") field.blur();
  });
  field.addEventListener("blur", () => {
    const label = field.value.trim();
    const before = element.firstChild.textContent;
    element.firstChild.hidden = false;
    field.remove();
    if (keep && label && label !== before) change({ nodes: { [id]: { data: { label } } } });
  }, { once: true });
}

function add() {
  const id = crypto.getRandomValues(new Uint32Array(2)).reduce((text, n) => text + n.toString(36), "n");
  const { nodes } = shown();
  const number = entries(nodes).length;
  const before = isObject(nodes?.[chosen]) ? placeOf(nodes[chosen]) : null;
  const position = before ? { x: before.x + 220, y: before.y + 70 * (number % 3) } : { x: 40 + 200 * (number % 4), y: 40 + 90 * Math.floor(number / 4) };
  change({
    nodes: { [id]: { id, type: "agent", position, data: { label: `Node ${number + 1}` } } },
    ...(before && { edges: { [`${chosen}-${id}`]: { id: `${chosen}-${id}`, source: chosen, target: id } } }),
  });
}

function remove(id) {
  const gone = entries(shown().edges).filter(([, { source, target }]) => source === id || target === id);
  change({ nodes: { [id]: null }, edges: Object.fromEntries(gone.map(([edge]) => [edge, null])) });
}

function connect({ Socket }) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token"); // where the edge asks for one: #token=…
  const socket = new Socket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`, { params: token ? { token } : {} });
  socket.onClose(() => { show("connecting"); note("the connection is gone; it is tried again", "bad"); });
  socket.connect();
  channel = socket.channel(`flow:${flow}`, () => ({ sync: true, ...(at && { resume: at }) }));
  channel.onClose(() => show("closed"));
  for (const event of ["client_joined", "client_left"]) {
    channel.on(event, ({ client_count: count }) => {
      $("clients").textContent = count === 1 ? "1 client" : `${count} clients`;
      note(`${event.replace("_", " ")}: ${count} now`);
    });
  }
  channel.on("flow_update", ({ changes, seq, epoch }) => {
    take(mergePatch(taken, changes), { epoch, seq });
    note(`${seq}: ${JSON.stringify(changes)}`);
  });
  channel.on("flow_catchup", ({ patches, seq, epoch }) => {
    take(patches.reduce(mergePatch, taken), { epoch, seq });
    note(`caught up to ${seq}`);
  });
  channel.on("flow_sync", ({ document: whole, seq, epoch }) => {
    take(whole, { epoch, seq });
    note("the server's document was taken anew");
  });
  channel.on("flow_deleted", () => note("the session was ended; reload to begin anew", "bad"));
  channel.join()
    .receive("ok", ({ seq, epoch, snapshot, changes }) => {
      show("joined");
      if (changes?.length) note(`${changes.length} changes came while away`);
      take(snapshot ? snapshot.document : (changes ?? []).reduce((whole, missed) => mergePatch(whole, missed.changes), taken), { epoch, seq });
    })
    .receive("error", ({ reason, message }) => { show("refused"); note(`refused: ${message ?? reason}`, "bad"); });
}

$("flow").value = flow;
document.title = `${flow} · Helix`;
$("add").addEventListener("click", add);
show("connecting");
draw();
import("/vendor/phoenix.mjs").then(connect, () => {
  show("closed");
  $("problem").textContent = "This edge was built without the phoenix client: run `make build` and start it again.";
  $("problem").hidden = false;
});
