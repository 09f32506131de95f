/** What was forecast for days that are over, and what came. */
import { useMemo, useState } from "react";
import type { Schemas } from "~/api/client";
import { type Item, usePastForecasts } from "~/api/queries";
import { TimeChart } from "~/charts/time-chart";
import { Loaded, Panel } from "~/design/blocks";
import { Select } from "~/design/field";
import * as format from "~/design/format";

const HORIZONS = [1, 3, 7, 14, 28].map(
  (days) => [String(days), `${format.plural(days, "day")} ahead`] as const,
);
const SHOWN_DAYS = 56;

export function PastForecasts({ item }: { item: Item }) {
  const [horizon, setHorizon] = useState("7");
  const past = usePastForecasts({ ...item, horizon: Number(horizon), days: SHOWN_DAYS });
  return (
    <Panel
      title="Past forecasts against what sold"
      actions={
        <Select
          label="Made so many days ahead"
          isLabelHidden
          options={HORIZONS}
          value={horizon}
          onChange={(event) => setHorizon(event.target.value)}
        />
      }
    >
      <Loaded query={past} what="past forecasts" lines={6}>
        {(data) =>
          data.days.length === 0 ? (
            <p className="text-muted">No forecast was made {horizon} days ahead of a day that is over.</p>
          ) : (
            <Chart days={data.days} />
          )
        }
      </Loaded>
    </Panel>
  );
}

type Day = Schemas["PastForecast"];

/** How many of the days in stock were within the band, which should be about 80 %. */
function within(days: Day[]): { inside: number; known: number } {
  const known = days.filter((one) => one.demand_units !== null && !one.is_stockout);
  const inside = known.filter(
    (one) => (one.demand_units ?? 0) >= one.q10 && (one.demand_units ?? 0) <= one.q90,
  );
  return { inside: inside.length, known: known.length };
}

function Chart({ days }: { days: Day[] }) {
  const chart = useMemo(
    () => ({
      days: days.map((one) => one.target_date),
      series: [
        {
          label: "Sold",
          color: "chart-1" as const,
          look: "points" as const,
          values: days.map((one) => one.demand_units),
        },
        { label: "Forecast (mean)", color: "chart-2" as const, values: days.map((one) => one.mean) },
      ],
      bands: [
        {
          label: "10 to 90 % band",
          color: "chart-2" as const,
          low: days.map((one) => one.q10),
          high: days.map((one) => one.q90),
        },
      ],
      shades: [
        {
          label: "Stockout",
          color: "bad" as const,
          days: days.filter((one) => one.is_stockout).map((one) => one.target_date),
        },
      ],
    }),
    [days],
  );
  const { inside, known } = within(days);
  return (
    <>
      <TimeChart title="Past forecasts" unit="units a day" height={240} {...chart} />
      {known > 0 && (
        <p className="mt-1 text-muted">
          {inside} of {format.plural(known, "day")} in stock within the band; about 80 % should be.
        </p>
      )}
    </>
  );
}
