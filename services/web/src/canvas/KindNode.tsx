import { memo, useEffect, useRef } from "react";
import { Handle, Position, type NodeProps } from "@xyflow/react";
import { MessageSquare } from "lucide-react";
import { useNodeUi } from "../editor/context.ts";
import { countComments, kindName, textOf } from "../editor/names.ts";
import type { BuilderNode } from "../editor/types.ts";
import { kindOf } from "../model/document.ts";
import { kindInfo } from "../model/kinds.ts";
import { text } from "../text.ts";
import { KindIcon } from "./kindIcons.tsx";

/** KindNode draws a node of any kind; one of an unknown kind, from another client, is drawn as a plain one. */
export const KindNode = memo(function KindNode({ id, type, data }: NodeProps<BuilderNode>) {
  const ui = useNodeUi();
  const kind = kindOf({ type });
  const label = textOf(data.label);
  const about = textOf(data.description) || (kind ? kindInfo[kind].name : kindName({ type }));
  const comments = countComments(data.comments);
  const renaming = ui?.renaming === id;
  return (
    <div className={`node kind-${kind ?? "other"}`} onDoubleClick={() => { ui?.startRenaming(id); }}>
      <Handle type="target" position={Position.Left} isConnectable={ui?.editable ?? false} />
      <KindIcon kind={kind} />
      <div className="node-words">
        {renaming
          ? <NameInput id={id} label={label} />
          : <div className="node-label">{label || kindName({ type })}</div>}
        <div className="node-about">{about}</div>
      </div>
      {comments > 0 && (
        <button type="button" className="node-comments nodrag" aria-label={text.editor.comments(comments)} onClick={() => { ui?.openComments(id); }}>
          <MessageSquare size={11} aria-hidden="true" />{comments}
        </button>
      )}
      <Handle type="source" position={Position.Right} isConnectable={ui?.editable ?? false} />
    </div>
  );
});

/** NameInput edits a node's name in its place. */
export function NameInput({ id, label }: { readonly id: string; readonly label: string }) {
  const ui = useNodeUi();
  const input = useRef<HTMLInputElement>(null);
  const done = useRef(false);
  useEffect(() => { input.current?.select(); }, []);
  const end = (keep: boolean, by?: "key") => {
    if (done.current) return;
    done.current = true;
    // Who uses the keyboard stays where they are, on the node.
    if (by) input.current?.closest<HTMLElement>(".react-flow__node")?.focus({ preventScroll: true });
    const value = input.current?.value.trim() ?? "";
    if (keep && value !== label) ui?.rename(id, value);
    ui?.stopRenaming();
  };
  return (
    <input
      ref={input}
      className="node-name nodrag nopan"
      aria-label={text.properties.label}
      defaultValue={label}
      maxLength={200}
      autoFocus
      onBlur={() => { end(true); }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") end(true, "key");
        if (event.key === "Escape") end(false, "key");
      }}
    />
  );
}
