import { useEffect } from "react";
import { useNewest } from "../ui/useNewest.ts";
import type { EditorParts } from "./context.ts";
import { shortcutOf } from "./shortcuts.ts";

/** Where keys belong to what is typed. */
const TYPING = "input, textarea, select, [contenteditable], dialog, [popover]";

const isTyping = (target: EventTarget | null) => target instanceof Element && target.closest(TYPING) !== null;

/** useShortcuts listens to the keys, and to the system's clipboard, while the editor is open. */
export function useShortcuts(parts: EditorParts): void {
  const newest = useNewest(parts);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      const shortcut = shortcutOf(event);
      if (!shortcut?.run || event.defaultPrevented) return;
      if (isTyping(event.target) && shortcut.keys !== "Mod+K") return;
      if (shortcut.onNode && !(event.target instanceof Element && event.target.classList.contains("react-flow__node"))) return;
      if (shortcut.edits && !newest.current.flow.editable) return;
      event.preventDefault();
      shortcut.run(newest.current);
    };
    const clip = (event: ClipboardEvent) => {
      if (isTyping(event.target) || (getSelection()?.toString() ?? "") !== "") return;
      const value = newest.current.commands.clip();
      if (value === undefined) return;
      event.clipboardData?.setData("text/plain", value);
      event.preventDefault();
      if (event.type === "cut") newest.current.commands.remove();
    };
    const paste = (event: ClipboardEvent) => {
      if (isTyping(event.target)) return;
      event.preventDefault();
      newest.current.commands.paste(event.clipboardData?.getData("text/plain") || undefined);
    };
    document.addEventListener("keydown", key);
    document.addEventListener("copy", clip);
    document.addEventListener("cut", clip);
    document.addEventListener("paste", paste);
    return () => {
      document.removeEventListener("keydown", key);
      document.removeEventListener("copy", clip);
      document.removeEventListener("cut", clip);
      document.removeEventListener("paste", paste);
    };
  }, [newest]);
}
