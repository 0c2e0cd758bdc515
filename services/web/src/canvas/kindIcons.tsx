import { Bot, Box, Brain, GitFork, LogIn, LogOut, Plug, Radar, Repeat2, Shuffle, Wrench, type LucideIcon } from "lucide-react";
import type { Kind } from "../model/kinds.ts";

const icons: Readonly<Record<Kind, LucideIcon>> = {
  agent: Bot, sensor: Radar, skill: Wrench, decision: GitFork, input: LogIn, output: LogOut, memory: Brain, loop: Repeat2, transform: Shuffle, api: Plug,
};

/** KindIcon is the icon of a kind, on a tile in its colour. */
export function KindIcon({ kind, size = 18 }: { readonly kind: Kind | undefined; readonly size?: number }) {
  const Icon = kind ? icons[kind] : Box;
  return <span className={`kind-tile kind-${kind ?? "other"}`} aria-hidden="true"><Icon size={size} strokeWidth={2} /></span>;
}
