/** Stock in the days ahead, with and without the order. */
import { useMemo } from "react";
import type { Schemas } from "~/api/client";
import { type Item, useFan } from "~/api/queries";
import { type Series, TimeChart } from "~/charts/time-chart";
import { assumedBy } from "~/design/assumptions";
import { Loaded, Panel } from "~/design/blocks";
import * as format from "~/design/format";

export function StockChart({ item, assumptions }: { item: Item; assumptions: string[] }) {
  const fan = useFan(item);
  const why = assumedBy(assumptions, "on_hand", "on_hand_estimated", "on_hand_simulated");
  return (
    <Panel title="Projected stock" note="At the close of each day, at the expected demand">
      <Loaded query={fan} what="forecast of this product" lines={6}>
        {(data) =>
          data.stock.length === 0 ? (
            <p className="text-muted">No order row tells the stock, so none can be projected.</p>
          ) : (
            <Chart fan={data} />
          )
        }
      </Loaded>
      {why && (
        <p className="mt-1 text-muted">
          <span className="text-warn">*</span> The stock it starts from is assumed: {why}.
        </p>
      )}
    </Panel>
  );
}

function Chart({ fan }: { fan: Schemas["Fan"] }) {
  const days = useMemo(() => fan.stock.map((one) => one.target_date), [fan]);
  const series = useMemo((): Series[] => {
    const level = (label: string, value: number | null): Series[] =>
      value === null ? [] : [{ label, color: "chart-4", isDashed: true, values: days.map(() => value) }];
    return [
      {
        label: "Receipts due",
        color: "chart-3",
        look: "bars",
        values: fan.stock.map((one) => one.receipts || null),
      },
      {
        label: "With the order",
        color: "chart-1",
        look: "steps",
        values: fan.stock.map((one) => one.with_order),
      },
      {
        label: "Without it",
        color: "bad",
        look: "steps",
        isDashed: true,
        values: fan.stock.map((one) => one.without_order),
      },
      ...level(`Order-up-to level ${format.about(fan.order_up_to_level)}`, fan.order_up_to_level),
      ...(fan.reorder_level !== fan.order_up_to_level
        ? level(`Reorder level ${format.about(fan.reorder_level)}`, fan.reorder_level)
        : []),
    ];
  }, [fan, days]);
  return <TimeChart title="Projected stock" unit="units" days={days} series={series} height={240} />;
}
