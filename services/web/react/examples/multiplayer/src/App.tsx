import { Background, Controls, MiniMap, Panel, ReactFlow } from "@xyflow/react";
import { Cursors, Selections, useHelixFlow } from "@helix/react";
import "@xyflow/react/dist/style.css";

const flowId = new URLSearchParams(location.search).get("flow") ?? "multiplayer";
const name = new URLSearchParams(location.search).get("name") ?? `Guest ${String(Math.floor(Math.random() * 100))}`;

export default function App() {
  const flow = useHelixFlow({ url: "/socket", flowId, user: { name } });
  const add = () => {
    const count = flow.nodes.length;
    flow.addNodes([{ id: crypto.randomUUID(), position: { x: 40 * count, y: 80 * count }, data: { label: `Node ${String(count + 1)}` } }]);
  };
  return (
    <ReactFlow {...flow.props} fitView>
      <Background />
      <Controls />
      <MiniMap />
      <Cursors flow={flow.session} />
      <Selections flow={flow.session} />
      <Panel position="top-left">
        <button onClick={add} disabled={!flow.editable}>Add a node</button>
        <button onClick={flow.undo} disabled={!flow.canUndo}>Undo</button>
        <button onClick={flow.redo} disabled={!flow.canRedo}>Redo</button>
        <output> {flow.status.name}, {[name, ...flow.others.map((peer) => peer.name)].join(", ")}</output>
      </Panel>
    </ReactFlow>
  );
}
