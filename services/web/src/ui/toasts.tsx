// Short messages at the lower edge. They are read out, never take the focus, and go away by themselves.
import { useEffect, useRef, useSyncExternalStore } from "react";
import { X } from "lucide-react";
import { text } from "../text.ts";

interface Toast {
  readonly id: number;
  readonly message: string;
  readonly bad: boolean;
  readonly action?: { readonly label: string; readonly run: () => void };
}

const SHOWN = 6_000; // ms
const MOST = 3;

let toasts: readonly Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(all: readonly Toast[]): void {
  toasts = all;
  for (const listener of listeners) listener();
}

/** toast shows a message; of the same message only one is shown. */
export function toast(message: string, { bad = false, action }: { bad?: boolean; action?: Toast["action"] } = {}): void {
  const id = next++;
  set([...toasts.filter((one) => one.message !== message), { id, message, bad, ...(action && { action }) }].slice(-MOST));
  setTimeout(() => { dismiss(id); }, bad || action ? 2 * SHOWN : SHOWN);
}

function dismiss(id: number): void {
  set(toasts.filter((one) => one.id !== id));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

export function Toasts() {
  const all = useSyncExternalStore(subscribe, () => toasts);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // A popover lies above dialogs, where messages about what one does in them belong too.
    if (all.length > 0) box.current?.showPopover();
    else box.current?.hidePopover();
  }, [all]);
  return (
    <div ref={box} className="toasts" role="status" aria-label={text.messages} popover="manual">
      {all.map((one) => (
        <div key={one.id} className={one.bad ? "toast bad" : "toast"}>
          <span>{one.message}</span>
          {one.action && <button type="button" className="button" onClick={() => { one.action?.run(); dismiss(one.id); }}>{one.action.label}</button>}
          <button type="button" className="button icon" aria-label={text.dismiss} onClick={() => { dismiss(one.id); }}><X size={14} /></button>
        </div>
      ))}
    </div>
  );
}
