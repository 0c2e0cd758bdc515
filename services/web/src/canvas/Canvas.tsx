import { useCallback, useMemo, useState, type DragEvent, type MouseEvent as ReactMouseEvent } from "react";
import { Background, BackgroundVariant, MarkerType, MiniMap, ReactFlow, SelectionMode, useReactFlow, useStore, type Connection, type Edge, type FinalConnectionState, type NodeTypes } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { Cursors, Selections } from "@helix/react";
import { useEditor } from "../editor/context.ts";
import type { BuilderEdge, BuilderNode } from "../editor/types.ts";
import { useSteadyNodes } from "../editor/useSteadyNodes.ts";
import { GROUP, grid, kindOf, type Point } from "../model/document.ts";
import { isKind, kinds } from "../model/kinds.ts";
import { text } from "../text.ts";
import { decorate, decorateEdges } from "./decorate.ts";
import { fitOptions } from "./fit.ts";
import { GroupNode } from "./GroupNode.tsx";
import { KindNode } from "./KindNode.tsx";
import { LabelledEdge } from "./LabelledEdge.tsx";
import { QuickAdd } from "./QuickAdd.tsx";
import { ViewBar } from "./ViewBar.tsx";
import "./canvas.css";

export const nodeTypes: NodeTypes = { ...Object.fromEntries(kinds.map((kind) => [kind, KindNode])), group: GroupNode, other: KindNode };
export const edgeTypes = { labelled: LabelledEdge };
export const defaultEdgeOptions = { markerEnd: { type: MarkerType.Arrow, width: 16, height: 16, color: "var(--edge)" } } as const;

/** What a drag from the palette carries. */
export const KIND_TYPE = "application/x-helix-kind";

const snapGrid: [number, number] = [grid, grid];
const several = ["Shift", "Meta", "Control"];
const proOptions = { hideAttribution: true } as const;
const kindColor = (node: BuilderNode) => node.type === GROUP ? "var(--surface-3)" : `var(--kind-${kindOf(node) ?? "other"})`;

/** Below this zoom words cannot be read, and are not drawn. */
const READABLE = 0.45;

/** Canvas is the flow itself. */
export function Canvas() {
  const { flow, commands, ui } = useEditor();
  const { screenToFlowPosition } = useReactFlow<BuilderNode, BuilderEdge>();
  const { nodes, edges, editable } = flow;
  const drawn = useMemo(() => decorate(nodes), [nodes]);
  const steady = useSteadyNodes(nodes);
  const drawnEdges = useMemo(() => decorateEdges(edges, steady), [edges, steady]);
  const far = useStore((state) => state.transform[2] < READABLE);
  const [quick, setQuick] = useState<{ at: Point; screen: Point; from: { id: string; direction: "out" | "in" } }>();
  const [full] = useState(nodes.length > 0); // where nothing is yet, what comes first stays where it is put

  const isValidConnection = useCallback(({ source, target }: Connection | Edge) => commands.canConnect({ source, target }), [commands]);
  const onConnect = useCallback(({ source, target }: Connection) => { commands.connect({ source, target }); }, [commands]);
  const onConnectEnd = useCallback((event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
    const { fromNode, fromHandle, toNode } = state;
    if (!fromNode) return;
    const { source, target } = fromHandle.type === "source" ? { source: fromNode.id, target: toNode?.id } : { source: toNode?.id, target: fromNode.id };
    if (toNode) {
      if (!state.isValid && source && target) commands.connect({ source, target }); // says why not
      return;
    }
    const point = "changedTouches" in event ? event.changedTouches[0] : event;
    if (!point) return;
    const screen = { x: point.clientX, y: point.clientY };
    setQuick({ at: screenToFlowPosition(screen), screen, from: { id: fromNode.id, direction: fromHandle.type === "source" ? "out" : "in" } });
  }, [commands, screenToFlowPosition]);

  const onDragOver = useCallback((event: DragEvent) => {
    if (!event.dataTransfer.types.includes(KIND_TYPE)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  }, []);
  const onDrop = useCallback((event: DragEvent) => {
    const kind = event.dataTransfer.getData(KIND_TYPE);
    if (!isKind(kind)) return;
    event.preventDefault();
    commands.add(kind, screenToFlowPosition({ x: event.clientX, y: event.clientY }));
  }, [commands, screenToFlowPosition]);

  const { setPanel } = ui;
  const openProperties = useCallback((event: ReactMouseEvent) => {
    if (!event.shiftKey && !event.metaKey && !event.ctrlKey) setPanel("properties");
  }, [setPanel]);
  const selecting = ui.tool === "select";

  return (
    <div className={`canvas${far ? " far" : ""}${selecting ? " selecting" : ""}`} role="region" aria-label={text.editor.canvas} onDragOver={onDragOver} onDrop={onDrop}>
      <ReactFlow<BuilderNode, BuilderEdge>
        nodes={drawn}
        edges={drawnEdges}
        onNodesChange={flow.onNodesChange}
        onEdgesChange={flow.onEdgesChange}
        onConnect={onConnect}
        onConnectEnd={onConnectEnd}
        isValidConnection={isValidConnection}
        onNodeClick={openProperties}
        onEdgeClick={openProperties}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        defaultEdgeOptions={defaultEdgeOptions}
        nodesDraggable={editable}
        nodesConnectable={editable}
        edgesReconnectable={false}
        onlyRenderVisibleElements
        elevateNodesOnSelect
        deleteKeyCode={null}
        multiSelectionKeyCode={several}
        selectionOnDrag={selecting}
        panOnDrag={selecting ? [1, 2] : true}
        selectionMode={SelectionMode.Partial}
        snapToGrid={ui.snapping}
        snapGrid={snapGrid}
        connectionRadius={36}
        minZoom={0.05}
        maxZoom={2.5}
        zoomOnDoubleClick={false}
        fitView={full}
        fitViewOptions={fitOptions()}
        proOptions={proOptions}
      >
        <Background variant={BackgroundVariant.Dots} gap={2 * grid} size={2} color="var(--dot)" />
        <Selections />
        <Cursors />
        <MiniMap<BuilderNode> className="minimap" pannable zoomable ariaLabel={text.editor.minimap} nodeColor={kindColor} nodeBorderRadius={14} maskColor="var(--minimap-mask)" bgColor="var(--surface)" />
        <ViewBar />
      </ReactFlow>
      {quick && (
        <QuickAdd
          at={quick.screen}
          onClose={() => { setQuick(undefined); }}
          onPick={(kind) => { commands.add(kind, { x: quick.at.x + (quick.from.direction === "out" ? 112 : -112), y: quick.at.y }, quick.from); setQuick(undefined); }}
        />
      )}
    </div>
  );
}
