/** Words for what nobody told and was assumed, and for the names of exceptions and states. */
import type { Schemas } from "~/api/client";
import type { Tone } from "~/design/blocks";
import { words } from "~/design/format";

const ASSUMPTIONS: Record<string, string> = {
  new_item: "listed and not sold yet: demand as the product sells elsewhere, or as its category does",
  lead_time: "no lead time was told: the deployment's default is used",
  lead_time_sd: "a lead time without its spread: taken as certain",
  pack_size: "no pack size was told: the default is used",
  min_order_quantity: "no smallest order was told: the default is used",
  unit_cost: "no unit cost was told: computed from the selling price",
  unit_cost_unknown: "no unit cost and no price: the order has no value",
  supplier: "no supplier was told",
  centre_stock: "nobody told what the centre has: enough is assumed",
  on_hand: "no stock was told: 0 is used",
  on_hand_estimated: "computed from an earlier count, receipts and sales",
  on_hand_simulated: "the stock file says that it is simulated",
};

export const assumption = (name: string) => ASSUMPTIONS[name] ?? words(name);

/** The assumption that explains a value, or null if it was told. */
export function assumedBy(assumptions: string[], ...names: string[]): string | null {
  const found = names.find((name) => assumptions.includes(name));
  return found ? assumption(found) : null;
}

const URGENT = ["stocked_out", "potential_stockout", "order_blocked"];

export const toneOfException = (name: string): Tone =>
  URGENT.includes(name) ? "bad" : name === "data_assumed" ? "neutral" : "warn";

/** The names of exceptions, the most money at risk first; what was merely assumed comes last. */
export function byMoney({
  counts,
  money_at_risk: money,
}: Pick<Schemas["Exceptions"], "counts" | "money_at_risk">): string[] {
  const isMinor = (name: string) => Number(name === "data_assumed");
  return Object.keys(counts).sort((a, b) => isMinor(a) - isMinor(b) || (money[b] ?? 0) - (money[a] ?? 0));
}

const STANDING: Record<string, Tone> = {
  accepted: "accent",
  changed: "accent",
  "review again": "warn",
  approved: "good",
  exported: "good",
};

export const toneOfStanding = (standing: string): Tone => STANDING[standing] ?? "neutral";

const BLOCKED: Record<string, string> = {
  stock_unknown: "nobody told the stock",
  pack_above_max_stock: "the smallest order is more than the maximum stock",
  pack_above_shelf_life: "too much of the smallest order would expire",
  supplier_minimum: "the supplier takes no order of so little money",
  supplier_minimum_within_budget: "the budget leaves less than the smallest order that the supplier takes",
  unit_cost_unknown: "nobody told the unit cost, and there is a budget",
};

export const blocked = (reason: string) => BLOCKED[reason] ?? words(reason);
