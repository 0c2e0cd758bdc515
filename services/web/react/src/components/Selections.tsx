import type { ComponentType } from "react";
import type { FlowSession } from "../session.ts";

export interface SelectionsProps {
  /** By itself that of the `HelixProvider` around. */
  readonly flow?: FlowSession;
}

/** Selections draws a frame in a peer's colour, with their name, around what they have selected or are editing. It
 * belongs inside `<ReactFlow>`. */
export declare const Selections: ComponentType<SelectionsProps>;
