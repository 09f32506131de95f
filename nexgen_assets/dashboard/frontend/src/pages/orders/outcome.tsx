/** What a quantity is expected to do, beside what the proposal would. */
import { useEffect, useState } from "react";
import type { Schemas } from "~/api/client";
import type { OrderLine } from "~/api/decisions";
import { useMay, useOutcome } from "~/api/queries";
import * as format from "~/design/format";

type Outcome = Schemas["Outcome"];

const FIGURES: readonly (readonly [string, (one: Outcome) => string])[] = [
  ["Value (money)", (one) => format.money(one.order_value)],
  ["Stockout, at most", (one) => format.percent(one.stockout_probability)],
  ["Served from stock, at least", (one) => format.percent(one.promised_fill_rate)],
  ["Lost sales, at most (money)", (one) => format.money(one.expected_lost_money)],
  ["Waste (units)", (one) => format.about(one.expected_waste_units)],
];

const PAUSE = 250;

/** The value once it has stayed the same for a moment. */
function useSettled(value: number): number {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

export function OutcomeTable({ line, units }: { line: OrderLine; units: number }) {
  const mayAsk = useMay("what_if");
  const asked = useSettled(units);
  const isNumber = Number.isFinite(asked) && asked >= 0;
  const item = { product_id: line.product_id, location: line.location };
  const query = useOutcome({ ...item, order_units: isNumber ? asked : 0 }, mayAsk && isNumber);
  if (!mayAsk || !query.data) return null;
  const proposal = query.data.outcomes.find((one) => one.is_proposal);
  const other = query.data.outcomes.find((one) => one.order_units === asked);
  if (!proposal || !other) return null;
  return (
    <table className="w-full">
      <caption className="mb-1 text-left font-medium">What it is expected to do</caption>
      <thead className="text-muted">
        <tr>
          <td />
          <th scope="col" className="text-right font-semibold">
            Proposed {format.units(proposal.order_units)}
          </th>
          <th scope="col" className="text-right font-semibold">
            Yours {format.units(other.order_units)}
          </th>
        </tr>
      </thead>
      <tbody>
        {FIGURES.map(([label, show]) => (
          <tr key={label}>
            <th scope="row" className="border-t border-line py-0.5 text-left font-normal">
              {label}
            </th>
            <td className="border-t border-line py-0.5 text-right">{show(proposal)}</td>
            <td className="border-t border-line py-0.5 text-right font-semibold">{show(other)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
