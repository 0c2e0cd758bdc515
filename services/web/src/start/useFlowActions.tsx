// What can be done with flows on the start page, and the dialogs that ask for it.
import { useCallback, useMemo, useState, type ReactNode } from "react";
import { TriangleAlert } from "lucide-react";
import { ApiError, changeFlow, createFlow, deleteFlow, getRawFlow, type FlowSummary } from "../api.ts";
import { exportFlow, type ExportFormat } from "../export.ts";
import { MOST_TITLE, newId, toMaps, type FlowDocument } from "../model/document.ts";
import { readFlowFile } from "../model/import.ts";
import { go } from "../router.ts";
import { text } from "../text.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { toast } from "../ui/toasts.tsx";
import type { Flows } from "./useFlows.ts";

export interface FlowActions {
  /** create makes a flow and opens it. */
  create: (document: FlowDocument) => void;
  rename: (flow: FlowSummary) => void;
  duplicate: (flow: FlowSummary) => void;
  remove: (flow: FlowSummary) => void;
  exportAs: (flow: FlowSummary, format: ExportFormat) => void;
  importFiles: (files: Iterable<File>) => void;
}

/** tellFailure shows why something did not work. */
export function tellFailure(error: unknown): void {
  toast(error instanceof ApiError ? error.message : error instanceof Error && error.message ? error.message : text.problem.other, { bad: true });
}

const copyTitle = (title: string) => text.start.copyOf(title || text.untitled).slice(0, MOST_TITLE);

/** openCopy makes a copy of a flow and opens it. */
export function openCopy(document: FlowDocument): void {
  const id = newId("flow");
  createFlow(id, { ...toMaps(document), title: copyTitle(document.title ?? "") }).then(() => { go({ page: "flow", id }); }, tellFailure);
}

export function useFlowActions({ change, refresh }: Flows): { readonly actions: FlowActions; readonly dialogs: ReactNode } {
  const [renaming, setRenaming] = useState<FlowSummary>();
  const [removing, setRemoving] = useState<FlowSummary>();

  const create = useCallback((document: FlowDocument) => {
    const id = newId("flow");
    createFlow(id, document).then(() => { go({ page: "flow", id }); }, tellFailure);
  }, []);

  const actions = useMemo((): FlowActions => ({
    create,
    rename: setRenaming,
    remove: setRemoving,
    duplicate: (flow) => {
      void (async () => {
        const title = copyTitle(flow.title);
        await createFlow(newId("flow"), { ...toMaps(await getRawFlow(flow.id)), title });
        refresh();
        toast(text.start.duplicated(title));
      })().catch(tellFailure);
    },
    exportAs: (flow, format) => {
      void (async () => { await exportFlow(await getRawFlow(flow.id), format); })().catch(tellFailure);
    },
    importFiles: (files) => {
      for (const file of files) {
        void (async () => {
          const document = await readFlowFile(file);
          await createFlow(newId("flow"), document);
          refresh();
          toast(text.start.imported(document.title || text.untitled));
        })().catch((error: unknown) => { toast(text.import.failed(file.name, error instanceof Error ? error.message : text.problem.other), { bad: true }); });
      }
    },
  }), [create, refresh]);

  const rename = (flow: FlowSummary, title: string) => {
    setRenaming(undefined);
    if (title === flow.title) return;
    change((all) => all.map((one) => one.id === flow.id ? { ...one, title } : one));
    changeFlow(flow.id, { title }).then(refresh, (error: unknown) => { tellFailure(error); refresh(); });
  };
  const remove = (flow: FlowSummary) => {
    setRemoving(undefined);
    change((all) => all.filter((one) => one.id !== flow.id));
    deleteFlow(flow.id).then(() => { toast(text.start.deleted(flow.title || text.untitled)); refresh(); }, (error: unknown) => { tellFailure(error); refresh(); });
  };

  const dialogs = (
    <>
      {renaming && <RenameDialog flow={renaming} onClose={() => { setRenaming(undefined); }} onRename={(title) => { rename(renaming, title); }} />}
      {removing && (
        <Dialog
          title={text.start.deleteTitle(removing.title || text.untitled)}
          onClose={() => { setRemoving(undefined); }}
          actions={
            <>
              <button type="button" className="button" autoFocus onClick={() => { setRemoving(undefined); }}>{text.cancel}</button>
              <button type="button" className="button danger" onClick={() => { remove(removing); }}>{text.delete}</button>
            </>
          }
        >
          {removing.here > 0 && <p className="notice warn"><TriangleAlert size={17} aria-hidden="true" />{text.start.deletePeople(removing.here)}</p>}
          <p>{text.start.deleteAbout}</p>
        </Dialog>
      )}
    </>
  );
  return { actions, dialogs };
}

function RenameDialog({ flow, onClose, onRename }: { readonly flow: FlowSummary; readonly onClose: () => void; readonly onRename: (title: string) => void }) {
  const [title, setTitle] = useState(flow.title);
  return (
    <Dialog
      title={text.start.renameTitle}
      onClose={onClose}
      onSubmit={() => { if (title.trim()) onRename(title.trim()); }}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>{text.cancel}</button>
          <button type="submit" className="button primary" disabled={!title.trim()}>{text.save}</button>
        </>
      }
    >
      <label className="field">
        <span className="field-label">{text.start.titleLabel}</span>
        <input className="input" value={title} maxLength={MOST_TITLE} autoFocus onFocus={(event) => { event.target.select(); }} onChange={(event) => { setTitle(event.target.value); }} />
      </label>
    </Dialog>
  );
}
