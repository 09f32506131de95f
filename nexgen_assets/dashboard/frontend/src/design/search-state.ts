/** What a page shows, kept in its address: a link to it shows the same, and "back" goes back. */
import { useMemo } from "react";
import { useLocation, useSearch } from "wouter";

type State = Record<string, string>;

export function useSearchState(): [State, (change: Record<string, string | null>) => void] {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const state = useMemo(() => Object.fromEntries(new URLSearchParams(search)), [search]);
  const change = (changes: Record<string, string | null>) => {
    const next = new URLSearchParams(search);
    for (const [name, value] of Object.entries(changes)) {
      if (value) next.set(name, value);
      else next.delete(name);
    }
    const query = next.toString();
    navigate(query ? `${path}?${query}` : path, { replace: true });
  };
  return [state, change];
}

export const itemAddress = (line: { product_id: string; location: string }) =>
  `/item?${new URLSearchParams({ product_id: line.product_id, location: line.location })}`;
