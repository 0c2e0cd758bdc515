import { useEffect, useRef, useState, type RefObject } from "react";
import { getFlow, type FlowSummary } from "../api.ts";
import type { FlowDocument } from "../model/document.ts";

/** Documents that were read, by flow, for their pictures: the newest this many. */
const MOST_KEPT = 120;
const kept = new Map<string, { version: string; document: FlowDocument }>();

function keep(id: string, version: string, document: FlowDocument): void {
  kept.delete(id);
  kept.set(id, { version, document });
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_KEPT) break;
    kept.delete(oldest);
  }
}

/** Few at a time: a long list is not to keep the edge busy. */
const MOST_AT_ONCE = 4;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= MOST_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  running++;
  try {
    return await work();
  } finally {
    running--;
    waiting.shift()?.();
  }
}

/** useDocument reads a flow's document once its card comes near the screen, and anew when the flow has changed. */
export function useDocument(flow: FlowSummary): { readonly ref: RefObject<HTMLDivElement | null>; readonly document: FlowDocument | undefined } {
  const ref = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(false);
  const [document, setDocument] = useState(() => kept.get(flow.id)?.document);

  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new IntersectionObserver((entries) => { setNear(entries.some(({ isIntersecting }) => isIntersecting)); }, { rootMargin: "300px" });
    observer.observe(element);
    return () => { observer.disconnect(); };
  }, []);

  useEffect(() => {
    if (!near || kept.get(flow.id)?.version === flow.version) return;
    const end = new AbortController();
    const over = () => end.signal.aborted;
    void inTurn(async () => {
      if (over()) return;
      const read = await getFlow(flow.id, end.signal);
      keep(flow.id, flow.version, read);
      if (!over()) setDocument(read);
    }).catch(() => undefined); // without a picture, then; the next change asks again
    return () => { end.abort(); };
  }, [near, flow.id, flow.version]);

  return { ref, document };
}
