// Everything that can be done in the editor, whoever asks for it: a key, a button, the search.
import { useMemo, useRef } from "react";
import { useReactFlow, useStoreApi, type XYPosition } from "@xyflow/react";
import { fitOptions } from "../canvas/fit.ts";
import { align, distribute, freePlace, groupAround, snap, type Alignment, type Axis, type Placed } from "../model/arrange.ts";
import { readClip, writeClip } from "../model/clipboard.ts";
import { connectionProblem, type Ends } from "../model/connect.ts";
import { GROUP, grid, groupSize, newId, nodeSize, type Point } from "../model/document.ts";
import { kindInfo, type Kind } from "../model/kinds.ts";
import { layout } from "../model/layout.ts";
import { text } from "../text.ts";
import { copyText } from "../ui/clipboard.ts";
import { toast } from "../ui/toasts.tsx";
import { useNewest } from "../ui/useNewest.ts";
import type { BuilderEdge, BuilderFlow, BuilderNode } from "./types.ts";

export interface Commands {
  /** add puts a new node at a place on the canvas, or in the middle of the screen; connected from another one if asked for. */
  add: (kind: Kind, at?: Point, from?: { readonly id: string; readonly direction: "out" | "in" }) => string | undefined;
  canConnect: (ends: Ends) => boolean;
  /** connect makes a connection, or says why it may not be. */
  connect: (ends: Ends) => void;
  remove: () => void;
  selectAll: () => void;
  duplicate: () => void;
  /** clip gives what is selected, as text for the clipboard; undefined where nothing is. */
  clip: () => string | undefined;
  copy: () => void;
  cut: () => void;
  /** paste takes what was copied here; without a text, what was copied last. */
  paste: (copied?: string) => void;
  align: (to: Alignment) => void;
  distribute: (axis: Axis) => void;
  group: () => void;
  ungroup: () => void;
  /** tidy lays out what is selected, or everything. */
  tidy: () => Promise<void>;
  zoomIn: () => void;
  zoomOut: () => void;
  zoomTo100: () => void;
  fit: () => void;
  fitSelection: () => void;
  /** show moves the canvas to a node and selects it. */
  show: (id: string) => void;
}

const CALM = { duration: 240 } as const;
/** How far copies lie from what they were made of. */
const APART = 2 * grid;

/** useCommands gives the commands; they are the same functions for ever, and always see the newest flow. */
export function useCommands(flow: BuilderFlow): Commands {
  const reactFlow = useReactFlow<BuilderNode, BuilderEdge>();
  const store = useStoreApi<BuilderNode, BuilderEdge>();
  const newest = useNewest(flow);
  const copied = useRef<string>(undefined);
  const pastes = useRef(0);

  return useMemo((): Commands => {
    const editable = () => newest.current.editable;
    const nodes = () => newest.current.nodes;
    const byId = (id: string) => nodes().find((node) => node.id === id);
    const selected = () => nodes().filter((node) => node.selected);
    const selectedEdges = () => newest.current.edges.filter((edge) => edge.selected);

    /** placed gives where nodes are on the canvas, whatever group they are in. */
    const placed = (some: readonly BuilderNode[]): Placed[] => some.map((node) => {
      const internal = reactFlow.getInternalNode(node.id);
      const size = node.type === GROUP ? groupSize : nodeSize;
      return {
        id: node.id,
        ...(internal?.internals.positionAbsolute ?? node.position),
        width: internal?.measured.width ?? node.width ?? size.width,
        height: internal?.measured.height ?? node.height ?? size.height,
      };
    });
    /** move puts nodes at places on the canvas; in a group they are kept relative to it. */
    const move = (places: ReadonlyMap<string, Point>) => {
      newest.current.transact(() => {
        for (const [id, place] of places) {
          const parent = byId(id)?.parentId;
          const origin = parent === undefined || places.has(parent) ? undefined : reactFlow.getInternalNode(parent)?.internals.positionAbsolute;
          newest.current.setNode(id, { position: { x: Math.round(place.x - (origin?.x ?? 0)), y: Math.round(place.y - (origin?.y ?? 0)) } });
        }
      });
    };
    /** together gives the selected nodes, without those whose group is selected too: they move with it. */
    const together = () => {
      const some = selected();
      const ids = new Set(some.map(({ id }) => id));
      return some.filter(({ parentId }) => parentId === undefined || !ids.has(parentId));
    };
    const middle = (): XYPosition => {
      const { width, height, transform: [x, y, zoom] } = store.getState();
      return { x: (width / 2 - x) / zoom, y: (height / 2 - y) / zoom };
    };
    const some = () => {
      const chosen = together();
      if (chosen.length === 0) toast(text.editor.nothingSelected);
      return chosen;
    };
    const connectable = (id: string) => { const node = byId(id); return node !== undefined && node.type !== GROUP; };

    const clip = () => {
      const chosen = new Set(selected().map(({ id }) => id));
      for (let size = -1; size !== chosen.size;) { // with all that is in groups, however deep
        size = chosen.size;
        for (const node of nodes()) if (node.parentId !== undefined && chosen.has(node.parentId)) chosen.add(node.id);
      }
      if (chosen.size === 0) return undefined;
      const places = new Map(placed(nodes().filter(({ id }) => chosen.has(id))).map((one) => [one.id, one]));
      const value = writeClip({
        nodes: Object.fromEntries(nodes().filter(({ id }) => chosen.has(id)).map(({ id, type, position, parentId, width, height, data }) => {
          const inside = parentId !== undefined && chosen.has(parentId);
          const { comments: _comments, ...kept } = data; // a copy begins without what was said about the first
          const at = places.get(id);
          return [id, {
            ...(type && { type }), position: inside || !at ? position : { x: at.x, y: at.y }, ...(inside && { parentId }),
            ...(width && { width }), ...(height && { height }), data: kept,
          }];
        })),
        edges: Object.fromEntries(newest.current.edges.filter(({ source, target }) => chosen.has(source) && chosen.has(target)).map(({ id, source, target, label }) => [id, { source, target, ...(typeof label === "string" && { label }) }])),
      });
      copied.current = value;
      pastes.current = 0;
      return value;
    };
    const paste = (value: string, by: Point) => {
      const clipped = readClip(value);
      if (!clipped || !editable()) return 0;
      const elements = {
        nodes: Object.entries(clipped.nodes).map(([id, node]) => ({ id, ...node, position: node.position ?? { x: 0, y: 0 }, data: node.data ?? {} })),
        edges: Object.entries(clipped.edges).map(([id, edge]) => ({ id, ...edge })),
      };
      newest.current.paste(elements, by);
      return elements.nodes.length;
    };
    const toClipboard = (value: string | undefined) => {
      if (value === undefined) { toast(text.editor.nothingSelected); return; }
      // Where the browser does not let us, what was copied is still known here.
      copyText(value).catch(() => undefined);
      toast(text.editor.copied(Object.keys(readClip(value)?.nodes ?? {}).length));
    };
    const remove = () => {
      if (!editable()) return;
      const [gone, goneEdges] = [selected(), selectedEdges()];
      if (gone.length + goneEdges.length === 0) return;
      newest.current.remove({ nodes: gone.map(({ id }) => id), edges: goneEdges.map(({ id }) => id) });
    };

    return {
      add: (kind, at, from) => {
        if (!editable()) return undefined;
        const origin = at ?? middle();
        const corner = snap({ x: origin.x - nodeSize.width / 2, y: origin.y - nodeSize.height / 2 }, grid);
        const free = freePlace({ ...corner, ...nodeSize }, placed(nodes()), grid);
        const id = newId("n");
        newest.current.transact(() => {
          newest.current.addNodes([{ id, type: kind, position: free, selected: true, data: { label: kindInfo[kind].name } }]);
          if (from) {
            const ends = from.direction === "out" ? { source: from.id, target: id } : { source: id, target: from.id };
            newest.current.addEdges([{ id: newId("e"), ...ends }]);
          }
        });
        return id;
      },
      canConnect: (ends) => connectionProblem(ends, newest.current.edges, connectable) === undefined,
      connect: (ends) => {
        if (!editable()) return;
        const problem = connectionProblem(ends, newest.current.edges, connectable);
        if (problem) { toast(text.editor[problem]); return; }
        newest.current.addEdges([{ id: newId("e"), ...ends }]);
      },
      remove,
      selectAll: () => { newest.current.select({ nodes: nodes().map(({ id }) => id), edges: newest.current.edges.map(({ id }) => id) }); },
      clip,
      copy: () => { toClipboard(clip()); },
      cut: () => {
        const value = clip();
        toClipboard(value);
        if (value !== undefined) remove();
      },
      duplicate: () => {
        const value = clip();
        if (value === undefined) { toast(text.editor.nothingSelected); return; }
        paste(value, { x: APART, y: APART });
      },
      paste: (value) => {
        const from = value ?? copied.current;
        const apart = APART * (from === copied.current ? ++pastes.current : 1);
        const n = from === undefined ? 0 : paste(from, { x: apart, y: apart });
        if (n > 0) toast(text.editor.pasted(n));
        else if (editable()) toast(text.editor.nothingToPaste);
      },
      align: (to) => { if (editable()) move(align(placed(some()), to)); },
      distribute: (axis) => { if (editable()) move(distribute(placed(some()), axis)); },
      group: () => {
        if (!editable()) return;
        const chosen = some().filter(({ type }) => type !== GROUP);
        if (chosen.length === 0) return;
        const boxes = placed(chosen);
        const around = groupAround(boxes);
        const id = newId("g");
        newest.current.transact(() => {
          newest.current.addNodes([{ id, type: GROUP, position: { x: around.x, y: around.y }, width: around.width, height: around.height, selected: true, data: { label: text.groupName } }]);
          for (const { id: child, x, y } of boxes) newest.current.setNode(child, { parentId: id, position: { x: x - around.x, y: y - around.y } });
        });
        newest.current.select({ nodes: [id] });
      },
      ungroup: () => {
        if (!editable()) return;
        const groups = new Set(selected().filter(({ type }) => type === GROUP).map(({ id }) => id));
        if (groups.size === 0) return;
        const children = nodes().filter(({ parentId }) => parentId !== undefined && groups.has(parentId));
        const places = placed(children);
        newest.current.transact(() => {
          for (const { id, x, y } of places) newest.current.setNode(id, { parentId: undefined, position: { x, y } } as unknown as Partial<BuilderNode>);
          newest.current.remove({ nodes: [...groups] });
        });
        newest.current.select({ nodes: children.map(({ id }) => id) });
      },
      tidy: async () => {
        if (!editable()) return;
        const chosen = selected().length > 1 ? together() : nodes().filter(({ parentId }) => parentId === undefined);
        const ids = new Set(chosen.map(({ id }) => id));
        // What is in a group counts as the group: its edges pull the group.
        const at = (id: string): string => { const parent = byId(id)?.parentId; return ids.has(id) || parent === undefined ? id : at(parent); };
        const boxes = placed(chosen);
        const edges = newest.current.edges.map(({ source, target }) => ({ source: at(source), target: at(target) }));
        const places = await layout(boxes, edges).catch(() => undefined);
        if (!places) { toast(text.editor.noLayout, { bad: true }); return; }
        move(places);
        if (selected().length <= 1) requestAnimationFrame(() => { void reactFlow.fitView({ ...fitOptions(), ...CALM }); });
        toast(text.editor.tidied, { action: { label: text.editor.undo, run: () => { newest.current.undo(); } } });
      },
      zoomIn: () => { void reactFlow.zoomIn(CALM); },
      zoomOut: () => { void reactFlow.zoomOut(CALM); },
      zoomTo100: () => { void reactFlow.zoomTo(1, CALM); },
      fit: () => { void reactFlow.fitView({ ...fitOptions(), ...CALM }); },
      fitSelection: () => {
        const chosen = selected();
        void reactFlow.fitView({ ...fitOptions(), ...CALM, ...(chosen.length > 0 && { nodes: chosen }) });
      },
      show: (id) => {
        const node = byId(id);
        if (!node) return;
        newest.current.select({ nodes: [id] });
        const [box] = placed([node]);
        if (box) void reactFlow.setCenter(box.x + box.width / 2, box.y + box.height / 2, { zoom: Math.max(0.8, Math.min(1.2, reactFlow.getZoom())), ...CALM });
      },
    };
  }, [reactFlow, store, newest]);
}

