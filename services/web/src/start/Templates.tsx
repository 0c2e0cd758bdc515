import { memo, useId, useMemo, useState } from "react";
import { LayoutGrid, Plus, Search } from "lucide-react";
import type { FlowDocument } from "../model/document.ts";
import { fields, templates, type Template } from "../model/templates/index.ts";
import { text } from "../text.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { FlowPicture } from "./FlowPicture.tsx";

interface TemplatesProps {
  readonly onCreate: (document: FlowDocument) => void;
}

/** How many templates stand in the row; all are in the dialog. */
const SHOWN = 5;

/** Templates offers a blank flow and some templates in a row, and all of them in a dialog. */
export function Templates({ onCreate }: TemplatesProps) {
  const [all, setAll] = useState(false);
  return (
    <section className="templates" aria-labelledby="templates-title">
      <div className="section-head">
        <h2 id="templates-title">{text.start.templates}</h2>
        <button type="button" className="button quiet small" onClick={() => { setAll(true); }}><LayoutGrid size={15} />{text.start.allTemplates(templates.length)}</button>
      </div>
      <ul className="template-row">
        <li>
          <button type="button" className="template" onClick={() => { onCreate({ title: "", nodes: {}, edges: {} }); }}>
            <span className="template-picture blank"><Plus size={26} /></span>
            <span className="template-title">{text.start.blank}</span>
            <span className="template-field">{text.start.blankAbout}</span>
          </button>
        </li>
        {templates.slice(0, SHOWN).map((one) => <li key={one.id}><TemplateCard template={one} onCreate={onCreate} /></li>)}
      </ul>
      {all && <TemplatesDialog onCreate={onCreate} onClose={() => { setAll(false); }} />}
    </section>
  );
}

const TemplateCard = memo(function TemplateCard({ template, onCreate, about }: TemplatesProps & { readonly template: Template; readonly about?: boolean }) {
  return (
    <button type="button" className="template" onClick={() => { onCreate(template.document); }}>
      <span className="template-picture"><FlowPicture flow={template.document} /></span>
      <span className="template-title"><span className="sr-only">{text.start.use} </span>{template.title}</span>
      <span className="template-field">{template.field}<span aria-hidden="true"> · </span>{text.nodes(Object.keys(template.document.nodes ?? {}).length)}</span>
      {about && <span className="template-about">{template.about}</span>}
    </button>
  );
});

function TemplatesDialog({ onCreate, onClose }: TemplatesProps & { readonly onClose: () => void }) {
  const [query, setQuery] = useState("");
  const [field, setField] = useState("");
  const label = useId();
  const found = useMemo(() => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return templates.filter((one) => (!field || one.field === field) && words.every((word) => `${one.title} ${one.field} ${one.about}`.toLowerCase().includes(word)));
  }, [query, field]);
  return (
    <Dialog title={text.start.templatesTitle} onClose={onClose} wide>
      <div className="search wide">
        <Search size={16} aria-hidden="true" />
        <input className="input" type="search" aria-label={text.start.searchTemplates} placeholder={text.start.searchTemplates} value={query} autoFocus onChange={(event) => { setQuery(event.target.value); }} />
      </div>
      <div className="chips" role="group" aria-label={text.start.templatesTitle}>
        {["", ...fields].map((one) => (
          <button key={one} type="button" className="chip" aria-pressed={field === one} onClick={() => { setField(one); }}>{one || text.start.allFields}</button>
        ))}
      </div>
      <ul className="template-grid" aria-label={text.start.templatesTitle} id={label}>
        {found.map((one) => <li key={one.id}><TemplateCard template={one} onCreate={onCreate} about /></li>)}
      </ul>
      {found.length === 0 && <p className="empty">{text.start.noTemplate}</p>}
    </Dialog>
  );
}
