/** Which lines the worklist shows. The server filters. */
import { useEffect, useState } from "react";
import { type OrderFilters, useChoices, useExceptions } from "~/api/queries";
import { byMoney, toneOfException } from "~/design/assumptions";
import { Check, Input, Select } from "~/design/field";
import * as format from "~/design/format";
import type { Sorting } from "~/design/table";

type State = Record<string, string>;
type Change = (change: Record<string, string | null>) => void;

const STANDINGS = ["proposed", "accepted", "changed", "review again", "approved", "exported", "cancelled"];

/** What the address says, as the API is asked. */
export function queryOf(state: State, sorting: Sorting): OrderFilters {
  const query: Record<string, string | boolean> = {};
  // without an order of its own, the list is the server's: the most urgent first
  if (state.sort || state.grouped)
    Object.assign(query, { sort: sorting.by, descending: sorting.isDescending });
  for (const name of ["q", "supplier_id", "category", "location", "standing", "exception"]) {
    const value = state[name];
    if (value) query[name] = value;
  }
  if (state.to_decide) query.to_decide = true;
  if (state.no_need) query.no_need = true;
  return query as OrderFilters;
}

export function sortingOf(state: State): Sorting {
  return { by: state.sort ?? "money_at_risk", isDescending: state.descending !== "no" };
}

export function Filters({
  state,
  change,
  searchRef,
}: {
  state: State;
  change: Change;
  searchRef: React.Ref<HTMLInputElement>;
}) {
  const choices = useChoices().data;
  const option = (name: string) => [name, format.words(name)] as const;
  return (
    <search className="flex flex-wrap items-end gap-x-3 gap-y-2">
      <div className="w-64 max-sm:w-full">
        <SearchBox text={state.q ?? ""} onText={(q) => change({ q })} ref={searchRef} />
      </div>
      <Pick
        name="supplier_id"
        label="Supplier"
        all="All suppliers"
        {...{ state, change }}
        options={(choices?.suppliers ?? []).map((one) => [one.key, one.name ?? one.key])}
      />
      <Pick
        name="location"
        label="Location"
        all="All locations"
        {...{ state, change }}
        options={(choices?.locations ?? []).map((one) => [one, one])}
      />
      <Pick
        name="category"
        label="Category"
        all="All categories"
        {...{ state, change }}
        options={(choices?.categories ?? []).map((one) => [one, one])}
      />
      <Pick
        name="standing"
        label="State"
        all="All states"
        {...{ state, change }}
        options={STANDINGS.map(option)}
      />
      <Check
        label="To decide"
        className="h-8"
        checked={Boolean(state.to_decide)}
        onChange={(event) => change({ to_decide: event.target.checked ? "yes" : null })}
      />
      <Check
        label="Also without need"
        className="h-8"
        checked={Boolean(state.no_need)}
        onChange={(event) => change({ no_need: event.target.checked ? "yes" : null })}
      />
      <Check
        label="By supplier"
        className="h-8"
        checked={Boolean(state.grouped)}
        onChange={(event) => change({ grouped: event.target.checked ? "yes" : null })}
      />
    </search>
  );
}

interface PickProps {
  name: string;
  label: string;
  all: string;
  state: State;
  change: Change;
  options: (readonly [string, string])[];
}

export function Pick({ name, label, all, state, change, options }: PickProps) {
  return (
    <div className="w-44 max-sm:w-[calc(50%-0.375rem)]">
      <Select
        label={label}
        isLabelHidden
        options={[["", all], ...options]}
        value={state[name] ?? ""}
        onChange={(event) => change({ [name]: event.target.value })}
      />
    </div>
  );
}

const PAUSE = 250;

/** Asks the server when the typing pauses. */
function SearchBox({
  text,
  onText,
  ref,
}: {
  text: string;
  onText: (text: string) => void;
  ref: React.Ref<HTMLInputElement>;
}) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only typing starts the clock
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => onText(typed), PAUSE);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <Input
      label="Search by product or location"
      isLabelHidden
      type="search"
      placeholder="Product or location  ( / )"
      ref={ref}
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
    />
  );
}

/** The exceptions of the day, most money first: each a filter. */
export function ExceptionChips({ state, change }: { state: State; change: Change }) {
  const { supplier_id, location, category, q } = state;
  const asked = useExceptions({
    limit: 1,
    ...(supplier_id && { supplier_id }),
    ...(location && { location }),
    ...(category && { category }),
    ...(q && { q }),
  }).data;
  if (!asked) return <div className="h-[3.4rem]" aria-hidden="true" />;
  const risk = asked.money_at_risk;
  const names = byMoney(asked);
  if (names.length === 0) return <p className="text-muted">No exceptions: nothing stands out today.</p>;
  return (
    <fieldset className="flex min-w-0 gap-2 max-md:overflow-x-auto max-md:pb-1 md:flex-wrap">
      <legend className="sr-only">Exceptions of the day</legend>
      {names.map((name) => {
        const isOn = state.exception === name;
        const tone = toneOfException(name);
        return (
          <button
            key={name}
            type="button"
            aria-pressed={isOn}
            onClick={() => change({ exception: isOn ? null : name })}
            className={`shrink-0 whitespace-nowrap rounded-md border px-3 py-1.5 text-left leading-tight ${isOn ? "border-accent bg-accent-soft" : "border-line bg-surface hover:bg-raised"}`}
          >
            <span
              className={`block font-semibold ${tone === "bad" ? "text-bad" : tone === "warn" ? "text-warn" : "text-muted"}`}
            >
              {format.words(name)}
            </span>
            <span className="text-muted">
              {format.plural(asked.counts[name] ?? 0, "line")}
              {risk[name] ? ` · ${format.money(risk[name])} at risk` : ""}
            </span>
          </button>
        );
      })}
    </fieldset>
  );
}
