/** What is around every page: where one can go, how fresh the data is, who is logged in. */
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link, useLocation } from "wouter";
import { api, read, type Schemas } from "~/api/client";
import { useSnapshot } from "~/api/queries";
import { Button } from "~/design/button";
import { DAGSTER } from "~/design/dagster";
import * as format from "~/design/format";
import { chooseTheme, type Theme, useTheme } from "~/design/theme";

const PAGES = [
  ["/", "Overview"],
  ["/orders", "Orders"],
  ["/trends", "Trends"],
  ["/quality", "Forecast quality"],
  ["/scenarios", "Scenarios"],
  ["/uploads", "Uploads"],
  ["/data", "Data"],
] as const;

export function Shell({ me, children }: { me: Schemas["Me"]; children: ReactNode }) {
  return (
    <div className="min-h-screen">
      <a
        href="#page"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded focus:bg-surface focus:p-2"
      >
        Skip to the page
      </a>
      <TopBar me={me} />
      <main id="page" tabIndex={-1} className="mx-auto max-w-[110rem] px-3 py-4 outline-none sm:px-5">
        {children}
      </main>
    </div>
  );
}

const pagesOf = (me: Schemas["Me"]) =>
  PAGES.filter(([href]) => href !== "/uploads" || me.permissions.includes("upload"));

function TopBar({ me }: { me: Schemas["Me"] }) {
  const [path] = useLocation();
  const [isOpen, setIsOpen] = useState(false);
  return (
    <header className="border-b border-line bg-surface">
      <div className="mx-auto flex max-w-[110rem] flex-wrap items-center gap-x-5 gap-y-1 px-3 py-2 sm:px-5">
        <Link href="/" className="flex items-center gap-2 text-[1.05rem] font-bold tracking-tight">
          <img src="/favicon.svg" alt="" className="size-6" />
          NexGen
        </Link>
        <button
          type="button"
          className="ml-auto rounded-md border border-strong-line/60 px-3 py-1 md:hidden"
          aria-expanded={isOpen}
          onClick={() => setIsOpen(!isOpen)}
        >
          Menu
        </button>
        <nav aria-label="Pages" className={`${isOpen ? "" : "max-md:hidden"} max-md:w-full`}>
          <ul className="flex gap-1 max-md:flex-col">
            {pagesOf(me).map(([href, name]) => {
              const isHere = path === href || (href === "/orders" && path === "/item");
              return (
                <li key={href}>
                  <Link
                    href={href}
                    onClick={() => setIsOpen(false)}
                    aria-current={isHere ? "page" : undefined}
                    className={`block rounded-md px-2.5 py-1 font-medium ${isHere ? "bg-accent-soft text-ink" : "text-muted hover:bg-raised hover:text-ink"}`}
                  >
                    {name}
                  </Link>
                </li>
              );
            })}
            <li>
              {/* a page of its own, which has no way back to this one */}
              <a
                href={DAGSTER}
                target="_blank"
                rel="noopener"
                className="block rounded-md px-2.5 py-1 font-medium text-muted hover:bg-raised hover:text-ink"
              >
                Dagster <span aria-hidden="true">↗</span>
                <span className="sr-only">(opens in a new tab)</span>
              </a>
            </li>
          </ul>
        </nav>
        <div
          className={`flex flex-wrap items-center gap-x-4 gap-y-2 md:ml-auto ${isOpen ? "max-md:w-full" : "max-md:hidden"}`}
        >
          <Freshness />
          <ThemeSwitch />
          <Person me={me} />
        </div>
      </div>
    </header>
  );
}

function Freshness() {
  const snapshot = useSnapshot().data;
  if (!snapshot) return null;
  const isLate = !snapshot.is_fresh;
  const behind = snapshot.days_behind ?? 0;
  return (
    <Link
      href="/data"
      className="inline-flex items-center gap-1.5 text-muted hover:text-ink"
      title={`Snapshot ${snapshot.snapshot_id}`}
    >
      <i aria-hidden="true" className={`size-2 rounded-full ${isLate ? "bg-warn" : "bg-good"}`} />
      {snapshot.sales_day ? `Sales to ${format.day(snapshot.sales_day)}` : "No sales yet"}
      {isLate && behind > 0 && <span className="text-warn">({format.plural(behind, "day")} behind)</span>}
    </Link>
  );
}

const THEMES: readonly (readonly [Theme, string, string])[] = [
  ["light", "Light", "☀"],
  ["dark", "Dark", "☾"],
  ["system", "As the system", "◐"],
];

function ThemeSwitch() {
  const theme = useTheme();
  return (
    <fieldset className="flex overflow-hidden rounded-md border border-line">
      <legend className="sr-only">Colours</legend>
      {THEMES.map(([name, label, sign]) => (
        <button
          key={name}
          type="button"
          title={label}
          aria-label={label}
          aria-pressed={theme === name}
          onClick={() => chooseTheme(name)}
          className={`h-7 w-8 ${theme === name ? "bg-accent-soft text-ink" : "text-muted hover:bg-raised"}`}
        >
          <span aria-hidden="true">{sign}</span>
        </button>
      ))}
    </fieldset>
  );
}

function Person({ me }: { me: Schemas["Me"] }) {
  const client = useQueryClient();
  const logOut = async () => {
    await read(api.POST("/api/logout"));
    client.setQueryData(["me"], null);
    // whoever logs in next sees nothing of this person's
    client.removeQueries({ predicate: (query) => query.queryKey[0] !== "me" });
  };
  return (
    <div className="flex items-center gap-2">
      <Link href="/account" title="Your account" className="hover:underline">
        {me.name} <span className="text-muted">({me.role})</span>
      </Link>
      <Button look="quiet" onClick={() => void logOut()}>
        Log out
      </Button>
    </div>
  );
}
