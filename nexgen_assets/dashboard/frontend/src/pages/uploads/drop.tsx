/** Choosing a kind and a file, by hand or by dropping it, and sending it. */
import { type DragEvent, useId, useRef, useState } from "react";
import { type Kind, type Upload, useSend } from "~/api/uploads";
import { Notice, Panel } from "~/design/blocks";
import { Button } from "~/design/button";
import { Select } from "~/design/field";
import * as format from "~/design/format";
import { KINDS } from "~/pages/uploads/kinds";

const OPTIONS = Object.entries(KINDS).map(([kind, { name }]) => [kind, name] as const);
const MEGABYTE = 1_000_000;

interface Props {
  mostBytes: Record<string, number>;
  onSent: (upload: Upload) => void;
}

export function DropPanel({ mostBytes, onSent }: Props) {
  const [kind, setKind] = useState<Kind>("sales");
  const [tooLarge, setTooLarge] = useState<string | null>(null);
  const [share, setShare] = useState(0);
  const stop = useRef<AbortController | null>(null);
  const send = useSend();

  const take = (file: File | undefined) => {
    const most = mostBytes[kind];
    if (!file || send.isPending) return;
    if (most && file.size > most) {
      setTooLarge(
        `${file.name} has ${format.count(file.size / MEGABYTE)} MB; at most ${format.count(most / MEGABYTE)} MB are taken here.`,
      );
      return;
    }
    setTooLarge(null);
    setShare(0);
    stop.current = new AbortController();
    send.mutate({ kind, file, onShare: setShare, signal: stop.current.signal }, { onSuccess: onSent });
  };
  const problem = tooLarge ?? send.error?.message;

  return (
    <Panel title="Upload a file" note="It is checked first. Nothing changes until you commit it.">
      <div className="grid gap-4 md:grid-cols-[16rem_1fr]">
        <div className="space-y-3">
          <Select
            label="What is in it?"
            value={kind}
            onChange={(event) => setKind(event.target.value as Kind)}
            options={OPTIONS}
            hint={KINDS[kind].what}
            disabled={send.isPending}
          />
          <a href={`/api/uploads/templates/${kind}`} download className="text-accent underline">
            Download an example to fill in
          </a>
        </div>
        {send.isPending ? (
          <Transfer share={share} onStop={() => stop.current?.abort()} />
        ) : (
          <DropZone onFile={take} />
        )}
      </div>
      {problem && (
        <div className="mt-4">
          <Notice tone="bad" title="Not uploaded">
            {problem}
          </Notice>
        </div>
      )}
    </Panel>
  );
}

function DropZone({ onFile }: { onFile: (file: File | undefined) => void }) {
  const id = useId();
  const [isOver, setIsOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    onFile(event.dataTransfer.files[0]);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is one more way; the file button is for everybody
    <div
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={drop}
      className={`flex min-h-36 flex-col items-center justify-center gap-2 rounded-lg border-2 border-dashed px-4 py-5 text-center ${isOver ? "border-accent bg-accent-soft" : "border-strong-line/60"}`}
    >
      <p className="max-md:hidden">Drop a file here, or</p>
      <label
        htmlFor={id}
        className="inline-flex h-8 cursor-pointer items-center rounded-md border border-accent bg-accent px-3 font-medium text-accent-ink has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent hover:brightness-110"
      >
        Choose a file
        <input
          id={id}
          type="file"
          accept=".csv,.gz,.parquet"
          className="sr-only"
          onChange={(event) => {
            onFile(event.target.files?.[0]);
            event.target.value = ""; // the same file may be chosen again, once it is corrected
          }}
        />
      </label>
      <p className="text-muted">CSV (also compressed as .csv.gz) or Parquet</p>
    </div>
  );
}

function Transfer({ share, onStop }: { share: number; onStop: () => void }) {
  const id = useId();
  return (
    <div className="flex min-h-36 flex-col justify-center gap-2 rounded-lg border border-line px-4">
      <label htmlFor={id} className="font-medium">
        {share < 1 ? `Sending: ${format.percent(share)}` : "Sent: the server is storing it"}
      </label>
      <progress id={id} value={share} max={1} className="h-3 w-full accent-accent" />
      <div>
        <Button onClick={onStop}>Stop</Button>
      </div>
    </div>
  );
}
