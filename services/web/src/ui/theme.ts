// Light, dark, or as the system has it.
export type Theme = "system" | "light" | "dark";

const KEY = "helix.theme";
const listeners = new Set<() => void>();

export function theme(): Theme {
  const kept = read();
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function setTheme(value: Theme): void {
  try {
    if (value === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, value);
  } catch { /* no storage: then for this page */ }
  show(value);
  for (const listener of listeners) listener();
}

export function subscribeTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

/** showTheme puts the kept theme on the page; it is called before anything is drawn. */
export function showTheme(): void { show(theme()); }

/** isDark says what is on the screen now. */
export function isDark(): boolean {
  const value = theme();
  return value === "dark" || (value === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
}

function show(value: Theme): void {
  if (value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
}

function read(): string | null {
  try { return localStorage.getItem(KEY); } catch { return null; }
}
