import { memo } from "react";
import { BaseEdge, EdgeLabelRenderer, getBezierPath, type EdgeProps } from "@xyflow/react";
import { textOf } from "../editor/names.ts";

/** LabelledEdge is a curve with its label in the middle. */
export const LabelledEdge = memo(function LabelledEdge({ id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, label, selected, markerEnd }: EdgeProps) {
  const [path, x, y] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const words = textOf(label);
  return (
    <>
      <BaseEdge id={id} path={path} interactionWidth={22} {...(markerEnd && { markerEnd })} />
      {words && (
        <EdgeLabelRenderer>
          <div className={selected ? "edge-label selected" : "edge-label"} style={{ transform: `translate(-50%, -50%) translate(${String(x)}px, ${String(y)}px)` }}>{words}</div>
        </EdgeLabelRenderer>
      )}
    </>
  );
});
