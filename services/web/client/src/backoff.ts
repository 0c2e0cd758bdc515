/** Backoff says how long to wait between tries. */
export interface Backoff {
  /** about how long before the second try, in milliseconds */
  readonly firstMs: number;
  /** the longest wait, in milliseconds */
  readonly mostMs: number;
}

export const defaultBackoff: Backoff = { firstMs: 500, mostMs: 20_000 };

/** waitMs gives the wait after so many failed tries: twice as long each time, up to the longest, and by chance
 * down to half of that, so that clients which lost the same edge do not all come back in the same moment. */
export function waitMs({ firstMs, mostMs }: Backoff, tries: number): number {
  const longest = Math.min(firstMs * 2 ** Math.min(tries - 1, 30), mostMs);
  return Math.round(longest * (0.5 + Math.random() / 2));
}
