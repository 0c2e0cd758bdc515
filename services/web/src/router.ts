// Which page the address names: "/" the flows, "/flows/<id>" one of them.
import { useSyncExternalStore } from "react";

export type Route = { readonly page: "start" } | { readonly page: "flow"; readonly id: string };

const FLOWS = "/flows/";

/** routeOf reads an address; one that cannot be read is the start page's. */
export function routeOf(pathname: string, search = ""): Route {
  if (pathname.startsWith(FLOWS) && pathname.length > FLOWS.length) {
    try {
      const id = decodeURIComponent(pathname.slice(FLOWS.length)).trim();
      if (id) return { page: "flow", id };
    } catch { /* no percent-encoding: no id */ }
  }
  const named = new URLSearchParams(search).get("flow")?.trim(); // what cannot stand in a path, and how earlier pages named it
  return named ? { page: "flow", id: named } : { page: "start" };
}

export function addressOf(route: Route): string {
  if (route.page === "start") return "/";
  // Two ids mean folders in a path, however they are encoded.
  return route.id === "." || route.id === ".." ? `/?flow=${route.id}` : FLOWS + encodeURIComponent(route.id);
}

const listeners = new Set<() => void>();

/** go opens a page without loading it anew. */
export function go(route: Route): void {
  history.pushState(null, "", addressOf(route));
  scrollTo(0, 0);
  for (const listener of listeners) listener();
}

/** followLink makes a link stay in the page, unless the person wants it elsewhere: in a tab, as a file. */
export function followLink(event: React.MouseEvent<HTMLAnchorElement>): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(routeOf(event.currentTarget.pathname, event.currentTarget.search));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}

/** useRoute gives the page that the address names. The same object while the address is. */
export function useRoute(): Route {
  const address = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  const [pathname = "/", search = ""] = address.split("?", 2);
  return routeOf(pathname, search);
}
