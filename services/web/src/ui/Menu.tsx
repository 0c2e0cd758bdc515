import { useCallback, useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

interface MenuProps {
  /** The button's content. */
  readonly button: ReactNode;
  readonly label: string;
  readonly className?: string;
  readonly tip?: "top" | "right" | "end" | "bottom";
  /** The items: a function, so that they are made when the menu opens. `close` closes it. */
  readonly children: (close: () => void) => ReactNode;
}

/** Menu is a button with a menu that it opens. It is a popover, so it lies above everything and goes away by itself. */
export function Menu({ button, label, className = "button quiet icon", tip, children }: MenuProps) {
  const [open, setOpen] = useState(false);
  const trigger = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const id = useId();
  const close = useCallback(() => { document.getElementById(id)?.hidePopover(); }, [id]); // the browser gives the focus back to the button

  useEffect(() => {
    const element = menu.current;
    if (!element) return;
    const toggled = (event: ToggleEvent) => { setOpen(event.newState === "open"); };
    element.addEventListener("toggle", toggled);
    return () => { element.removeEventListener("toggle", toggled); };
  }, []);

  useEffect(() => {
    if (!open || !menu.current || !trigger.current) return;
    place(menu.current, trigger.current);
    items(menu.current)[0]?.focus();
  }, [open]);

  const move = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (!menu.current) return;
    const all = items(menu.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") close();
    if (to === undefined) return;
    event.preventDefault();
    all.at(to % all.length)?.focus();
  };

  return (
    <>
      <button
        ref={trigger}
        type="button"
        className={className}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={open}
        popoverTarget={id}
        {...(tip && { "data-tip": label, "data-side": tip })}
      >
        {button}
      </button>
      <div ref={menu} id={id} className="menu" role="menu" aria-label={label} popover="auto" onKeyDown={move}>
        {open && children(close)}
      </div>
    </>
  );
}

function items(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>("[role^=menuitem]:not(:disabled)")];
}

/** place puts the menu below its button, or where there is room for it. */
function place(menu: HTMLElement, trigger: HTMLElement): void {
  const edge = 8;
  const at = trigger.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const start = at.left + width + edge > innerWidth ? at.right - width : at.left;
  const below = at.bottom + 6;
  menu.style.left = `${String(Math.max(edge, Math.min(start, innerWidth - width - edge)))}px`;
  menu.style.top = `${String(below + height + edge > innerHeight ? Math.max(edge, at.top - height - 6) : below)}px`;
}

interface MenuItemProps {
  readonly icon?: ReactNode;
  readonly children: ReactNode;
  readonly onSelect: () => void;
  readonly hint?: string | undefined;
  readonly danger?: boolean;
  readonly disabled?: boolean;
}

export function MenuItem({ icon, children, onSelect, hint, danger, disabled }: MenuItemProps) {
  return (
    <button type="button" role="menuitem" tabIndex={-1} className={danger ? "danger" : undefined} disabled={disabled} onClick={onSelect}>
      {icon}
      <span>{children}</span>
      {hint && <span className="menu-key" aria-hidden="true">{hint}</span>}
    </button>
  );
}
