import { Check, CloudOff, Eye, LoaderCircle, Unplug } from "lucide-react";
import type { Status } from "@helix/react";
import { useEditor } from "../editor/context.ts";
import { text } from "../text.ts";
import { useCountdown } from "./useCountdown.ts";

const icons = { joining: LoaderCircle, live: Check, saving: LoaderCircle, offline: CloudOff, read_only: Eye, refused: Unplug, closed: Unplug } as const;

/** StatusBadge says quietly how the connection is, and when the next try begins. */
export function StatusBadge() {
  const { flow } = useEditor();
  const { status } = flow;
  const seconds = useCountdown("retryAt" in status ? status.retryAt : undefined);
  const Icon = icons[status.name];
  const words = wordsFor(status, seconds);
  // The countdown is for the eyes: read out each second it would be a nuisance.
  return (
    <div className={`status status-${status.name}`} data-status={status.name}>
      <span className="status-words" title={aboutFor(status)}>
        <Icon size={15} aria-hidden="true" className={status.name === "saving" || status.name === "joining" ? "spinner" : undefined} />
        <span aria-hidden="true">{words}</span>
      </span>
      <span className="sr-only" role="status">{text.status.label(wordsFor(status, undefined))}</span>
      {status.name === "offline" && <button type="button" className="button small" onClick={flow.retry}>{text.status.retry}</button>}
    </div>
  );
}

function wordsFor(status: Status, seconds: number | undefined): string {
  switch (status.name) {
    case "joining": return text.status.joining;
    case "live": return text.status.live;
    case "saving": return status.cause && seconds ? text.status.savingIn(seconds) : text.status.saving;
    case "offline": return seconds === undefined ? text.status.offline : seconds > 0 ? text.status.offlineIn(seconds) : text.status.offlineTrying;
    case "read_only": return text.status.readOnly;
    case "refused": return text.status.refused;
    case "closed": return text.status.closed;
  }
}

function aboutFor(status: Status): string {
  switch (status.name) {
    case "live": return text.status.liveAbout;
    case "offline": return status.waiting ? text.status.offlineKept : text.status.offlineNothing;
    case "saving": return status.cause ? text.cause[status.cause].about : "";
    default: return "";
  }
}
