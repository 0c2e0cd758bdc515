// The keyboard: one table, that the keys, the help sheet and the search read.
import { flushSync } from "react-dom";
import { text } from "../text.ts";
import type { EditorParts } from "./context.ts";

export type ShortcutGroup = keyof typeof text.shortcuts.groups;

export interface Shortcut {
  readonly name: string;
  readonly group: ShortcutGroup;
  /** As written in the sheet. `Mod` is Cmd on a Mac, Ctrl elsewhere. */
  readonly keys: string;
  /** Only where edits are taken. */
  readonly edits?: boolean;
  /** Undefined: React Flow, or the browser, does it. */
  readonly run?: (parts: EditorParts) => void;
  /** Only while a node has the focus. */
  readonly onNode?: boolean;
  /** Not offered in the search. */
  readonly hidden?: boolean;
}

const { names, keys } = text.shortcuts;

export const shortcuts: readonly Shortcut[] = [
  { name: names.undo, group: "edit", keys: "Mod+Z", edits: true, run: ({ flow }) => { flow.undo(); } },
  { name: names.redo, group: "edit", keys: "Mod+Shift+Z", edits: true, run: ({ flow }) => { flow.redo(); } },
  { name: names.redo, group: "edit", keys: "Mod+Y", edits: true, hidden: true, run: ({ flow }) => { flow.redo(); } },
  { name: names.copy, group: "edit", keys: "Mod+C" },
  { name: names.cut, group: "edit", keys: "Mod+X", edits: true },
  { name: names.paste, group: "edit", keys: "Mod+V", edits: true },
  { name: names.duplicate, group: "edit", keys: "Mod+D", edits: true, run: ({ commands }) => { commands.duplicate(); } },
  { name: names.selectAll, group: "edit", keys: "Mod+A", run: ({ commands }) => { commands.selectAll(); } },
  { name: names.remove, group: "edit", keys: "Delete", edits: true, run: ({ commands }) => { commands.remove(); } },
  { name: names.remove, group: "edit", keys: "Backspace", edits: true, hidden: true, run: ({ commands }) => { commands.remove(); } },
  { name: names.properties, group: "edit", keys: "Enter", onNode: true, hidden: true, run: ({ ui }) => { ui.setPanel("properties"); } },
  { name: names.rename, group: "edit", keys: "F2", edits: true, run: ({ flow, ui }) => { ui.setRenaming(flow.nodes.find((node) => node.selected)?.id); } },
  { name: names.comment, group: "edit", keys: "C", edits: true, run: ({ ui }) => {
    flushSync(() => { ui.setPanel("properties"); }); // what is typed next belongs into the field, and is no shortcut
    document.getElementById("new-comment")?.focus();
  } },
  { name: names.nudge, group: "edit", keys: keys.arrows },
  { name: names.escape, group: "edit", keys: "Escape", hidden: true, run: ({ flow, ui }) => { flow.select(); ui.setPanel(undefined); } },

  { name: names.group, group: "arrange", keys: "Mod+G", edits: true, run: ({ commands }) => { commands.group(); } },
  { name: names.ungroup, group: "arrange", keys: "Mod+Shift+G", edits: true, run: ({ commands }) => { commands.ungroup(); } },
  { name: names.tidy, group: "arrange", keys: "L", edits: true, run: ({ commands }) => { void commands.tidy(); } },
  { name: names.snap, group: "arrange", keys: "Shift+S", edits: true, run: ({ ui }) => { ui.setSnapping(!ui.snapping); } },

  { name: names.zoomIn, group: "view", keys: "+", run: ({ commands }) => { commands.zoomIn(); } },
  { name: names.zoomOut, group: "view", keys: "-", run: ({ commands }) => { commands.zoomOut(); } },
  { name: names.zoom100, group: "view", keys: "0", run: ({ commands }) => { commands.zoomTo100(); } },
  { name: names.fit, group: "view", keys: "F", run: ({ commands }) => { commands.fit(); } },
  { name: names.fitSelection, group: "view", keys: "Shift+F", run: ({ commands }) => { commands.fitSelection(); } },
  { name: names.hand, group: "view", keys: "H", run: ({ ui }) => { ui.setTool("hand"); } },
  { name: names.select, group: "view", keys: "V", run: ({ ui }) => { ui.setTool("select"); } },
  { name: names.frame, group: "view", keys: keys.drag },
  { name: names.add, group: "view", keys: keys.click },

  { name: names.find, group: "go", keys: "Mod+K", hidden: true, run: ({ ui }) => { ui.setSheet("find"); } },
  { name: names.next, group: "go", keys: keys.tab },
  { name: names.history, group: "go", keys: "Shift+H", run: ({ ui }) => { ui.setPanel(ui.panel === "history" ? undefined : "history"); } },
  { name: names.help, group: "go", keys: "?", run: ({ ui }) => { ui.setSheet("help"); } },
];

const mac = /Mac|iPhone|iPad/.test(navigator.platform);

/** keysFor writes keys as this machine's keyboard has them. */
export function keysFor(written: string): readonly string[] {
  return written.split(/(?<=.)\+(?=.)/).map((key) => ({ Mod: mac ? "⌘" : "Ctrl", Shift: mac ? "⇧" : "Shift", Escape: "Esc", Delete: mac ? "⌫" : "Del" })[key.trim()] ?? key.trim());
}

/** shortcutOf gives what a key means. */
export function shortcutOf(event: KeyboardEvent): Shortcut | undefined {
  const mod = event.metaKey || event.ctrlKey;
  return shortcuts.find(({ keys: written, run }) => {
    if (!run) return false;
    const parts = written === "+" ? ["+"] : written.split("+");
    const key = parts.at(-1) ?? "";
    if (parts.includes("Mod") !== mod || event.altKey) return false;
    // Signs such as + and ? need Shift on some keyboards and not on others.
    const letter = /^[a-z]$/i.test(key);
    if ((letter || key.length > 1) && parts.includes("Shift") !== event.shiftKey) return false;
    return key.toLowerCase() === event.key.toLowerCase() || (key === "+" && event.key === "=");
  });
}
