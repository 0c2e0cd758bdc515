// Who this person is: a name and a colour, kept in this browser; and the access token, for this tab.
import { useSyncExternalStore } from "react";
import { text } from "./text.ts";

export interface Me {
  readonly name: string;
  readonly color: string;
}

/** Colours that are told apart, and that white letters stand on. */
export const colors = ["#c2410c", "#b45309", "#4d7c0f", "#047857", "#0f766e", "#0369a1", "#1d4ed8", "#6d28d9", "#a21caf", "#be185d"] as const;

const KEY = "helix.me";
const TOKEN = "helix.token";
const MOST_NAME = 40;
const listeners = new Set<() => void>();

function pick<T>(from: readonly T[]): T {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return from[random % from.length] as T;
}

let me: Me = load();

function load(): Me {
  try {
    const { name, color } = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Me>;
    if (typeof name === "string" && name.trim() && typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color)) return { name: name.slice(0, MOST_NAME), color };
  } catch { /* nothing kept, or nothing that can be read */ }
  const fresh = { name: `${pick(text.guest.adjectives)} ${pick(text.guest.animals)}`, color: pick(colors) };
  keep(fresh);
  return fresh;
}

function keep(value: Me): void {
  try { localStorage.setItem(KEY, JSON.stringify(value)); } catch { /* no storage: then for this page */ }
}

export function setMe(value: Me): void {
  me = { name: value.name.trim().slice(0, MOST_NAME) || me.name, color: value.color };
  keep(me);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  const other = (event: StorageEvent) => { // another tab of mine
    if (event.key !== KEY) return;
    me = load();
    listener();
  };
  listeners.add(listener);
  addEventListener("storage", other);
  return () => {
    listeners.delete(listener);
    removeEventListener("storage", other);
  };
}

export function useMe(): Me {
  return useSyncExternalStore(subscribe, () => me);
}

/** takeToken takes the token that stands behind the address (`#token=…`), and takes it out of the address. */
export function takeToken(): void {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return;
  setToken(given);
  history.replaceState(null, "", location.pathname + location.search);
}

let inMemory: string | undefined;

export function setToken(value: string): void {
  inMemory = value.trim() || undefined;
  try {
    if (inMemory) sessionStorage.setItem(TOKEN, inMemory);
    else sessionStorage.removeItem(TOKEN);
  } catch { /* no storage: then for this page */ }
}

/** tokenOrNone is asked by the connection whenever it begins one. */
export function tokenOrNone(): string | undefined { return token() || undefined; }

/** token gives the access token; empty where there is none. */
export function token(): string {
  if (inMemory !== undefined) return inMemory;
  try { return sessionStorage.getItem(TOKEN) ?? ""; } catch { return ""; }
}
