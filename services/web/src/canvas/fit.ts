// Where "everything" fits: the canvas without the palette and the bars that lie on it.

/** Up to this width the palette lies below, and nodes stay large enough for fingers. */
const NARROW = 760; // px

export function fitOptions() {
  return innerWidth <= NARROW
    ? { padding: { top: "24px", left: "16px", right: "16px", bottom: "150px" }, maxZoom: 1, minZoom: 0.4 } as const
    : { padding: { top: "72px", left: "196px", right: "56px", bottom: "88px" }, maxZoom: 1.1 } as const;
}
