// When to show what came: with the browser's next frame; where the page is hidden or there is no browser, soon.

const SOON = 50; // ms

/** nextFrame calls a function once, and gives what takes that back. */
export function nextFrame(call: (now: number) => void): () => void {
  if (typeof requestAnimationFrame === "function" && typeof document !== "undefined" && document.visibilityState === "visible") {
    const frame = requestAnimationFrame(call);
    return () => { cancelAnimationFrame(frame); };
  }
  const timer = setTimeout(() => { call(performance.now()); }, SOON);
  return () => { clearTimeout(timer); };
}

/** calm says whether this person asked for less motion. */
export function calm(): boolean {
  return typeof matchMedia === "function" && matchMedia("(prefers-reduced-motion: reduce)").matches;
}
