import { useCallback, useEffect, useState } from "react";
import { Bookmark, Clock } from "lucide-react";
import { ApiError, getVersion, listVersions, nameVersion, type Version } from "../api.ts";
import { useEditor } from "../editor/context.ts";
import type { FlowDocument } from "../model/document.ts";
import { text } from "../text.ts";
import { clockTime, dayName, fullTime } from "../time.ts";
import { toast } from "../ui/toasts.tsx";
import { Side } from "./Properties.tsx";

export interface Preview {
  readonly version: Version;
  readonly document: FlowDocument;
}

interface HistoryProps {
  readonly preview: Preview | undefined;
  readonly onPreview: (preview: Preview | undefined) => void;
}

/** How often the list is asked for while it is open. */
const OFTEN = 10_000; // ms

/** History lists the kept versions of the flow: to look at, to restore, to give names. */
export function History({ preview, onPreview }: HistoryProps) {
  const { flow, ui } = useEditor();
  const { flowId } = flow.session;
  const [versions, setVersions] = useState<readonly Version[]>();
  const [failed, setFailed] = useState(false);
  const [name, setName] = useState("");
  const [turn, setTurn] = useState(0);
  const refresh = useCallback(() => { setTurn((n) => n + 1); }, []);

  useEffect(() => {
    const end = new AbortController();
    const look = () => {
      listVersions(flowId, end.signal).then(
        (found) => { setVersions(found); setFailed(false); },
        (error: unknown) => {
          if (end.signal.aborted) return;
          if (error instanceof ApiError && error.status === 404) setVersions([]); // a flow without a change has none
          else setFailed(true);
        },
      );
    };
    look();
    const timer = setInterval(look, OFTEN);
    return () => { end.abort(); clearInterval(timer); };
  }, [flowId, turn]);

  const show = (version: Version) => {
    getVersion(flowId, version.id).then((document) => { onPreview({ version, document }); }, (error: unknown) => { toast(error instanceof ApiError ? error.message : text.problem.other, { bad: true }); });
  };
  const keep = () => {
    const given = name.trim();
    if (!given) return;
    nameVersion(flowId, given).then(() => { setName(""); refresh(); toast(text.history.named(given)); }, (error: unknown) => { toast(error instanceof ApiError ? error.message : text.problem.other, { bad: true }); });
  };
  const days = groupByDay(versions ?? []);
  return (
    <Side title={text.history.title} icon={<span className="side-icon" aria-hidden="true"><Clock size={16} /></span>} onClose={() => { onPreview(undefined); ui.setPanel(undefined); }}>
      {flow.editable && (
        <form className="history-name" onSubmit={(event) => { event.preventDefault(); keep(); }}>
          <input className="input" aria-label={text.history.nameLabel} placeholder={text.history.nameLabel} value={name} maxLength={80} onChange={(event) => { setName(event.target.value); }} />
          <button type="submit" className="button icon" aria-label={text.history.name} disabled={!name.trim()}><Bookmark size={15} /></button>
        </form>
      )}
      {failed && <p className="muted" role="status">{text.history.unavailable}</p>}
      {!versions && !failed && <p className="muted" role="status">{text.history.loading}</p>}
      {versions?.length === 0 && <p className="muted">{text.history.empty}</p>}
      {days.map(([day, some]) => (
        <section key={day} className="history-day" aria-label={day}>
          <h3>{day}</h3>
          <ul>
            {some.map((version) => (
              <li key={version.id}>
                <button type="button" className="version" aria-pressed={preview?.version.id === version.id} aria-label={text.history.preview(fullTime(version.at))} onClick={() => { show(version); }}>
                  <span className="version-head">{version.name ? <><Bookmark size={13} aria-hidden="true" /><strong>{version.name}</strong><span className="muted">{clockTime(version.at)}</span></> : <strong>{clockTime(version.at)}</strong>}</span>
                  <span className="muted">{[text.nodes(version.nodes), version.by.length > 0 ? text.history.by(version.by.slice(0, 3).join(", ")) : ""].filter(Boolean).join(" · ")}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </Side>
  );
}

function groupByDay(versions: readonly Version[]): [string, Version[]][] {
  const days = new Map<string, Version[]>();
  for (const version of versions.toSorted((a, b) => b.at - a.at)) {
    const day = dayName(version.at);
    days.set(day, [...days.get(day) ?? [], version]);
  }
  return [...days];
}
