// The session: the client library's flow, and around it what makes an app of it. Each part is in its own file; here they
// meet.
import type { Connection as Drawn, Edge, Node, OnConnect, OnDelete, OnEdgesChange, OnNodesChange, OnReconnect, XYPosition } from "@xyflow/react";
import { diff, type DocumentChange, type Flow, type HelixError, type Json, type JsonObject, type Patch, type Signal } from "@helix/client";
import { Draft } from "./draft.ts";
import { edgeId, localNodeFields, newId, type FlowDocument } from "./document.ts";
import { newsOf } from "./edit.ts";
import type { Author, FlowEvent } from "./events.ts";
import { nextFrame } from "./frames.ts";
import { Gestures } from "./gestures.ts";
import { addition, connected, fields, pasted, removal } from "./graph.ts";
import { History } from "./history.ts";
import { Link } from "./link.ts";
import { LIVE, LiveOut } from "./live.ts";
import { Motion } from "./motion.ts";
import { Others } from "./others.ts";
import { presenceOf, type Cursor, type User, type View } from "./people.ts";
import { element, map, Projection } from "./projection.ts";
import type { EditOptions, Elements, FlowSession, FlowSessionOptions, FlowState } from "./session.ts";
import { causeOf } from "./status.ts";

/** createFlowSession gives a session that is not started: it connects to nothing before `start`. */
export function createFlowSession<N extends Node = Node, E extends Edge = Edge>(options: FlowSessionOptions): FlowSession<N, E> {
  return new Session<N, E>(options);
}

const UNDO_DEPTH = 200;
/** What is selected is told after this, for selecting a box selects node by node. */
const PRESENCE_MS = 50;
/** More nodes than this that come to another place at once do not move there: they are there. */
const MOST_MOVED = 300;

const empty: JsonObject = {};

type Kind = "nodes" | "edges";
const kinds: readonly Kind[] = ["nodes", "edges"];

class Session<N extends Node, E extends Edge> implements FlowSession<N, E> {
  readonly flowId: string;
  #user: User | undefined;
  #editing: string | undefined;
  readonly #link: Link;
  readonly #projection = new Projection<N, E>();
  readonly #history: History;
  readonly #gestures: Gestures<N, E>;
  readonly #others: Others;
  readonly #motion: Motion;
  readonly #live: LiveOut;
  #draft: Draft | undefined; // of a transaction
  #go: { name: string; end: () => void } | undefined; // edits that come in one go
  #goes = 0;
  #presenceTimer: ReturnType<typeof setTimeout> | undefined;
  #frame: (() => void) | undefined;
  #state: FlowState<N, E>;

  readonly #listeners = new Set<() => void>();
  readonly #cursorListeners = new Set<() => void>();
  readonly #viewListeners = new Map<string, Set<(view: View) => void>>();
  readonly #eventListeners = new Set<(event: FlowEvent) => void>();
  readonly #signalListeners = new Set<(signal: Signal) => void>();

  constructor(options: FlowSessionOptions) {
    this.flowId = options.flowId;
    this.#user = options.user;
    this.#link = new Link(options, { opened: (flow) => { this.#opened(flow); }, statusChanged: () => { this.#publish(); } });
    this.#history = new History(options.undoDepth ?? UNDO_DEPTH, () => { this.#publishSoon(); }, (patch) => { queueMicrotask(() => { this.#putBack(patch); }); });
    this.#others = new Others({
      peersChanged: () => { this.#publishSoon(); },
      cursorsChanged: () => { for (const listener of [...this.#cursorListeners]) listener(); },
      viewChanged: (clientId) => {
        const view = this.#others.view(clientId);
        if (view) for (const listener of [...this.#viewListeners.get(clientId) ?? []]) listener(view);
      },
      dragged: (id, to) => { this.#draggedByOther(id, to); },
    });
    this.#motion = new Motion((moved) => { this.#moved(moved); });
    this.#live = new LiveOut((data) => { this.client?.signal(LIVE, data); });
    const session = this; // eslint-disable-line @typescript-eslint/no-this-alias -- the getter below has its own
    this.#gestures = new Gestures<N, E>({
      projection: this.#projection,
      document: () => this.#document(),
      edit: (patch, edit) => { if (patch) this.#edit(patch, edit); },
      get inOneGo() { return session.#inOneGo(); },
      dragging: (positions) => {
        for (const id of positions.keys()) this.#motion.stop(id);
        this.#live.drag(positions);
      },
      dropped: () => { this.#live.dropped(); },
      selectionChanged: () => { this.#tellPresence(); },
      show: () => { this.#publish(); },
    });
    this.#state = this.#makeState();
  }

  // The state.

  get client(): Flow | undefined { return this.#link.flow; }

  readonly getState = (): FlowState<N, E> => this.#state;
  readonly subscribe = (listener: () => void): (() => void) => listen(this.#listeners, listener);
  readonly onEvent = (listener: (event: FlowEvent) => void): (() => void) => listen(this.#eventListeners, listener);
  readonly onSignal = (listener: (signal: Signal) => void): (() => void) => listen(this.#signalListeners, listener);
  readonly getCursors = (): ReadonlyMap<string, Cursor> => this.#others.cursors;
  readonly subscribeCursors = (listener: () => void): (() => void) => listen(this.#cursorListeners, listener);

  #document(): JsonObject { return this.#draft?.document ?? this.client?.document ?? empty; }

  #makeState(): FlowState<N, E> {
    const { status, loaded } = this.#link;
    return {
      nodes: this.#projection.nodes,
      edges: this.#projection.edges,
      document: (this.client?.document ?? empty),
      status,
      loaded,
      editable: loaded && this.#link.takesChanges,
      others: this.#others.list,
      me: this.#others.me,
      canUndo: this.#history.canUndo,
      canRedo: this.#history.canRedo,
    };
  }

  /** publish shows everything as it is now. */
  #publish(): void {
    if (this.#draft) return; // its end does it
    this.#frame?.();
    this.#frame = undefined;
    this.#projection.update(this.client?.document ?? empty);
    const before = this.#state, next = this.#makeState();
    if ((Object.keys(next) as (keyof FlowState)[]).every((name) => before[name] === next[name])) return;
    this.#state = next;
    for (const listener of [...this.#listeners]) listener();
  }

  /** publishSoon is for what others do: once a frame, however much comes. */
  #publishSoon(): void { this.#frame ??= nextFrame(() => { this.#publish(); }); }

  #tell(event: FlowEvent): void { for (const listener of [...this.#eventListeners]) listener(event); }

  // The life.

  readonly setOptions = (options: FlowSessionOptions): void => {
    if (options.user && JSON.stringify(options.user) !== JSON.stringify(this.#givenUser)) {
      this.#givenUser = options.user;
      this.#user = options.user;
      this.#tellPresence();
    }
    this.#link.setOptions(options);
  };
  #givenUser: User | undefined;

  readonly start = (): void => { this.#link.start(); };

  readonly stop = (): Promise<void> => {
    this.#go?.end();
    this.#live.end();
    this.#motion.end();
    this.#others.clear();
    clearTimeout(this.#presenceTimer);
    this.#presenceTimer = undefined;
    const stopped = this.#link.stop();
    this.#frame?.();
    this.#frame = undefined;
    this.#history.clear();
    return stopped;
  };

  readonly retry = (): void => { this.#link.retry(); };
  readonly reopen = (): void => { this.#link.reopen(); };

  #opened(flow: Flow): void {
    const mine = () => this.client === flow;
    this.#history.clear();
    flow.onUpdate((update) => { if (mine()) this.#history.heard(update, flow.clientId, flow.document); });
    flow.onChange((change) => { if (mine()) this.#changed(flow, change); });
    flow.onState(({ name }) => {
      if (!mine()) return;
      if (name === "offline" || name === "refused" || name === "deleted") this.#others.clear();
    });
    flow.onRefused((error: HelixError) => {
      if (!mine() || error.reason === "left") return;
      const cause = error.reason === "unauthorized" ? "read_only" : causeOf(error.reason);
      this.#tell({ type: "refused", cause, sentence: error.sentence });
    });
    flow.presence.onChange((people) => { if (mine() && this.#others.people(people)) this.#live.tell(); });
    flow.onSignal((signal) => {
      if (!mine()) return;
      if (signal.type === LIVE) this.#others.heard(signal.clientId, signal.data);
      else for (const listener of [...this.#signalListeners]) listener(signal);
    });
    this.#tellPresence();
    this.#publishSoon();
  }

  // What others do.

  #changed(flow: Flow, { patch, origin, clientId, document }: DocumentChange): void {
    const by = clientId === undefined || clientId === flow.clientId ? undefined : this.#author(clientId);
    if (origin !== "local") {
      this.#removedByOther(patch, document, by);
      if (origin !== "refused") this.#follow(patch, document, clientId);
      queueMicrotask(() => { this.#cleanUp(flow, patch); });
    }
    if (this.#projection.forget(document)) this.#tellPresence();
    this.#tell({ type: "changed", origin, patch, at: Date.now(), ...(by && { by }) });
    this.#link.look(); // whether something waits
    if (origin === "remote" || origin === "resumed") this.#publishSoon();
    else this.#publish();
  }

  #author(clientId: string): Author {
    const peer = this.#others.peer(clientId);
    return { clientId, ...(peer && { peer }) };
  }

  /** removedByOther tells where what is gone is what this person is busy with. */
  #removedByOther(patch: Patch, document: JsonObject, by: Author | undefined): void {
    const gone = (kind: Kind) => Object.keys(map(patch, kind)).filter((id) => !element(document, kind, id) && this.#shown(kind, id));
    const nodes = gone("nodes"), edges = gone("edges");
    const dragged = nodes.filter((id) => this.#gestures.isDragged(id));
    const edited = [...nodes, ...edges].filter((id) => id === this.#editing);
    const selected = [...nodes.filter((id) => this.#projection.localNodes.get(id)?.selected), ...edges.filter((id) => this.#projection.localEdges.has(id))];
    const [first] = [...dragged, ...edited, ...selected];
    if (first !== undefined) {
      const busy = new Set([...dragged, ...edited, ...selected]);
      this.#tell({
        type: "removedByOther",
        nodes: nodes.filter((id) => busy.has(id)),
        edges: edges.filter((id) => busy.has(id)),
        data: this.#shown("nodes", first)?.data ?? this.#shown("edges", first)?.data,
        ...(by && { by }),
        engaged: dragged.length > 0 ? "dragging" : edited.length > 0 ? "editing" : "selected",
      });
    }
    for (const id of nodes) {
      this.#gestures.letGo(id);
      this.#motion.stop(id);
    }
    if (this.#editing !== undefined && edited.length > 0) this.#editing = undefined;
    if (first !== undefined) this.#tellPresence();
  }

  #shown(kind: Kind, id: string): N | E | undefined { return kind === "nodes" ? this.#projection.node(id) : this.#projection.edge(id); }

  /** follow lets nodes that others have moved go to their places from where they are seen. */
  #follow(patch: Patch, document: JsonObject, clientId: string | undefined): void {
    const moved = Object.entries(map(patch, "nodes")).flatMap(([id, fieldsOf]) => {
      const to = positionOf(element(document, "nodes", id));
      const shown = this.#projection.node(id);
      if (!to || !shown || this.#gestures.holds(id) || typeof fieldsOf !== "object" || fieldsOf === null || !("position" in fieldsOf)) return [];
      this.#others.moved(id, clientId);
      return [{ id, from: shown.position, to, gently: !("parentId" in fieldsOf) }];
    });
    for (const { id, from, to, gently } of moved) {
      if (!gently || moved.length > MOST_MOVED) {
        this.#motion.stop(id);
        this.#projection.local(id, { position: undefined });
      } else {
        this.#projection.local(id, { position: from });
        this.#motion.move(id, from, to);
      }
    }
  }

  #draggedByOther(id: string, to: XYPosition | undefined): void {
    const shown = this.#projection.node(id);
    const place = to ?? positionOf(element(this.#document(), "nodes", id));
    if (!shown || !place || this.#gestures.holds(id)) return;
    this.#projection.local(id, { position: shown.position });
    this.#motion.move(id, shown.position, place);
  }

  /** moved shows where nodes are on their way. */
  #moved(moved: ReadonlyMap<string, XYPosition | undefined>): void {
    for (const [id, at] of moved) {
      if (this.#gestures.holds(id)) continue;
      this.#projection.local(id, { position: at ?? this.#others.dragging(id) });
    }
    this.#publish();
  }

  /** cleanUp deletes what this client's late edits left of elements that others had deleted meanwhile. */
  #cleanUp(flow: Flow, patch: Patch): void {
    // What comes back from the last page is on nothing until the flow is joined: then it is known what is there.
    if (this.client !== flow || !flow.position) return;
    const remnants: Record<string, JsonObject> = {};
    for (const kind of kinds) {
      for (const id of Object.keys(map(patch, kind))) {
        const here = map(flow.document, kind)[id];
        if (here === undefined || here === null || typeof (here as JsonObject)["type"] === "string" || Object.hasOwn(map(flow.serverDocument, kind), id)) continue;
        remnants[kind] = { ...remnants[kind], [id]: null };
      }
    }
    if (Object.keys(remnants).length > 0 && this.#link.takesChanges) void flow.change(remnants);
  }

  // Edits.

  #edit(patch: Patch, options: EditOptions = {}): void {
    if (this.#draft) { this.#draft.apply(patch); return; }
    const { client: flow } = this;
    if (!flow || !this.#link.takesChanges) return;
    const before = flow.document;
    // Only what changes something: what is so already would be set again over what somebody else is just making of it.
    const news = newsOf(patch, before);
    if (Object.keys(news).length === 0) return;
    const receipt = flow.change(news);
    if (flow.document === before) return;
    if (options.undo !== false) this.#history.made(before, flow.document, receipt, options.merge);
    this.#publish();
  }

  readonly transact = <T>(edit: () => T, options: EditOptions = {}): T => {
    if (this.#draft) return edit();
    const before = this.#document();
    const draft = this.#draft = new Draft(before);
    try {
      return edit();
    } finally {
      this.#draft = undefined;
      const patch = diff(before, draft.document);
      if (patch) this.#edit(patch, options);
      this.#publish();
    }
  };

  /** inOneGo gives a name that edits have until this task ends, and has them sent as one. */
  #inOneGo(): string {
    if (!this.#go) {
      const release = this.client?.hold();
      const go = this.#go = { name: `go ${String(++this.#goes)}`, end: () => { release?.(); if (this.#go === go) this.#go = undefined; } };
      queueMicrotask(go.end);
    }
    return this.#go.name;
  }

  readonly undo = (): boolean => this.#take("undo");
  readonly redo = (): boolean => this.#take("redo");

  #take(kind: "undo" | "redo"): boolean {
    const { client: flow } = this;
    if (!flow || this.#draft || !this.#link.takesChanges) return false;
    const step = this.#history.take(kind, flow.document);
    if (step.patch) {
      const before = flow.document;
      const receipt = flow.change(step.patch);
      step.done(before, flow.document, receipt);
    }
    if (step.kept) this.#tell({ type: "undoKept", kind, nothing: !step.patch });
    this.#publish();
    return step.patch !== undefined;
  }

  /** putBack does again what somebody else did at the same time as this person took something back. */
  #putBack(patch: Patch): void {
    const { client: flow } = this;
    if (!flow || !this.#link.takesChanges) return;
    void flow.change(patch);
  }

  readonly addNodes = (nodes: readonly N[], options?: EditOptions): void => {
    this.#edit(addition(this.#document(), nodes, []), options);
    this.#selectAdded(nodes, []);
  };

  readonly addEdges = (edges: readonly E[], options?: EditOptions): void => {
    this.#edit(addition(this.#document(), [], edges), options);
    this.#selectAdded([], edges);
  };

  #selectAdded(nodes: readonly N[], edges: readonly E[]): void {
    const chosen = { nodes: nodes.filter(({ selected }) => selected).map(({ id }) => id), edges: edges.filter(({ selected }) => selected).map(({ id }) => id) };
    if (chosen.nodes.length > 0 || chosen.edges.length > 0) this.select(chosen);
  }

  readonly setNode = (id: string, values: Partial<Omit<N, "id">>, options?: EditOptions): void => {
    if (!element(this.#document(), "nodes", id)) return;
    if (typeof values.selected === "boolean" && this.#projection.local(id, { selected: values.selected })) this.#tellPresence();
    const shared = Object.fromEntries(Object.entries(values).filter(([name]) => !localNodeFields.has(name)));
    if (Object.keys(shared).length > 0) this.#edit({ nodes: { [id]: fields(shared) } }, options);
    else this.#publish();
  };

  readonly setNodeData = (id: string, data: Readonly<Record<string, unknown>>, options?: EditOptions): void => {
    if (element(this.#document(), "nodes", id)) this.#edit({ nodes: { [id]: { data: fields(data) } } }, options);
  };

  readonly setEdge = (id: string, values: Partial<Omit<E, "id">>, options?: EditOptions): void => {
    if (!element(this.#document(), "edges", id)) return;
    const { selected, ...shared } = values as { selected?: boolean };
    if (typeof selected === "boolean" && this.#projection.localEdge(id, selected)) this.#tellPresence();
    if (Object.keys(shared).length > 0) this.#edit({ edges: { [id]: fields(shared) } }, options);
    else this.#publish();
  };

  readonly setEdgeData = (id: string, data: Readonly<Record<string, unknown>>, options?: EditOptions): void => {
    if (element(this.#document(), "edges", id)) this.#edit({ edges: { [id]: { data: fields(data) } } }, options);
  };

  readonly remove = ({ nodes = [], edges = [] }: Elements, options?: EditOptions): void => {
    const patch = removal(this.#document(), nodes, edges);
    if (patch) this.#edit(patch, options);
  };

  readonly patch = (patch: Patch, options?: EditOptions): void => { this.#edit(patch, options); };

  readonly replace = (document: FlowDocument, options?: EditOptions): void => {
    const wanted = JSON.parse(JSON.stringify(document)) as JsonObject;
    const patch = diff(this.#document(), wanted);
    if (patch) this.#edit(patch, options);
  };

  readonly paste = (elements: { readonly nodes: readonly N[]; readonly edges: readonly E[] }, by: XYPosition = { x: 24, y: 24 }, options?: EditOptions): ReadonlyMap<string, string> => {
    const { nodes, edges, ids } = pasted(elements, by);
    this.#edit(addition(this.#document(), nodes, edges), options);
    this.select({ nodes: nodes.map(({ id }) => id), edges: edges.map(({ id }) => id) });
    return ids;
  };

  // What React Flow tells.

  readonly onNodesChange: OnNodesChange<N> = (changes) => { this.#gestures.nodes(changes); };
  readonly onEdgesChange: OnEdgesChange<E> = (changes) => { this.#gestures.edges(changes); };

  readonly onConnect: OnConnect = (drawn: Drawn) => {
    const document = this.#document();
    if (!element(document, "nodes", drawn.source) || !element(document, "nodes", drawn.target) || connected(document, drawn)) return;
    const id = edgeId(drawn);
    const edge = { ...drawn, id: Object.hasOwn(map(document, "edges"), id) ? newId() : id } as unknown as E;
    this.#edit(addition(document, [], [edge]));
  };

  readonly onReconnect: OnReconnect<E> = (edge, { source, target, sourceHandle, targetHandle }) => {
    if (element(this.#document(), "edges", edge.id)) this.#edit({ edges: { [edge.id]: { source, target, sourceHandle, targetHandle } } });
  };

  /** React Flow has told of each removal before; what it did not know of, such as edges that nobody sees, goes here. */
  readonly onDelete: OnDelete<N, E> = ({ nodes, edges }) => {
    const patch = removal(this.#document(), nodes.map(({ id }) => id), edges.map(({ id }) => id));
    if (patch) this.#edit(patch, { merge: this.#inOneGo() });
  };

  // What others see of this person.

  readonly select = ({ nodes = [], edges = [] }: Elements = {}): void => {
    const document = this.#document();
    const chosenNodes = new Set(nodes), chosenEdges = new Set(edges);
    let changed = false;
    for (const id of new Set([...this.#projection.localNodes.keys(), ...chosenNodes])) {
      const selected = chosenNodes.has(id) && element(document, "nodes", id) !== undefined;
      changed = this.#projection.local(id, { selected }) || changed;
    }
    for (const id of new Set([...this.#projection.localEdges.keys(), ...chosenEdges])) {
      changed = this.#projection.localEdge(id, chosenEdges.has(id) && element(document, "edges", id) !== undefined) || changed;
    }
    if (changed) this.#tellPresence();
    this.#publish();
  };

  readonly setUser = (user: Partial<User>): void => {
    this.#user = { ...(this.#user ?? { name: "" }), ...user };
    this.#tellPresence();
  };

  readonly setEditing = (id: string | undefined): void => {
    if (id === this.#editing) return;
    this.#editing = id;
    this.#tellPresence();
  };

  readonly signal = (type: string, data: Json): void => { this.client?.signal(type, data); };
  readonly setCursor = (position: XYPosition | undefined): void => { this.#live.setCursor(position); };
  readonly setView = (view: View): void => { this.#live.setView(view); };

  readonly onView = (clientId: string, listener: (view: View) => void): (() => void) => {
    const listeners = this.#viewListeners.get(clientId) ?? new Set();
    this.#viewListeners.set(clientId, listeners);
    const forget = listen(listeners, listener);
    const known = this.#others.view(clientId);
    if (known) listener(known);
    return () => {
      forget();
      if (listeners.size === 0) this.#viewListeners.delete(clientId);
    };
  };

  #tellPresence(): void {
    this.#presenceTimer ??= setTimeout(() => {
      this.#presenceTimer = undefined;
      const { client: flow } = this;
      if (!flow || !this.#user || !this.#link.shown) return;
      const nodes = [...this.#projection.localNodes].filter(([, { selected }]) => selected).map(([id]) => id);
      flow.presence.update(presenceOf(this.#user, nodes, [...this.#projection.localEdges.keys()], this.#editing));
    }, PRESENCE_MS);
  }
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

function positionOf(record: JsonObject | undefined): XYPosition | undefined {
  const position = record?.["position"];
  return typeof position === "object" && position !== null ? position as unknown as XYPosition : undefined;
}
