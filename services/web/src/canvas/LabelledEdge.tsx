import { memo } from "react";
import { BaseEdge, EdgeLabelRenderer, getBezierPath, type EdgeProps } from "@xyflow/react";
import { useNodeUi } from "../editor/context.ts";
import { textOf } from "../editor/names.ts";

/** LabelledEdge is a curve with its label in the middle. */
export const LabelledEdge = memo(function LabelledEdge({ id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, label, selected, markerEnd }: EdgeProps) {
  const [path, x, y] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const ui = useNodeUi();
  const words = textOf(label);
  return (
    <>
      <BaseEdge id={id} path={path} interactionWidth={22} {...(markerEnd && { markerEnd })} />
      {words && (
        <EdgeLabelRenderer>
          <div className={selected ? "edge-label nopan selected" : "edge-label nopan"} onClick={() => { ui?.openEdge(id); }} style={{ transform: `translate(-50%, -50%) translate(${String(x)}px, ${String(y)}px)` }}>{words}</div>
        </EdgeLabelRenderer>
      )}
    </>
  );
});
