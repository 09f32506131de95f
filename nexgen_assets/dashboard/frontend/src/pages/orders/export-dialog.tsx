/** Handing approved orders over, of all suppliers or of one. Asked twice, the server answers with the same export. */
import { useMemo, useState } from "react";
import { useExport } from "~/api/decisions";
import { useChoices, useExports } from "~/api/queries";
import { Loaded, Notice } from "~/design/blocks";
import { Button } from "~/design/button";
import { Dialog } from "~/design/dialog";
import { Select } from "~/design/field";
import * as format from "~/design/format";

/** Not `crypto.randomUUID`, which browsers offer on https alone. */
const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );

export function ExportDialog({ onClose }: { onClose: () => void }) {
  const [supplier, setSupplier] = useState("");
  const key = useMemo(newKey, []);
  const suppliers = useChoices().data?.suppliers ?? [];
  const order = useExport();
  const made = order.data;
  return (
    <Dialog title="Export approved orders" onClose={onClose}>
      <div className="space-y-3.5">
        {order.error && (
          <Notice tone="bad" title="Not exported">
            {order.error.message}
          </Notice>
        )}
        {made ? (
          <Notice
            tone="good"
            title={`Exported ${format.plural(made.lines, "line")} to ${format.plural(made.suppliers, "supplier")}`}
          >
            {format.units(made.order_units)} units, export {made.export_id}.{" "}
            {made.written_to && <span className="break-all">Files: {made.written_to}</span>}
          </Notice>
        ) : (
          <>
            <p>
              One file per supplier is written. Exported lines count as on order and can only be cancelled.
            </p>
            <Select
              label="Supplier"
              value={supplier}
              onChange={(event) => setSupplier(event.target.value)}
              options={[
                ["", "All suppliers"],
                ...suppliers.map((one) => [one.key, one.name ?? one.key] as const),
              ]}
            />
          </>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{made ? "Done" : "Not now"}</Button>
          {!made && (
            <Button
              look="primary"
              isBusy={order.isPending}
              onClick={() => order.mutate({ supplier_id: supplier || null, key })}
            >
              Export
            </Button>
          )}
        </div>
        <Past />
      </div>
    </Dialog>
  );
}

function Past() {
  const exports = useExports();
  return (
    <section className="border-t border-line pt-3">
      <h3 className="mb-1 font-semibold">Earlier exports</h3>
      <Loaded query={exports} what="exports">
        {(data) =>
          data.exports.length === 0 ? (
            <p className="text-muted">None yet.</p>
          ) : (
            <ul className="max-h-40 space-y-1 overflow-auto">
              {data.exports.map((one) => (
                <li key={one.export_id}>
                  {format.instant(one.exported_at)}, {one.exported_by}: {one.export_id}
                  {one.written_to === null && (
                    <span className="text-warn"> (its files are not written yet)</span>
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </section>
  );
}
