import { type FormEvent, useState } from "react";
import { type OrderLine, useCancel } from "~/api/decisions";
import { Notice } from "~/design/blocks";
import { Button } from "~/design/button";
import { Dialog } from "~/design/dialog";
import { Input } from "~/design/field";
import * as format from "~/design/format";

export function CancelDialog({ line, onClose }: { line: OrderLine; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const cancel = useCancel();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    cancel.mutate({ line, reason: reason.trim() }, { onSuccess: onClose });
  };
  return (
    <Dialog title="Cancel this order" onClose={onClose}>
      <form onSubmit={submit} className="space-y-3.5">
        <p>
          {format.units(line.order_units)} units of {line.product_name ?? line.product_id} at {line.location}{" "}
          will count as on order no more.{" "}
          {line.standing === "exported" && "The supplier has the order already: tell them too."}
        </p>
        {cancel.error && (
          <Notice tone="bad" title="Not cancelled">
            {cancel.error.message}
          </Notice>
        )}
        <Input
          label="Reason"
          required
          autoFocus
          maxLength={500}
          value={reason}
          onChange={(e) => setReason(e.target.value)}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Keep the order</Button>
          <Button type="submit" look="danger" isBusy={cancel.isPending} disabled={!reason.trim()}>
            Cancel the order
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
