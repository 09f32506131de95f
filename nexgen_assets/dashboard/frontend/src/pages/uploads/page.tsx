/** Uploads: hand a file in, read what is wrong with it, commit it, and see it arrive. */
import { useMay } from "~/api/queries";
import { type Upload, useListFollows, useUpload, useUploads } from "~/api/uploads";
import { Loaded, Notice, PageHead, Panel } from "~/design/blocks";
import * as format from "~/design/format";
import { useSearchState } from "~/design/search-state";
import { columnsOf, DataTable } from "~/design/table";
import { DropPanel } from "~/pages/uploads/drop";
import { KINDS } from "~/pages/uploads/kinds";
import { ReportPanel, StateBadge } from "~/pages/uploads/report";

export default function UploadsPage() {
  const mayUpload = useMay("upload");
  return (
    <>
      <PageHead title="Uploads" note="Sales and everything else that orders are made of, from files" />
      {mayUpload ? (
        <Desk />
      ) : (
        <Notice title="For stores and planners">
          Ask an administrator for the role store to upload files.
        </Notice>
      )}
    </>
  );
}

function Desk() {
  const uploads = useUploads();
  const [{ id }, setSearch] = useSearchState();
  return (
    <div className="space-y-4">
      <DropPanel
        mostBytes={uploads.data?.most_bytes ?? {}}
        onSent={(sent) => setSearch({ id: sent.upload_id })}
      />
      {id && <Chosen key={id} id={id} onGone={() => setSearch({ id: null })} />}
      <Panel title="Earlier uploads">
        <Loaded query={uploads} what="uploads" lines={5}>
          {(data) => (
            <DataTable
              caption="Uploads, newest first"
              columns={COLUMNS}
              rows={data.uploads}
              rowKey={(upload) => upload.upload_id}
              active={id ?? null}
              empty="Nothing was uploaded yet."
            />
          )}
        </Loaded>
      </Panel>
    </div>
  );
}

function Chosen({ id, onGone }: { id: string; onGone: () => void }) {
  const upload = useUpload(id);
  useListFollows(upload.data?.state);
  return (
    <Loaded query={upload} what="upload" lines={5}>
      {(data) => <ReportPanel upload={data} onGone={onGone} />}
    </Loaded>
  );
}

function Name({ upload }: { upload: Upload }) {
  const [, setSearch] = useSearchState();
  return (
    <>
      <button
        type="button"
        className="break-all text-left text-accent underline"
        onClick={() => {
          setSearch({ id: upload.upload_id });
          window.scrollTo({ top: 0 });
        }}
      >
        {upload.name}
      </button>
      {upload.hint && <p className="text-warn">{upload.hint}</p>}
    </>
  );
}

const COLUMNS = columnsOf<Upload>((helper) => [
  helper.accessor("name", { header: "File", cell: (cell) => <Name upload={cell.row.original} /> }),
  helper.accessor("kind", { header: "Kind", cell: (cell) => KINDS[cell.getValue() as Upload["kind"]].name }),
  helper.accessor("uploaded_by", { header: "By", meta: { isWide: true } }),
  helper.accessor("uploaded_at", {
    header: "When",
    meta: { isWide: true },
    cell: (cell) => format.instant(cell.getValue()),
  }),
  helper.accessor("state", { header: "State", cell: (cell) => <StateBadge state={cell.getValue()} /> }),
]);
