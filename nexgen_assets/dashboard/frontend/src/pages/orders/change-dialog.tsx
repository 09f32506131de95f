/** Another quantity, with its reason. Packs and the smallest order are said while one types. */
import { type FormEvent, useState } from "react";
import { type OrderLine, proposalSeenOf, useChange } from "~/api/decisions";
import { Notice } from "~/design/blocks";
import { Button } from "~/design/button";
import { Dialog } from "~/design/dialog";
import { Check, Input, Select } from "~/design/field";
import * as format from "~/design/format";
import { OutcomeTable } from "~/pages/orders/outcome";

const REASONS = [
  "Promotion not in the forecast",
  "Local event",
  "Stock is not what it says",
  "Shelf space",
  "Supplier problem",
];
const OTHER = "Another reason";

/** What the rules of orders say against the quantity; null for nothing. They are the server's, told ahead. */
export function objection(line: OrderLine, units: number): string | null {
  if (!Number.isFinite(units) || units < 0) return null;
  if (units === 0) return null;
  const packs = units / line.pack_size;
  if (Math.abs(packs - Math.round(packs)) > 1e-9) return `not full packs of ${format.units(line.pack_size)}`;
  if (units < line.min_order_quantity)
    return `less than the smallest order of ${format.units(line.min_order_quantity)}`;
  return null;
}

export function ChangeDialog({ line, onClose }: { line: OrderLine; onClose: () => void }) {
  const [typed, setTyped] = useState(String(line.order_units));
  const [listed, setListed] = useState("");
  const [text, setText] = useState("");
  const [isOverride, setIsOverride] = useState(false);
  const change = useChange();
  const units = typed.trim() === "" ? Number.NaN : Number(typed.replace(",", "."));
  const isNumber = Number.isFinite(units) && units >= 0;
  const against = objection(line, units);
  const reason = [listed === OTHER ? "" : listed, text.trim()].filter(Boolean).join(": ");
  const unitCost =
    line.order_value !== null && line.order_units > 0 ? line.order_value / line.order_units : null;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body = {
      line: proposalSeenOf(line),
      order_units: String(units),
      is_override: isOverride && against !== null,
      reason,
    };
    change.mutate(body, { onSuccess: onClose });
  };
  return (
    <Dialog title={`Change the order of ${line.product_name ?? line.product_id}`} onClose={onClose}>
      <form onSubmit={submit} className="space-y-3.5">
        <p className="text-muted">
          {line.product_id} at {line.location}. Proposed: {format.units(line.proposed_units)} units; packs of{" "}
          {format.units(line.pack_size)}, smallest order {format.units(line.min_order_quantity)}.
        </p>
        {change.error && (
          <Notice tone="bad" title="Not changed">
            {change.error.message}
          </Notice>
        )}
        <Input
          label="Units to order"
          inputMode="decimal"
          autoFocus
          required
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          error={isNumber ? undefined : "A number, 0 or more"}
          hint={
            isNumber && (
              <>
                {format.about(units / line.pack_size)} packs
                {unitCost !== null && `, value ${format.money(units * unitCost)}`}
                {line.proposed_units !== null &&
                  `, ${format.part(units - line.proposed_units)} against the proposal`}
              </>
            )
          }
        />
        {against && (
          <Check
            label={`Order it all the same: ${against}`}
            checked={isOverride}
            onChange={(event) => setIsOverride(event.target.checked)}
          />
        )}
        <OutcomeTable line={line} units={units} />
        <Select
          label="Reason"
          required
          value={listed}
          onChange={(event) => setListed(event.target.value)}
          options={[["", "Choose a reason"], ...[...REASONS, OTHER].map((one) => [one, one] as const)]}
        />
        <Input
          label={listed === OTHER ? "In your words" : "In your words (optional)"}
          required={listed === OTHER}
          maxLength={400}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Keep {format.units(line.order_units)}</Button>
          <Button
            type="submit"
            look="primary"
            isBusy={change.isPending}
            disabled={!isNumber || !reason || (against !== null && !isOverride)}
          >
            Order {isNumber ? format.units(units) : ""}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
