import { useEffect, useRef } from "react";
import type { Point } from "../model/document.ts";
import { kindInfo, kinds, type Kind } from "../model/kinds.ts";
import { text } from "../text.ts";
import { useNewest } from "../ui/useNewest.ts";
import { KindIcon } from "./kindIcons.tsx";

interface QuickAddProps {
  /** Where, on the screen. */
  readonly at: Point;
  readonly onPick: (kind: Kind) => void;
  readonly onClose: () => void;
}

/** QuickAdd offers what may come next, where a connection was dropped on the empty canvas. */
export function QuickAdd({ at, onPick, onClose }: QuickAddProps) {
  const menu = useRef<HTMLDivElement>(null);
  const close = useNewest(onClose);
  useEffect(() => {
    const element = menu.current;
    if (!element) return;
    element.showPopover();
    const { width, height } = element.getBoundingClientRect();
    element.style.left = `${String(Math.max(8, Math.min(at.x, innerWidth - width - 8)))}px`;
    element.style.top = `${String(Math.max(8, Math.min(at.y - 20, innerHeight - height - 8)))}px`;
    element.querySelector("button")?.focus();
    // It opens while the pointer is being let go, which would close a popover that closes by itself.
    const outside = (event: PointerEvent) => { if (!element.contains(event.target as Node)) close.current(); };
    document.addEventListener("pointerdown", outside, true);
    return () => { document.removeEventListener("pointerdown", outside, true); };
  }, [at, close]);
  return (
    <div
      ref={menu}
      className="menu quick-add"
      popover="manual"
      role="menu"
      aria-label={text.editor.quickAdd}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape" || event.key === "Tab") onClose();
        const all = [...event.currentTarget.querySelectorAll("button")];
        const step = { ArrowDown: 2, ArrowUp: -2, ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        const to = all.indexOf(document.activeElement as HTMLButtonElement) + step;
        all.at((to + all.length) % all.length)?.focus();
      }}
    >
      <p className="menu-title" aria-hidden="true">{text.editor.quickAdd}</p>
      {kinds.map((kind) => (
        <button key={kind} type="button" role="menuitem" onClick={() => { onPick(kind); }}><KindIcon kind={kind} size={15} />{kindInfo[kind].name}</button>
      ))}
    </div>
  );
}
