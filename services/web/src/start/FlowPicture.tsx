import { memo, useMemo } from "react";
import { GROUP, type FlowDocument } from "../model/document.ts";
import { boundsOf, curve, pictureOf, type NodeShape } from "../model/picture.ts";

/** What a small picture shows at most: more is not to be told apart. */
const MOST_NODES = 300;
const MOST_EDGES = 500;
/** Small flows are not blown up. */
const LEAST = { width: 760, height: 420 };

/** Wide flows are drawn taller than they are, and nodes larger: a small picture is to be recognised, not measured. */
const ASPECT = 16 / 9;
const MOST_STRETCH = 2.6;
const GROWN = { width: 1.08, height: 1.5 };

/** FlowPicture is a small picture of a flow. What is in it is told in words beside it. */
export const FlowPicture = memo(function FlowPicture({ flow }: { readonly flow: FlowDocument }) {
  const { nodes, edges, view } = useMemo(() => draw(flow), [flow]);
  // Lines keep their width on the screen, whatever the flow's size.
  return (
    <svg className="picture" viewBox={view} aria-hidden="true" focusable="false">
      {nodes.map((node) => node.kind === GROUP && <rect key={node.id} className="picture-group" x={node.x} y={node.y} width={node.width} height={node.height} rx={26} />)}
      {edges.map((edge) => <path key={edge.id} className="picture-edge" d={edge.path} />)}
      {nodes.map((node) => node.kind !== GROUP && (
        <g key={node.id} className={`kind-${node.kind ?? "other"}`}>
          <rect className="picture-node" x={node.x} y={node.y} width={node.width} height={node.height} rx={22} />
          <rect className="picture-tile" x={node.x + 16} y={node.y + 16} width={64} height={Math.max(0, node.height - 32)} rx={14} />
          <rect className="picture-word" x={node.x + 98} y={node.y + node.height / 2 - 8} width={Math.max(30, Math.min(node.width - 122, 40 + node.label.length * 7))} height={16} rx={8} />
        </g>
      ))}
    </svg>
  );
});

function draw(flow: FlowDocument) {
  const { nodes, bounds } = pictureOf(flow);
  const stretch = bounds.height > 0 ? Math.min(MOST_STRETCH, Math.max(1, bounds.width / ASPECT / bounds.height)) : 1;
  const shapes = nodes.slice(0, MOST_NODES).map((node): NodeShape => {
    if (node.kind === GROUP) return { ...node, y: node.y * stretch, height: node.height * stretch };
    const [width, height] = [node.width * GROWN.width, node.height * Math.min(stretch, GROWN.height)];
    const middle = (node.y + node.height / 2) * stretch;
    return { ...node, x: node.x - (width - node.width) / 2, y: middle - height / 2, width, height };
  });
  const byId = new Map(shapes.map((shape) => [shape.id, shape]));
  const edges = Object.entries(flow.edges ?? {}).slice(0, MOST_EDGES).flatMap(([id, edge]) => {
    const [from, to] = [byId.get(edge.source), byId.get(edge.target)];
    return from && to ? [{ id, path: curve(from, to).path }] : [];
  });
  const box = boundsOf(shapes);
  const width = Math.max(box.width + 120, LEAST.width);
  const height = Math.max(box.height + 120, LEAST.height);
  const view = [box.x - (width - box.width) / 2, box.y - (height - box.height) / 2, width, height].map(Math.round).join(" ");
  return { nodes: shapes, edges, view };
}
