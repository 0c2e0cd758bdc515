import { useMemo } from "react";
import { Background, BackgroundVariant, ReactFlow, ReactFlowProvider } from "@xyflow/react";
import { RotateCcw, X } from "lucide-react";
import { elementsOf } from "../editor/elements.ts";
import { grid } from "../model/document.ts";
import type { Preview } from "../panels/History.tsx";
import { text } from "../text.ts";
import { fullTime } from "../time.ts";
import { defaultEdgeOptions, edgeTypes, nodeTypes } from "./Canvas.tsx";
import { decorate, decorateEdges } from "./decorate.ts";

interface PreviewCanvasProps {
  readonly preview: Preview;
  readonly editable: boolean;
  readonly onRestore: () => void;
  readonly onClose: () => void;
}

/** PreviewCanvas shows a kept version, to look at only. */
export function PreviewCanvas({ preview, editable, onRestore, onClose }: PreviewCanvasProps) {
  const { nodes, edges } = useMemo(() => {
    const read = elementsOf(preview.document);
    return { nodes: decorate(read.nodes), edges: decorateEdges(read.edges, read.nodes) };
  }, [preview]);
  const when = fullTime(preview.version.at);
  return (
    <div className="preview" role="region" aria-label={text.history.previewing(when)}>
      <ReactFlowProvider key={preview.version.id}>
        <ReactFlow nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes} defaultEdgeOptions={defaultEdgeOptions} nodesDraggable={false} nodesConnectable={false} elementsSelectable={false} nodesFocusable={false} edgesFocusable={false} minZoom={0.05} fitView proOptions={{ hideAttribution: true }}>
          <Background variant={BackgroundVariant.Dots} gap={2 * grid} size={2} color="var(--dot)" />
        </ReactFlow>
      </ReactFlowProvider>
      <div className="preview-bar bar" role="status">
        <p>{preview.version.name ? `${preview.version.name}, ${when}` : text.history.previewing(when)}</p>
        {editable && <button type="button" className="button primary small" onClick={onRestore}><RotateCcw size={14} />{text.history.restore}</button>}
        <button type="button" className="button small" onClick={onClose}><X size={14} />{text.history.back}</button>
      </div>
    </div>
  );
}
