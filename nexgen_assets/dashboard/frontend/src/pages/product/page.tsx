/** One product at one location: what to order and why, what sold, what will sell, and how right forecasts were. */
import { useState } from "react";
import { Link } from "wouter";
import type { Schemas } from "~/api/client";
import { isPossible, useDecide } from "~/api/decisions";
import { type Item, useMay, useOrderLine } from "~/api/queries";
import { assumedBy, assumption, blocked, toneOfException, toneOfStanding } from "~/design/assumptions";
import { Assumed, Badge, Loaded, Notice, PageHead, Panel, Tile, Tiles } from "~/design/blocks";
import { Button } from "~/design/button";
import * as format from "~/design/format";
import { useSearchState } from "~/design/search-state";
import { ChangeDialog } from "~/pages/orders/change-dialog";
import { CancelDialog } from "~/pages/product/cancel-dialog";
import { DemandChart } from "~/pages/product/demand";
import { Ledger } from "~/pages/product/ledger";
import { PastForecasts } from "~/pages/product/past";
import { StockChart } from "~/pages/product/stock";
import { Terms } from "~/pages/product/terms";

type Detail = Schemas["OrderDetail"];

export default function ProductPage() {
  const [{ product_id, location }] = useSearchState();
  if (!product_id || !location) {
    return (
      <>
        <PageHead title="No product chosen" />
        <Link href="/orders" className="text-accent underline">
          Choose a line of the orders
        </Link>
      </>
    );
  }
  return <ProductAt key={`${product_id} ${location}`} item={{ product_id, location }} />;
}

function ProductAt({ item }: { item: Item }) {
  const detail = useOrderLine(item);
  const line = detail.data?.line;
  return (
    <>
      <nav aria-label="Way back" className="mb-1">
        <Link href="/orders" className="text-accent hover:underline">
          ← Orders
        </Link>
      </nav>
      <PageHead
        title={line?.product_name ?? item.product_id}
        note={[
          item.product_id,
          item.location,
          line?.category,
          line?.supplier_id && `supplier ${line.supplier_id}`,
        ]
          .filter(Boolean)
          .join(" · ")}
      >
        {detail.data && <Actions detail={detail.data} />}
      </PageHead>
      <div className="space-y-4">
        <Loaded query={detail} what="order of this product" lines={8}>
          {(data) => <Why detail={data} />}
        </Loaded>
        <DemandChart item={item} />
        <StockChart item={item} assumptions={line?.assumptions ?? []} />
        <PastForecasts item={item} />
        {detail.data && (
          <>
            <Events events={detail.data.history} />
            <Terms detail={detail.data} />
          </>
        )}
      </div>
    </>
  );
}

function Actions({ detail: { line } }: { detail: Detail }) {
  const [asked, setAsked] = useState<"change" | "cancel" | null>(null);
  const decide = useDecide();
  const mayDecide = useMay("decide");
  const mayApprove = useMay("approve");
  return (
    <>
      <Badge tone={toneOfStanding(line.standing)}>{format.words(line.standing)}</Badge>
      {mayDecide && isPossible("change", line) && <Button onClick={() => setAsked("change")}>Change</Button>}
      {mayDecide && isPossible("accept", line) && (
        <Button
          look="primary"
          isBusy={decide.isPending}
          onClick={() => decide.mutate({ action: "accept", lines: [line] })}
        >
          Accept {format.units(line.proposed_units)}
        </Button>
      )}
      {mayApprove && isPossible("approve", line) && (
        <Button
          look="primary"
          isBusy={decide.isPending}
          onClick={() => decide.mutate({ action: "approve", lines: [line] })}
        >
          Approve {format.units(line.order_units)}
        </Button>
      )}
      {mayApprove && isPossible("cancel", line) && (
        <Button look="danger" onClick={() => setAsked("cancel")}>
          Cancel the order
        </Button>
      )}
      {decide.error && (
        <Notice tone="bad" title="Not decided">
          {decide.error.message}
        </Notice>
      )}
      {asked === "change" && <ChangeDialog line={line} onClose={() => setAsked(null)} />}
      {asked === "cancel" && <CancelDialog line={line} onClose={() => setAsked(null)} />}
    </>
  );
}

function Why({ detail }: { detail: Detail }) {
  const { line } = detail;
  const stock = assumedBy(line.assumptions, "on_hand", "on_hand_estimated", "on_hand_simulated");
  return (
    <>
      {line.standing === "review again" && (
        <Notice tone="warn" title="Review again">
          The proposal has changed since {line.decided_by} decided on it: now{" "}
          {format.units(line.proposed_units)} units, decided were {format.units(line.order_units)}.
        </Notice>
      )}
      {line.difference_units !== null && (
        <Notice tone="warn" title="The proposal has moved on">
          It is now {format.part(line.difference_units)} units against this order, which stays as it is.
        </Notice>
      )}
      {line.blocked_reason && (
        <Notice tone="bad" title="Blocked: nothing is ordered before somebody has looked">
          {format.words(blocked(line.blocked_reason))}.
        </Notice>
      )}
      <Tiles>
        <Tile
          label="Order"
          value={format.units(line.order_units)}
          unit="units"
          note={
            line.order_units === line.proposed_units
              ? "as proposed"
              : `proposed ${format.units(line.proposed_units)}`
          }
        />
        <Tile
          label="On hand"
          unit="units"
          value={
            <Assumed isAssumed={stock !== null} why={stock ?? ""}>
              {format.units(line.on_hand)}
            </Assumed>
          }
          note={`${format.units(line.on_order_units)} on order`}
        />
        <Tile label="Cover" value={format.about(line.days_of_cover)} unit="days" note="stock and on order" />
        <Tile
          label="Stockout"
          value={format.percent(line.stockout_probability)}
          note="probability if nothing is ordered"
        />
        <Tile
          label="At risk"
          value={format.money(line.money_at_risk)}
          unit={format.moneyWord()}
          note="expected lost sales without an order"
        />
        <Tile
          label="Served from stock"
          value={
            line.promised_fill_rate === null ? format.UNKNOWN : `≥ ${format.percent(line.promised_fill_rate)}`
          }
          note="of demand, with the proposal"
        />
      </Tiles>
      <div className="grid gap-4 xl:grid-cols-[3fr_2fr]">
        <Panel title="Why this quantity" note={detail.explanation}>
          <Ledger detail={detail} />
        </Panel>
        <Panel title="Look at">
          <Exceptions detail={detail} />
        </Panel>
      </div>
    </>
  );
}

function Exceptions({ detail }: { detail: Detail }) {
  const { exceptions, line } = detail;
  return (
    <div className="space-y-3">
      {exceptions.length === 0 && <p className="text-muted">No exceptions: nothing stands out.</p>}
      <ul className="space-y-2.5">
        {exceptions.map((one) => (
          <li key={one.exception}>
            <Badge tone={toneOfException(one.exception)}>{format.words(one.exception)}</Badge>{" "}
            {one.money_at_risk !== null && <b>{format.money(one.money_at_risk)} at risk</b>}
            <p>{one.action}</p>
            <p className="text-muted">
              {one.number === null ? "Without end" : measured(one.number, one.number_unit)}, where{" "}
              {measured(one.threshold, one.number_unit)} is the limit
            </p>
          </li>
        ))}
      </ul>
      {line.assumptions.length > 0 && (
        <section>
          <h3 className="font-semibold">
            Assumed{" "}
            <span className="text-warn" aria-hidden="true">
              *
            </span>
          </h3>
          <ul className="list-disc pl-5">
            {line.assumptions.map((name) => (
              <li key={name}>
                {format.words(name)}: <span className="text-muted">{assumption(name)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function measured(number: number, unit: string): string {
  if (unit === "share" || unit === "probability") return format.percent(number);
  return `${format.about(number)} ${unit}`;
}

function Events({ events }: { events: Schemas["Event"][] }) {
  return (
    <Panel title="What was decided">
      {events.length === 0 ? (
        <p className="text-muted">Nobody has decided on this line yet.</p>
      ) : (
        <ol className="space-y-1.5">
          {events.map((event) => (
            <li key={event.event_id}>
              <span className="text-muted">{format.instant(event.decided_at)}</span> <b>{event.decided_by}</b>
              : {event.action}, {format.units(event.order_units)} units
              {event.is_override && ", packs or smallest order overridden"}
              {event.reason && <> – “{event.reason}”</>}
              <span className="text-muted"> (order of {format.day(event.day)})</span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
