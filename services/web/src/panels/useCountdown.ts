import { useSyncExternalStore } from "react";

/** useCountdown gives the whole seconds until a time, in milliseconds since 1970; undefined where there is none. */
export function useCountdown(until: number | undefined): number | undefined {
  return useSyncExternalStore(
    until === undefined ? never : fourTimesASecond,
    () => until === undefined ? undefined : Math.max(0, Math.ceil((until - Date.now()) / 1000)),
  );
}

function fourTimesASecond(tell: () => void): () => void {
  const timer = setInterval(tell, 250);
  return () => { clearInterval(timer); };
}

function never(): () => void { return () => undefined; }
