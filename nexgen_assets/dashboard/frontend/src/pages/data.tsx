/** What landed, what was refused and why, how far the tables are, and what is running. */
import { useMemo } from "react";
import type { Schemas } from "~/api/client";
import { useQuality, useRuns, useSnapshot } from "~/api/queries";
import { TimeChart } from "~/charts/time-chart";
import { Badge, Loaded, Notice, PageHead, Panel, Tile, Tiles, type Tone } from "~/design/blocks";
import { DagsterLink } from "~/design/dagster";
import * as format from "~/design/format";
import { columnsOf, DataTable } from "~/design/table";

const DAYS = 91;

export default function DataPage() {
  const quality = useQuality(DAYS);
  return (
    <>
      <PageHead
        title="Data"
        note="What came in, what was refused, and which state of the tables these pages show"
      />
      <div className="space-y-4">
        <SnapshotPanel />
        <Loaded query={quality} what="data quality" lines={8}>
          {(data) => (
            <>
              <Lines days={data.days} />
              <Panel
                title="Lines that were refused or removed"
                note="Nothing is dropped silently: each has its rule"
              >
                <DataTable
                  caption="Refused lines by rule"
                  columns={REASONS}
                  rows={data.reasons}
                  rowKey={(row) => `${row.rule} ${row.column_name ?? ""}`}
                  empty="No line was refused."
                />
              </Panel>
              <Panel title="Files">
                <DataTable
                  caption="Landed files, newest first"
                  columns={FILES}
                  rows={data.files}
                  rowKey={(row) => row.file_key}
                  empty="No file has landed yet."
                />
              </Panel>
            </>
          )}
        </Loaded>
        <RunsPanel />
      </div>
    </>
  );
}

function SnapshotPanel() {
  const snapshot = useSnapshot();
  return (
    <Loaded query={snapshot} what="state of the tables">
      {(data) => {
        const behind = data.tables.filter((table) => table.is_behind).length;
        return (
          <>
            <Tiles>
              <Tile label="Newest sales" value={format.day(data.sales_day)} note={late(data.days_behind)} />
              <Tile
                label="Forecasts made at"
                value={format.day(data.forecast_origin)}
                note="close of that day"
              />
              <Tile
                label="Orders of"
                value={format.day(data.orders_day)}
                note={data.is_fresh ? "the last complete day" : "not the last complete day"}
              />
              <Tile
                label="Published"
                value={data.published_at ? format.instant(data.published_at) : "never"}
                note={`snapshot ${data.snapshot_id}`}
              />
            </Tiles>
            {behind > 0 && (
              <Notice title={`${format.plural(behind, "table has", "tables have")} changed since`}>
                A run is writing, or has failed half-way. These pages show the published state until a run has
                succeeded.
              </Notice>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function late(days: number | null): string {
  if (days === null) return "no sales yet";
  return days > 0 ? `${format.plural(days, "day")} behind` : "up to date";
}

function Lines({ days }: { days: Schemas["QualityDay"][] }) {
  const chart = useMemo(
    () => ({
      days: days.map((one) => one.day),
      series: [
        { label: "Taken", color: "chart-1" as const, values: days.map((one) => one.cleaned_lines) },
        { label: "Refused or removed", color: "bad" as const, values: days.map((one) => one.rejected_lines) },
      ],
    }),
    [days],
  );
  return (
    <Panel title="Sales lines by day">
      <TimeChart title="Sales lines by day" unit="lines" height={200} {...chart} />
    </Panel>
  );
}

const REASONS = columnsOf<Schemas["RejectedReason"]>((helper) => [
  helper.accessor("rule", { header: "Rule", cell: (cell) => format.words(cell.getValue()) }),
  helper.accessor("column_name", { header: "Column", cell: (cell) => cell.getValue() ?? format.UNKNOWN }),
  helper.accessor("reason", { header: "What it means", meta: { isWide: true } }),
  helper.accessor("lines", {
    header: "Lines",
    meta: { isNumber: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
]);

const FILES = columnsOf<Schemas["LandedFile"]>((helper) => [
  helper.accessor("file_key", {
    header: "File",
    cell: ({ row: { original: file } }) => (
      <>
        <span className="break-all">{file.file_key}</span>
        {file.problem && <p className="text-bad">{file.problem}</p>}
        {file.unknown_columns.length > 0 && (
          <p className="text-warn">Unknown columns: {file.unknown_columns.join(", ")}</p>
        )}
      </>
    ),
  }),
  helper.accessor("kind", { header: "Kind" }),
  helper.accessor("status", {
    header: "Status",
    cell: ({ row: { original: file } }) => (
      <Badge tone={file.problem ? "bad" : "neutral"}>{format.words(file.status)}</Badge>
    ),
  }),
  helper.accessor("lines", {
    header: "Lines",
    meta: { isNumber: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
  helper.accessor("arrived_at", {
    header: "Arrived",
    meta: { isWide: true },
    cell: (cell) => format.instant(cell.getValue()),
  }),
]);

function RunsPanel() {
  const runs = useRuns();
  return (
    <Panel title="Runs">
      <Loaded query={runs} what="runs" lines={5}>
        {(data) => (
          <div className="space-y-3">
            {!data.daemon_is_alive && (
              <Notice tone="warn" title="Nothing watches what lands">
                New files are not taken up and queued runs do not start: run <code>nexgen up</code>.
              </Notice>
            )}
            {data.stopped_sensors.length > 0 && (
              <Notice tone="warn" title="Switched off">
                {data.stopped_sensors.join(", ")}: switch it on{" "}
                <DagsterLink path="/automation">in Dagster</DagsterLink>.
              </Notice>
            )}
            <DataTable
              caption="Runs, newest first"
              columns={RUNS}
              rows={data.runs}
              rowKey={(run) => run.run_id}
              empty="No run yet."
            />
          </div>
        )}
      </Loaded>
    </Panel>
  );
}

const RUN_TONES: Record<string, Tone> = { SUCCESS: "good", FAILURE: "bad", CANCELED: "warn" };

const RUNS = columnsOf<Schemas["Run"]>((helper) => [
  helper.accessor("job", {
    header: "Job",
    cell: ({ row: { original: run } }) => <DagsterLink path={`/runs/${run.run_id}`}>{run.job}</DagsterLink>,
  }),
  helper.accessor("status", {
    header: "Status",
    cell: (cell) => (
      <Badge tone={RUN_TONES[cell.getValue()] ?? "accent"}>
        {format.words(cell.getValue().toLowerCase())}
      </Badge>
    ),
  }),
  helper.accessor("days", { header: "Days", cell: (cell) => cell.getValue() ?? format.UNKNOWN }),
  helper.accessor("created_at", {
    header: "Created",
    meta: { isWide: true },
    cell: (cell) => format.instant(cell.getValue()),
  }),
  helper.accessor("ended_at", {
    header: "Ended",
    meta: { isWide: true },
    cell: (cell) => format.instant(cell.getValue()),
  }),
]);
