import type { ComponentType, ReactNode } from "react";
import type { FlowSession } from "../session.ts";

/** HelixProvider hands a session to the components and hooks below it, custom nodes too. */
export declare const HelixProvider: ComponentType<{ readonly flow: FlowSession; readonly children: ReactNode }>;

/** useHelix gives the session of the HelixProvider around. */
export declare function useHelix(): FlowSession;
