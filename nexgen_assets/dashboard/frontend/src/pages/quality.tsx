/** How right forecasts were, which models made them, and what order rules would have cost. */
import { useMemo, useState } from "react";
import type { Schemas } from "~/api/client";
import { useAccuracy, useBacktest, useFrontier, useModels } from "~/api/queries";
import { Scatter } from "~/charts/scatter";
import { TimeChart } from "~/charts/time-chart";
import { Badge, Loaded, PageHead, Panel, Tile, Tiles, type Tone } from "~/design/blocks";
import { Select } from "~/design/field";
import * as format from "~/design/format";
import { columnsOf, DataTable } from "~/design/table";

type AccuracyRow = Schemas["AccuracyRow"];

const PERIODS = [
  ["28", "28 days"],
  ["91", "13 weeks"],
  ["365", "1 year"],
] as const;

export default function QualityPage() {
  const [period, setPeriod] = useState("28");
  const accuracy = useAccuracy(Number(period));
  return (
    <>
      <PageHead
        title="Forecast quality"
        note={
          accuracy.data?.start &&
          `Days forecast: ${format.longDay(accuracy.data.start)} to ${format.longDay(accuracy.data.end)}`
        }
      >
        <Select
          label="Period"
          isLabelHidden
          options={PERIODS}
          value={period}
          onChange={(event) => setPeriod(event.target.value)}
        />
      </PageHead>
      <div className="space-y-4">
        <Loaded query={accuracy} what="forecast accuracy" lines={8}>
          {(data) =>
            data.overall ? <AccuracyPanels accuracy={data} overall={data.overall} /> : <NothingJudged />
          }
        </Loaded>
        <ModelsPanel />
        <FrontierPanel />
        <BacktestPanel />
      </div>
    </>
  );
}

function NothingJudged() {
  return (
    <Panel title="Accuracy">
      <p className="text-muted">
        No forecast of a day that is over yet: the first are judged a day after they were made.
      </p>
    </Panel>
  );
}

function AccuracyPanels({ accuracy, overall }: { accuracy: Schemas["Accuracy"]; overall: AccuracyRow }) {
  return (
    <>
      <Tiles>
        <Tile
          label="Error (WAPE)"
          value={format.percent(overall.wape)}
          note="absolute errors over demand"
          change={against(overall)}
        />
        <Tile
          label="Seasonal naive"
          value={format.percent(overall.seasonal_naive_wape)}
          note="the last same weekday's demand as forecast"
        />
        <Tile
          label="Bias"
          value={format.percentChange(overall.bias)}
          note="forecast less demand, over demand"
        />
        <Tile
          label="Judged"
          value={format.short(overall.series_days)}
          unit="forecasts"
          note="days in stock"
        />
      </Tiles>
      <Panel title="Error by day" note="Of all forecasts of the day, whatever their horizon">
        <ErrorChart rows={accuracy.by_day} />
      </Panel>
      <div className="grid gap-4 xl:grid-cols-2">
        <Panel title="By days ahead">
          <RowsTable caption="Accuracy by days ahead" rows={accuracy.by_horizon} />
        </Panel>
        <Panel title="Promised and achieved" note="Share of days whose demand was above a quantile">
          <Calibration row={overall} />
        </Panel>
        <Panel title="By volume, units a day">
          <RowsTable caption="Accuracy by volume class" rows={accuracy.by_volume_class} />
        </Panel>
        <Panel title="By model">
          <RowsTable caption="Accuracy by model version" rows={accuracy.by_model_version} />
        </Panel>
      </div>
    </>
  );
}

function against({ wape, seasonal_naive_wape }: AccuracyRow): { text: string; tone: Tone } | undefined {
  if (wape === null || !seasonal_naive_wape) return undefined;
  const change = wape / seasonal_naive_wape - 1;
  return {
    text: `${format.percentChange(change)} against seasonal naive`,
    tone: change <= 0 ? "good" : "bad",
  };
}

function ErrorChart({ rows }: { rows: AccuracyRow[] }) {
  const chart = useMemo(() => {
    const percent = (value: number | null) => (value === null ? null : value * 100);
    return {
      days: rows.map((row) => row.key),
      series: [
        { label: "Error (WAPE)", color: "chart-1" as const, values: rows.map((row) => percent(row.wape)) },
        {
          label: "Seasonal naive",
          color: "chart-4" as const,
          isDashed: true,
          values: rows.map((row) => percent(row.seasonal_naive_wape)),
        },
        { label: "Bias", color: "chart-2" as const, values: rows.map((row) => percent(row.bias)) },
      ],
    };
  }, [rows]);
  return <TimeChart title="Error by day" unit="% of demand" height={240} {...chart} />;
}

const ROWS = columnsOf<AccuracyRow>((helper) => [
  helper.accessor("key", { header: "Group", cell: (cell) => cell.getValue().replaceAll("_", " ") }),
  helper.accessor("wape", {
    header: "WAPE",
    meta: { isNumber: true },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.accessor("seasonal_naive_wape", {
    header: "Seasonal naive",
    meta: { isNumber: true },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.accessor("bias", {
    header: "Bias",
    meta: { isNumber: true },
    cell: (cell) => format.percentChange(cell.getValue()),
  }),
  helper.accessor("series_days", {
    header: "Forecasts",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
]);

function RowsTable({ caption, rows }: { caption: string; rows: AccuracyRow[] }) {
  return (
    <DataTable
      caption={caption}
      columns={ROWS}
      rows={rows}
      rowKey={(row) => row.key}
      height="max-h-80"
      empty="Nothing judged."
    />
  );
}

interface Promised {
  name: string;
  expected: number;
  achieved: number | null;
}

const CALIBRATION = columnsOf<Promised>((helper) => [
  helper.accessor("name", { header: "Quantile" }),
  helper.accessor("expected", {
    header: "Promised above",
    meta: { isNumber: true },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.accessor("achieved", {
    header: "Achieved",
    meta: { isNumber: true },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.display({
    id: "verdict",
    header: "That is",
    cell: ({ row: { original: row } }) => <Verdict promise={row} />,
  }),
]);

const SLACK = 0.02;

function Verdict({ promise: { expected, achieved } }: { promise: Promised }) {
  if (achieved === null) return format.UNKNOWN;
  if (Math.abs(achieved - expected) <= SLACK) return <Badge tone="good">as promised</Badge>;
  if (achieved > expected) return <Badge tone="warn">more than promised</Badge>;
  // demand in whole units often equals a low quantile, and is then not above it
  if (expected >= 0.5) return <Badge tone="neutral">fewer, as with whole units</Badge>;
  return <Badge tone="warn">fewer than promised</Badge>;
}

function Calibration({ row }: { row: AccuracyRow }) {
  const rows = Object.entries(row.expected_above).map(([name, expected]) => ({
    name,
    expected,
    achieved: row.share_above[name] ?? null,
  }));
  return (
    <DataTable
      caption="Promised and achieved quantiles"
      columns={CALIBRATION}
      rows={rows}
      rowKey={(one) => one.name}
    />
  );
}

const ALIAS_TONES: Record<string, Tone> = { champion: "good", challenger: "accent", rolled_back: "bad" };

const VERSIONS = columnsOf<Schemas["ModelVersion"]>((helper) => [
  helper.accessor("version", { header: "Version" }),
  helper.accessor("alias", {
    header: "Role",
    cell: (cell) => {
      const alias = cell.getValue();
      return alias ? (
        <Badge tone={ALIAS_TONES[alias] ?? "neutral"}>{format.words(alias)}</Badge>
      ) : (
        format.UNKNOWN
      );
    },
  }),
  helper.accessor("training_cutoff", {
    header: "Trained on sales to",
    cell: (cell) => format.longDay(cell.getValue()),
  }),
  helper.display({
    id: "facts",
    header: "How it was judged",
    meta: { isWide: true },
    cell: ({ row }) => <span className="text-muted">{factsOf(row.original.facts)}</span>,
  }),
]);

/** The plain numbers among a version's facts; the rest is for the Dagster UI. */
function factsOf(facts: Record<string, unknown>): string {
  const told = Object.entries(facts).filter((fact): fact is [string, number] => typeof fact[1] === "number");
  return (
    told.map(([name, value]) => `${format.words(name)} ${format.units(value)}`).join(", ") || format.UNKNOWN
  );
}

function ModelsPanel() {
  const models = useModels();
  return (
    <Panel
      title="Models"
      note="A model becomes champion only if it beats the one before on days that it had not seen"
    >
      <Loaded query={models} what="models" lines={4}>
        {(data) => (
          <div className="space-y-4">
            <DataTable
              caption="Model versions"
              columns={VERSIONS}
              rows={data.versions}
              rowKey={(one) => one.version}
              empty="No model yet: forecasts are the seasonal naive's."
            />
            {data.history.length > 0 && (
              <section>
                <h3 className="mb-1 font-semibold">Promotions and rollbacks</h3>
                <ol className="space-y-1">
                  {data.history.map((move) => (
                    <li key={`${move.version} ${move.alias} ${move.at}`}>
                      <span className="text-muted">{format.instant(move.at)}</span> {move.version} became{" "}
                      <b>{format.words(move.alias)}</b>
                      {move.why && <span className="text-muted">: {move.why}</span>}
                    </li>
                  ))}
                </ol>
              </section>
            )}
          </div>
        )}
      </Loaded>
    </Panel>
  );
}

type Point = Schemas["FrontierPoint"];

const FRONTIER = columnsOf<Point>((helper) => [
  helper.accessor("rule", { header: "Order rule", cell: (cell) => format.words(cell.getValue()) }),
  helper.accessor("parameter", {
    header: "Parameter",
    meta: { isNumber: true },
    cell: (cell) => format.units(cell.getValue()),
  }),
  helper.accessor("fill_rate", {
    header: "Fill rate",
    meta: { isNumber: true },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.accessor("promised_fill_rate", {
    header: "Promised",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.accessor("average_on_hand_units", {
    header: "Stock, units",
    meta: { isNumber: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
  helper.accessor("lost_units", {
    header: "Lost, units",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
  helper.accessor("waste_units", {
    header: "Waste, units",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
  helper.display({
    id: "cost",
    header: "Cost, money",
    meta: { isNumber: true, hint: "Holding, lost margin, ordering and waste" },
    cell: ({ row: { original: one } }) =>
      format.money(one.holding_cost + one.lost_margin + one.order_cost + one.waste_cost),
  }),
]);

function FrontierPanel() {
  const frontier = useFrontier();
  return (
    <Panel
      title="Service against stock"
      note="Order rules simulated on past days: up and to the left is better"
    >
      <Loaded query={frontier} what="policy simulation" lines={6}>
        {({ points }) =>
          points.length === 0 ? (
            <p className="text-muted">
              No simulation yet: materialize <code>policy_simulation</code> in the Dagster UI.
            </p>
          ) : (
            <div className="grid gap-4 xl:grid-cols-2">
              <Scatter
                title="Fill rate against average stock"
                xLabel="Average stock, units"
                yLabel="Fill rate"
                showX={format.short}
                showY={format.percent}
                groups={groupsOf(points)}
              />
              <DataTable
                caption="Order rules on past days"
                columns={FRONTIER}
                rows={points}
                rowKey={(one) => `${one.rule} ${one.parameter} ${one.segment_kind} ${one.segment}`}
              />
            </div>
          )
        }
      </Loaded>
    </Panel>
  );
}

function groupsOf(points: Point[]) {
  const rules = [...new Set(points.map((one) => one.rule))];
  return rules.map((rule) => ({
    label: format.words(rule),
    points: points
      .filter((one) => one.rule === rule)
      .flatMap((one) => (one.fill_rate === null ? [] : [{ x: one.average_on_hand_units, y: one.fill_rate }]))
      .sort((a, b) => a.x - b.x),
  }));
}

const BACKTEST = columnsOf<Schemas["BacktestRow"]>((helper) => [
  helper.accessor("method", { header: "Method", cell: (cell) => format.words(cell.getValue()) }),
  helper.accessor("origin_date", { header: "Origin", cell: (cell) => format.longDay(cell.getValue()) }),
  helper.accessor("segment", {
    header: "Segment",
    meta: { isWide: true },
    cell: (cell) => format.words(cell.getValue()),
  }),
  helper.accessor("wape", {
    header: "WAPE",
    meta: { isNumber: true },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.accessor("bias", {
    header: "Bias",
    meta: { isNumber: true },
    cell: (cell) => format.percentChange(cell.getValue()),
  }),
  helper.accessor("wql", {
    header: "Quantile loss",
    meta: { isNumber: true, isWide: true, hint: "Weighted quantile loss over demand" },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.accessor("series", {
    header: "Series",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
]);

function BacktestPanel() {
  const backtest = useBacktest();
  return (
    <Panel title="Back-test" note="The same days forecast by each method from past origins">
      <Loaded query={backtest} what="back-test" lines={4}>
        {(data) => (
          <DataTable
            caption="Back-test"
            columns={BACKTEST}
            rows={data.rows}
            rowKey={(one) =>
              `${one.method} ${one.origin_date} ${one.segment_kind} ${one.segment} ${one.horizon}`
            }
            empty="No back-test yet: run the job backtest in the Dagster UI."
          />
        )}
      </Loaded>
    </Panel>
  );
}
