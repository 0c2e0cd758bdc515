import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, listFlows, MOST_WITH_MEMBERS, type FlowSummary } from "../api.ts";

/** How many flows are shown at first, and how many more at a time. */
const PAGE = 60;
/** How many are looked through when one searches. */
const MOST_SEARCHED = 2_000;
const OFTEN = 4_000; // ms between two looks
const SELDOM = 15_000; // the same for long lists, and where the last look failed

export interface Flows {
  readonly flows: readonly FlowSummary[];
  /** Whether the list was here once. */
  readonly loaded: boolean;
  readonly more: boolean;
  /** Why the last look failed. */
  readonly error: ApiError | undefined;
  showMore: () => void;
  refresh: () => void;
  /** change shows at once what this person has done; the next look confirms it. */
  change: (edit: (flows: readonly FlowSummary[]) => readonly FlowSummary[]) => void;
}

/** useFlows follows the list of flows while the page is seen. */
export function useFlows(searching: boolean): Flows {
  const [flows, setFlows] = useState<readonly FlowSummary[]>([]);
  const [loaded, setLoaded] = useState(false);
  const [more, setMore] = useState(false);
  const [error, setError] = useState<ApiError>();
  const [wanted, setWanted] = useState(PAGE);
  const [turn, setTurn] = useState(0);
  const newest = useRef(0); // looks that began before something was done here are not shown
  const most = searching ? MOST_SEARCHED : wanted;

  useEffect(() => {
    const end = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      const mine = newest.current;
      let wait = most > PAGE ? SELDOM : OFTEN;
      try {
        const found = await read(most, end.signal);
        if (end.signal.aborted) return;
        if (mine === newest.current) {
          setFlows((before) => same(before, found.flows) ? before : found.flows);
          setMore(found.more);
        }
        setLoaded(true);
        setError(undefined);
      } catch (caught) {
        if (end.signal.aborted) return;
        setError(caught instanceof ApiError ? caught : new ApiError(0, "network"));
        wait = SELDOM;
      }
      timer = setTimeout(() => { if (!document.hidden) void look(); }, wait);
    };
    const shown = () => {
      if (document.hidden) return;
      clearTimeout(timer);
      void look();
    };
    document.addEventListener("visibilitychange", shown);
    void look();
    return () => {
      end.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [most, turn]);

  const refresh = useCallback(() => { setTurn((n) => n + 1); }, []);
  const change = useCallback((edit: (all: readonly FlowSummary[]) => readonly FlowSummary[]) => {
    newest.current++;
    setFlows(edit);
    refresh();
  }, [refresh]);
  return { flows, loaded, more, error, refresh, change, showMore: useCallback(() => { setWanted((n) => n + PAGE); }, []) };
}

async function read(most: number, signal: AbortSignal): Promise<{ flows: FlowSummary[]; more: boolean }> {
  const flows = new Map<string, FlowSummary>();
  let cursor: string | undefined;
  do {
    const part = await listFlows({ cursor, limit: flows.size === 0 ? Math.min(MOST_WITH_MEMBERS, most) : Math.min(1000, most - flows.size), signal });
    for (const flow of part.flows) flows.set(flow.id, flow);
    cursor = part.next;
  } while (cursor !== undefined && flows.size < most);
  return { flows: [...flows.values()], more: cursor !== undefined };
}

function same(a: readonly FlowSummary[], b: readonly FlowSummary[]): boolean {
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b);
}
