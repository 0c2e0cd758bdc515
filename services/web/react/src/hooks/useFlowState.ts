import type { FlowSession } from "../session.ts";
import type { FlowState } from "./useHelixFlow.ts";

/**
 * useFlowState reads a part of the state, and renders only when that part is another one: for panels and custom nodes.
 * Without a session it takes that of the `HelixProvider` around.
 *
 * @example const title = useFlowState((state) => state.document.title);
 */
export declare function useFlowState<T>(select: (state: FlowState) => T, flow?: FlowSession): T;
