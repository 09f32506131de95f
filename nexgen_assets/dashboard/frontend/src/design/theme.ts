/** Light, dark, or what the system says: the person's choice, kept in this browser. `public/theme.js` applies it first. */
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "nexgen-theme";
const listeners = new Set<() => void>();
const system = window.matchMedia("(prefers-color-scheme: dark)");

function tell(): void {
  for (const listener of listeners) listener();
}

system.addEventListener("change", tell);

export function chosenTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function chooseTheme(theme: Theme): void {
  if (theme === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, theme);
    document.documentElement.dataset.theme = theme;
  }
  tell();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, chosenTheme);
}

function isDark(): boolean {
  const theme = chosenTheme();
  return theme === "dark" || (theme === "system" && system.matches);
}

/** Whether the page is dark now: charts are drawn anew when that changes. */
export function useIsDark(): boolean {
  return useSyncExternalStore(subscribe, isDark);
}
