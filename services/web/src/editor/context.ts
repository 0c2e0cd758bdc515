// What every part of the editor may ask for: the flow, what can be done, and which panels are open.
import { createContext, use } from "react";
import type { HelixFlow } from "@helix/react";
import type { Commands } from "./useCommands.ts";
import type { BuilderEdge, BuilderFlow, BuilderNode } from "./types.ts";

export type SidePanel = "properties" | "history" | undefined;
export type Tool = "hand" | "select";

export interface EditorUi {
  readonly panel: SidePanel;
  setPanel: (panel: SidePanel) => void;
  readonly tool: Tool;
  setTool: (tool: Tool) => void;
  readonly snapping: boolean;
  setSnapping: (snapping: boolean) => void;
  /** The node whose name is being edited on the canvas. */
  readonly renaming: string | undefined;
  setRenaming: (id: string | undefined) => void;
  readonly sheet: "find" | "help" | undefined;
  setSheet: (sheet: "find" | "help" | undefined) => void;
}

export interface EditorParts {
  readonly flow: BuilderFlow;
  readonly commands: Commands;
  readonly ui: EditorUi;
}

export const EditorContext = createContext<EditorParts | undefined>(undefined);

export function useEditor(): EditorParts {
  const parts = use(EditorContext);
  if (!parts) throw new Error("This belongs inside the editor.");
  return parts;
}

/** What of the editor stays the same while the flow changes: for the many nodes, which must not be drawn anew for it. */
export interface NodeUi {
  readonly renaming: string | undefined;
  readonly editable: boolean;
  rename: (id: string, label: string) => void;
  startRenaming: (id: string) => void;
  stopRenaming: () => void;
  openComments: (id: string) => void;
  openEdge: (id: string) => void;
}

export const NodeUiContext = createContext<NodeUi | undefined>(undefined);

export function useNodeUi(): NodeUi | undefined { return use(NodeUiContext); }

export type AnyFlow = HelixFlow<BuilderNode, BuilderEdge>;
