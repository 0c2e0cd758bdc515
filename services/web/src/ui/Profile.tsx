import { useState } from "react";
import { Check, Monitor, Moon, Sun } from "lucide-react";
import { useSyncExternalStore } from "react";
import { colors, setMe, useMe } from "../me.ts";
import { text } from "../text.ts";
import { Avatar } from "./Avatar.tsx";
import { Dialog } from "./Dialog.tsx";
import { Menu } from "./Menu.tsx";
import { setTheme, subscribeTheme, theme, type Theme } from "./theme.ts";

/** ProfileButton shows this person, and opens what the others see of them. */
export function ProfileButton() {
  const me = useMe();
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="button quiet icon profile" aria-label={text.profile.button(me.name)} data-tip={me.name} data-side="end" onClick={() => { setOpen(true); }}>
        <Avatar name={me.name} color={me.color} />
      </button>
      {open && <ProfileDialog onClose={() => { setOpen(false); }} />}
    </>
  );
}

function ProfileDialog({ onClose }: { readonly onClose: () => void }) {
  const me = useMe();
  const [name, setName] = useState(me.name);
  const [color, setColor] = useState(me.color);
  return (
    <Dialog
      title={text.profile.title}
      onClose={onClose}
      onSubmit={() => { setMe({ name, color }); onClose(); }}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>{text.cancel}</button>
          <button type="submit" className="button primary" disabled={!name.trim()}>{text.save}</button>
        </>
      }
    >
      <div className="profile-preview">
        <Avatar name={name || "?"} color={color} size={52} />
        <label className="field">
          <span className="field-label">{text.profile.name}</span>
          <input className="input" value={name} maxLength={40} autoFocus autoComplete="nickname" onChange={(event) => { setName(event.target.value); }} />
        </label>
      </div>
      <fieldset className="swatches">
        <legend className="field-label">{text.profile.color}</legend>
        {colors.map((one, i) => (
          <label key={one} className="swatch" style={{ "--person": one } as React.CSSProperties}>
            <input type="radio" name="color" value={one} checked={color === one} aria-label={text.profile.colorOf(i + 1)} onChange={() => { setColor(one); }} />
          </label>
        ))}
      </fieldset>
    </Dialog>
  );
}

const icons = { system: Monitor, light: Sun, dark: Moon } as const;

/** ThemeMenu chooses light, dark, or as the system has it. */
export function ThemeMenu() {
  const now = useSyncExternalStore(subscribeTheme, theme);
  const Icon = icons[now];
  return (
    <Menu button={<Icon size={17} />} label={text.theme.label} tip="end">
      {(close) => (Object.keys(icons) as Theme[]).map((one) => {
        const Own = icons[one];
        return (
          <button key={one} type="button" role="menuitemradio" aria-checked={one === now} tabIndex={-1} onClick={() => { setTheme(one); close(); }}>
            <Own size={15} /><span>{text.theme[one]}</span><Check size={15} className="menu-check" />
          </button>
        );
      })}
    </Menu>
  );
}
