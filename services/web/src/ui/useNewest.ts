import { useLayoutEffect, useRef } from "react";

/** useNewest gives a box that always holds the newest value: for listeners that are set up once. */
export function useNewest<T>(value: T): { readonly current: T } {
  const box = useRef(value);
  useLayoutEffect(() => { box.current = value; });
  return box;
}
