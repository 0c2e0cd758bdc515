import { Background, Controls, Panel, ReactFlow } from "@xyflow/react";
import { Cursors, Selections, useHelixFlow } from "@helix/react";
import "@xyflow/react/dist/style.css";

const asked = new URLSearchParams(location.search);
const flowId = asked.get("flow") ?? "multiplayer";
const name = asked.get("name") ?? `Guest ${String(Math.floor(Math.random() * 100))}`;

export default function App() {
  const flow = useHelixFlow({ url: "/socket", flowId, user: { name } });
  const add = () => {
    const n = flow.nodes.length;
    flow.addNodes([{ id: crypto.randomUUID(), position: { x: 40 * n, y: 80 * n }, data: { label: `Node ${String(n + 1)}` } }]);
  };
  return (
    <ReactFlow {...flow.props} fitView>
      <Background />
      <Controls />
      <Cursors flow={flow.session} />
      <Selections flow={flow.session} />
      <Panel position="top-left">
        <button onClick={add} disabled={!flow.editable}>Add a node</button>
        <button onClick={flow.undo} disabled={!flow.canUndo}>Undo</button>
        <button onClick={flow.redo} disabled={!flow.canRedo}>Redo</button>
        <output> {flow.status.name}: {[name, ...flow.others.map((peer) => peer.name)].join(", ")}</output>
      </Panel>
    </ReactFlow>
  );
}
