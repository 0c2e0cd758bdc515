import { useId } from "react";
import type { Field, SettingValue } from "../model/kinds.ts";
import { text } from "../text.ts";

interface SettingFieldProps {
  readonly field: Field;
  readonly value: SettingValue | undefined;
  readonly disabled: boolean;
  readonly onChange: (value: SettingValue | null) => void;
}

/** SettingField edits one setting of a node, as its kind describes it. Null takes the setting away. */
export function SettingField({ field, value, disabled, onChange }: SettingFieldProps) {
  const id = useId();
  const words = typeof value === "boolean" || value === undefined ? "" : String(value);
  const hint = field.hint && <span id={`${id}-hint`} className="field-hint">{field.hint}</span>;
  const described = field.hint ? { "aria-describedby": `${id}-hint` } : {};
  if (field.type === "switch") {
    return (
      <label className="switch">
        <span>{field.label}</span>
        <input type="checkbox" role="switch" checked={value === true} disabled={disabled} onChange={(event) => { onChange(event.target.checked || null); }} />
      </label>
    );
  }
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>{field.label}{field.type === "number" && field.unit && <span className="field-unit"> ({field.unit})</span>}</label>
      {field.type === "text" && <input id={id} className="input" value={words} placeholder={field.placeholder} disabled={disabled} maxLength={2000} {...described} onChange={(event) => { onChange(event.target.value || null); }} />}
      {field.type === "code" && <textarea id={id} className="textarea code" value={words} placeholder={field.placeholder} disabled={disabled} maxLength={20000} rows={2} spellCheck={false} {...described} onChange={(event) => { onChange(event.target.value || null); }} />}
      {field.type === "number" && (
        <input
          id={id} className="input" type="number" value={words} placeholder={String(field.initial)} min={field.min} max={field.max} step={field.step} disabled={disabled} {...described}
          onChange={(event) => {
            const number = event.target.valueAsNumber;
            onChange(Number.isNaN(number) ? null : Math.min(field.max, Math.max(field.min, number)));
          }}
        />
      )}
      {field.type === "choice" && (
        <select id={id} className="select" value={words} disabled={disabled} {...described} onChange={(event) => { onChange(event.target.value || null); }}>
          <option value="">{text.properties.noChoice}</option>
          {words && !field.options.includes(words) && <option value={words}>{words}</option>}
          {field.options.map((option) => <option key={option} value={option}>{option}</option>)}
        </select>
      )}
      {hint}
    </div>
  );
}
