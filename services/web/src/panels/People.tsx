import { Eye, EyeOff, Users } from "lucide-react";
import type { useFollow, Peer } from "@helix/react";
import { useEditor } from "../editor/context.ts";
import { nameOf } from "../editor/names.ts";
import { useMe } from "../me.ts";
import { text } from "../text.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { Menu } from "../ui/Menu.tsx";

/** How many avatars stand side by side. */
const SHOWN = 4;

export type Follow = ReturnType<typeof useFollow>;

/** People shows who is here; its menu says what they do, and follows them. */
export function People({ follow }: { readonly follow: Follow }) {
  const { flow } = useEditor();
  const me = useMe();
  const { others } = flow;
  const what = (peer: Peer) => {
    const name = (id: string) => { const node = flow.nodes.find((one) => one.id === id); return node ? `“${nameOf(node)}”` : text.events.connection; };
    if (peer.editing !== undefined) return text.people.editing(name(peer.editing));
    const [first] = peer.selectedNodes;
    return first === undefined ? text.people.looking : text.people.selected(peer.selectedNodes.length > 1 ? text.nodes(peer.selectedNodes.length) : name(first));
  };
  return (
    <Menu
      className="button quiet people"
      label={`${text.people.title}: ${[me.name, ...others.map(({ name }) => name)].join(", ")}`}
      button={
        <span className="avatars">
          {others.slice(0, SHOWN).map((peer) => <Avatar key={peer.clientId} name={peer.name} color={peer.color} />)}
          {others.length > SHOWN && <span className="avatar more">{text.andMore(others.length - SHOWN)}</span>}
          {others.length === 0 && <Users size={17} />}
        </span>
      }
    >
      {(close) => (
        <>
          <p className="menu-title">{text.people.title}</p>
          <div className="person"><Avatar name={me.name} color={me.color} /><span className="person-words"><span>{text.people.me(me.name)}</span></span></div>
          {others.length === 0 && <p className="menu-note">{text.people.alone}</p>}
          {others.map((peer) => {
            const followed = follow.following?.clientId === peer.clientId;
            return (
              <button
                key={peer.clientId} type="button" role="menuitem" tabIndex={-1} className="person"
                aria-label={followed ? text.people.unfollow(peer.name) : text.people.follow(peer.name)}
                onClick={() => { close(); if (followed) follow.unfollow(); else follow.follow(peer.clientId); }}
              >
                <Avatar name={peer.name} color={peer.color} />
                <span className="person-words"><span>{peer.name}</span><span className="muted">{what(peer)}</span></span>
                {followed ? <EyeOff size={15} /> : <Eye size={15} />}
              </button>
            );
          })}
        </>
      )}
    </Menu>
  );
}

/** Following says whose view this is, and ends it. */
export function Following({ follow }: { readonly follow: Follow }) {
  const { following } = follow;
  if (!following) return null;
  return (
    <div className="following" style={{ "--person": following.color } as React.CSSProperties}>
      <p role="status">{text.people.following(following.name)}<button type="button" className="button small" onClick={follow.unfollow}>{text.people.stop}</button></p>
    </div>
  );
}
