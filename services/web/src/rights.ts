// What a token says of its bearer's rights: only to show the page accordingly. The edge decides, whatever is shown.
import { isPlain } from "./model/document.ts";

/** mayWrite reads a JSON Web Token; undefined where it does not say, in the claim that Helix looks at by default. */
export function mayWrite(token: string, flowId: string): boolean | undefined {
  const claim = payloadOf(token)?.["helix"];
  const rights = isPlain(claim) ? claim["rights"] : undefined;
  if (!Array.isArray(rights)) return undefined;
  return rights.some((right: unknown) => {
    if (!isPlain(right) || typeof right["flows"] !== "string" || !Array.isArray(right["may"])) return false;
    const pattern = right["flows"];
    const fits = pattern.endsWith("*") ? flowId.startsWith(pattern.slice(0, -1)) : flowId === pattern;
    return fits && right["may"].includes("write");
  });
}

function payloadOf(token: string): Record<string, unknown> | undefined {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (sign) => sign.charCodeAt(0));
    const payload: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isPlain(payload) ? payload : undefined;
  } catch {
    return undefined;
  }
}
