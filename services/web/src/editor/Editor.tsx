import { useCallback, useEffect, useMemo, useState } from "react";
import { useFollow } from "@helix/react";
import { Canvas } from "../canvas/Canvas.tsx";
import { PreviewCanvas } from "../canvas/PreviewCanvas.tsx";
import { SelectionBar } from "../canvas/SelectionBar.tsx";
import { History, type Preview } from "../panels/History.tsx";
import { Notice } from "../panels/Notice.tsx";
import { Palette } from "../panels/Palette.tsx";
import { Following } from "../panels/People.tsx";
import { Properties } from "../panels/Properties.tsx";
import { text } from "../text.ts";
import { fullTime } from "../time.ts";
import { toast } from "../ui/toasts.tsx";
import { EditorContext, NodeUiContext, type EditorParts, type EditorUi, type NodeUi, type SidePanel, type Tool } from "./context.ts";
import { FindBox } from "./FindBox.tsx";
import { HelpSheet } from "./HelpSheet.tsx";
import { textOf } from "./names.ts";
import { TopBar } from "./TopBar.tsx";
import type { BuilderFlow } from "./types.ts";
import { useCommands } from "./useCommands.ts";
import { useShortcuts } from "./useShortcuts.ts";
import "./editor.css";
import "../panels/panels.css";

const SNAP_KEY = "helix.snap";

/** Editor is one flow: bars, panels, canvas. */
export function Editor({ flow }: { readonly flow: BuilderFlow }) {
  const commands = useCommands(flow);
  const follow = useFollow(flow.session);
  const [panel, setPanelState] = useState<SidePanel>();
  const [tool, setTool] = useState<Tool>("hand");
  const [snapping, setSnappingState] = useState(() => { try { return localStorage.getItem(SNAP_KEY) === "on"; } catch { return false; } });
  const [renaming, setRenaming] = useState<string>();
  const [sheet, setSheet] = useState<"find" | "help">();
  const [preview, setPreview] = useState<Preview>();

  const setPanel = useCallback((next: SidePanel) => {
    setPanelState(next);
    if (next !== "history") setPreview(undefined);
  }, []);

  const setSnapping = useCallback((on: boolean) => {
    setSnappingState(on);
    try { localStorage.setItem(SNAP_KEY, on ? "on" : "off"); } catch { /* no storage: then for this page */ }
  }, []);
  const ui = useMemo((): EditorUi => ({ panel, setPanel, tool, setTool, snapping, setSnapping, renaming, setRenaming, sheet, setSheet }), [panel, setPanel, tool, snapping, setSnapping, renaming, sheet]);
  const parts = useMemo((): EditorParts => ({ flow, commands, ui }), [flow, commands, ui]);
  useShortcuts(parts);

  const { session, editable } = flow;
  const nodeUi = useMemo((): NodeUi => ({
    renaming,
    editable,
    rename: (id, label) => { session.setNodeData(id, { label: label || null }); },
    startRenaming: (id) => {
      if (!editable) return;
      session.setEditing(id);
      setRenaming(id);
    },
    stopRenaming: () => {
      session.setEditing(undefined);
      setRenaming(undefined);
    },
    openEdge: (id) => {
      session.select({ edges: [id] });
      setPanel("properties");
    },
    openComments: (id) => {
      session.select({ nodes: [id] });
      setPanel("properties");
      requestAnimationFrame(() => { document.getElementById("new-comment")?.focus(); });
    },
  }), [renaming, editable, session, setPanel]);

  const title = textOf(flow.document.title) || text.untitled;
  useEffect(() => { document.title = `${title} · ${text.product}`; }, [title]);

  const restore = ({ version, document }: Preview) => {
    flow.replace(document as Parameters<typeof flow.replace>[0]);
    setPreview(undefined);
    setPanel(undefined);
    toast(text.history.restored(fullTime(version.at)), { action: { label: text.editor.undo, run: () => { session.undo(); } } });
  };
  const empty = flow.loaded && flow.nodes.length === 0 && !preview;

  return (
    <EditorContext value={parts}>
      <NodeUiContext value={nodeUi}>
        <div className="editor">
          <TopBar follow={follow} />
          <main className="editor-main" data-loaded={flow.loaded} data-nodes={flow.nodes.length} data-edges={flow.edges.length}>
            <div className="stage">
              {flow.loaded ? <Canvas /> : <div className="page-loading" role="status">{(flow.status.name === "joining" || flow.status.name === "live") && text.editor.loading}</div>}
              {empty && (
                <div className="canvas-empty"><h2>{text.editor.emptyTitle}</h2><p>{flow.editable ? text.editor.empty : text.editor.emptyReadOnly}</p></div>
              )}
              {preview && (
                <NodeUiContext value={undefined}>
                  <PreviewCanvas preview={preview} editable={flow.editable} onRestore={() => { restore(preview); }} onClose={() => { setPreview(undefined); }} />
                </NodeUiContext>
              )}
              {!preview && <Palette />}
              <Following follow={follow} />
              <div className="stage-top">
                <Notice />
                {!preview && <SelectionBar />}
              </div>
            </div>
            {panel === "properties" && <Properties />}
            {panel === "history" && <History preview={preview} onPreview={setPreview} />}
          </main>
          {sheet === "find" && <FindBox onClose={() => { setSheet(undefined); }} />}
          {sheet === "help" && <HelpSheet onClose={() => { setSheet(undefined); }} />}
        </div>
      </NodeUiContext>
    </EditorContext>
  );
}
