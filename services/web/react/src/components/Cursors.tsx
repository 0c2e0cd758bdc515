import type { ComponentType } from "react";
import type { FlowSession } from "../session.ts";

export interface CursorsProps {
  /** By itself that of the `HelixProvider` around. */
  readonly flow?: FlowSession;
  /** Hide a cursor that did not move for so long, in milliseconds; 30 000 by itself. */
  readonly idleMs?: number;
}

/** Cursors shows where the others point, with their names and colours, and tells them where this person does. It belongs
 * inside `<ReactFlow>`. */
export declare const Cursors: ComponentType<CursorsProps>;
