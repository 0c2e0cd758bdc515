import { useState } from "react";
import { CircleAlert, CloudOff, Eye, Hourglass } from "lucide-react";
import type { Cause, NextStep, Status } from "@helix/react";
import { useEditor } from "../editor/context.ts";
import { setToken } from "../me.ts";
import { inArrays, type FlowDocument } from "../model/document.ts";
import { go } from "../router.ts";
import { openCopy } from "../start/useFlowActions.tsx";
import { text } from "../text.ts";

/** Notice says, where the flow is not simply live, what that means and what there is to do. */
export function Notice() {
  const { flow } = useEditor();
  const { status } = flow;
  switch (status.name) {
    case "read_only": return inArrays(flow.document) ? <OfArrays /> : <Bar tone="info" icon={<Eye size={17} />} cause="read_only" status={status} />;
    case "saving": return status.cause ? <Bar tone="warn" icon={<Hourglass size={17} />} cause={status.cause} status={status} /> : null;
    case "offline":
      return status.cause && status.cause !== "unavailable"
        ? <Bar tone="warn" icon={<Hourglass size={17} />} cause={status.cause} status={status} />
        : <div className="notice-bar warn" role="status"><CloudOff size={17} aria-hidden="true" /><p>{!flow.loaded ? text.status.offlineOpening : status.waiting ? text.status.offlineKept : text.status.offlineNothing}</p></div>;
    case "refused": return <Bar tone="bad" icon={<CircleAlert size={17} />} cause={status.cause} status={status} />;
    default: return null;
  }
}

/** OfArrays says why a plain client's flow is only looked at, and how to go on with a copy. */
function OfArrays() {
  const { flow } = useEditor();
  const { title, about, copy } = text.editor.ofArrays;
  return (
    <div className="notice-bar info" role="status">
      <span aria-hidden="true" className="notice-icon"><Eye size={17} /></span>
      <p><strong>{title}.</strong> {about}</p>
      <button type="button" className="button small" onClick={() => { openCopy(flow.document as FlowDocument); }}>{copy}</button>
    </div>
  );
}

interface BarProps {
  readonly tone: "info" | "warn" | "bad";
  readonly icon: React.ReactNode;
  readonly cause: Cause;
  readonly status: Extract<Status, { name: "read_only" | "saving" | "offline" | "refused" }>;
}

function Bar({ tone, icon, cause, status }: BarProps) {
  const { flow } = useEditor();
  const { title, about } = text.cause[cause];
  const next: NextStep = "next" in status ? status.next : "wait";
  return (
    <div className={`notice-bar ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      <span aria-hidden="true" className="notice-icon">{icon}</span>
      <p><strong>{title}.</strong> {about || status.sentence}</p>
      {next === "sign_in" && <TokenForm />}
      {(next === "retry" || next === "ask_for_access") && status.name !== "offline" && <button type="button" className="button small" onClick={status.name === "refused" ? flow.reopen : flow.retry}>{text.next.retry}</button>}
      {next === "reopen" && <button type="button" className="button small" onClick={flow.reopen}>{text.next.reopen}</button>}
      {status.name === "refused" && <button type="button" className="button small" onClick={() => { go({ page: "start" }); }}>{text.next.leave}</button>}
    </div>
  );
}

/** TokenForm takes a new token, and connects with it. */
function TokenForm() {
  const { flow } = useEditor();
  const [value, setValue] = useState("");
  return (
    <form
      className="token-form"
      onSubmit={(event) => {
        event.preventDefault();
        setToken(value);
        if (flow.status.name === "refused") flow.reopen();
        else flow.retry();
      }}
    >
      <input className="input" type="password" required autoComplete="off" aria-label={text.start.tokenLabel} placeholder={text.start.tokenLabel} value={value} onChange={(event) => { setValue(event.target.value); }} />
      <button type="submit" className="button primary small">{text.next.sign_in}</button>
    </form>
  );
}
