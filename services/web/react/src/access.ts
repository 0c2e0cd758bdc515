// What a token says, and what the server says of it: a WebSocket that is refused tells no reason.
import { httpUrl, whyRefused } from "@helix/client";

/** claims reads a JSON Web Token without checking it, which is the server's to do. Undefined: it is none. */
export function claims(token: string | undefined): { readonly exp?: unknown; readonly sub?: unknown } | undefined {
  const body = token?.split(".")[1];
  if (body === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(body.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** refusedToken gives why the server takes no connection with a token, as far as that can be known. */
export async function refusedToken(url: string, token: string | undefined): Promise<{ reason: string; sentence: string } | undefined> {
  const error = await whyRefused(url, token);
  if (error) return { reason: !token && error.reason === "unauthenticated" ? "token_missing" : error.reason, sentence: error.sentence };
  const { exp } = claims(token) ?? {};
  return typeof exp === "number" && exp * 1000 < Date.now() ? { reason: "token_expired", sentence: "the token has expired; come back with a fresh one" } : undefined;
}

/** isKept asks whether a flow's document is still there. False where that cannot be known. */
export async function isKept(url: string, flowId: string, token: string | undefined): Promise<boolean> {
  try {
    const answer = await fetch(httpUrl(url, `/api/flows/${encodeURIComponent(flowId)}`), {
      method: "HEAD",
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.timeout(5_000),
      cache: "no-store",
    });
    return answer.ok;
  } catch {
    return false;
  }
}
