import { useEffect, useId, useRef, type ReactNode } from "react";
import { X } from "lucide-react";
import { text } from "../text.ts";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** The buttons at its end. */
  readonly actions?: ReactNode;
  /** With it the dialog is a form: Enter is its first action. */
  readonly onSubmit?: () => void;
  readonly wide?: boolean;
}

/** Dialog stands above the page until it is closed. The browser's own element keeps the focus in it, and gives it back. */
export function Dialog({ title, onClose, children, actions, onSubmit, wide }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const label = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => { dialog?.close(); };
  }, []);
  const submit = (event: React.SubmitEvent) => {
    event.preventDefault();
    onSubmit?.();
  };
  const body = (
    <>
      <div className="dialog-head">
        <h2 id={label}>{title}</h2>
        <button type="button" className="button quiet icon small" aria-label={text.close} onClick={onClose}><X size={17} /></button>
      </div>
      <div className="dialog-body">{children}</div>
      {actions && <div className="dialog-foot">{actions}</div>}
    </>
  );
  return (
    <dialog
      ref={ref}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={label}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onClick={(event) => { if (event.target === ref.current) onClose(); }}
      onKeyDown={(event) => { event.stopPropagation(); }}
    >
      {onSubmit ? <form onSubmit={submit} className="dialog-form">{body}</form> : body}
    </dialog>
  );
}
