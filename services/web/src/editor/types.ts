import type { Edge, Node } from "@xyflow/react";
import type { HelixFlow } from "@helix/react";
import type { NodeData } from "../model/document.ts";

export type BuilderNode = Node<NodeData>;
export type BuilderEdge = Edge;
export type BuilderFlow = HelixFlow<BuilderNode, BuilderEdge>;
