// Why a connection cannot be opened: a WebSocket does not tell, but the HTTP API beside it does.
import { HelixError } from "./reasons.ts";

/**
 * whyRefused asks the server that a socket's URL names whether it takes a token (or none). It gives the refusal: of
 * reason `unauthenticated` or `token_expired`; undefined where the token is taken, or where nothing can be known: the
 * server is away, or it is another origin than the page's, whose HTTP API pages may not ask.
 */
export async function whyRefused(url: string, token?: string, { timeoutMs = 5_000 } = {}): Promise<HelixError | undefined> {
  try {
    const answer = await fetch(httpUrl(url, "/api/flows?limit=1"), {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(timeoutMs),
      cache: "no-store",
    });
    if (answer.status !== 401) { void answer.body?.cancel(); return undefined; }
    const { code, detail } = await answer.json() as { code?: unknown; detail?: unknown };
    return new HelixError(typeof code === "string" ? code : "unauthenticated", typeof detail === "string" ? detail : undefined);
  } catch {
    return undefined;
  }
}

/** httpUrl gives the address of a path of the HTTP API beside a socket: `wss://host/socket` and `/api` give `https://host/api`. */
export function httpUrl(socketUrl: string, path: string): string {
  const base = typeof location === "undefined" ? undefined : location.href;
  const url = new URL(socketUrl, base);
  const before = url.pathname.replace(/\/socket(\/websocket)?\/?$/, "").replace(/\/$/, "");
  return `${url.protocol.replace(/^ws/, "http")}//${url.host}${before}${path}`;
}
