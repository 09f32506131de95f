/** Ways into the Dagster UI, which the same server serves. */
import type { ReactNode } from "react";

export const DAGSTER = "/dagster";

export function DagsterLink({ path, children }: { path: string; children: ReactNode }) {
  return (
    <a href={`${DAGSTER}${path}`} target="_blank" rel="noopener" className="text-accent hover:underline">
      {children}
      <span className="sr-only"> (opens Dagster in a new tab)</span>
    </a>
  );
}

/** Where in Dagster somebody wanted to go before they were asked to log in; never another site. */
export function wantedInDagster(search: string): string | undefined {
  const next = new URLSearchParams(search).get("next") ?? "";
  return next === DAGSTER || next.startsWith(`${DAGSTER}/`) ? next : undefined;
}
