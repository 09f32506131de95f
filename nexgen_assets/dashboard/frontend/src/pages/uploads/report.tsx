/** What the check found in a file, and what is to become of it. */
import type { Outcome, Report, UploadDetail } from "~/api/uploads";
import { useCheckAgain, useDiscard } from "~/api/uploads";
import { Badge, Loading, Notice, Panel, Tile, Tiles } from "~/design/blocks";
import { Button } from "~/design/button";
import * as format from "~/design/format";
import { columnsOf, DataTable } from "~/design/table";
import { CommitForm } from "~/pages/uploads/commit";
import { KINDS, STATES } from "~/pages/uploads/kinds";

export function ReportPanel({ upload, onGone }: { upload: UploadDetail; onGone: () => void }) {
  const again = useCheckAgain(upload.upload_id);
  const discard = useDiscard(upload.upload_id);
  const isOpen = upload.landing_key === null;
  const error = again.error ?? discard.error;
  return (
    <Panel
      title={`${KINDS[upload.kind].name}: ${upload.name}`}
      note={`${upload.uploaded_by}, ${format.instant(upload.uploaded_at)}`}
      actions={
        <>
          <StateBadge state={upload.state} />
          {isOpen && upload.state !== "received" && (
            <Button isBusy={again.isPending} onClick={() => again.mutate()}>
              Check again
            </Button>
          )}
          {isOpen && (
            <Button
              look="danger"
              isBusy={discard.isPending}
              onClick={() => discard.mutate(undefined, { onSuccess: onGone })}
            >
              Discard
            </Button>
          )}
        </>
      }
    >
      <div className="space-y-4">
        {error && (
          <Notice tone="bad" title="That did not work">
            {error.message}
          </Notice>
        )}
        <Standing upload={upload} />
        {upload.report && <Found upload={upload} report={upload.report} />}
      </div>
    </Panel>
  );
}

export function StateBadge({ state }: { state: UploadDetail["state"] }) {
  return <Badge tone={STATES[state].tone}>{STATES[state].name}</Badge>;
}

/** Where the file is on its way, and what keeps it from going on. */
function Standing({ upload }: { upload: UploadDetail }) {
  if (upload.state === "received") {
    return (
      <div>
        <p className="text-muted">Every line is read as the daily run would read it.</p>
        {upload.bytes > LARGE_BYTES && (
          <p className="text-muted">
            {format.count(upload.bytes / 1e6)} MB take minutes, and checks go one after the other: you may
            leave this page. Discard ends the check.
          </p>
        )}
        <Loading what="the report" />
      </div>
    );
  }
  return (
    <>
      {upload.problem && (
        <Notice tone="bad" title={STATES[upload.state].name}>
          <span className="whitespace-pre-line">{upload.problem}</span>
          {upload.run_id && (
            <p>
              Run <span className="break-all">{upload.run_id}</span>
            </p>
          )}
        </Notice>
      )}
      {upload.hint && (
        <Notice tone="warn" title="It does not go on by itself">
          {upload.hint}
        </Notice>
      )}
      {upload.landing_key && !upload.problem && (
        <Notice
          tone={upload.state === "in" ? "good" : "neutral"}
          title={TOLD[upload.state] ?? STATES[upload.state].name}
        >
          <span className="break-all">landing/{upload.landing_key}</span>
        </Notice>
      )}
    </>
  );
}

const LARGE_BYTES = 50_000_000;

const TOLD: Partial<Record<UploadDetail["state"], string>> = {
  committed: "Landed: the next look at the landing zone takes it up",
  queued: "Taken up: its run waits for its turn",
  running: "A run works on it",
  in: "In: its days are published, and orders computed with it",
  replaced: "A later file of the same name has replaced it",
  deleted: "The landed file was deleted",
};

function Found({ upload, report }: { upload: UploadDetail; report: Report }) {
  const outcome = report.as_replacement ?? report.as_additional;
  return (
    <>
      {outcome && <SalesTiles lines={report.lines} outcome={outcome} />}
      {report.changes && <ChangeTiles lines={report.lines} changes={report.changes} />}
      <Remarks report={report} />
      {upload.state === "checked" && <CommitForm upload={upload} report={report} />}
      {outcome && outcome.rules.length > 0 && (
        <section>
          <h3 className="mb-1 font-semibold">Why lines would be refused</h3>
          <DataTable
            caption="Refused lines by rule"
            columns={RULES}
            rows={outcome.rules}
            rowKey={(row) => `${row.rule} ${row.column ?? ""}`}
          />
        </section>
      )}
      {report.refused.length > 0 && (
        <section>
          <div className="mb-1 flex flex-wrap items-center justify-between gap-2">
            <h3 className="font-semibold">
              {report.refused.length < report.refused_lines
                ? `The first ${format.count(report.refused.length)} of ${format.count(report.refused_lines)} lines that would not be taken`
                : "Lines that would not be taken"}
            </h3>
            <a href={`/api/uploads/${upload.upload_id}/refused`} download className="text-accent underline">
              Download as CSV
            </a>
          </div>
          <DataTable
            caption="Lines that would not be taken"
            columns={LINES}
            rows={report.refused}
            rowKey={(row) => `${row.line_number} ${row.column ?? ""} ${row.reason}`}
          />
        </section>
      )}
      {outcome && (
        <section>
          <h3 className="mb-1 font-semibold">Days it touches, all files together</h3>
          <DataTable
            caption="Days before and after"
            columns={DAYS}
            rows={outcome.days}
            rowKey={(row) => row.day}
          />
        </section>
      )}
    </>
  );
}

function SalesTiles({ lines, outcome }: { lines: number | null; outcome: Outcome }) {
  return (
    <Tiles>
      <Tile label="Lines" value={format.count(lines)} />
      <Tile label="Would be taken" value={format.count(outcome.accepted)} />
      <Tile
        label="Would be refused"
        value={<span className={outcome.rejected ? "text-bad" : ""}>{format.count(outcome.rejected)}</span>}
      />
      <Tile label="Told already" value={format.count(outcome.duplicates)} note="by another file" />
      <Tile
        label="Units of these days"
        value={format.units(outcome.units_after)}
        note={`${format.units(outcome.units_before)} so far`}
      />
    </Tiles>
  );
}

function ChangeTiles({ lines, changes }: { lines: number | null; changes: NonNullable<Report["changes"]> }) {
  return (
    <Tiles>
      <Tile label="Lines" value={format.count(lines)} />
      <Tile label="New" value={format.count(changes.new)} />
      <Tile label="Changed" value={format.count(changes.changed)} />
      <Tile label="As before" value={format.count(changes.same)} />
      {changes.dropped > 0 && (
        <Tile
          label="Missing"
          value={<span className="text-warn">{format.count(changes.dropped)}</span>}
          note="told by the file of this name alone"
        />
      )}
    </Tiles>
  );
}

const SEPARATORS: Record<string, string> = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar" };
const ORDERS: Record<string, string> = {
  year_first: "year-month-day",
  day_first: "day, month, year",
  month_first: "month, day, year",
};

/** What the check took for granted, so that somebody can see whether it was right. */
function Remarks({ report }: { report: Report }) {
  const { dialect } = report;
  return (
    <ul className="space-y-1">
      {dialect && (
        <li>
          Read as: columns separated by {SEPARATORS[dialect.separator] ?? dialect.separator}, decimal{" "}
          {dialect.decimal_mark === "," ? "comma" : "point"}, dates as {ORDERS[dialect.date_order]}.
        </li>
      )}
      {report.unknown_columns.length > 0 && (
        <li className="break-words text-warn">
          Columns that are left out: {report.unknown_columns.join(", ")}. Is one of them misspelt?
        </li>
      )}
      {report.waiting_files > 0 && (
        <li className="text-warn">
          {format.plural(report.waiting_files, "file has", "files have")} landed and{" "}
          {report.waiting_files === 1 ? "is" : "are"} not read yet: what came before does not count{" "}
          {report.waiting_files === 1 ? "it" : "them"}.
        </li>
      )}
    </ul>
  );
}

const RULES = columnsOf<Outcome["rules"][number]>((helper) => [
  helper.accessor("rule", { header: "Rule", cell: (cell) => format.words(cell.getValue()) }),
  helper.accessor("column", { header: "Column", cell: (cell) => cell.getValue() ?? "whole line" }),
  helper.accessor("reason", { header: "What to do", meta: { isWide: true } }),
  helper.accessor("lines", {
    header: "Lines",
    meta: { isNumber: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
]);

const LINES = columnsOf<Report["refused"][number]>((helper) => [
  helper.accessor("line_number", {
    header: "Line",
    meta: { isNumber: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
  helper.accessor("column", { header: "Column", cell: (cell) => cell.getValue() ?? "whole line" }),
  helper.accessor("value", {
    header: "Value",
    cell: (cell) => <span className="break-all">{cell.getValue() ?? format.UNKNOWN}</span>,
  }),
  helper.accessor("reason", { header: "What is wrong, and what to do" }),
]);

const DAYS = columnsOf<Outcome["days"][number]>((helper) => [
  helper.accessor("day", { header: "Day", cell: (cell) => format.longDay(cell.getValue()) }),
  helper.accessor("lines_before", {
    header: "Lines so far",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
  helper.accessor("lines_after", {
    header: "Lines with it",
    meta: { isNumber: true, isWide: true },
    cell: (cell) => format.count(cell.getValue()),
  }),
  helper.accessor("units_before", {
    header: "Units so far",
    meta: { isNumber: true },
    cell: (cell) => format.units(cell.getValue()),
  }),
  helper.accessor("units_after", {
    header: "Units with it",
    meta: { isNumber: true },
    cell: (cell) => format.units(cell.getValue()),
  }),
]);
