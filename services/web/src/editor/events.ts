// What happened that a person should hear of.
import type { FlowEvent } from "@helix/react";
import { isPlain } from "../model/document.ts";
import { text } from "../text.ts";
import { toast } from "../ui/toasts.tsx";
import { textOf } from "./names.ts";

export function tellEvent(event: FlowEvent): void {
  switch (event.type) {
    case "removedByOther": {
      const label = event.nodes.length > 0 ? labelOf(event.data) : text.events.connection;
      const what = text.events.thing[event.engaged](label);
      // While this page was away nobody need have deleted it: the server may have lost it.
      toast(event.by ? text.events.removedByOther(event.by.peer?.name ?? text.somebody, what) : text.events.removed(what));
      break;
    }
    case "refused": {
      const { title, about } = text.cause[event.cause];
      toast(`${title}. ${about || event.sentence}`, { bad: true });
      break;
    }
    case "undoKept":
      toast(event.nothing ? text.events.undoNothing : text.events.undoKept);
      break;
    case "changed": // seen on the canvas
      break;
  }
}

function labelOf(data: unknown): string {
  if (!isPlain(data)) return text.otherKind;
  const inner = isPlain(data["data"]) ? data["data"] : data;
  return textOf(inner["label"]) || text.otherKind;
}
