// @vitest-environment jsdom
// The hooks and components as an app has them: in React's strict mode, around a real <ReactFlow>.
import { act, cleanup, render, screen } from "@testing-library/react";
import { ReactFlow, ReactFlowProvider, type Node, type NodeProps } from "@xyflow/react";
import { StrictMode, useEffect } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Sim } from "../../client/test/sim.ts";
import { Cursors, HelixProvider, Selections, useFlowState, useFollow, useHelix, useHelixFlow, usePresence, type FlowEvent, type FlowSession, type HelixFlow, type UseHelixFlowOptions } from "../src/index.ts";

let sim: Sim;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance", "requestAnimationFrame", "cancelAnimationFrame"] });
  sim = new Sim();
  // What jsdom has not: sizes, and who tells of them.
  vi.stubGlobal("ResizeObserver", class {
    readonly #tell: ResizeObserverCallback;
    constructor(tell: ResizeObserverCallback) { this.#tell = tell; }
    observe(target: Element) { queueMicrotask(() => { this.#tell([{ target } as ResizeObserverEntry], this); }); }
    unobserve() { /* nothing */ }
    disconnect() { /* nothing */ }
  });
  vi.stubGlobal("DOMMatrixReadOnly", class { m22 = 1; });
  vi.spyOn(HTMLElement.prototype, "offsetWidth", "get").mockReturnValue(100);
  vi.spyOn(HTMLElement.prototype, "offsetHeight", "get").mockReturnValue(40);
  vi.spyOn(console, "error");
  vi.spyOn(console, "warn");
});
afterEach(async () => {
  cleanup();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(console.error).not.toHaveBeenCalled();
  expect(console.warn).not.toHaveBeenCalled();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function settle(ms = 100): Promise<void> {
  await act(async () => {
    for (let i = 0; i < 4; i++) {
      await vi.advanceTimersByTimeAsync(ms / 4);
      await sim.settle();
    }
  });
}

const options = (more: Partial<UseHelixFlowOptions> = {}): UseHelixFlowOptions => ({ url: "ws://sim/socket", flowId: "f", transport: sim.transport(), store: false, user: { name: "Ann" }, ...more });

let flow: HelixFlow;
let renders = 0;

function App(more: Partial<UseHelixFlowOptions>) {
  const now = useHelixFlow(options(more));
  renders++;
  useEffect(() => { flow = now; });
  return (
    <HelixProvider flow={now.session}>
      <div style={{ width: 800, height: 600 }}>
        <ReactFlow {...now.props}>
          <Cursors />
          <Selections />
          <Panel />
        </ReactFlow>
      </div>
    </HelixProvider>
  );
}

let follow: ReturnType<typeof useFollow>;

function Panel() {
  const { others, at } = usePresence();
  const title = useFlowState((state) => state.document.title);
  const following = useFollow();
  const session = useHelix();
  useEffect(() => { follow = following; });
  return <output>{`${title ?? "untitled"}: ${others.map(({ name }) => name).join()} (${at("a").map(({ name }) => name).join()}) ${session.flowId} ${following.following?.name ?? "nobody"}`}</output>;
}

const give = (event: string, payload: object) => { sim.links.filter(({ up }) => up).at(-1)?.give([null, null, "flow:f", event, payload as Record<string, unknown>]); };

test("a flow in strict mode: what others do is shown, what I do goes out, once", async () => {
  sim.change("bob", { title: "Support", nodes: { a: { type: "default", position: { x: 10, y: 20 }, data: { label: "Ask" } } } }, 0);
  render(<StrictMode><App /></StrictMode>);
  await settle();
  expect(screen.getByText("Ask")).toBeDefined();
  expect(screen.getByText("Support: () f nobody")).toBeDefined();
  expect(flow).toMatchObject({ status: { name: "live" }, loaded: true, editable: true, canUndo: false });
  expect(sim.links.filter(({ up }) => up)).toHaveLength(1);

  act(() => { flow.addNodes([{ id: "b", position: { x: 0, y: 100 }, data: { label: "Answer" } }]); });
  act(() => { flow.onConnect({ source: "a", target: "b", sourceHandle: null, targetHandle: null }); });
  expect(screen.getByText("Answer")).toBeDefined();
  expect(flow).toMatchObject({ canUndo: true, edges: [{ id: "a>b", source: "a", target: "b" }] });
  await settle();
  expect(sim.history).toHaveLength(3);
  expect(flow.nodes.map(({ measured }) => measured)).toEqual([{ width: 100, height: 40 }, { width: 100, height: 40 }]);

  act(() => { flow.undo(); flow.undo(); });
  await settle();
  expect(screen.queryByText("Answer")).toBeNull();
  expect(sim.document).toMatchObject({ title: "Support", edges: {} });
});

test("actions are the same functions all the time, and cursors render nothing but themselves", async () => {
  render(<App />);
  await settle();
  const { undo, onNodesChange, session, setNode } = flow;
  give("presence_state", { bob: { metas: [{ phx_ref: "1", name: "Bob", color: "#00f", nodes: ["a"] }] } });
  act(() => { flow.addNodes([{ id: "a", position: { x: 0, y: 0 }, data: { label: "A" } }]); });
  await settle();
  expect(flow).toMatchObject({ undo, onNodesChange, session, setNode });
  expect(screen.getByText(/untitled: Bob \(Bob\)/)).toBeDefined();
  expect(document.querySelector(".helix-selection")?.textContent).toBe("Bob");
  const before = renders;
  give("signal", { type: "helix:live", data: { c: [5, 6] }, client_id: "bob" });
  await settle();
  const cursor = document.querySelector<HTMLElement>(".helix-cursor");
  expect(cursor?.textContent).toBe("Bob");
  expect(cursor?.style.transform).toContain("translate(5px, 6px)");
  give("signal", { type: "helix:live", data: { c: [50, 60] }, client_id: "bob" });
  await settle();
  expect(document.querySelector<HTMLElement>(".helix-cursor")?.style.transform).toContain("translate(50px, 60px)");
  expect(renders).toBe(before);
  await settle(40_000);
  expect(document.querySelector(".helix-cursor")).toBeNull(); // it did not move for half a minute
});

test("another flow id is another flow; its events come to the newest function", async () => {
  sim.change("bob", { nodes: { a: { type: "default", position: { x: 0, y: 0 }, data: { label: "A" } } } }, 0);
  const heard: [string, FlowEvent["type"]][] = [];
  const view = render(<App onEvent={(event) => { heard.push(["first", event.type]); }} />);
  await settle();
  const { session } = flow;
  view.rerender(<App onEvent={(event) => { heard.push(["second", event.type]); }} />);
  act(() => { flow.select({ nodes: ["a"] }); });
  sim.change("bob", { nodes: { a: null } }, 0);
  await settle();
  expect(heard).toContainEqual(["second", "removedByOther"]);
  view.rerender(<App flowId="g" />);
  await settle();
  expect(flow.session).not.toBe(session);
  expect(flow.session.flowId).toBe("g");
  expect(session.getState().status).toEqual({ name: "closed" });
  expect(sim.joins.length).toBe(2);
});

test("following moves my view to theirs, and ends when they leave", async () => {
  vi.stubGlobal("matchMedia", () => ({ matches: true })); // as for who wants no motion
  render(<ReactFlowProvider><App /></ReactFlowProvider>);
  await settle();
  const bob = { metas: [{ phx_ref: "1", name: "Bob" }] };
  give("presence_state", { bob });
  await settle();
  act(() => { follow.follow("bob"); });
  give("signal", { type: "helix:live", data: { v: [500, 300, 1, 100, 40] }, client_id: "bob" });
  await settle(1_000);
  expect(screen.getByText(/f Bob$/)).toBeDefined();
  expect(document.querySelector<HTMLElement>(".react-flow__viewport")?.style.transform).toBe("translate(-450px,-280px) scale(1)");
  give("presence_diff", { joins: {}, leaves: { bob } });
  await settle();
  expect(screen.getByText(/f nobody$/)).toBeDefined();
  give("presence_diff", { joins: { bob }, leaves: {} });
  await settle();
  act(() => { follow.follow("bob"); });
  expect(screen.getByText(/f Bob$/)).toBeDefined();
  act(() => { document.querySelector(".react-flow__pane")?.dispatchEvent(new MouseEvent("pointerdown", { bubbles: true })); });
  expect(screen.getByText(/f nobody$/)).toBeDefined();
});

test("a component without a flow says what is missing", () => {
  vi.mocked(console.error).mockImplementation(() => undefined);
  expect(() => render(<ReactFlow><Cursors /></ReactFlow>)).toThrow(/HelixProvider/);
  vi.mocked(console.error).mockClear();
});

test("nodes and edges have the app's own types", () => {
  type Skill = Node<{ label: string; cost: number }, "skill">;
  const typed = (session: FlowSession<Skill>) => {
    session.setNodeData("a", { cost: 1 });
    return session.getState().nodes.map(({ data }) => data.cost.toFixed(1));
  };
  const Component = ({ data }: NodeProps<Skill>) => <b>{data.label}</b>;
  expect([typed, Component]).toHaveLength(2);
});
