/** The worklist by keyboard. Keys are left alone while somebody types or a dialog asks something. */
import { useEffect, useRef } from "react";

export const KEYS: readonly (readonly [string, string])[] = [
  ["j, k", "Next, previous line"],
  ["Enter", "Why this quantity: open the line"],
  ["e", "Change the quantity"],
  ["a", "Accept"],
  ["x", "Select"],
  ["/", "Search"],
  ["?", "These keys"],
];

export type KeyActions = Record<string, () => void>;

export function useKeys(actions: KeyActions): void {
  const now = useRef(actions);
  now.current = actions;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      const action = now.current[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (document.querySelector("dialog[open]")) return true;
  if (event.key === "Enter") return target.closest("a, button, input, select, summary") !== null;
  return target.closest("select, textarea, input:not([type=checkbox])") !== null;
}
