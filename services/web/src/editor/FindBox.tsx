import { useEffect, useId, useMemo, useRef, useState, type ReactNode } from "react";
import { CornerDownLeft, Search } from "lucide-react";
import { KindIcon } from "../canvas/kindIcons.tsx";
import { GROUP, kindOf } from "../model/document.ts";
import { kindInfo, kinds } from "../model/kinds.ts";
import { text } from "../text.ts";
import { useEditor, type EditorParts } from "./context.ts";
import { kindName, nameOf, textOf } from "./names.ts";
import { keysFor, shortcuts } from "./shortcuts.ts";

interface Found {
  readonly id: string;
  readonly group: string;
  readonly icon?: ReactNode;
  readonly name: string;
  readonly about?: string;
  readonly keys?: string;
  readonly run: () => void;
}

const MOST_NODES = 30;

/** FindBox finds nodes by what stands in them, and commands by their names. */
export function FindBox({ onClose }: { readonly onClose: () => void }) {
  const parts = useEditor();
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useId();
  const found = useMemo(() => search(query, parts), [query, parts]);
  const chosen = found[Math.min(at, found.length - 1)];

  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => { element?.close(); };
  }, []);
  useEffect(() => {
    dialog.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const run = (one: Found | undefined) => {
    if (!one) return;
    onClose();
    one.run();
  };

  return (
    <dialog
      ref={dialog}
      className="find"
      aria-label={text.find.title}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onClick={(event) => { if (event.target === dialog.current) onClose(); }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
          event.preventDefault();
          setAt((was) => (Math.min(was, found.length - 1) + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length));
        }
        if (event.key === "Enter") { event.preventDefault(); run(chosen); }
      }}
    >
      <div className="find-head">
        <Search size={18} aria-hidden="true" />
        <input
          role="combobox" aria-expanded="true" aria-controls={list} aria-activedescendant={chosen && `${list}-${chosen.id}`} aria-label={text.find.placeholder} aria-autocomplete="list"
          autoFocus placeholder={text.find.placeholder} value={query} spellCheck={false} onChange={(event) => { setQuery(event.target.value); setAt(0); }}
        />
      </div>
      <ul id={list} role="listbox" aria-label={text.find.title} className="find-list">
        {found.map((one, i) => (
          <li key={one.id} role="presentation">
            {one.group !== found[i - 1]?.group && <div className="menu-title" role="presentation">{one.group}</div>}
            <div id={`${list}-${one.id}`} role="option" aria-selected={one === chosen} className="find-item" onPointerMove={() => { setAt(i); }} onClick={() => { run(one); }}>
              {one.icon}
              <span className="find-name">{one.name}</span>
              {one.about && <span className="muted find-about">{one.about}</span>}
              {one.keys ? <span className="menu-key">{keysFor(one.keys).map((key) => <kbd key={key}>{key}</kbd>)}</span> : one === chosen && <CornerDownLeft size={14} className="menu-key" aria-hidden="true" />}
            </div>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="empty" role="status">{text.find.nothing}</p>}
    </dialog>
  );
}

function search(query: string, parts: EditorParts): Found[] {
  const { flow, commands } = parts;
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (where: string) => words.every((word) => where.toLowerCase().includes(word));
  const nodes = flow.nodes
    .filter((node) => fits(`${nameOf(node)} ${kindName(node)} ${textOf(node.data.description)}`))
    .slice(0, words.length > 0 ? MOST_NODES : 6)
    .map((node): Found => ({
      id: `node-${node.id}`, group: text.find.nodes, icon: <KindIcon kind={kindOf(node)} size={14} />, name: nameOf(node),
      about: node.type === GROUP ? text.groupName : textOf(node.data.description) || kindName(node), run: () => { commands.show(node.id); parts.ui.setPanel("properties"); },
    }));
  const doable = shortcuts
    .filter((one) => !one.hidden && one.run && (!one.edits || flow.editable) && fits(one.name))
    .map((one): Found => ({ id: `do-${one.keys}`, group: text.find.commands, name: one.name, keys: one.keys, run: () => { one.run?.(parts); } }));
  const add = flow.editable ? kinds.filter((kind) => words.length > 0 && fits(text.find.add(kindInfo[kind].name))).map((kind): Found => ({
    id: `add-${kind}`, group: text.find.commands, icon: <KindIcon kind={kind} size={14} />, name: text.find.add(kindInfo[kind].name), run: () => { commands.add(kind); },
  })) : [];
  return [...nodes, ...add, ...doable];
}
