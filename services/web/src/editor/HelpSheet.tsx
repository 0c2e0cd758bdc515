import { text } from "../text.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { keysFor, shortcuts, type ShortcutGroup } from "./shortcuts.ts";

/** HelpSheet lists the keys. */
export function HelpSheet({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title={text.shortcuts.title} onClose={onClose} wide>
      <div className="help">
        {(Object.keys(text.shortcuts.groups) as ShortcutGroup[]).map((group) => (
          <section key={group}>
            <h3>{text.shortcuts.groups[group]}</h3>
            <dl>
              {shortcuts.filter((one) => one.group === group && (!one.hidden || ["Mod+K", "Escape", "Enter"].includes(one.keys))).map((one) => (
                <div key={one.keys}><dt>{one.name}</dt><dd>{keysFor(one.keys).map((key) => <kbd key={key}>{key}</kbd>)}</dd></div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
