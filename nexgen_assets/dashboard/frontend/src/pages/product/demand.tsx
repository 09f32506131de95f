/** What sold and what will sell: history, promotions and stockouts, then the forecast with its bands. */
import { useMemo, useState } from "react";
import type { Schemas } from "~/api/client";
import { type Item, useDemand, useFan } from "~/api/queries";
import { type Band, type Series, type Shade, TimeChart } from "~/charts/time-chart";
import { Loaded, Panel } from "~/design/blocks";
import { Select } from "~/design/field";
import * as format from "~/design/format";

const SPANS = [
  ["56", "8 weeks"],
  ["91", "13 weeks"],
  ["182", "26 weeks"],
  ["365", "1 year"],
  ["730", "2 years"],
] as const;

interface Drawn {
  days: string[];
  series: Series[];
  bands: Band[];
  shades: Shade[];
}

/** History and forecast on one line of days. */
function drawn(history: Schemas["DemandHistory"], fan: Schemas["Fan"] | undefined): Drawn {
  const past = history.days;
  const ahead = (fan?.days ?? []).filter((one) => one.target_date > (past.at(-1)?.day ?? ""));
  const before = past.map(() => null);
  const after = ahead.map(() => null);
  const estimated = past.map((one) => one.estimated_demand_units);
  const series: Series[] = [
    { label: "Sold", color: "chart-1", values: [...past.map((one) => one.demand_units), ...after] },
    {
      label: "Forecast (mean)",
      color: "chart-2",
      isDashed: true,
      values: [...before, ...ahead.map((one) => one.mean)],
    },
  ];
  if (estimated.some((value) => value !== null)) {
    series.push({
      label: "Demand, estimated on stockout days",
      color: "chart-3",
      look: "points",
      values: [...estimated, ...after],
    });
  }
  const band = (label: string, low: "q05" | "q25", high: "q95" | "q80", strength: number): Band => ({
    label,
    color: "chart-2",
    strength,
    low: [...before, ...ahead.map((one) => one[low])],
    high: [...before, ...ahead.map((one) => one[high])],
  });
  return {
    days: [...past.map((one) => one.day), ...ahead.map((one) => one.target_date)],
    series,
    bands: ahead.length
      ? [band("5 to 95 % band", "q05", "q95", 0.16), band("25 to 80 % band", "q25", "q80", 0.24)]
      : [],
    shades: [
      { label: "Stockout", color: "bad", days: past.filter((one) => one.is_stockout).map((one) => one.day) },
      {
        label: "Promotion",
        color: "warn",
        days: past.filter((one) => one.is_promotion).map((one) => one.day),
      },
      { label: "Closed", color: "muted", days: past.filter((one) => !one.is_open).map((one) => one.day) },
    ],
  };
}

export function DemandChart({ item }: { item: Item }) {
  const [span, setSpan] = useState("91");
  const demand = useDemand({ ...item, days: Number(span) });
  const fan = useFan(item).data;
  return (
    <Panel
      title="Sales and forecast"
      note={
        fan?.origin
          ? `Forecast at the close of ${format.longDay(fan.origin)} by ${fan.model_version ?? "no model"}`
          : undefined
      }
      actions={
        <Select
          label="History"
          isLabelHidden
          options={SPANS}
          value={span}
          onChange={(event) => setSpan(event.target.value)}
        />
      }
    >
      <Loaded query={demand} what="sales of this product" lines={8}>
        {(history) => <Chart history={history} fan={fan} />}
      </Loaded>
    </Panel>
  );
}

function Chart({ history, fan }: { history: Schemas["DemandHistory"]; fan: Schemas["Fan"] | undefined }) {
  const chart = useMemo(() => drawn(history, fan), [history, fan]);
  const first = fan?.days[0]?.target_date;
  const isAssumed = history.days.some((one) => one.is_stockout_assumed);
  return (
    <>
      <TimeChart
        title="Sales and forecast"
        unit="units a day"
        {...chart}
        {...(first ? { divide: { day: first, label: "forecast starts" } } : {})}
      />
      {isAssumed && (
        <p className="mt-1 text-muted">
          <span className="text-warn">*</span> Some stockouts are assumed from computed stock; nobody counted
          it that day.
        </p>
      )}
    </>
  );
}
