import { useEffect, useMemo } from "react";
import { ReactFlowProvider } from "@xyflow/react";
import { HelixProvider, useHelixFlow } from "@helix/react";
import { tokenOrNone, useMe } from "../me.ts";
import { inArrays } from "../model/document.ts";
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
    token: tokenOrNone,
    onEvent: tellEvent,
  });
  const { setUser } = flow;
  useEffect(() => { setUser({ name: me.name, color: me.color }); }, [setUser, me]);
  const { document } = flow;
  const elements = useMemo(() => inArrays(document) ? elementsOf(document) : undefined, [document]);
  const shown = useMemo(() => elements ? lookOnly({ ...flow, ...elements }) : flow, [flow, elements]);
  return (
    <ReactFlowProvider>
      <HelixProvider flow={flow.session}>
        <Editor flow={shown} />
      </HelixProvider>
    </ReactFlowProvider>
  );
}

/** lookOnly gives a flow that is not edited here: an edit by id would replace the whole of what its own client wrote. */
function lookOnly(flow: BuilderFlow): BuilderFlow {
  const { status } = flow;
  return {
    ...flow,
    editable: false,
    status: status.name === "live" || status.name === "saving" ? { name: "read_only", cause: "read_only", sentence: text.editor.ofArrays.about, next: "wait" } : status,
  };
}
