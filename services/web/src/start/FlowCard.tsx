import { memo } from "react";
import { Copy, Download, Ellipsis, FileImage, Image, Pencil, SquareArrowOutUpRight, Trash2 } from "lucide-react";
import type { FlowSummary } from "../api.ts";
import { addressOf, followLink, go } from "../router.ts";
import { text } from "../text.ts";
import { ago, fullTime } from "../time.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { Menu, MenuItem } from "../ui/Menu.tsx";
import { FlowPicture } from "./FlowPicture.tsx";
import { useDocument } from "./useDocument.ts";
import type { FlowActions } from "./useFlowActions.tsx";

interface FlowCardProps {
  readonly flow: FlowSummary;
  readonly actions: FlowActions;
}

/** FlowCard is one flow in the list: a link with a picture, and a menu of what can be done with it. */
export const FlowCard = memo(function FlowCard({ flow, actions }: FlowCardProps) {
  const { ref, document } = useDocument(flow);
  const title = flow.title || text.untitled;
  return (
    <li className="card" data-flow={flow.id}>
      <div ref={ref} className="card-picture">{document && <FlowPicture flow={document} />}</div>
      {flow.here > 0 && (
        <span className="card-here" title={flow.people.map(({ name }) => name).join(", ")}>
          {flow.people.length > 0
            ? <span className="avatars">{flow.people.slice(0, 3).map((person, i) => <Avatar key={i} name={person.name} color={person.color} size={22} />)}</span>
            : <span className="live-dot" aria-hidden="true" />}
          {text.start.here(flow.here)}
          {flow.people.length > 0 && <span className="sr-only">{text.start.inIt(flow.people.map(({ name }) => name).join(", "))}</span>}
        </span>
      )}
      <div className="card-body">
        <h3><a href={addressOf({ page: "flow", id: flow.id })} onClick={followLink} title={title}>{title}</a></h3>
        <p>
          {text.nodes(flow.nodes)}<span aria-hidden="true"> · </span>{text.edges(flow.edges)}<span aria-hidden="true"> · </span>
          {flow.changed > 0 ? <time dateTime={new Date(flow.changed).toISOString()} title={fullTime(flow.changed)}>{ago(flow.changed)}</time> : text.time.never}
        </p>
      </div>
      <Menu button={<Ellipsis size={17} />} label={text.start.actions(title)} className="button quiet icon small card-menu">
        {(close) => {
          const then = (act: () => void) => () => { close(); act(); };
          return (
            <>
              <MenuItem icon={<SquareArrowOutUpRight size={15} />} onSelect={then(() => { go({ page: "flow", id: flow.id }); })}>{text.start.open}</MenuItem>
              <MenuItem icon={<Pencil size={15} />} onSelect={then(() => { actions.rename(flow); })}>{text.start.rename}</MenuItem>
              <MenuItem icon={<Copy size={15} />} onSelect={then(() => { actions.duplicate(flow); })}>{text.start.duplicate}</MenuItem>
              <hr />
              <MenuItem icon={<Download size={15} />} onSelect={then(() => { actions.exportAs(flow, "json"); })}>{text.start.exportJson}</MenuItem>
              <MenuItem icon={<Image size={15} />} onSelect={then(() => { actions.exportAs(flow, "png"); })}>{text.start.exportPng}</MenuItem>
              <MenuItem icon={<FileImage size={15} />} onSelect={then(() => { actions.exportAs(flow, "svg"); })}>{text.start.exportSvg}</MenuItem>
              <hr />
              <MenuItem danger icon={<Trash2 size={15} />} onSelect={then(() => { actions.remove(flow); })}>{text.delete}</MenuItem>
            </>
          );
        }}
      </Menu>
    </li>
  );
});
