/** The columns of the worklist. */
import { Link } from "wouter";
import type { OrderLine } from "~/api/decisions";
import { assumedBy, blocked, toneOfException, toneOfStanding } from "~/design/assumptions";
import { Assumed, Badge } from "~/design/blocks";
import * as format from "~/design/format";
import { itemAddress } from "~/design/search-state";
import { columnsOf } from "~/design/table";

function Stock({ line }: { line: OrderLine }) {
  const why = assumedBy(line.assumptions, "on_hand", "on_hand_estimated", "on_hand_simulated");
  return (
    <Assumed isAssumed={why !== null} why={why ?? ""}>
      {format.units(line.on_hand)}
    </Assumed>
  );
}

function Order({ line }: { line: OrderLine }) {
  const isChanged = line.proposed_units !== null && line.order_units !== line.proposed_units;
  return (
    <span
      className="font-semibold"
      title={isChanged ? `Proposed: ${format.units(line.proposed_units)}` : undefined}
    >
      {format.units(line.order_units)}
      {isChanged && <span className="sr-only"> (proposed {format.units(line.proposed_units)})</span>}
    </span>
  );
}

function Flags({ line }: { line: OrderLine }) {
  const shown = line.exceptions.filter((name) => name !== "data_assumed");
  return (
    <span className="flex flex-wrap gap-1">
      {shown.map((name) => (
        <Badge
          key={name}
          tone={toneOfException(name)}
          {...(name === "order_blocked" && line.blocked_reason
            ? { title: blocked(line.blocked_reason) }
            : {})}
        >
          {format.words(name)}
        </Badge>
      ))}
    </span>
  );
}

export const COLUMNS = columnsOf<OrderLine>((helper) => [
  helper.accessor("product_name", {
    id: "product",
    header: "Product",
    meta: { sort: "product_name" },
    cell: ({ row: { original: line } }) => (
      <div className="max-w-72 max-md:max-w-32 md:min-w-40">
        <Link
          href={itemAddress(line)}
          className="font-medium text-ink hover:underline"
          onClick={(event) => event.stopPropagation()}
        >
          {line.product_name ?? line.product_id}
        </Link>
        <div className="truncate text-muted">
          {line.product_id} · {line.location}
        </div>
      </div>
    ),
  }),
  helper.accessor("category", { header: "Category", meta: { sort: "category", isWide: true } }),
  helper.accessor("supplier_id", {
    header: "Supplier",
    meta: { sort: "supplier_id", isWide: true },
    cell: ({ row: { original: line } }) => line.supplier_id ?? <span className="text-muted">not told</span>,
  }),
  helper.display({
    id: "exceptions",
    header: "Look at",
    meta: { isWide: true },
    cell: ({ row }) => <Flags line={row.original} />,
  }),
  helper.accessor("on_hand", {
    header: "On hand",
    meta: { isNumber: true, sort: "on_hand", isWide: true, hint: "Units at the close of the day" },
    cell: ({ row }) => <Stock line={row.original} />,
  }),
  helper.accessor("on_order_units", {
    header: "On order",
    meta: { isNumber: true, sort: "on_order_units", isWide: true, hint: "Units that are still to come" },
    cell: (cell) => format.units(cell.getValue()),
  }),
  helper.accessor("days_of_cover", {
    header: "Cover, days",
    meta: {
      isNumber: true,
      sort: "days_of_cover",
      isWide: true,
      hint: "Days that stock and what is on order last",
    },
    cell: (cell) => format.about(cell.getValue()),
  }),
  helper.accessor("expected_demand", {
    header: "Demand",
    meta: {
      isNumber: true,
      sort: "expected_demand",
      isWide: true,
      hint: "Expected units until the next order can arrive",
    },
    cell: (cell) => format.about(cell.getValue()),
  }),
  helper.accessor("proposed_units", {
    header: "Proposed",
    meta: { isNumber: true, sort: "proposed_units", isWide: true, hint: "Units" },
    cell: (cell) => format.units(cell.getValue()),
  }),
  helper.accessor("order_units", {
    header: "Order",
    meta: { isNumber: true, sort: "order_units", hint: "Units decided on, else proposed" },
    cell: ({ row }) => <Order line={row.original} />,
  }),
  helper.accessor("order_value", {
    header: "Value",
    meta: { isNumber: true, sort: "order_value", isWide: true, hint: "Money at unit cost" },
    cell: ({ row: { original: line } }) => (
      <Assumed
        isAssumed={line.is_unit_cost_assumed && line.order_value !== null}
        why="no unit cost was told: computed from the selling price"
      >
        {format.money(line.order_value)}
      </Assumed>
    ),
  }),
  helper.accessor("stockout_probability", {
    header: "Stockout",
    meta: {
      isNumber: true,
      sort: "stockout_probability",
      isWide: true,
      hint: "Probability of running out if nothing is ordered",
    },
    cell: (cell) => format.percent(cell.getValue()),
  }),
  helper.accessor("money_at_risk", {
    header: "At risk",
    meta: { isNumber: true, sort: "money_at_risk", hint: "Money: expected lost sales if nothing is ordered" },
    cell: (cell) => format.money(cell.getValue()),
  }),
  helper.accessor("receipt_date", {
    header: "Receipt",
    meta: { sort: "receipt_date", isWide: true },
    cell: (cell) => format.day(cell.getValue()),
  }),
  helper.accessor("standing", {
    header: "State",
    meta: { sort: "standing" },
    cell: ({ row: { original: line } }) => (
      <Badge
        tone={toneOfStanding(line.standing)}
        {...(line.decided_by
          ? {
              title: `${line.decided_by}, ${format.instant(line.decided_at)}${line.reason ? `: ${line.reason}` : ""}`,
            }
          : {})}
      >
        {format.words(line.standing)}
      </Badge>
    ),
  }),
]);

/** Columns that are there to choose, and hidden at first. */
export const HIDDEN = ["category", "proposed_units", "receipt_date"];
