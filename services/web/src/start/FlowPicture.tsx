import { memo, useMemo } from "react";
import type { FlowDocument } from "../model/document.ts";
import { pictureOf } from "../model/picture.ts";

/** What a small picture shows at most: more is not to be told apart. */
const MOST_NODES = 300;
const MOST_EDGES = 500;
/** Small flows are not blown up. */
const LEAST = { width: 760, height: 420 };

/** FlowPicture is a small picture of a flow. What is in it is told in words beside it. */
export const FlowPicture = memo(function FlowPicture({ flow }: { readonly flow: FlowDocument }) {
  const { nodes, edges, bounds } = useMemo(() => pictureOf(flow), [flow]);
  const width = Math.max(bounds.width + 80, LEAST.width);
  const height = Math.max(bounds.height + 80, LEAST.height);
  const x = bounds.x - (width - bounds.width) / 2;
  const y = bounds.y - (height - bounds.height) / 2;
  // Lines keep their width on the screen, whatever the flow's size.
  return (
    <svg className="picture" viewBox={`${String(x)} ${String(y)} ${String(width)} ${String(height)}`} aria-hidden="true" focusable="false">
      {nodes.slice(0, MOST_NODES).map((node) => node.kind === "group" && (
        <rect key={node.id} className="picture-group" x={node.x} y={node.y} width={node.width} height={node.height} rx={22} />
      ))}
      {edges.slice(0, MOST_EDGES).map((edge) => <path key={edge.id} className="picture-edge" d={edge.path} />)}
      {nodes.slice(0, MOST_NODES).map((node) => node.kind !== "group" && (
        <g key={node.id} className={`kind-${node.kind ?? "other"}`}>
          <rect className="picture-node" x={node.x} y={node.y} width={node.width} height={node.height} rx={18} />
          <rect className="picture-tile" x={node.x + 12} y={node.y + 12} width={40} height={Math.max(0, node.height - 24)} rx={11} />
          <rect className="picture-word" x={node.x + 66} y={node.y + node.height / 2 - 6} width={Math.min(node.width - 90, 40 + node.label.length * 6)} height={12} rx={6} />
        </g>
      ))}
    </svg>
  );
});
