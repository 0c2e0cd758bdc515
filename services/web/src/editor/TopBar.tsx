import { useState } from "react";
import { ChevronLeft, Copy, Download, Ellipsis, FileImage, History as HistoryIcon, Image, Keyboard, Link2, Redo2, Search, Trash2, TriangleAlert, Undo2 } from "lucide-react";
import { deleteFlow } from "../api.ts";
import { exportFlow, type ExportFormat } from "../export.ts";
import { MOST_TITLE, type FlowDocument } from "../model/document.ts";
import { People, type Follow } from "../panels/People.tsx";
import { StatusBadge } from "../panels/StatusBadge.tsx";
import { addressOf, followLink, go } from "../router.ts";
import { openCopy, tellFailure } from "../start/useFlowActions.tsx";
import { text } from "../text.ts";
import { copyText } from "../ui/clipboard.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { Logo } from "../ui/Logo.tsx";
import { Menu, MenuItem } from "../ui/Menu.tsx";
import { ProfileButton, ThemeMenu } from "../ui/Profile.tsx";
import { toast } from "../ui/toasts.tsx";
import { useEditor } from "./context.ts";
import { textOf } from "./names.ts";
import { keysFor } from "./shortcuts.ts";

/** TopBar: which flow this is, how the connection is, who is here, and what can be done with the whole. */
export function TopBar({ follow }: { readonly follow: Follow }) {
  const { flow, ui } = useEditor();
  const [deleting, setDeleting] = useState(false);
  const { flowId } = flow.session;
  const title = textOf(flow.document.title);
  const exportAs = (format: ExportFormat) => { exportFlow(flow.document as FlowDocument, format).catch(tellFailure); };
  const share = () => {
    copyText(location.origin + addressOf({ page: "flow", id: flowId })).then(() => { toast(text.editor.linkCopied); }, () => { toast(text.editor.copyFailed); });
  };
  const duplicate = () => { openCopy({ ...flow.document as FlowDocument, title }); };
  const key = (keys: string) => keysFor(keys).join(" ");
  return (
    <header className="top-bar">
      <div className="top-start">
        <a className="button quiet icon back" href="/" onClick={followLink} aria-label={text.editor.back} data-tip={text.editor.back} data-side="right"><ChevronLeft size={19} /></a>
        <Logo small />
        <h1 className="top-title">
          <span className="sr-only">{title || text.untitled}</span>
          <input
            className="title-input" aria-label={text.editor.title} value={title} placeholder={flow.loaded ? text.untitled : ""} maxLength={MOST_TITLE} readOnly={!flow.editable} spellCheck={false}
            onChange={(event) => { flow.patch({ title: event.target.value || null }, { merge: "title" }); }}
            onKeyDown={(event) => { if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur(); }}
          />
        </h1>
        <StatusBadge />
      </div>
      <div className="top-end">
        {flow.editable && (
          <div className="bar-group undo-group">
            <button type="button" className="button quiet icon" aria-label={text.editor.undo} data-tip={`${text.editor.undo} (${key("Mod+Z")})`} disabled={!flow.canUndo} onClick={() => { flow.undo(); }}><Undo2 size={17} /></button>
            <button type="button" className="button quiet icon" aria-label={text.editor.redo} data-tip={`${text.editor.redo} (${key("Mod+Shift+Z")})`} disabled={!flow.canRedo} onClick={() => { flow.redo(); }}><Redo2 size={17} /></button>
          </div>
        )}
        <button type="button" className="button quiet icon find-button" aria-label={text.editor.find} data-tip={`${text.editor.find} (${key("Mod+K")})`} onClick={() => { ui.setSheet("find"); }}><Search size={16} /></button>
        <button type="button" className="button quiet icon" aria-label={text.editor.history} aria-pressed={ui.panel === "history"} data-tip={text.editor.history} onClick={() => { ui.setPanel(ui.panel === "history" ? undefined : "history"); }}><HistoryIcon size={17} /></button>
        <People follow={follow} />
        <button type="button" className="button share" onClick={share}><Link2 size={15} /><span>{text.editor.share}</span></button>
        <span className="wide-only"><ThemeMenu /></span>
        <Menu button={<Ellipsis size={18} />} label={text.editor.menu} tip="end">
          {(close) => {
            const then = (act: () => void) => () => { close(); act(); };
            return (
              <>
                {flow.editable && (
                  <div className="narrow-only">
                    <MenuItem icon={<Undo2 size={15} />} disabled={!flow.canUndo} onSelect={then(flow.undo)}>{text.editor.undo}</MenuItem>
                    <MenuItem icon={<Redo2 size={15} />} disabled={!flow.canRedo} onSelect={then(flow.redo)}>{text.editor.redo}</MenuItem>
                    <hr />
                  </div>
                )}
                <MenuItem icon={<Download size={15} />} onSelect={then(() => { exportAs("json"); })}>{text.start.exportJson}</MenuItem>
                <MenuItem icon={<Image size={15} />} onSelect={then(() => { exportAs("png"); })}>{text.start.exportPng}</MenuItem>
                <MenuItem icon={<FileImage size={15} />} onSelect={then(() => { exportAs("svg"); })}>{text.start.exportSvg}</MenuItem>
                <hr />
                <MenuItem icon={<Copy size={15} />} onSelect={then(duplicate)}>{text.editor.duplicateFlow}</MenuItem>
                <MenuItem icon={<Keyboard size={15} />} hint="?" onSelect={then(() => { ui.setSheet("help"); })}>{text.editor.shortcuts}</MenuItem>
                <hr />
                <MenuItem danger icon={<Trash2 size={15} />} onSelect={then(() => { setDeleting(true); })}>{text.editor.deleteFlow}</MenuItem>
              </>
            );
          }}
        </Menu>
        <ProfileButton />
      </div>
      {deleting && (
        <Dialog
          title={text.start.deleteTitle(title || text.untitled)}
          onClose={() => { setDeleting(false); }}
          actions={
            <>
              <button type="button" className="button" autoFocus onClick={() => { setDeleting(false); }}>{text.cancel}</button>
              <button type="button" className="button danger" onClick={() => { deleteFlow(flowId).then(() => { toast(text.start.deleted(title || text.untitled)); go({ page: "start" }); }, tellFailure); }}>{text.delete}</button>
            </>
          }
        >
          {flow.others.length > 0 && <p className="notice warn"><TriangleAlert size={17} aria-hidden="true" />{text.start.deletePeople(flow.others.length)}</p>}
          <p>{text.start.deleteAbout}</p>
        </Dialog>
      )}
    </header>
  );
}
