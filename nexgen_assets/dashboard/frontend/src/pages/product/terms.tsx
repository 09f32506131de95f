/** Every number behind the order, with what it means. */
import type { Schemas } from "~/api/client";
import * as format from "~/design/format";

const HIDDEN = new Set(["explanation", "assumptions", "product_id", "location", "product_name"]);

export function Terms({ detail: { terms, columns } }: { detail: Schemas["OrderDetail"] }) {
  const names = Object.keys(terms).filter((name) => !HIDDEN.has(name));
  if (names.length === 0) return null;
  return (
    <details className="rounded-lg border border-line bg-surface">
      <summary className="px-4 py-2.5 font-semibold">All numbers behind the order ({names.length})</summary>
      <table className="w-full border-t border-line">
        <caption className="sr-only">All numbers behind the order</caption>
        <tbody>
          {names.map((name) => (
            <tr key={name} className="border-b border-line last:border-0">
              <th scope="row" className="whitespace-nowrap px-4 py-1 text-left align-top font-normal">
                {format.words(name)}
              </th>
              <td className="break-words px-4 py-1 text-right align-top font-medium">{shown(terms[name])}</td>
              <td className="px-4 py-1 align-top text-muted max-md:hidden">{columns[name]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function shown(value: unknown): string {
  if (typeof value === "number") return format.units(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value)) return format.longDay(value);
  return value === null || value === "" ? format.UNKNOWN : String(value);
}
