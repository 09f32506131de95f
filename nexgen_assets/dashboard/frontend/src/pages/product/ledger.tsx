/** The quantity as a sum: every line adds to the one before, the last is what is ordered. */
import type { Schemas } from "~/api/client";
import * as format from "~/design/format";

export function Ledger({ detail }: { detail: Schemas["OrderDetail"] }) {
  const { ledger, line } = detail;
  if (ledger.length === 0)
    return <p className="text-muted">The line is proposed no more: there is no quantity to explain.</p>;
  const ends = ledger.at(-1)?.running_units ?? 0;
  const by = line.decided_by ? `decided by ${line.decided_by}` : "decided";
  return (
    <table className="w-full">
      <caption className="sr-only">How the order quantity comes about, in units</caption>
      <thead>
        <tr className="text-muted">
          <th scope="col" className="pb-1 text-left font-semibold">
            Because of
          </th>
          <th scope="col" className="pb-1 pl-3 text-right font-semibold">
            Units
          </th>
          <th scope="col" className="pb-1 pl-3 text-right font-semibold">
            Sum
          </th>
        </tr>
      </thead>
      <tbody>
        {ledger.map((entry) => (
          <tr key={entry.name} className={entry.units === 0 ? "text-muted" : ""}>
            <th
              scope="row"
              className="border-t border-line py-1 text-left font-normal"
              title={entry.description}
            >
              {entry.label}
            </th>
            <td className="whitespace-nowrap border-t border-line py-1 pl-3 text-right">
              {format.part(entry.units)}
            </td>
            <td className="whitespace-nowrap border-t border-line py-1 pl-3 text-right text-muted">
              {format.units(entry.running_units)}
            </td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr className="font-semibold">
          <th scope="row" className="border-t-2 border-strong-line py-1.5 text-left">
            Proposed
          </th>
          <td />
          <td className="border-t-2 border-strong-line py-1.5 pl-3 text-right">{format.units(ends)}</td>
        </tr>
        {line.order_units !== line.proposed_units && (
          <tr className="font-semibold text-accent">
            <th scope="row" className="py-1 text-left">
              Order, {by}
            </th>
            <td className="py-1 pl-3 text-right">{format.part(line.order_units - ends)}</td>
            <td className="py-1 pl-3 text-right">{format.units(line.order_units)}</td>
          </tr>
        )}
      </tfoot>
    </table>
  );
}
