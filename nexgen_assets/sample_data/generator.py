"""An invented retailer's landing files: sales exports with known truth and known faults, and a promotion plan.

What belongs here: turning the invented market into sales lines, faulty lines and files. What does not: why customers
buy (`market.py`), what is on the shelves (`catalogue.py`), reading or cleaning any of it.

The same arguments give the same bytes.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow makes its compute functions at run time, so a type checker does not see them

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from nexgen_assets.sample_data.catalogue import CUSTOMER_SEGMENTS, SEGMENT_INCOME, assortment, location_names
from nexgen_assets.sample_data.market import WEATHER, Calendar, Flags, Ints, Market, random_stream, run_market
from nexgen_assets.tables import SALES_FILE_COLUMNS

DIRTY_SHARE = 0.002
RETURN_SHARE = 0.003
ANONYMOUS_SHARE = 0.15
CUSTOMERS_PER_LOCATION = 1_500
OVERLAP_DAYS = 7
UNKNOWN_COLUMN = "till_number"
PROMOTION_COLUMNS = ("date", "end_date", "product_id", "location", "is_promotion", "effective_date")
PROMOTION_PLANNED_AHEAD_DAYS = 35

Record = dict[str, str]


@dataclass(frozen=True)
class SampleSummary:
    """What the sample holds. lines = good_lines + all of `dirty`."""

    lines: int
    good_lines: int
    days: int
    first_day: date
    last_day: date
    dirty: dict[str, int]
    """Lines by the rule that must refuse them; `duplicate_of_other_file` counts the overlapping export's lines."""
    true_demand: pa.Table
    """One row per product x location x day listed: day, product_id, location, demand_units (what customers wanted),
    sold_units, on_hand (units at the close)."""


@dataclass(frozen=True)
class SalesLines:
    """Good sales lines in the order of their day; arrays of indices and whole units, one entry per line."""

    product: Ints
    location: Ints
    day: Ints
    priced_on: Ints
    """Day whose price was charged: for a return, the day of the purchase."""
    quantity: Ints
    customer: Ints
    """Number of the customer within the location; -1 if anonymous."""

    def take(self, chosen: Ints | Flags) -> "SalesLines":
        return SalesLines(**{name: values[chosen] for name, values in vars(self).items()})


def generate_sample(
    folder: Path, *, last_day: date, days: int = 730, locations: int = 5, products: int = 40, seed: int = 7
) -> SampleSummary:
    """Write `sales/sales_<year>-<month>.csv`, `sales/export_last_week.csv` and `calendar/promotions.csv` below folder.

    The sample covers `days` days up to and including last_day; promotions are planned 28 days further. Files of the
    same name are replaced. Raises ValueError unless days, locations and products are at least 1.
    """
    if min(days, locations, products) < 1:
        raise ValueError("a sample needs at least one day, one location and one product")
    calendar = Calendar(last_day - timedelta(days=days - 1), days)
    market = run_market(calendar, assortment(products), location_names(locations), seed)
    lines = _sales_lines(market, seed)
    table = _sales_table(market, lines, seed)
    dirty = _write_monthly_files(folder / "sales", table, lines.day, calendar, seed)
    last_week = table.slice(int(np.searchsorted(lines.day, max(days - OVERLAP_DAYS, 0))))
    _write_sales_file(folder / "sales" / "export_last_week.csv", list(SALES_FILE_COLUMNS), _csv_lines(last_week))
    dirty["duplicate_of_other_file"] = last_week.num_rows
    _write_promotions(folder / "calendar" / "promotions.csv", market)
    return SampleSummary(
        lines=table.num_rows + sum(dirty.values()),
        good_lines=table.num_rows,
        days=days,
        first_day=calendar.first_day,
        last_day=last_day,
        dirty=dirty,
        true_demand=_true_demand(market),
    )


# --- from units sold to sales lines ---------------------------------------------------------------------------------


def _sales_lines(market: Market, seed: int) -> SalesLines:
    random = random_stream(seed, "lines")
    sales = _split_into_baskets(market, random)
    returns = _returns(market, sales, random)
    both = SalesLines(
        **{name: np.concatenate([values, getattr(returns, name)]) for name, values in vars(sales).items()}
    )
    # by day, and in no order within it: the order in which customers pass the till
    return both.take(np.lexsort((random.random(both.day.size), both.day)))


def _split_into_baskets(market: Market, random: np.random.Generator) -> SalesLines:
    """Split each product's units of a day into customers' baskets, most of them of 1 to 3 units."""
    product, location, day = np.nonzero(market.sold)
    units = market.sold[product, location, day]
    # one candidate basket per unit sold is always enough; those that begin after the last unit fall away
    cell = np.repeat(np.arange(units.size), units)
    basket = random.choice([1, 2, 3, 6], p=[0.58, 0.26, 0.13, 0.03], size=cell.size)
    before = np.cumsum(basket) - basket
    first = np.cumsum(units) - units
    before -= np.repeat(before[first], units)
    quantity = np.minimum(basket, units[cell] - before)
    kept = quantity > 0
    cell = cell[kept]
    return SalesLines(
        product=product[cell],
        location=location[cell],
        day=day[cell],
        priced_on=day[cell],
        quantity=quantity[kept],
        customer=_customers(cell.size, random),
    )


def _customers(lines: int, random: np.random.Generator) -> Ints:
    """Regular customers come more often than others; some pay without a loyalty card (-1)."""
    number = (CUSTOMERS_PER_LOCATION * random.random(lines) ** 2).astype(np.int64)
    return np.where(random.random(lines) < ANONYMOUS_SHARE, -1, number)


def _returns(market: Market, sales: SalesLines, random: np.random.Generator) -> SalesLines:
    """A few single units brought back 1 to 10 days later at the price paid; they do not go back on the shelf."""
    chosen = sales.take(random.random(sales.day.size) < RETURN_SHARE)
    back = replace(
        chosen,
        day=chosen.day + random.integers(1, 11, chosen.day.size),
        quantity=np.full_like(chosen.quantity, -1),
    )
    within = back.take(back.day < market.calendar.days)
    return within.take(market.calendar.is_open[within.day])


# --- from sales lines to the columns of the sales file --------------------------------------------------------------


def _sales_table(market: Market, lines: SalesLines, seed: int) -> pa.Table:
    """The lines in the sales file's own columns, in its order; empty where a fact does not apply."""
    cell = (lines.product, lines.location, lines.day)
    paid = market.price_cents[lines.product, lines.location, lines.priced_on]
    columns = (
        _calendar_columns(market, lines)
        | _product_columns(market, lines)
        | _customer_columns(market, lines, seed)
        | {
            "location": pa.array(market.locations).take(pa.array(lines.location)),
            "quantity": pa.array(lines.quantity),
            "unit_price": _money(paid),
            "amount": _money(lines.quantity * paid),
            "competitor_price": _money(_competitor_cents(market, lines, seed)),
            "marketing_spend": _money(np.where(market.is_promotion[cell], 35, 0)),
            "stock_level": pa.array(market.on_hand[cell]),
            "supplier_delay": pa.array(market.supplier_delay[lines.product, lines.day]),
            "is_promotion": pa.array(market.is_promotion[lines.product, lines.location, lines.priced_on]),
        }
    )
    return pa.table({name: columns[name] for name in SALES_FILE_COLUMNS})


def _calendar_columns(market: Market, lines: SalesLines) -> dict[str, pa.Array]:
    day = pa.array(lines.day)
    weather = pa.array(market.weather[lines.location, lines.day])
    return {
        "date_of_purchase": pa.array(market.calendar.dates).take(day),
        "holiday_name": pa.array(market.calendar.holiday_names, pa.string()).take(day),
        "weather_condition": pa.array(WEATHER).take(weather),
    }


def _product_columns(market: Market, lines: SalesLines) -> dict[str, pa.Array]:
    product = pa.array(lines.product)
    attributes = {
        "product_id": "product_id",
        "product_name": "name",
        "category": "category",
        "lead_time": "lead_time_days",
        "shelf_life": "shelf_life_days",
    }
    return {
        column: pa.array([getattr(p, attribute) for p in market.products]).take(product)
        for column, attribute in attributes.items()
    }


def _customer_columns(market: Market, lines: SalesLines, seed: int) -> dict[str, pa.Array]:
    random = random_stream(seed, "customers")
    count = CUSTOMERS_PER_LOCATION * len(market.locations)
    segments = list(CUSTOMER_SEGMENTS)
    segment = random.choice(len(segments), p=list(CUSTOMER_SEGMENTS.values()), size=count)
    usual = np.array([SEGMENT_INCOME[name] for name in segments])[segment]
    income = np.rint(usual * random.lognormal(0.0, 0.2, count) / 500).astype(np.int64) * 500
    who = pa.array(lines.location * CUSTOMERS_PER_LOCATION + lines.customer, mask=lines.customer < 0)
    return {
        "customer_id": pa.array([f"C{number:05d}" for number in range(count)]).take(who),
        "customer_segment": pa.array(segments).take(pa.array(segment)).take(who),
        "customer_income": pa.array(income).take(who),
    }


def _competitor_cents(market: Market, lines: SalesLines, seed: int) -> Ints:
    """The competitor's price per product, new every week."""
    weeks = market.calendar.days // 7 + 1
    factor = random_stream(seed, "competitor").uniform(0.9, 1.12, (len(market.products), weeks))
    listed = np.array([product.price_cents for product in market.products])[:, None]
    return np.rint(listed * factor).astype(np.int64)[lines.product, lines.day // 7]


def _money(cents: Ints) -> pa.Array:
    return pc.multiply(pa.array(cents).cast(pa.decimal128(19, 0)), pa.scalar(Decimal("0.01")))


# --- faulty lines ---------------------------------------------------------------------------------------------------

Fault = Callable[[Record], Record]

# rule that must refuse the line -> what is wrong with it
_FAULTS: dict[str, Fault] = {
    "quantity_not_a_number": lambda record: record | {"quantity": "two"},
    "date_unreadable": lambda record: record | {"date_of_purchase": record["date_of_purchase"][:5] + "13-45"},
    # far enough ahead to be in the future for as long as the sample is kept
    "date_in_future": lambda record: record | {"date_of_purchase": "29" + record["date_of_purchase"][2:]},
    "quantity_zero": lambda record: record | {"quantity": "0", "amount": "0.00"},
    "missing_product_id": lambda record: record | {"product_id": ""},
    "negative_quantity_with_positive_amount": lambda record: record | {"quantity": "-" + record["quantity"]},
    "ragged_line": lambda record: dict(list(record.items())[:-3]),
    # written in Latin-1 by an old till
    "not_utf8": lambda record: (
        record | {"product_name": f"{record['product_name']} \N{LATIN SMALL LETTER E WITH ACUTE}"}
    ),
}


def _faulty_lines(good: pa.Table, random: np.random.Generator) -> dict[str, list[bytes]]:
    """For each rule the same number of corrupted copies of good sales; the originals stay as they are."""
    sales = good.filter(pc.greater(good["quantity"], 0))
    if sales.num_rows == 0:
        return {}
    per_rule = max(1, round(sales.num_rows * DIRTY_SHARE / len(_FAULTS)))
    chosen = random.integers(0, sales.num_rows, (len(_FAULTS), per_rule))
    originals = _csv_lines(sales.take(chosen.ravel()))
    faulty: dict[str, list[bytes]] = {}
    for place, (rule, spoil) in enumerate(_FAULTS.items()):
        copies = csv.reader(io.StringIO(b"".join(originals[place * per_rule : (place + 1) * per_rule]).decode()))
        records = (dict(zip(good.column_names, copy, strict=True)) for copy in copies)
        faulty[rule] = [(",".join(spoil(record).values()) + "\n").encode("latin-1") for record in records]
    return faulty


# --- files ----------------------------------------------------------------------------------------------------------


def _write_monthly_files(folder: Path, table: pa.Table, day: Ints, calendar: Calendar, seed: int) -> dict[str, int]:
    """One file per month, the first with an unknown column; returns the faulty lines by rule."""
    random = random_stream(seed, "faults")
    dirty = dict.fromkeys(_FAULTS, 0)
    for place, (month, first, last) in enumerate(_months(calendar)):
        start, stop = np.searchsorted(day, [first, last + 1])
        good = table.slice(int(start), int(stop - start))
        if place == 0:
            good = good.append_column(UNKNOWN_COLUMN, pa.array(random.integers(1, 9, good.num_rows)))
        faulty = _faulty_lines(good, random)
        lines = _mixed(_csv_lines(good), [line for lines in faulty.values() for line in lines], random)
        _write_sales_file(folder / f"sales_{month}.csv", good.column_names, lines)
        for rule, lines_of_rule in faulty.items():
            dirty[rule] += len(lines_of_rule)
    return dirty


def _months(calendar: Calendar) -> list[tuple[str, int, int]]:
    """The months of the sample: name and index of the first and the last day."""
    month = calendar.dates.astype("datetime64[M]")
    names, first = np.unique(month, return_index=True)
    last = np.append(first[1:], calendar.days) - 1
    return [(str(name), int(a), int(b)) for name, a, b in zip(names, first, last, strict=True)]


def _mixed(good: list[bytes], faulty: list[bytes], random: np.random.Generator) -> list[bytes]:
    """The faulty lines strewn among the good ones, which keep their order."""
    place = np.concatenate([np.arange(len(good)), random.uniform(0, len(good), len(faulty))])
    lines = good + faulty
    return [lines[index] for index in np.argsort(place, kind="stable")]


def _csv_lines(table: pa.Table) -> list[bytes]:
    """One line of CSV per row, its line end included; Arrow refuses values that would need quotes."""
    sink = pa.BufferOutputStream()
    pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=False, quoting_style="none"))
    return sink.getvalue().to_pybytes().splitlines(keepends=True)


def _write_sales_file(path: Path, columns: list[str], lines: list[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join([(",".join(columns) + "\n").encode(), *lines]))


def _write_promotions(path: Path, market: Market) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PROMOTION_COLUMNS)
        for promotion in market.promotions:
            start = market.calendar.day(promotion.start)
            writer.writerow(
                [
                    start,
                    market.calendar.day(promotion.end),
                    market.products[promotion.product].product_id,
                    "" if promotion.location is None else market.locations[promotion.location],
                    "true",
                    start - timedelta(days=PROMOTION_PLANNED_AHEAD_DAYS),
                ]
            )


def _true_demand(market: Market) -> pa.Table:
    product, location, day = np.nonzero(np.broadcast_to(market.is_listed[:, None, :], market.demand.shape))
    cell = (product, location, day)
    return pa.table(
        {
            "day": pa.array(market.calendar.dates).take(pa.array(day)),
            "product_id": pa.array([p.product_id for p in market.products]).take(pa.array(product)),
            "location": pa.array(market.locations).take(pa.array(location)),
            "demand_units": market.demand[cell],
            "sold_units": market.sold[cell],
            "on_hand": market.on_hand[cell],
        }
    )
