// What nodes and edges are called, where they are spoken of.
import { GROUP, kindOf } from "../model/document.ts";
import { kindInfo } from "../model/kinds.ts";
import { text } from "../text.ts";
import type { BuilderNode } from "./types.ts";

/** textOf takes a text out of a document in which anything may stand. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

export function kindName(node: { readonly type?: string | undefined }): string {
  const kind = kindOf(node);
  return kind ? kindInfo[kind].name : node.type === GROUP ? text.groupName : text.otherKind;
}

export function nameOf(node: BuilderNode): string {
  return textOf(node.data.label) || kindName(node);
}

export function countComments(comments: unknown): number {
  return typeof comments === "object" && comments !== null ? Object.keys(comments).length : 0;
}
