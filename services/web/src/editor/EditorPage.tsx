import { useEffect, useMemo } from "react";
import { ReactFlowProvider } from "@xyflow/react";
import { HelixProvider, useHelixFlow } from "@helix/react";
import { token, useMe } from "../me.ts";
import { inArrays } from "../model/document.ts";
import { mayWrite } from "../rights.ts";
import { text } from "../text.ts";
import { Editor } from "./Editor.tsx";
import { elementsOf } from "./elements.ts";
import { tellEvent } from "./events.ts";
import type { BuilderEdge, BuilderFlow, BuilderNode } from "./types.ts";

/** EditorPage opens a flow: it joins it, and shows the editor on it. */
export function EditorPage({ flowId }: { readonly flowId: string }) {
  const me = useMe();
  const flow = useHelixFlow<BuilderNode, BuilderEdge>({
    url: "/socket",
    flowId,
    user: { name: me.name, color: me.color },
    ...(token() && { token }),
    onEvent: tellEvent,
  });
  const { setUser } = flow;
  useEffect(() => { setUser({ name: me.name, color: me.color }); }, [setUser, me]);
  // Who may only look is not let try first: their token says so.
  const mayEdit = mayWrite(token(), flowId) !== false;
  const ofArrays = inArrays(flow.document);
  const { document } = flow;
  const elements = useMemo(() => ofArrays ? elementsOf(document) : undefined, [ofArrays, document]);
  const shown = useMemo(() => mayEdit && !elements ? flow : lookOnly({ ...flow, ...elements }), [flow, mayEdit, elements]);
  return (
    <ReactFlowProvider>
      <HelixProvider flow={flow.session}>
        <Editor flow={shown} />
      </HelixProvider>
    </ReactFlowProvider>
  );
}

function lookOnly(flow: BuilderFlow): BuilderFlow {
  const { status } = flow;
  return {
    ...flow,
    editable: false,
    status: status.name === "live" || status.name === "saving" ? { name: "read_only", cause: "read_only", sentence: text.cause.read_only.about, next: "ask_for_access" } : status,
  };
}
