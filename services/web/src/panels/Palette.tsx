import { KIND_TYPE } from "../canvas/Canvas.tsx";
import { KindIcon } from "../canvas/kindIcons.tsx";
import { useEditor } from "../editor/context.ts";
import { kindInfo, kinds } from "../model/kinds.ts";
import { text } from "../text.ts";

/** Palette has the kinds of node: click to add one, or drag it to where it belongs. */
export function Palette() {
  const { flow, commands } = useEditor();
  if (!flow.editable) return null;
  return (
    <nav className="palette" aria-label={text.palette.title}>
      <h2>{text.palette.title}</h2>
      <ul>
        {kinds.map((kind) => (
          <li key={kind}>
            <button
              type="button"
              className="palette-item"
              draggable
              aria-label={text.palette.add(kindInfo[kind].name)}
              title={kindInfo[kind].does}
              onClick={() => { commands.add(kind); }}
              onDragStart={(event) => {
                event.dataTransfer.setData(KIND_TYPE, kind);
                event.dataTransfer.effectAllowed = "copy";
              }}
            >
              <KindIcon kind={kind} size={16} />
              <span className="palette-name">{kindInfo[kind].name}</span>
            </button>
          </li>
        ))}
      </ul>
      <p className="palette-hint">{text.palette.hint}</p>
    </nav>
  );
}
