/** Committing a checked file; where one of its name has landed, with a choice. */
import { type FormEvent, useState } from "react";
import { type Outcome, type Report, type UploadDetail, useCommit } from "~/api/uploads";
import { Notice } from "~/design/blocks";
import { Button } from "~/design/button";
import * as format from "~/design/format";

type Choice = "replace" | "additional";

export function CommitForm({ upload, report }: { upload: UploadDetail; report: Report }) {
  const [choice, setChoice] = useState<Choice | null>(null);
  const commit = useCommit(upload.upload_id);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    commit.mutate(choice);
  };
  return (
    <form onSubmit={submit} className="space-y-3 rounded-lg border border-line bg-raised/50 p-3">
      {commit.error && (
        <Notice tone="bad" title="Not committed">
          {commit.error.message}
        </Notice>
      )}
      {report.is_present && (
        <fieldset>
          <legend className="mb-1 font-semibold">A file of this name has landed before</legend>
          <div className="space-y-1.5">
            <Way
              value="replace"
              label="Replace it: this is the same file, corrected"
              outcome={report.as_replacement}
              chosen={choice}
              onChoose={setChoice}
            />
            <Way
              value="additional"
              label="Keep both: this is an additional file"
              outcome={report.as_additional}
              chosen={choice}
              onChoose={setChoice}
            />
          </div>
        </fieldset>
      )}
      <div className="flex flex-wrap items-center gap-3">
        <Button
          type="submit"
          look="primary"
          isBusy={commit.isPending}
          disabled={report.is_present && choice === null}
        >
          Commit
        </Button>
        <span className="text-muted">
          {leftOut(report) > 0 ? `${format.plural(leftOut(report), "line is", "lines are")} left out. ` : ""}
          The days it touches are rebuilt, and orders computed anew.
        </span>
      </div>
    </form>
  );
}

const leftOut = (report: Report) => (report.as_replacement ?? report.as_additional)?.rejected ?? 0;

interface WayProps {
  value: Choice;
  label: string;
  outcome: Outcome | null;
  chosen: Choice | null;
  onChoose: (choice: Choice) => void;
}

function Way({ value, label, outcome, chosen, onChoose }: WayProps) {
  return (
    <label className="flex items-start gap-2">
      <input
        type="radio"
        name="if_present"
        value={value}
        checked={chosen === value}
        onChange={() => onChoose(value)}
        className="mt-1 size-4 accent-accent"
      />
      <span>
        {label}
        {outcome && (
          <span className="block text-muted">
            {format.plural(outcome.days.length, "day")}: {format.units(outcome.units_before)} units become{" "}
            {format.units(outcome.units_after)}
          </span>
        )}
      </span>
    </label>
  );
}
