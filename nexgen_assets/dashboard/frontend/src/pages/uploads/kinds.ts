/** What kinds of files there are, in words for people. */
import type { Kind, Upload } from "~/api/uploads";
import type { Tone } from "~/design/blocks";

export const KINDS: Record<Kind, { name: string; what: string }> = {
  sales: { name: "Sales", what: "Lines of sales and returns: what was sold where, when, and for how much." },
  inventory: {
    name: "Stock counts",
    what: "What is on the shelf after a day has closed, and what is on order.",
  },
  calendar: { name: "Calendar", what: "Promotions, holidays, closed days and prices that are planned." },
  products: { name: "Products", what: "Names, categories, costs, pack sizes, shelf lives, suppliers." },
  suppliers: { name: "Suppliers", what: "Lead times, order days and smallest orders." },
  item_locations: {
    name: "Assortment",
    what: "Which location sells which product, and its limits on the shelf.",
  },
  order_policies: { name: "Order rules", what: "How what is ordered, and how sure to be in stock." },
  network: { name: "Network", what: "Which location is supplied by which centre." },
};

export const STATES: Record<Upload["state"], { name: string; tone: Tone }> = {
  received: { name: "Being checked", tone: "accent" },
  checked: { name: "Checked", tone: "accent" },
  refused: { name: "Cannot be used", tone: "bad" },
  check_failed: { name: "Check failed", tone: "bad" },
  committed: { name: "Committed", tone: "accent" },
  queued: { name: "Waits for its run", tone: "accent" },
  running: { name: "Run in progress", tone: "accent" },
  in: { name: "In", tone: "good" },
  failed: { name: "Failed", tone: "bad" },
  replaced: { name: "Replaced", tone: "neutral" },
  deleted: { name: "Deleted", tone: "neutral" },
};
