import { AlignCenterHorizontal, AlignCenterVertical, AlignEndHorizontal, AlignEndVertical, AlignHorizontalSpaceBetween, AlignStartHorizontal, AlignStartVertical, AlignVerticalSpaceBetween, Copy, Group, Trash2, Ungroup } from "lucide-react";
import { useEditor } from "../editor/context.ts";
import type { Alignment } from "../model/arrange.ts";
import { GROUP } from "../model/document.ts";
import { text } from "../text.ts";
import { Menu, MenuItem } from "../ui/Menu.tsx";

const alignIcons: Readonly<Record<Alignment, typeof Copy>> = {
  left: AlignStartVertical, center: AlignCenterVertical, right: AlignEndVertical, top: AlignStartHorizontal, middle: AlignCenterHorizontal, bottom: AlignEndHorizontal,
};

/** SelectionBar is what can be done with the nodes that are selected together. */
export function SelectionBar() {
  const { flow, commands } = useEditor();
  const selected = flow.nodes.filter((node) => node.selected);
  const grouped = selected.some(({ type }) => type === GROUP);
  if (!flow.editable || (selected.length < 2 && !grouped)) return null;
  return (
    <div className="bar selection-bar" role="toolbar" aria-label={text.selection.toolbar}>
      <span className="selection-count">{text.selection.count(selected.length)}</span>
      {selected.length > 1 && (
        <Menu button={<><AlignStartVertical size={16} />{text.selection.align}</>} label={text.selection.align} className="button quiet small">
          {(close) => (
            <>
              {(Object.keys(alignIcons) as Alignment[]).map((to) => {
                const Icon = alignIcons[to];
                return <MenuItem key={to} icon={<Icon size={15} />} onSelect={() => { close(); commands.align(to); }}>{text.selection.alignments[to]}</MenuItem>;
              })}
              <hr />
              <MenuItem icon={<AlignHorizontalSpaceBetween size={15} />} disabled={selected.length < 3} onSelect={() => { close(); commands.distribute("horizontal"); }}>{text.selection.distribute.horizontal}</MenuItem>
              <MenuItem icon={<AlignVerticalSpaceBetween size={15} />} disabled={selected.length < 3} onSelect={() => { close(); commands.distribute("vertical"); }}>{text.selection.distribute.vertical}</MenuItem>
            </>
          )}
        </Menu>
      )}
      {grouped
        ? <button type="button" className="button quiet small" onClick={commands.ungroup}><Ungroup size={16} />{text.selection.ungroup}</button>
        : <button type="button" className="button quiet small" onClick={commands.group}><Group size={16} />{text.selection.group}</button>}
      <button type="button" className="button quiet icon small" aria-label={text.selection.duplicate} data-tip={text.selection.duplicate} onClick={commands.duplicate}><Copy size={15} /></button>
      <button type="button" className="button quiet icon small" aria-label={text.selection.remove} data-tip={text.selection.remove} onClick={commands.remove}><Trash2 size={15} /></button>
    </div>
  );
}
