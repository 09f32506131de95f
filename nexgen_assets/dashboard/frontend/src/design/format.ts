/** Numbers and days as people read them, in the browser's language. What is unknown is shown as a dash, never as 0. */

export const UNKNOWN = "–";

type Maybe = number | string | null | undefined;

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const twoDecimals = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
let cents = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
let wholeMoney = whole;
let knownCurrency: string | null = null;
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const change = new Intl.NumberFormat(undefined, {
  style: "percent",
  maximumFractionDigits: 1,
  signDisplay: "exceptZero",
});
const signed = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3, signDisplay: "exceptZero" });
const dayFormat = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});
const shortDayFormat = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});
const longDayFormat = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});
const instantFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** All money is in this currency (ISO) from now on; without one it stays without a sign. */
export function setCurrency(currency: string | null) {
  if (currency === null || currency === knownCurrency) return;
  const sign = { style: "currency", currency, currencyDisplay: "narrowSymbol" } as const;
  cents = new Intl.NumberFormat(undefined, sign);
  wholeMoney = new Intl.NumberFormat(undefined, { ...sign, maximumFractionDigits: 0 });
  knownCurrency = currency;
}

/** What money is counted in, for the axis of a chart. */
export const unitOfMoney = () => knownCurrency ?? "money";

/** Says beside an amount that it is money, where no sign of a currency does. */
export const moneyWord = () => (knownCurrency === null ? "money" : undefined);

function shown(value: Maybe, format: (n: number) => string): string {
  if (value === null || value === undefined || value === "") return UNKNOWN;
  const number = Number(value);
  return Number.isFinite(number) ? format(number) : UNKNOWN;
}

/** Units of a product: to thousandths where they are told so finely. */
export const units = (value: Maybe) => shown(value, (n) => exact.format(n));

/** Units that are computed, such as an expected demand: one decimal, two below 10. */
export const about = (value: Maybe) =>
  shown(value, (n) => (Math.abs(n) < 10 ? twoDecimals.format(n) : oneDecimal.format(n)));

/** A part of a sum, with its sign. */
export const part = (value: Maybe) => shown(value, (n) => signed.format(n));

export const count = (value: Maybe) => shown(value, (n) => whole.format(n));

/** Money: with cents below 1,000. */
export const money = (value: Maybe) =>
  shown(value, (n) => (Math.abs(n) < 1000 ? cents.format(n) : wholeMoney.format(n)));

export const price = (value: Maybe) => shown(value, (n) => cents.format(n));

export const short = (value: Maybe) => shown(value, (n) => compact.format(n));

export const percent = (value: Maybe) => shown(value, (n) => share.format(n));

export const percentChange = (value: Maybe) => shown(value, (n) => change.format(n));

export const day = (iso: string | null | undefined) =>
  iso ? dayFormat.format(new Date(`${iso}T00:00:00Z`)) : UNKNOWN;

export const shortDay = (iso: string) => shortDayFormat.format(new Date(`${iso}T00:00:00Z`));

export const longDay = (iso: string | null | undefined) =>
  iso ? longDayFormat.format(new Date(`${iso}T00:00:00Z`)) : UNKNOWN;

export const instant = (iso: string | null | undefined) =>
  iso ? instantFormat.format(new Date(iso)) : UNKNOWN;

/** `potential_stockout` as "Potential stockout". */
export function words(name: string | null | undefined): string {
  if (!name) return UNKNOWN;
  const spaced = name.replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

export const plural = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
