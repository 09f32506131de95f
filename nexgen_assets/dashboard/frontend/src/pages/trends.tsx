/** Revenue and units over time, and what they are made of. */
import { useMemo } from "react";
import type { Schemas } from "~/api/client";
import { type Query, useBreakdown, useChoices, useSnapshot, useTrend } from "~/api/queries";
import { TimeChart } from "~/charts/time-chart";
import { Loaded, PageHead, Panel } from "~/design/blocks";
import { Select } from "~/design/field";
import * as format from "~/design/format";
import { useSearchState } from "~/design/search-state";
import { columnsOf, DataTable } from "~/design/table";
import { Pick } from "~/pages/orders/filters";

type By = NonNullable<Query<"sales_trend">["by"]>;
type Dimension = NonNullable<Query<"sales_breakdown">["by"]>;

const PERIODS: readonly (readonly [By, string])[] = [
  ["day", "by day"],
  ["week", "by week"],
  ["month", "by month"],
];
const SPANS = [
  ["28", "28 days"],
  ["91", "13 weeks"],
  ["182", "26 weeks"],
  ["365", "1 year"],
  ["730", "2 years"],
] as const;
const DIMENSIONS: readonly (readonly [Dimension, string])[] = [
  ["category", "by category"],
  ["location", "by location"],
  ["product", "by product"],
  ["customer_segment", "by customer segment"],
];

const DAY = 86_400_000;

function startOf(end: string | null | undefined, days: number): string | undefined {
  if (!end) return undefined;
  return new Date(Date.parse(`${end}T00:00:00Z`) - (days - 1) * DAY).toISOString().slice(0, 10);
}

export default function TrendsPage() {
  const [state, change] = useSearchState();
  const choices = useChoices().data;
  const end = useSnapshot().data?.sales_day ?? undefined;
  const span = state.span ?? "182";
  const period = {
    ...(end && { end, start: startOf(end, Number(span)) as string }),
  };
  const by = (state.by ?? "week") as By;
  const trend = useTrend({
    by,
    ...period,
    ...(state.category && { category: state.category }),
    ...(state.location && { location: state.location }),
  });
  return (
    <>
      <PageHead
        title="Trends"
        note={trend.data?.start && `${format.longDay(trend.data.start)} to ${format.longDay(trend.data.end)}`}
      >
        <Select
          label="Time"
          isLabelHidden
          options={SPANS}
          value={span}
          onChange={(event) => change({ span: event.target.value })}
        />
        <Select
          label="Periods"
          isLabelHidden
          options={PERIODS}
          value={by}
          onChange={(event) => change({ by: event.target.value })}
        />
      </PageHead>
      <div className="space-y-4">
        <Panel
          title="Sales over time"
          actions={
            <>
              <Pick
                name="category"
                label="Category"
                all="All categories"
                {...{ state, change }}
                options={(choices?.categories ?? []).map((one) => [one, one])}
              />
              <Pick
                name="location"
                label="Location"
                all="All locations"
                {...{ state, change }}
                options={(choices?.locations ?? []).map((one) => [one, one])}
              />
            </>
          }
        >
          <Loaded query={trend} what="sales" lines={8}>
            {(data) => <Charts trend={data} />}
          </Loaded>
        </Panel>
        <BreakdownPanel period={period} />
      </div>
    </>
  );
}

const EXPECTED_DAYS: Record<By, number> = { day: 1, week: 7, month: 28 };

function Charts({ trend }: { trend: Schemas["Trend"] }) {
  const charts = useMemo(() => {
    const points = trend.points;
    const days = points.map((one) => one.start);
    const look = trend.by === "day" ? ("line" as const) : ("bars" as const);
    return {
      days,
      revenue: [
        { label: "Revenue", color: "chart-1" as const, look, values: points.map((one) => one.revenue) },
      ],
      units: [
        {
          label: "Units sold",
          color: "chart-2" as const,
          look,
          values: points.map((one) => one.demand_units),
        },
        {
          label: "Returned",
          color: "bad" as const,
          look: "line" as const,
          values: points.map((one) => one.returned_units),
        },
      ],
      partial: points.filter((one) => one.days < EXPECTED_DAYS[trend.by]).length,
    };
  }, [trend]);
  return (
    <div className="grid gap-6 xl:grid-cols-2">
      <div>
        <h3 className="font-semibold">Revenue, refunds deducted</h3>
        <TimeChart
          title="Revenue"
          unit={format.unitOfMoney()}
          days={charts.days}
          series={charts.revenue}
          height={240}
        />
      </div>
      <div>
        <h3 className="font-semibold">Units</h3>
        <TimeChart
          title="Units sold and returned"
          unit="units"
          days={charts.days}
          series={charts.units}
          height={240}
        />
      </div>
      {charts.partial > 0 && (
        <p className="text-muted xl:col-span-2">
          {format.plural(charts.partial, `${trend.by} is`, `${trend.by}s are`)} incomplete: not all of their
          days are in the tables.
        </p>
      )}
    </div>
  );
}

function BreakdownPanel({ period }: { period: { start?: string; end?: string } }) {
  const [state, change] = useSearchState();
  const dimension = (state.of ?? "category") as Dimension;
  const breakdown = useBreakdown({ by: dimension, limit: 200, ...period });
  return (
    <Panel
      title="What sales are made of"
      note={
        breakdown.data && breakdown.data.total > breakdown.data.rows.length
          ? `The first ${breakdown.data.rows.length} of ${format.count(breakdown.data.total)}`
          : undefined
      }
      actions={
        <Select
          label="Of"
          isLabelHidden
          options={DIMENSIONS}
          value={dimension}
          onChange={(event) => change({ of: event.target.value })}
        />
      }
    >
      <Loaded query={breakdown} what="sales" lines={6}>
        {(data) => (
          <DataTable
            caption="What sales are made of"
            columns={COLUMNS}
            rows={data.rows}
            rowKey={(row) => row.key ?? "not told"}
            empty="Nothing was sold in this time."
          />
        )}
      </Loaded>
    </Panel>
  );
}

type Row = Schemas["BreakdownRow"];

const COLUMNS = columnsOf<Row>((helper) => [
  helper.accessor("key", {
    header: "Name",
    cell: ({ row: { original: row } }) =>
      row.key === null ? (
        <span className="text-muted">not told</span>
      ) : row.name ? (
        `${row.name} (${row.key})`
      ) : (
        row.key
      ),
  }),
  helper.accessor("revenue", {
    header: "Revenue (money)",
    meta: { isNumber: true },
    cell: (cell) => format.money(cell.getValue()),
  }),
  helper.accessor("revenue_share", {
    header: "Share",
    meta: { isNumber: true },
    cell: (cell) => <Share value={cell.getValue()} />,
  }),
  helper.display({
    id: "change",
    header: "Change",
    meta: { isNumber: true, hint: "Against as many days before" },
    cell: ({ row: { original: row } }) =>
      row.previous_revenue
        ? format.percentChange((row.revenue - row.previous_revenue) / Math.abs(row.previous_revenue))
        : format.UNKNOWN,
  }),
  helper.accessor("demand_units", {
    header: "Units",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.units(cell.getValue()),
  }),
  helper.accessor("returned_units", {
    header: "Returned",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.units(cell.getValue()),
  }),
  helper.accessor("sales_lines", {
    header: "Sales lines",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
]);

function Share({ value }: { value: number | null }) {
  if (value === null) return format.UNKNOWN;
  return (
    <span className="inline-flex items-center gap-2">
      <span aria-hidden="true" className="h-2 w-24 rounded-sm bg-raised max-md:hidden">
        <span
          className="block h-2 rounded-sm bg-accent"
          style={{ width: `${Math.max(0, Math.min(1, value)) * 100}%` }}
        />
      </span>
      {format.percent(value)}
    </span>
  );
}
