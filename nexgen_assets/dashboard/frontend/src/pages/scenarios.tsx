/** What if: the newest orders under other assumptions. Nothing is stored, the plan stays as it is. */
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link } from "wouter";
import { api, read, type Schemas } from "~/api/client";
import { useMay } from "~/api/queries";
import { Failed, Loading, Notice, PageHead, Panel } from "~/design/blocks";
import { Button } from "~/design/button";
import { Check, Input } from "~/design/field";
import * as format from "~/design/format";
import { itemAddress } from "~/design/search-state";
import { columnsOf, DataTable } from "~/design/table";

interface Assumptions {
  isServiceChanged: boolean;
  serviceLevel: number;
  leadDays: number;
  demand: number;
  budget: string;
}

const AS_IT_IS: Assumptions = {
  isServiceChanged: false,
  serviceLevel: 95,
  leadDays: 0,
  demand: 100,
  budget: "",
};
const SHOWN_LINES = 100;

function bodyOf(said: Assumptions): Schemas["WhatIf"] {
  return {
    service_level: said.isServiceChanged ? said.serviceLevel / 100 : null,
    more_lead_time_days: said.leadDays,
    demand_factor: said.demand / 100,
    daily_budget: said.budget.trim() === "" ? null : Number(said.budget.replace(",", ".")),
    lines: SHOWN_LINES,
  };
}

export default function ScenariosPage() {
  const mayAsk = useMay("what_if");
  const [said, setSaid] = useState(AS_IT_IS);
  const ask = useMutation({ mutationFn: () => read(api.POST("/api/what-if", { body: bodyOf(said) })) });
  const set = (change: Partial<Assumptions>) => setSaid({ ...said, ...change });
  if (!mayAsk) {
    return (
      <>
        <PageHead title="Scenarios" />
        <Notice title="For planners">
          Ask an administrator for the role planner to try other assumptions.
        </Notice>
      </>
    );
  }
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate();
  };
  const isBudgetWrong = said.budget.trim() !== "" && !(Number(said.budget.replace(",", ".")) >= 0);
  return (
    <>
      <PageHead
        title="Scenarios"
        note="The newest orders under other assumptions. Nothing is stored: the plan stays as it is."
      />
      <div className="grid items-start gap-4 lg:grid-cols-[20rem_1fr]">
        <Panel title="What if">
          <form onSubmit={submit} className="space-y-4">
            <div>
              <Check
                label="Another service level for all"
                checked={said.isServiceChanged}
                onChange={(event) => set({ isServiceChanged: event.target.checked })}
              />
              {said.isServiceChanged && (
                <Slider
                  label="Service level"
                  shown={`${format.about(said.serviceLevel)} %`}
                  min={50}
                  max={99.9}
                  step={0.1}
                  value={said.serviceLevel}
                  onValue={(serviceLevel) => set({ serviceLevel })}
                  hint="Probability of no stockout until the next order arrives"
                />
              )}
            </div>
            <Slider
              label="Demand"
              shown={`${format.count(said.demand)} % of the forecast`}
              min={25}
              max={200}
              step={5}
              value={said.demand}
              onValue={(demand) => set({ demand })}
            />
            <Slider
              label="Lead time"
              shown={said.leadDays === 0 ? "as it is" : `${format.part(said.leadDays)} days`}
              min={-7}
              max={21}
              step={1}
              value={said.leadDays}
              onValue={(leadDays) => set({ leadDays })}
            />
            <Input
              label="Budget of the day (money)"
              inputMode="decimal"
              placeholder="as it is"
              value={said.budget}
              error={isBudgetWrong ? "A number, 0 or more" : undefined}
              onChange={(event) => set({ budget: event.target.value })}
            />
            <div className="flex gap-2">
              <Button type="submit" look="primary" isBusy={ask.isPending} disabled={isBudgetWrong}>
                Compute
              </Button>
              <Button onClick={() => setSaid(AS_IT_IS)}>As it is</Button>
            </div>
          </form>
        </Panel>
        <div className="min-w-0 space-y-4" aria-live="polite">
          {ask.isPending ? (
            <Panel title="Computing">
              <Loading what="the orders under these assumptions" lines={8} />
            </Panel>
          ) : ask.error ? (
            <Failed error={ask.error} what="this scenario" />
          ) : ask.data ? (
            <Comparison answer={ask.data} />
          ) : (
            <Panel title="Against the plan">
              <p className="text-muted">
                Choose what is different, then compute: all orders are made anew and set beside the plan.
              </p>
            </Panel>
          )}
        </div>
      </div>
    </>
  );
}

interface SliderProps {
  label: string;
  shown: string;
  hint?: string;
  min: number;
  max: number;
  step: number;
  value: number;
  onValue: (value: number) => void;
}

function Slider({ label, shown, hint, value, onValue, ...range }: SliderProps) {
  return (
    <label className="block">
      <span className="flex justify-between font-medium">
        {label} <span className="text-muted">{shown}</span>
      </span>
      <input
        type="range"
        className="w-full accent-accent"
        aria-valuetext={shown}
        value={value}
        {...range}
        onChange={(event) => onValue(Number(event.target.value))}
      />
      {hint && <span className="text-muted">{hint}</span>}
    </label>
  );
}

type Totals = Schemas["PlanTotals"];

const FIGURES: readonly (readonly [keyof Totals, string, (value: number | null) => string])[] = [
  ["order_lines", "Order lines", format.count],
  ["blocked_lines", "Blocked lines", format.count],
  ["order_units", "Units ordered", format.units],
  ["order_value", "Order value (money)", format.money],
  ["promised_fill_rate", "Served from stock, at least", format.percent],
  ["expected_lost_units", "Expected lost units, at most", format.about],
  ["expected_lost_money", "Expected lost sales, at most (money)", format.money],
  ["expected_waste_units", "Expected waste (units)", format.about],
];

function Comparison({ answer }: { answer: Schemas["WhatIfAnswer"] }) {
  return (
    <>
      {!answer.is_plan_as_published && (
        <Notice tone="warn" title="The plan here is not quite the published one">
          The published orders were made of other data or settings; both sides below are computed from what is
          known now.
        </Notice>
      )}
      <Panel title="Against the plan" note={`Orders of ${format.longDay(answer.day)}`}>
        <div className="overflow-x-auto">
          <table className="w-full">
            <caption className="sr-only">The plan and the scenario</caption>
            <thead className="text-muted">
              <tr>
                <th scope="col" className="pb-1 text-left font-semibold">
                  Figure
                </th>
                <th scope="col" className="pb-1 pl-3 text-right font-semibold">
                  Plan
                </th>
                <th scope="col" className="pb-1 pl-3 text-right font-semibold">
                  What if
                </th>
                <th scope="col" className="pb-1 pl-3 text-right font-semibold">
                  Change
                </th>
              </tr>
            </thead>
            <tbody>
              {FIGURES.map(([name, label, show]) => (
                <tr key={name}>
                  <th scope="row" className="border-t border-line py-1.5 text-left font-normal">
                    {label}
                  </th>
                  <td className="border-t border-line py-1.5 pl-3 text-right">{show(answer.plan[name])}</td>
                  <td className="border-t border-line py-1.5 pl-3 text-right font-semibold">
                    {show(answer.what_if[name])}
                  </td>
                  <td className="border-t border-line py-1.5 pl-3 text-right text-muted">
                    {change(answer.plan[name], answer.what_if[name], name)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
      <Panel title="Lines that change most">
        <DataTable
          caption="Lines that change most"
          columns={COLUMNS}
          rows={answer.lines}
          rowKey={(line) => `${line.product_id} at ${line.location}`}
          empty="No order changes under these assumptions."
        />
      </Panel>
    </>
  );
}

function change(plan: number | null, other: number | null, name: keyof Totals): string {
  if (plan === null || other === null) return format.UNKNOWN;
  if (name === "promised_fill_rate") return `${format.part(Math.round((other - plan) * 1000) / 10)} points`;
  return plan === 0
    ? format.part(Math.round(other * 100) / 100)
    : format.percentChange((other - plan) / plan);
}

const COLUMNS = columnsOf<Schemas["WhatIfLine"]>((helper) => [
  helper.accessor("product_name", {
    header: "Product",
    cell: ({ row: { original: line } }) => (
      <>
        <Link href={itemAddress(line)} className="font-medium hover:underline">
          {line.product_name ?? line.product_id}
        </Link>{" "}
        <span className="text-muted">{line.location}</span>
      </>
    ),
  }),
  helper.accessor("plan_units", {
    header: "Plan (units)",
    meta: { isNumber: true },
    cell: (cell) => format.units(cell.getValue()),
  }),
  helper.accessor("what_if_units", {
    header: "What if (units)",
    meta: { isNumber: true },
    cell: (cell) => format.units(cell.getValue()),
  }),
  helper.accessor("difference_value", {
    header: "Change (money)",
    meta: { isNumber: true },
    cell: (cell) => format.money(cell.getValue()),
  }),
]);
