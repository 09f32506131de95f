/** The quantity as a sum: every line adds to the one before, the last is what is ordered. */
import { useState } from "react";
import type { Schemas } from "~/api/client";
import * as format from "~/design/format";

type Entry = Schemas["LedgerEntry"];

const TOP = "border-t border-line py-1";
const NUMBER = "whitespace-nowrap pl-3 text-right";

export function Ledger({ detail: { ledger, line } }: { detail: Schemas["OrderDetail"] }) {
  const [isWhole, setIsWhole] = useState(false);
  if (ledger.length === 0) {
    return <p className="text-muted">The line is proposed no more: there is no quantity to explain.</p>;
  }
  const proposed = ledger.at(-1)?.running_units ?? 0;
  const idle = ledger.filter((entry) => entry.units === 0).length;
  return (
    <>
      <table className="w-full">
        <caption className="sr-only">How the order quantity comes about, in units</caption>
        <thead>
          <tr className="text-muted">
            <th scope="col" className="pb-1 text-left font-semibold">
              Because of
            </th>
            <th scope="col" className={`pb-1 font-semibold ${NUMBER}`}>
              Units
            </th>
            <th scope="col" className={`pb-1 font-semibold ${NUMBER}`}>
              Sum
            </th>
          </tr>
        </thead>
        <tbody>
          {ledger
            .filter((entry) => isWhole || entry.units !== 0)
            .map((entry) => (
              <Row key={entry.name} entry={entry} />
            ))}
        </tbody>
        <tfoot className="font-semibold">
          <tr>
            <th scope="row" className="border-t-2 border-strong-line py-1.5 text-left">
              Proposed
            </th>
            <td className="border-t-2 border-strong-line" />
            <td className={`border-t-2 border-strong-line ${NUMBER}`}>{format.units(proposed)}</td>
          </tr>
          {line.order_units !== line.proposed_units && (
            <tr className="text-accent">
              <th scope="row" className="py-1 text-left">
                Order, decided by {line.decided_by ?? "somebody"}
              </th>
              <td className={NUMBER}>{format.part(line.order_units - proposed)}</td>
              <td className={NUMBER}>{format.units(line.order_units)}</td>
            </tr>
          )}
        </tfoot>
      </table>
      {idle > 0 && (
        <button
          type="button"
          aria-expanded={isWhole}
          className="mt-2 text-accent hover:underline"
          onClick={() => setIsWhole(!isWhole)}
        >
          {isWhole ? "Hide" : "Show"} the {format.plural(idle, "step")} that changed nothing
        </button>
      )}
    </>
  );
}

function Row({ entry }: { entry: Entry }) {
  return (
    <tr className={entry.units === 0 ? "text-muted" : ""}>
      <th scope="row" className={`${TOP} text-left font-normal`}>
        {entry.label}
        <span className="block text-muted max-md:hidden">{entry.description}</span>
      </th>
      <td className={`${TOP} ${NUMBER}`}>{format.part(entry.units)}</td>
      <td className={`${TOP} ${NUMBER} text-muted`}>{format.units(entry.running_units)}</td>
    </tr>
  );
}
