/** The pieces pages are laid out with: panels, tiles, badges, and what is shown when there is nothing to show. */
import type { ReactNode } from "react";
import { ApiError } from "~/api/client";
import { Button } from "~/design/button";

export type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

const BADGE: Record<Tone, string> = {
  neutral: "bg-raised text-ink",
  accent: "bg-accent-soft text-ink",
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
};

export function Badge({
  tone = "neutral",
  title,
  children,
}: {
  tone?: Tone;
  title?: string;
  children: ReactNode;
}) {
  return (
    <span
      title={title}
      className={`inline-block whitespace-nowrap rounded px-1.5 py-px text-[0.9rem] font-medium ${BADGE[tone]}`}
    >
      {children}
    </span>
  );
}

interface PanelProps {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}

export function Panel({ title, note, actions, children, className = "" }: PanelProps) {
  return (
    <section className={`min-w-0 rounded-lg border border-line bg-surface ${className}`}>
      <header className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 border-b border-line px-4 py-2.5">
        <div>
          <h2>{title}</h2>
          {note && <p className="text-muted">{note}</p>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      <div className="p-4">{children}</div>
    </section>
  );
}

export function PageHead({
  title,
  note,
  children,
}: {
  title: ReactNode;
  note?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <div className="mb-4 flex flex-wrap items-end justify-between gap-3">
      <div className="min-w-0">
        <h1>{title}</h1>
        {note && <p className="text-muted">{note}</p>}
      </div>
      {children && <div className="flex flex-wrap items-center gap-2">{children}</div>}
    </div>
  );
}

interface TileProps {
  label: string;
  value: ReactNode;
  unit?: string | undefined;
  /** The change against the period before, in words, and whether it is good news. */
  change?: { text: string; tone: Tone } | undefined;
  note?: ReactNode;
  /** What the figure is, on hover. */
  hint?: string;
}

export function Tile({ label, value, unit, change, note, hint }: TileProps) {
  return (
    <div title={hint} className="min-w-0 rounded-lg border border-line bg-surface px-4 py-3">
      <dt className="text-muted">{label}</dt>
      <dd>
        <span className="text-[1.55rem] font-semibold leading-tight tracking-tight">{value}</span>
        {unit && <span className="ml-1 text-muted">{unit}</span>}
        {change && <span className={`block ${TEXT[change.tone]}`}>{change.text}</span>}
        {note && <span className="block text-muted">{note}</span>}
      </dd>
    </div>
  );
}

const TEXT: Record<Tone, string> = {
  neutral: "text-muted",
  accent: "text-accent",
  good: "text-good",
  warn: "text-warn",
  bad: "text-bad",
};

export function Tiles({ children }: { children: ReactNode }) {
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-[repeat(auto-fit,minmax(10.5rem,1fr))]">{children}</dl>
  );
}

interface NoticeProps {
  tone?: Tone;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

const NOTICE: Record<Tone, string> = {
  neutral: "border-line bg-surface",
  accent: "border-accent/40 bg-accent-soft",
  good: "border-good/40 bg-good-soft",
  warn: "border-warn/40 bg-warn-soft",
  bad: "border-bad/40 bg-bad-soft",
};

export function Notice({ tone = "neutral", title, children, action }: NoticeProps) {
  return (
    <div
      role={tone === "bad" ? "alert" : "status"}
      className={`flex flex-wrap items-center justify-between gap-3 rounded-lg border px-4 py-3 text-ink ${NOTICE[tone]}`}
    >
      <div className="min-w-0">
        <p className="font-semibold">{title}</p>
        {children && <div className="break-words">{children}</div>}
      </div>
      {action}
    </div>
  );
}

/** A value that nobody told: computed or defaulted. The mark is for eyes, the word for screen readers. */
export function Assumed({
  isAssumed,
  why,
  children,
}: {
  isAssumed: boolean;
  why: string;
  children: ReactNode;
}) {
  if (!isAssumed) return children;
  return (
    <span
      title={`Assumed: ${why}`}
      className="underline decoration-warn decoration-dotted decoration-2 underline-offset-4"
    >
      {children}
      <span className="ml-0.5 text-warn" aria-hidden="true">
        *
      </span>
      <span className="sr-only"> (assumed: {why})</span>
    </span>
  );
}

export function Loading({ what, lines = 3 }: { what: string; lines?: number }) {
  return (
    <div role="status" className="space-y-2 py-1">
      <span className="sr-only">Loading {what}</span>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike
        <div key={line} className="h-5 animate-pulse rounded bg-raised" aria-hidden="true" />
      ))}
    </div>
  );
}

export function Failed({ error, what, retry }: { error: Error; what: string; retry?: () => void }) {
  const status = error instanceof ApiError ? error.status : 0;
  const title =
    status === 403 ? `You may not see ${what}` : status === 404 ? `No ${what}` : `Cannot load ${what}`;
  return (
    <Notice tone="bad" title={title} action={retry && <Button onClick={retry}>Try again</Button>}>
      {error.message}
    </Notice>
  );
}

interface Loadable<T> {
  data: T | undefined;
  error: Error | null;
  refetch: () => unknown;
}

/** What a query has: its data once it is there, else a place-holder or what went wrong. */
export function Loaded<T>({
  query,
  what,
  lines,
  children,
}: {
  query: Loadable<T>;
  what: string;
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Failed error={query.error} what={what} retry={() => void query.refetch()} />;
  return <Loading what={what} {...(lines ? { lines } : {})} />;
}
