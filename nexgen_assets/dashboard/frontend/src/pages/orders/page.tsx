/** The worklist: what to order today, the most money at risk first. */
import { useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import type { Schemas } from "~/api/client";
import { type Action, isPossible, keyOf, type OrderLine, useDecide } from "~/api/decisions";
import { useMay, useSuppliers, useWorklist } from "~/api/queries";
import { Badge, Loaded, Notice, PageHead } from "~/design/blocks";
import { Button } from "~/design/button";
import { Dialog } from "~/design/dialog";
import * as format from "~/design/format";
import { itemAddress, useSearchState } from "~/design/search-state";
import { DataTable } from "~/design/table";
import { ChangeDialog } from "~/pages/orders/change-dialog";
import { COLUMNS, HIDDEN } from "~/pages/orders/columns";
import { ExportDialog } from "~/pages/orders/export-dialog";
import { ExceptionChips, Filters, queryOf, sortingOf } from "~/pages/orders/filters";
import { KEYS, useKeys } from "~/pages/orders/keys";

const supplierOf = (line: OrderLine) => line.supplier_id ?? "";

const NOBODY: ReadonlySet<string> = new Set();

export function OrdersPage() {
  const [state, change] = useSearchState();
  const sorting = state.grouped ? { by: "supplier_id", isDescending: false } : sortingOf(state);
  const worklist = useWorklist(queryOf(state, sorting));
  const suppliers = useSuppliers(queryOf(state, sorting), Boolean(state.grouped));
  const [selected, setSelected] = useState(NOBODY);
  const [active, setActive] = useState<string | null>(null);
  const [asked, setAsked] = useState<"change" | "export" | "keys" | null>(null);
  const [, navigate] = useLocation();
  const search = useRef<HTMLInputElement>(null);
  const mayDecide = useMay("decide");
  const mayExport = useMay("export");
  const decide = useDecide();

  const first = worklist.data?.pages[0];
  const lines = useMemo(() => worklist.data?.pages.flatMap((page) => page.lines) ?? [], [worklist.data]);
  const groups = useMemo(
    () => new Map(suppliers.data?.suppliers.map((one) => [one.supplier_id ?? "", one])),
    [suppliers.data],
  );
  const at = lines.findIndex((line) => keyOf(line) === active);
  const line = lines[at];
  const move = (step: number) => {
    const next = lines[Math.min(Math.max(at + step, 0), lines.length - 1)];
    if (next) setActive(keyOf(next));
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    enter: () => line && navigate(itemAddress(line)),
    e: () => line && mayDecide && isPossible("change", line) && setAsked("change"),
    a: () =>
      line && mayDecide && isPossible("accept", line) && decide.mutate({ action: "accept", lines: [line] }),
    x: () => {
      if (!active) return;
      const next = new Set(selected);
      if (!next.delete(active)) next.add(active);
      setSelected(next);
    },
    "/": () => search.current?.focus(),
    "?": () => setAsked("keys"),
  });

  return (
    <>
      <PageHead title="Orders" note={<Day worklist={first} />}>
        <Button look="quiet" onClick={() => setAsked("keys")} className="max-md:hidden">
          Keys <kbd className="rounded border border-line px-1 text-muted">?</kbd>
        </Button>
        {mayExport && <Button onClick={() => setAsked("export")}>Export approved</Button>}
      </PageHead>
      <div className="space-y-3">
        <ExceptionChips {...{ state, change }} />
        <Filters {...{ state, change }} searchRef={search} />
        {decide.error && (
          <Notice
            tone="bad"
            title="Nothing was decided"
            action={<Button onClick={() => decide.reset()}>Close</Button>}
          >
            {decide.error.message}
          </Notice>
        )}
        <Loaded query={{ ...worklist, data: first }} what="orders" lines={12}>
          {(page) => (
            <section
              className="overflow-hidden rounded-lg border border-line bg-surface"
              aria-label="Worklist"
            >
              <Totals totals={page.totals} />
              {selected.size > 0 && (
                <BulkBar
                  lines={lines.filter((one) => selected.has(keyOf(one)))}
                  isBusy={decide.isPending}
                  onClear={() => setSelected(NOBODY)}
                  onDecide={(action, possible) =>
                    decide.mutate({ action, lines: possible }, { onSuccess: () => setSelected(NOBODY) })
                  }
                />
              )}
              <DataTable
                caption="Orders to decide on"
                columns={COLUMNS}
                rows={lines}
                rowKey={keyOf}
                sorting={sorting}
                onSort={(next) =>
                  change({ sort: next.by, descending: next.isDescending ? null : "no", grouped: null })
                }
                {...(mayDecide ? { selected, onSelect: setSelected } : {})}
                active={active}
                onOpen={(one) => setActive(keyOf(one))}
                onEnd={() => worklist.hasNextPage && !worklist.isFetching && void worklist.fetchNextPage()}
                hidden={HIDDEN}
                rowHeight={53}
                height="max-h-[max(24rem,calc(100vh-19rem))]"
                {...(state.grouped
                  ? {
                      groupOf: supplierOf,
                      groupHead: (one: OrderLine) => (
                        <Supplier id={one.supplier_id} totals={groups.get(one.supplier_id ?? "")} />
                      ),
                    }
                  : {})}
                empty={
                  page.day
                    ? "No order line matches these filters."
                    : "No orders yet. They are made when sales have landed and a run has succeeded."
                }
              />
              {line && (
                <ActiveBar
                  line={line}
                  mayDecide={mayDecide}
                  isBusy={decide.isPending}
                  onAccept={() => decide.mutate({ action: "accept", lines: [line] })}
                  onChange={() => setAsked("change")}
                  onOpen={() => navigate(itemAddress(line))}
                />
              )}
            </section>
          )}
        </Loaded>
      </div>
      {asked === "change" && line && <ChangeDialog line={line} onClose={() => setAsked(null)} />}
      {asked === "export" && <ExportDialog onClose={() => setAsked(null)} />}
      {asked === "keys" && <KeyHelp onClose={() => setAsked(null)} />}
    </>
  );
}

function Day({ worklist }: { worklist: Schemas["Worklist"] | undefined }) {
  if (!worklist?.day) return null;
  const date = worklist.lines[0]?.order_date;
  return (
    <>
      From all that was known at the close of {format.longDay(worklist.day)}
      {date && <>, to be placed on {format.longDay(date)}</>}
    </>
  );
}

function Totals({ totals }: { totals: Schemas["OrderTotals"] }) {
  const facts: [string, string, string?][] = [
    [format.count(totals.to_decide), "to decide"],
    [format.count(totals.to_order), "to order"],
    [format.count(totals.blocked), "blocked"],
    [format.units(totals.order_units), "units"],
    [format.money(totals.order_value), "order value", costNote(totals)],
    [format.money(totals.money_at_risk), "at risk"],
  ];
  return (
    <p className="flex flex-wrap gap-x-5 gap-y-0.5 border-b border-line px-3 py-2" aria-live="polite">
      <span>
        <b>{format.count(totals.lines)}</b>{" "}
        <span className="text-muted">{totals.lines === 1 ? "line" : "lines"}</span>
      </span>
      {facts.map(([value, name, note]) => (
        <span key={name}>
          <b>{value}</b> <span className="text-muted">{name}</span>
          {note && <span className="text-warn"> ({note})</span>}
        </span>
      ))}
    </p>
  );
}

function costNote({
  lines_without_cost,
  lines_with_assumed_cost,
}: Schemas["OrderTotals"]): string | undefined {
  const notes = [
    lines_with_assumed_cost > 0 && `cost of ${format.plural(lines_with_assumed_cost, "line")} assumed`,
    lines_without_cost > 0 && `cost of ${format.plural(lines_without_cost, "line")} unknown`,
  ].filter(Boolean);
  return notes.length ? notes.join(", ") : undefined;
}

function Supplier({ id, totals }: { id: string | null; totals: Schemas["SupplierTotals"] | undefined }) {
  return (
    <span className="flex flex-wrap items-center gap-x-4">
      <b>{id ?? "No supplier told"}</b>
      {totals && (
        <>
          <span className="text-muted">{format.plural(totals.to_order, "line")} to order</span>
          <span className="text-muted">value {format.money(totals.order_value)}</span>
          <span className="text-muted">{format.money(totals.money_at_risk)} at risk</span>
          {totals.min_order_value !== null && (
            <Badge tone={totals.is_below_minimum ? "warn" : "good"}>
              {totals.is_below_minimum ? "Below" : "Reaches"} the minimum of{" "}
              {format.money(totals.min_order_value)}
            </Badge>
          )}
        </>
      )}
    </span>
  );
}

interface BulkProps {
  lines: OrderLine[];
  isBusy: boolean;
  onClear: () => void;
  onDecide: (action: Action, lines: OrderLine[]) => void;
}

function BulkBar({ lines, isBusy, onClear, onDecide }: BulkProps) {
  const mayApprove = useMay("approve");
  const acceptable = lines.filter((line) => isPossible("accept", line));
  const approvable = lines.filter((line) => isPossible("approve", line));
  return (
    <div
      className="flex flex-wrap items-center gap-2 border-b border-line bg-accent-soft px-3 py-1.5"
      role="toolbar"
      aria-label="Selected lines"
    >
      <span className="mr-2 font-semibold">{format.plural(lines.length, "line")} selected</span>
      <Button
        disabled={acceptable.length === 0}
        isBusy={isBusy}
        onClick={() => onDecide("accept", acceptable)}
      >
        Accept {acceptable.length || ""}
      </Button>
      {mayApprove && (
        <Button
          disabled={approvable.length === 0}
          isBusy={isBusy}
          onClick={() => onDecide("approve", approvable)}
          title="Lines that were accepted or changed before"
        >
          Approve {approvable.length || ""}
        </Button>
      )}
      <Button look="quiet" onClick={onClear}>
        Clear
      </Button>
    </div>
  );
}

interface ActiveProps {
  line: OrderLine;
  mayDecide: boolean;
  isBusy: boolean;
  onAccept: () => void;
  onChange: () => void;
  onOpen: () => void;
}

function ActiveBar({ line, mayDecide, isBusy, onAccept, onChange, onOpen }: ActiveProps) {
  return (
    <div
      className="flex flex-wrap items-center gap-2 border-t border-line bg-raised px-3 py-2"
      role="toolbar"
      aria-label="Chosen line"
    >
      <span className="mr-2 min-w-0">
        <b>{line.product_name ?? line.product_id}</b> at {line.location}: order{" "}
        <b>{format.units(line.order_units)}</b>
      </span>
      <Button onClick={onOpen}>Why?</Button>
      {mayDecide && (
        <>
          <Button onClick={onChange} disabled={!isPossible("change", line)}>
            Change
          </Button>
          <Button look="primary" onClick={onAccept} isBusy={isBusy} disabled={!isPossible("accept", line)}>
            Accept
          </Button>
        </>
      )}
    </div>
  );
}

function KeyHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys of the worklist" onClose={onClose}>
      <dl className="grid grid-cols-[6rem_1fr] gap-y-1.5">
        {KEYS.map(([key, what]) => (
          <div key={key} className="contents">
            <dt>
              <kbd className="rounded border border-line bg-raised px-1.5">{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
