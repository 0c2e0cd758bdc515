import { useEffect } from "react";
import { ReactFlowProvider } from "@xyflow/react";
import { HelixProvider, useHelixFlow } from "@helix/react";
import { tokenOrNone, useMe } from "../me.ts";
import { Editor } from "./Editor.tsx";
import { tellEvent } from "./events.ts";
import type { BuilderEdge, BuilderNode } from "./types.ts";

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
  return (
    <ReactFlowProvider>
      <HelixProvider flow={flow.session}>
        <Editor flow={flow} />
      </HelixProvider>
    </ReactFlowProvider>
  );
}
