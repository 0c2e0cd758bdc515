import { memo } from "react";
import { NodeResizer, type NodeProps } from "@xyflow/react";
import { useNodeUi } from "../editor/context.ts";
import { textOf } from "../editor/names.ts";
import type { BuilderNode } from "../editor/types.ts";
import { text } from "../text.ts";
import { NameInput } from "./KindNode.tsx";

/** GroupNode is a frame around nodes that belong together: a flow within the flow. */
export const GroupNode = memo(function GroupNode({ id, data, selected }: NodeProps<BuilderNode>) {
  const ui = useNodeUi();
  const label = textOf(data.label);
  return (
    <div className="group-node">
      {ui?.editable && <NodeResizer isVisible={selected} minWidth={160} minHeight={100} />}
      <div className="group-title" onDoubleClick={() => { ui?.startRenaming(id); }}>
        {ui?.renaming === id ? <NameInput id={id} label={label} /> : label || text.groupName}
      </div>
    </div>
  );
});
