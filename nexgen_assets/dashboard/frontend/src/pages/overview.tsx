/** How things stand today, and what needs somebody's attention. */
import { useMemo, useState } from "react";
import { Link } from "wouter";
import type { Schemas } from "~/api/client";
import { useExceptions, useForecastTotals, useKpis, useRuns, useSnapshot, useWorklist } from "~/api/queries";
import { TimeChart } from "~/charts/time-chart";
import { byMoney, toneOfException } from "~/design/assumptions";
import { Badge, Loaded, Notice, PageHead, Panel, Tile, Tiles, type Tone } from "~/design/blocks";
import { Select } from "~/design/field";
import * as format from "~/design/format";
import { itemAddress } from "~/design/search-state";

const PERIODS = [
  ["7", "7 days"],
  ["28", "28 days"],
  ["91", "13 weeks"],
] as const;

export default function OverviewPage() {
  const [period, setPeriod] = useState("28");
  const kpis = useKpis(Number(period));
  return (
    <>
      <PageHead title="Overview" note={<Period kpis={kpis.data} />}>
        <Select
          label="Period"
          isLabelHidden
          options={PERIODS}
          value={period}
          onChange={(event) => setPeriod(event.target.value)}
        />
      </PageHead>
      <div className="space-y-4">
        <Freshness />
        <Loaded query={kpis} what="key figures">
          {(data) => (
            <Tiles>
              {data.kpis.map((kpi) => (
                <KpiTile key={kpi.name} kpi={kpi} />
              ))}
            </Tiles>
          )}
        </Loaded>
        <div className="grid gap-4 xl:grid-cols-[2fr_3fr]">
          <Attention />
          <MostAtRisk />
        </div>
        <SalesAgainstForecast />
      </div>
    </>
  );
}

function Period({ kpis }: { kpis: Schemas["Kpis"] | undefined }) {
  if (!kpis?.start) return null;
  return (
    <>
      {format.longDay(kpis.start)} to {format.longDay(kpis.end)}
      {kpis.previous_start && ", against as many days before"}
    </>
  );
}

const SHOWN: Record<Schemas["Kpi"]["unit"], (value: number | null) => string> = {
  units: format.count,
  money: format.money,
  share: format.percent,
  days: format.about,
  lines: format.count,
};

const UNITS: Record<Schemas["Kpi"]["unit"], () => string | undefined> = {
  units: () => "units",
  money: format.moneyWord,
  share: () => undefined,
  days: () => "days",
  lines: () => "lines",
};

function KpiTile({ kpi }: { kpi: Schemas["Kpi"] }) {
  return (
    <Tile
      label={kpi.label}
      value={SHOWN[kpi.unit](kpi.value)}
      change={changeOf(kpi)}
      unit={UNITS[kpi.unit]()}
      hint={kpi.description}
    />
  );
}

/** The change in words; shares change by points, everything else by a share. */
function changeOf({
  value,
  previous,
  unit,
  is_higher_better,
}: Schemas["Kpi"]): { text: string; tone: Tone } | undefined {
  if (value === null || previous === null) return undefined;
  const difference = value - previous;
  if (unit !== "share" && previous === 0) return undefined;
  const text =
    unit === "share"
      ? `${format.part(Math.round(difference * 1000) / 10)} points`
      : format.percentChange(difference / Math.abs(previous));
  const isGood = is_higher_better === null || difference === 0 ? null : difference > 0 === is_higher_better;
  return {
    text: `${text} against before`,
    tone: isGood === null ? "neutral" : isGood ? "good" : "bad",
  };
}

function Freshness() {
  const snapshot = useSnapshot().data;
  const runs = useRuns().data;
  if (!snapshot) return null;
  if (!snapshot.sales_day) {
    return (
      <Notice tone="warn" title="No sales have landed yet">
        Land a file with <code>nexgen land FILE --kind sales</code>, then compute everything with{" "}
        <code>nexgen run</code>.
      </Notice>
    );
  }
  const running = runs?.active ? `${format.plural(runs.active, "run is", "runs are")} active.` : "";
  if (!snapshot.is_fresh) {
    const behind = snapshot.days_behind ?? 0;
    return (
      <Notice
        tone="warn"
        title={behind > 0 ? `Sales end ${format.plural(behind, "day")} ago` : "Orders are not made yet"}
      >
        The newest sales are of {format.longDay(snapshot.sales_day)}, the orders below are of{" "}
        {format.longDay(snapshot.orders_day)}. {running}
        {runs && !runs.daemon_is_alive && " Nothing takes runs off the queue: start `nexgen up`."}
      </Notice>
    );
  }
  return null;
}

function Attention() {
  const exceptions = useExceptions({ limit: 1 });
  return (
    <Panel
      title="Needs attention"
      actions={
        <Link href="/orders" className="text-accent hover:underline">
          All orders
        </Link>
      }
    >
      <Loaded query={exceptions} what="exceptions" lines={6}>
        {(data) => <Counts data={data} />}
      </Loaded>
    </Panel>
  );
}

function Counts({ data }: { data: Schemas["Exceptions"] }) {
  const first = useWorklist({ to_decide: true, sort: "money_at_risk", descending: true }).data?.pages[0];
  const names = byMoney(data);
  return (
    <table className="w-full">
      <caption className="sr-only">Lines by what needs attention</caption>
      <thead className="text-muted">
        <tr>
          <th scope="col" className="pb-1 text-left font-semibold">
            What
          </th>
          <th scope="col" className="pb-1 text-right font-semibold">
            Lines
          </th>
          <th scope="col" className="pb-1 text-right font-semibold">
            At risk, money
          </th>
        </tr>
      </thead>
      <tbody>
        {first && (
          <tr>
            <th scope="row" className="border-t border-line py-1.5 text-left font-normal">
              <Link href="/orders?to_decide=yes" className="hover:underline">
                <Badge tone="accent">Orders to decide on</Badge>
              </Link>
            </th>
            <td className="border-t border-line py-1.5 text-right font-semibold">
              {format.count(first.totals.to_decide)}
            </td>
            <td className="border-t border-line py-1.5 text-right">
              {format.money(first.totals.money_at_risk)}
            </td>
          </tr>
        )}
        {names.map((name) => (
          <tr key={name}>
            <th scope="row" className="border-t border-line py-1.5 text-left font-normal">
              <Link href={`/orders?exception=${name}`} className="hover:underline">
                <Badge tone={toneOfException(name)}>{format.words(name)}</Badge>
              </Link>
            </th>
            <td className="border-t border-line py-1.5 text-right font-semibold">
              {format.count(data.counts[name])}
            </td>
            <td className="border-t border-line py-1.5 text-right">
              {data.money_at_risk[name] ? format.money(data.money_at_risk[name]) : format.UNKNOWN}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function MostAtRisk() {
  const exceptions = useExceptions({ limit: 8 });
  return (
    <Panel title="Most money at risk">
      <Loaded query={exceptions} what="exceptions" lines={6}>
        {(data) =>
          data.exceptions.length === 0 ? (
            <p className="text-muted">Nothing stands out.</p>
          ) : (
            <ol className="-my-2 divide-y divide-line">
              {data.exceptions.map((one) => (
                <li
                  key={`${one.product_id} ${one.location} ${one.exception}`}
                  className="flex flex-wrap items-baseline justify-between gap-x-4 py-2"
                >
                  <div className="min-w-0">
                    <Link href={itemAddress(one)} className="font-medium hover:underline">
                      {one.product_name ?? one.product_id}
                    </Link>{" "}
                    <span className="text-muted">{one.location}</span>{" "}
                    <Badge tone={toneOfException(one.exception)}>{format.words(one.exception)}</Badge>
                    <p className="text-muted">{one.action}</p>
                  </div>
                  <b>{format.money(one.money_at_risk)}</b>
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Panel>
  );
}

function SalesAgainstForecast() {
  const totals = useForecastTotals({ days: 56 });
  return (
    <Panel title="Sales against forecast" note="All products and locations">
      <Loaded query={totals} what="forecasts" lines={8}>
        {(data) => <TotalsChart totals={data} />}
      </Loaded>
    </Panel>
  );
}

function TotalsChart({ totals }: { totals: Schemas["ForecastTotals"] }) {
  const chart = useMemo(
    () => ({
      days: totals.days.map((one) => one.target_date),
      series: [
        { label: "Sold", color: "chart-1" as const, values: totals.days.map((one) => one.demand_units) },
        {
          label: "Forecast (mean, made before the day)",
          color: "chart-2" as const,
          isDashed: true,
          values: totals.days.map((one) => one.mean),
        },
      ],
    }),
    [totals],
  );
  const first = totals.days.find(
    (one) => totals.origin !== null && one.target_date > totals.origin,
  )?.target_date;
  return (
    <TimeChart
      title="Sales against forecast"
      unit="units a day"
      height={260}
      {...chart}
      {...(first ? { divide: { day: first, label: "days to come" } } : {})}
    />
  );
}
