import { memo, useId, type ReactNode } from "react";
import { ArrowRight, Trash2, X } from "lucide-react";
import { usePresence } from "@helix/react";
import { KindIcon } from "../canvas/kindIcons.tsx";
import { useEditor } from "../editor/context.ts";
import { kindName, nameOf, textOf } from "../editor/names.ts";
import type { BuilderEdge, BuilderFlow, BuilderNode } from "../editor/types.ts";
import type { Commands } from "../editor/useCommands.ts";
import { useSteadyNodes } from "../editor/useSteadyNodes.ts";
import { GROUP, isPlain, kindOf } from "../model/document.ts";
import { kindInfo, kinds, type SettingValue } from "../model/kinds.ts";
import { text } from "../text.ts";
import { Comments } from "./Comments.tsx";
import { SettingField } from "./SettingField.tsx";

/** Properties shows what is selected, and edits every field of it. Nothing is shown where nothing is selected. */
export function Properties() {
  const { flow, ui } = useEditor();
  const nodes = flow.nodes.filter((node) => node.selected);
  const edges = flow.edges.filter((edge) => edge.selected);
  const [node] = nodes;
  const [edge] = edges;
  const close = () => { ui.setPanel(undefined); };
  if (nodes.length === 1 && node) return <NodeProperties key={node.id} node={node} onClose={close} />;
  if (nodes.length > 1) return <ManyProperties nodes={nodes} onClose={close} />;
  if (edge) return <EdgeProperties key={edge.id} edge={edge} onClose={close} />;
  return null;
}

interface SideProps {
  readonly title: string;
  readonly icon?: ReactNode;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** Side is the frame of a panel beside the canvas. */
export function Side({ title, icon, onClose, children }: SideProps) {
  const label = useId();
  return (
    <aside className="side" aria-labelledby={label}>
      <header className="side-head">
        {icon}
        <h2 id={label}>{title}</h2>
        <button type="button" className="button quiet icon small" aria-label={text.close} onClick={onClose}><X size={16} /></button>
      </header>
      <div className="side-body">{children}</div>
    </aside>
  );
}

/** What is typed in one field within a second is one step to undo. */
const step = (id: string, field: string) => ({ merge: `${id}/${field}` });

function NodeProperties({ node, onClose }: { readonly node: BuilderNode; readonly onClose: () => void }) {
  const { flow, commands } = useEditor();
  const nodes = useSteadyNodes(flow.nodes);
  const { at } = usePresence(flow.session);
  const kind = kindOf(node);
  const settings = isPlain(node.data.settings) ? node.data.settings as Record<string, SettingValue> : {};
  const editors = at(node.id).filter(({ editing }) => editing === node.id).map(({ name }) => name);
  const disabled = !flow.editable;
  const set = (field: string, value: string) => { flow.setNodeData(node.id, { [field]: value || null }, step(node.id, field)); };
  return (
    <Side title={nameOf(node)} icon={<KindIcon kind={kind} size={16} />} onClose={onClose}>
      <div className="panel-fields" onFocus={() => { flow.setEditing(node.id); }} onBlur={() => { flow.setEditing(undefined); }}>
        {editors.length > 0 && <p className="hint-people" role="status">{text.properties.editedBy(editors.join(", "))}</p>}
        {flow.status.name === "read_only" && <p className="muted">{text.properties.readOnly}</p>}
        <section className="panel-section">
          <label className="field"><span className="field-label">{text.properties.label}</span>
            <input id="node-name" className="input" value={textOf(node.data.label)} disabled={disabled} maxLength={200} onChange={(event) => { set("label", event.target.value); }} />
          </label>
          <label className="field"><span className="field-label">{text.properties.description}</span>
            <textarea className="textarea" rows={2} value={textOf(node.data.description)} disabled={disabled} maxLength={5000} onChange={(event) => { set("description", event.target.value); }} />
          </label>
          {kind && (
            <label className="field"><span className="field-label">{text.properties.kind}</span>
              <select className="select" value={kind} disabled={disabled} onChange={(event) => { flow.setNode(node.id, { type: event.target.value }); }}>
                {kinds.map((one) => <option key={one} value={one}>{kindInfo[one].name}</option>)}
              </select>
            </label>
          )}
          {node.type === GROUP && <p className="muted">{text.properties.groupHint}</p>}
        </section>
        {kind && (
          <section className="panel-section" aria-label={text.properties.settings}>
            <h3>{text.properties.settings}</h3>
            {kindInfo[kind].fields.map((field) => (
              <SettingField key={field.name} field={field} value={settings[field.name]} disabled={disabled} onChange={(value) => { flow.setNodeData(node.id, { settings: { [field.name]: value } }, step(node.id, `settings/${field.name}`)); }} />
            ))}
          </section>
        )}
      </div>
      {node.type !== GROUP && <Connections id={node.id} nodes={nodes} edges={flow.edges} editable={flow.editable} commands={commands} remove={flow.remove} />}
      <Comments node={node} />
    </Side>
  );
}

interface ConnectionsProps {
  readonly id: string;
  readonly nodes: readonly BuilderNode[];
  readonly edges: readonly BuilderEdge[];
  readonly editable: boolean;
  readonly commands: Commands;
  readonly remove: BuilderFlow["remove"];
}

/** Connections lists a node's edges, and makes them: the way for who does not drag. It is not drawn anew while things are
 * dragged, for a list of a thousand nodes takes its time. */
const Connections = memo(function Connections({ id, nodes, edges, editable, commands, remove }: ConnectionsProps) {
  const byId = new Map(nodes.map((one) => [one.id, one]));
  const mine = edges.filter(({ source, target }) => source === id || target === id);
  const taken = new Set(mine.filter(({ source }) => source === id).map(({ target }) => target));
  const open = nodes.filter((one) => one.id !== id && one.type !== GROUP && !taken.has(one.id));
  return (
    <section className="panel-section" aria-label={text.properties.connections}>
      <h3>{text.properties.connections}</h3>
      {mine.length > 0 && (
        <ul className="connections">
          {mine.map((edge) => {
            const out = edge.source === id;
            const other = byId.get(out ? edge.target : edge.source);
            const name = other ? nameOf(other) : "";
            return (
              <li key={edge.id}>
                <span className="connection-way">{out ? text.properties.outgoing : text.properties.incoming}</span>
                <button type="button" className="link" onClick={() => { if (other) commands.show(other.id); }}>{name}</button>
                {textOf(edge.label) && <span className="connection-label">{textOf(edge.label)}</span>}
                {editable && <button type="button" className="button quiet icon small" aria-label={text.properties.disconnect(name)} onClick={() => { remove({ edges: [edge.id] }); }}><X size={14} /></button>}
              </li>
            );
          })}
        </ul>
      )}
      {editable && open.length > 0 && (
        <select className="select" value="" aria-label={text.properties.connectTo} onChange={(event) => { commands.connect({ source: id, target: event.target.value }); }}>
          <option value="" disabled>{text.properties.connectTo}</option>
          {open.map((one) => <option key={one.id} value={one.id}>{nameOf(one)}</option>)}
        </select>
      )}
    </section>
  );
});

function EdgeProperties({ edge, onClose }: { readonly edge: BuilderEdge; readonly onClose: () => void }) {
  const { flow } = useEditor();
  const name = (id: string) => { const node = flow.nodes.find((one) => one.id === id); return node ? nameOf(node) : ""; };
  return (
    <Side title={text.properties.edgeTitle} onClose={onClose}>
      <section className="panel-section">
        <p className="edge-ends">{name(edge.source)}<ArrowRight size={14} aria-hidden="true" />{name(edge.target)}</p>
        <div className="field"><label className="field-label" htmlFor="edge-label">{text.properties.edgeLabel}</label>
          <input
            id="edge-label" className="input" value={textOf(edge.label)} disabled={!flow.editable} maxLength={80} aria-describedby="edge-hint"
            onFocus={() => { flow.setEditing(edge.id); }} onBlur={() => { flow.setEditing(undefined); }}
            onChange={(event) => { flow.setEdge(edge.id, { label: event.target.value || undefined }, step(edge.id, "label")); }}
          />
          <span id="edge-hint" className="field-hint">{text.properties.edgeHint}</span>
        </div>
        {flow.editable && <button type="button" className="button" onClick={() => { flow.remove({ edges: [edge.id] }); onClose(); }}><Trash2 size={15} />{text.properties.removeEdge}</button>}
      </section>
    </Side>
  );
}

function ManyProperties({ nodes, onClose }: { readonly nodes: readonly BuilderNode[]; readonly onClose: () => void }) {
  const { flow } = useEditor();
  const steps = nodes.filter(({ type }) => type !== GROUP);
  const kind = kindOf(steps[0] ?? {});
  const same = kind !== undefined && steps.every(({ type }) => type === kind);
  const value = (field: string): SettingValue | undefined => {
    const values = steps.map(({ data }) => isPlain(data.settings) ? data.settings[field] : undefined);
    return values.every((one) => one === values[0]) ? values[0] : undefined;
  };
  return (
    <Side title={text.properties.many(nodes.length)} onClose={onClose}>
      <section className="panel-section">
        <p className="muted">{text.properties.manyHint}</p>
        <label className="field"><span className="field-label">{text.properties.kind}</span>
          <select className="select" value={same ? kind : ""} disabled={!flow.editable} onChange={(event) => { flow.transact(() => { for (const { id } of steps) flow.setNode(id, { type: event.target.value }); }); }}>
            {!same && <option value="" disabled>{[...new Set(steps.map(kindName))].join(", ")}</option>}
            {kinds.map((one) => <option key={one} value={one}>{kindInfo[one].name}</option>)}
          </select>
        </label>
      </section>
      {same && (
        <section className="panel-section" aria-label={text.properties.settings}>
          <h3>{text.properties.settings}</h3>
          {kindInfo[kind].fields.map((field) => (
            <SettingField
              key={field.name} field={field} value={value(field.name)} disabled={!flow.editable}
              onChange={(next) => { flow.transact(() => { for (const { id } of steps) flow.setNodeData(id, { settings: { [field.name]: next } }); }, { merge: `many/${field.name}` }); }}
            />
          ))}
        </section>
      )}
    </Side>
  );
}
