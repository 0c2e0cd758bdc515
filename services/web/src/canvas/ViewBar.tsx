import { Panel, useStore } from "@xyflow/react";
import { Hand, Magnet, Maximize, Minus, MousePointer2, Plus, Wand2 } from "lucide-react";
import { useEditor } from "../editor/context.ts";
import { text } from "../text.ts";

/** ViewBar is how one looks at the canvas: tools, zoom, grid, layout. */
export function ViewBar() {
  const { flow, commands, ui } = useEditor();
  const percent = useStore((state) => Math.round(state.transform[2] * 100));
  return (
    <Panel position="bottom-left" className="bar view-bar">
      <div role="group" aria-label={text.shortcuts.groups.view} className="bar-group">
        <button type="button" className="button quiet icon small" aria-label={text.editor.handTool} aria-pressed={ui.tool === "hand"} data-tip={`${text.editor.handTool} (H)`} data-side="top" onClick={() => { ui.setTool("hand"); }}><Hand size={16} /></button>
        <button type="button" className="button quiet icon small" aria-label={text.editor.selectTool} aria-pressed={ui.tool === "select"} data-tip={`${text.editor.selectTool} (V)`} data-side="top" onClick={() => { ui.setTool("select"); }}><MousePointer2 size={16} /></button>
      </div>
      <div role="group" aria-label={text.editor.zoomIn} className="bar-group">
        <button type="button" className="button quiet icon small" aria-label={text.editor.zoomOut} data-tip={text.editor.zoomOut} data-side="top" onClick={commands.zoomOut}><Minus size={16} /></button>
        <button type="button" className="button quiet small zoom" aria-label={text.editor.zoomTo100(percent)} onClick={commands.zoomTo100}>{percent} %</button>
        <button type="button" className="button quiet icon small" aria-label={text.editor.zoomIn} data-tip={text.editor.zoomIn} data-side="top" onClick={commands.zoomIn}><Plus size={16} /></button>
        <button type="button" className="button quiet icon small" aria-label={text.editor.fit} data-tip={`${text.editor.fit} (F)`} data-side="top" onClick={commands.fit}><Maximize size={15} /></button>
      </div>
      {flow.editable && (
        <div role="group" aria-label={text.shortcuts.groups.arrange} className="bar-group">
          <button type="button" className="button quiet icon small" aria-label={text.editor.snap} aria-pressed={ui.snapping} data-tip={text.editor.snap} data-side="top" onClick={() => { ui.setSnapping(!ui.snapping); }}><Magnet size={15} /></button>
          <button type="button" className="button quiet icon small" aria-label={text.editor.tidy} data-tip={`${text.editor.tidy} (L)`} data-side="top" onClick={() => { void commands.tidy(); }}><Wand2 size={15} /></button>
        </div>
      )}
    </Panel>
  );
}
