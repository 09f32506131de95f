/** A chart over days: lines, bars, bands and shaded days, a legend that reads out the day under the cursor, and its table. */
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "~/charts/chart.css";
import { drawBehind } from "~/charts/shades";
import * as format from "~/design/format";
import { columnsOf, DataTable } from "~/design/table";
import { useIsDark } from "~/design/theme";

export type Color = "chart-1" | "chart-2" | "chart-3" | "chart-4" | "good" | "bad" | "warn" | "muted";
type Values = (number | null)[];

export interface Series {
  label: string;
  color: Color;
  values: Values;
  look?: "line" | "bars" | "steps" | "points";
  isDashed?: boolean;
  /** Drawn on the right axis, which is named by `rightUnit`. */
  isRight?: boolean;
}

export interface Band {
  label: string;
  color: Color;
  low: Values;
  high: Values;
  /** 0 to 1 */
  strength?: number;
}

export interface Shade {
  label: string;
  color: Color;
  days: string[];
}

interface Props {
  title: string;
  days: string[];
  unit: string;
  rightUnit?: string;
  series: Series[];
  bands?: Band[];
  shades?: Shade[];
  /** A dashed line before this day, where history ends. */
  divide?: { day: string; label: string };
  height?: number;
}

const seconds = (day: string) => Date.parse(`${day}T00:00:00Z`) / 1000;

/** A tick of the time axis; ticks between days, of a chart of few days, stay empty. */
const dayOf = (stamp: number) =>
  stamp % 86_400 === 0 ? format.shortDay(new Date(stamp * 1000).toISOString().slice(0, 10)) : "";

function colorOf(color: Color, strength = 1): string {
  const css = getComputedStyle(document.documentElement).getPropertyValue(`--${color}`).trim();
  return strength === 1 ? css : `color-mix(in srgb, ${css} ${Math.round(strength * 100)}%, transparent)`;
}

function optionsOf(props: Props, width: number, onCursor: (index: number | null) => void): uPlot.Options {
  const ink = colorOf("muted");
  const grid = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
  const axis = {
    stroke: ink,
    grid: { stroke: grid, width: 1 },
    ticks: { show: false },
    font: "12px system-ui",
  };
  const values = (_: uPlot, ticks: number[]) => ticks.map((tick) => format.short(tick));
  const bands = props.bands ?? [];
  const edges = bands.flatMap(() => [{ scale: "y" }, { scale: "y" }]);
  const [first, second] = props.days.map(seconds);
  // half a bar stands before the first day, and half a bar behind the last
  const hasBars = props.series.some((one) => one.look === "bars");
  const margin = hasBars && first !== undefined && second !== undefined ? (second - first) / 2 : 0;
  const hasRight = props.series.some((one) => one.isRight);
  return {
    width,
    height: props.height ?? 300,
    tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { points: { size: 6 }, drag: { x: true, y: false } },
    scales: {
      x: { range: (_, low, high) => [low - margin, high + margin] },
      y: { range: (_, low, high) => [Math.min(0, (low ?? 0) * 1.06), Math.max(1, (high ?? 1) * 1.06)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 64, values: (_, ticks) => ticks.map(dayOf) },
      { ...axis, values, size: 52 },
      ...(hasRight
        ? [{ ...axis, scale: "right", side: 1 as const, values, size: 52, grid: { show: false } }]
        : []),
    ],
    series: [
      {},
      ...edges.map((edge) => ({ ...edge, stroke: "transparent", points: { show: false } })),
      ...props.series.map((one) => seriesOf(one)),
    ],
    bands: bands.map((band, index) => ({
      series: [2 * index + 2, 2 * index + 1] as uPlot.Band.Bounds,
      fill: colorOf(band.color, band.strength ?? 0.18),
    })),
    hooks: {
      drawClear: [
        (plot) =>
          drawBehind(plot, {
            shades: (props.shades ?? []).map((shade) => ({
              color: colorOf(shade.color, 0.16),
              stamps: shade.days.map(seconds),
            })),
            divide: props.divide ? { stamp: seconds(props.divide.day), color: ink } : null,
          }),
      ],
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
    },
  };
}

function seriesOf(one: Series): uPlot.Series {
  const look = one.look ?? "line";
  const color = colorOf(one.color);
  const made: uPlot.Series = {
    scale: one.isRight ? "right" : "y",
    stroke: color,
    width: look === "bars" ? 0 : 1.8,
    points: { show: look === "points", size: 6, fill: color, stroke: color },
    spanGaps: false,
  };
  if (one.isDashed) made.dash = [6, 4];
  if (look === "bars" && uPlot.paths.bars) {
    made.fill = colorOf(one.color, 0.75);
    made.paths = uPlot.paths.bars({ size: [0.7, 24] });
  }
  if (look === "steps" && uPlot.paths.stepped) made.paths = uPlot.paths.stepped({ align: 1 });
  if (look === "points") made.paths = () => null;
  return made;
}

export function TimeChart(props: Props) {
  const { title, days, series } = props;
  const box = useRef<HTMLDivElement>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const isDark = useIsDark();

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read from the page, which `isDark` stands for
  useEffect(() => {
    const element = box.current;
    if (!element || days.length === 0) return;
    const columns = [
      days.map(seconds),
      ...(props.bands ?? []).flatMap((band) => [band.low, band.high]),
      ...series.map((one) => one.values),
    ];
    const plot = new uPlot(
      optionsOf(props, element.clientWidth, setCursor),
      columns as uPlot.AlignedData,
      element,
    );
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: plot.height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [props.days, props.series, props.bands, props.shades, isDark]);

  if (days.length === 0) return <p className="py-6 text-center text-muted">No days to show.</p>;
  return (
    <figure>
      <Legend {...props} cursor={cursor} />
      <div
        ref={box}
        role="img"
        aria-label={`${title}: ${summary(props)} The table below the chart has every number.`}
      />
      <ChartTable {...props} />
    </figure>
  );
}

function summary({ days, series, unit }: Props): string {
  const names = series.map((one) => one.label).join(", ");
  return `${names}, in ${unit}, from ${format.longDay(days[0])} to ${format.longDay(days.at(-1))}.`;
}

function Legend({
  days,
  series,
  bands,
  shades,
  unit,
  rightUnit,
  divide,
  cursor,
}: Props & { cursor: number | null }) {
  const at = (values: Values) => (cursor === null ? "" : ` ${format.about(values[cursor])}`);
  return (
    <figcaption className="mb-1 flex min-h-6 flex-wrap items-center gap-x-4 gap-y-0.5 text-muted">
      <span className="min-w-24 text-ink">
        {cursor === null ? `in ${unit}` : format.longDay(days[cursor])}
      </span>
      {series.map((one) => (
        <span key={one.label} className="inline-flex items-center gap-1.5">
          <Swatch color={one.color} look={swatchOf(one)} />
          {one.label}
          {one.isRight && rightUnit ? ` (${rightUnit}, right)` : ""}
          <b className="font-semibold text-ink">{at(one.values)}</b>
        </span>
      ))}
      {bands?.map((band) => (
        <span key={band.label} className="inline-flex items-center gap-1.5">
          <Swatch color={band.color} look="box" strength={band.strength ?? 0.18} />
          {band.label}
          {cursor !== null && (
            <b className="font-semibold text-ink">{bandText(band.low[cursor], band.high[cursor])}</b>
          )}
        </span>
      ))}
      {shades
        ?.filter((shade) => shade.days.length > 0)
        .map((shade) => (
          <span key={shade.label} className="inline-flex items-center gap-1.5">
            <Swatch color={shade.color} look="box" strength={0.25} />
            {shade.label}
          </span>
        ))}
      {divide && <span>┆ {divide.label}</span>}
    </figcaption>
  );
}

type Look = "line" | "dashed" | "box" | "dot";

function swatchOf({ look, isDashed }: Series): Look {
  if (look === "bars") return "box";
  if (look === "points") return "dot";
  return isDashed ? "dashed" : "line";
}

function Swatch({ color, look, strength = 0.85 }: { color: Color; look: Look; strength?: number }) {
  const css = `var(--${color})`;
  if (look === "box" || look === "dot") {
    const shape = look === "dot" ? "size-2 rounded-full" : "size-3 rounded-sm";
    return <i aria-hidden="true" className={shape} style={{ background: css, opacity: strength + 0.15 }} />;
  }
  return (
    <i
      aria-hidden="true"
      className="w-4 border-t-2"
      style={{ borderColor: css, borderStyle: look === "dashed" ? "dashed" : "solid" }}
    />
  );
}

const bandText = (low: number | null | undefined, high: number | null | undefined) =>
  low == null || high == null ? format.UNKNOWN : `${format.about(low)} to ${format.about(high)}`;

type Line = { day: string; values: (number | null)[]; notes: string };

function ChartTable({ title, days, series, bands, shades, unit, rightUnit }: Props) {
  const [isOpen, setIsOpen] = useState(false);
  const columns = useMemo(
    () =>
      columnsOf<Line>((helper) => [
        helper.accessor("day", {
          header: "Day",
          cell: (cell) => <span className="whitespace-nowrap">{format.longDay(cell.getValue())}</span>,
        }),
        ...series.map((one, index) =>
          helper.display({
            id: `s${index}`,
            header: `${one.label} (${one.isRight ? (rightUnit ?? unit) : unit})`,
            meta: { isNumber: true },
            cell: ({ row }) => format.about(row.original.values[index]),
          }),
        ),
        ...(bands ?? []).map((band, index) =>
          helper.display({
            id: `b${index}`,
            header: `${band.label} (${unit})`,
            meta: { isNumber: true },
            cell: ({ row }) => {
              const at = series.length + 2 * index;
              return bandText(row.original.values[at], row.original.values[at + 1]);
            },
          }),
        ),
        ...(shades?.length ? [helper.accessor("notes", { header: "Notes" })] : []),
      ]),
    [series, bands, shades, unit, rightUnit],
  );
  const rows = useMemo(
    () =>
      days.map((day, index) => ({
        day,
        values: [
          ...series.map((one) => one.values[index] ?? null),
          ...(bands ?? []).flatMap((band) => [band.low[index] ?? null, band.high[index] ?? null]),
        ],
        notes: (shades ?? [])
          .filter((shade) => shade.days.includes(day))
          .map((shade) => shade.label)
          .join(", "),
      })),
    [days, series, bands, shades],
  );
  return (
    <details className="mt-2" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary className="text-accent">Show the numbers as a table</summary>
      {isOpen && (
        <DataTable
          caption={title}
          columns={columns}
          rows={rows}
          rowKey={(row) => row.day}
          height="max-h-72 mt-2"
        />
      )}
    </details>
  );
}
