import { useId, useState } from "react";
import { Send, Trash2 } from "lucide-react";
import { useEditor } from "../editor/context.ts";
import { textOf } from "../editor/names.ts";
import type { BuilderNode } from "../editor/types.ts";
import { useMe } from "../me.ts";
import { isPlain, newId } from "../model/document.ts";
import { text } from "../text.ts";
import { ago, fullTime } from "../time.ts";

const MOST_COMMENT = 2_000; // characters

/** Comments are the remarks on one node, the oldest first. */
export function Comments({ node }: { readonly node: BuilderNode }) {
  const { flow } = useEditor();
  const me = useMe();
  const [draft, setDraft] = useState("");
  const title = useId();
  const all = Object.entries(isPlain(node.data.comments) ? node.data.comments : {})
    .flatMap(([id, one]) => isPlain(one) ? [{ id, text: textOf(one.text), by: textOf(one.by) || text.somebody, at: typeof one.at === "number" ? one.at : 0 }] : [])
    .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  const send = () => {
    const words = draft.trim();
    if (!words) return;
    flow.setNodeData(node.id, { comments: { [newId("c")]: { text: words, by: me.name, at: Date.now() } } });
    setDraft("");
  };
  return (
    <section className="panel-section" aria-labelledby={title}>
      <h3 id={title}>{text.properties.comments}</h3>
      {all.length === 0 && <p className="muted">{text.properties.noComments}</p>}
      <ul className="comments">
        {all.map((one) => (
          <li key={one.id} className="comment">
            <p className="comment-head">
              <strong>{one.by}</strong><time dateTime={new Date(one.at).toISOString()} title={fullTime(one.at)}>{ago(one.at)}</time>
              {flow.editable && <button type="button" className="button quiet icon small" aria-label={text.properties.removeComment} onClick={() => { flow.setNodeData(node.id, { comments: { [one.id]: null } }); }}><Trash2 size={13} /></button>}
            </p>
            <p className="comment-text">{one.text}</p>
          </li>
        ))}
      </ul>
      {flow.editable && (
        <form className="comment-form" onSubmit={(event) => { event.preventDefault(); send(); }}>
          <textarea
            id="new-comment" className="textarea" rows={1} aria-label={text.properties.addComment} placeholder={text.properties.addComment} value={draft} maxLength={MOST_COMMENT}
            onChange={(event) => { setDraft(event.target.value); }}
            onKeyDown={(event) => { if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(); } }}
          />
          <button type="submit" className="button primary icon small" aria-label={text.properties.send} disabled={!draft.trim()}><Send size={14} /></button>
        </form>
      )}
    </section>
  );
}
