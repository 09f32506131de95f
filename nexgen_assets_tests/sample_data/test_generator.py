"""The invented retailer's files: what is good in them, what is wrong with them, and that both are known exactly."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nexgen_assets.sample_data.generator import SampleSummary, generate_sample
from nexgen_assets.tables import SALES_FILE_COLUMNS

LAST_DAY = date(2025, 3, 14)
DUPLICATE = "duplicate_of_other_file"
EXPORT = "export_last_week.csv"


@dataclass(frozen=True)
class Sample:
    folder: Path
    summary: SampleSummary
    connection: duckdb.DuckDBPyConnection

    def query(self, sql: str) -> tuple[Any, ...]:
        """The first row of an SQL query over `good` (the good lines) and `truth` (latent demand)."""
        row = self.connection.execute(sql).fetchone()
        assert row is not None
        return row


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """The default sample: two years, five stores, forty products; its good lines read by the csv module."""
    folder = tmp_path_factory.mktemp("landing")
    summary = generate_sample(folder, last_day=LAST_DAY)
    rows = [record for path in sales_files(folder) if path.name != EXPORT for rule, record in read(path) if not rule]
    with duckdb.connect() as connection:
        connection.register("lines", pa.Table.from_pylist(rows, schema=pa.schema(GOOD_COLUMNS)))
        connection.register("true_demand", summary.true_demand)
        connection.execute(f"create table good as select {', '.join(map(typed, GOOD_COLUMNS))} from lines")
        connection.execute("create table truth as from true_demand")
        yield Sample(folder, summary, connection)


GOOD_COLUMNS = dict.fromkeys(SALES_FILE_COLUMNS, pa.string())
TYPES = {
    "quantity": "int",
    "amount": "decimal(18,2)",
    "unit_price": "decimal(18,2)",
    "stock_level": "int",
    "date_of_purchase": "date",
    "is_promotion": "boolean",
}


def typed(column: str) -> str:
    return f"{column}::{TYPES.get(column, 'varchar')} as {column}"


def sales_files(folder: Path) -> list[Path]:
    return sorted((folder / "sales").glob("*.csv"))


def read(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line as a person would judge it: the rule it breaks (empty if none) and its values."""
    header, *lines = path.read_bytes().splitlines()
    names = header.decode().split(",")
    for line in lines:
        values = next(csv.reader([line.decode("utf-8", errors="replace")]))
        record = dict(zip(names, values, strict=False))
        is_utf8 = "\N{REPLACEMENT CHARACTER}" not in line.decode("utf-8", errors="replace")
        yield judge(record, is_utf8=is_utf8, is_whole=len(values) == len(names)), record


def judge(record: dict[str, str], *, is_utf8: bool, is_whole: bool) -> str:
    broken = {
        "not_utf8": lambda: not is_utf8,
        "ragged_line": lambda: not is_whole,
        "missing_product_id": lambda: not record["product_id"],
        "date_unreadable": lambda: as_date(record["date_of_purchase"]) is None,
        "date_in_future": lambda: date.fromisoformat(record["date_of_purchase"]) > LAST_DAY,
        "quantity_not_a_number": lambda: not record["quantity"].lstrip("-").isdigit(),
        "quantity_zero": lambda: int(record["quantity"]) == 0,
        "negative_quantity_with_positive_amount": lambda: int(record["quantity"]) < 0 < Decimal(record["amount"]),
    }
    return next((rule for rule, is_broken in broken.items() if is_broken()), "")


def as_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.csv"))
    }


# --- files ----------------------------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        generate_sample(tmp_path / name, last_day=LAST_DAY, days=60, locations=2, products=8, seed=3)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_another_seed_gives_other_sales(tmp_path: Path):
    for seed in (3, 4):
        generate_sample(tmp_path / str(seed), last_day=LAST_DAY, days=60, locations=2, products=8, seed=seed)
    first, second = digests(tmp_path / "3"), digests(tmp_path / "4")
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())


def test_there_is_one_file_per_month_and_one_overlapping_export(sample: Sample):
    months = {f"sales_{year}-{month:02d}.csv" for year in (2023, 2024, 2025) for month in range(1, 13)}
    covered = {name for name in months if "sales_2023-03.csv" <= name <= "sales_2025-03.csv"}
    assert {path.name for path in sales_files(sample.folder)} == covered | {EXPORT}


def test_the_header_is_the_sales_schema_and_one_file_has_an_unknown_column(sample: Sample):
    headers = [path.read_text(encoding="latin-1").splitlines()[0].split(",") for path in sales_files(sample.folder)]
    known = list(SALES_FILE_COLUMNS)
    assert all(header[: len(known)] == known for header in headers)
    assert [header[len(known) :] for header in headers if header != known] == [["till_number"]]


def test_a_sample_without_days_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="at least one day"):
        generate_sample(tmp_path, last_day=LAST_DAY, days=0)


@settings(max_examples=15)
@given(
    last_day=st.dates(date(2018, 1, 1), date(2026, 12, 31)),
    size=st.fixed_dictionaries(
        {"days": st.integers(1, 45), "locations": st.integers(1, 3), "products": st.integers(1, 12)}
    ),
    seed=st.integers(0, 2**32),
)
@example(last_day=date(2025, 12, 25), size={"days": 1, "locations": 1, "products": 1}, seed=1)
def test_every_line_of_any_sample_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, last_day: date, size: dict[str, int], seed: int
):
    folder = tmp_path_factory.mktemp("any")
    summary = generate_sample(folder, last_day=last_day, seed=seed, **size)
    written = sum(len(path.read_bytes().splitlines()) - 1 for path in sales_files(folder))
    assert summary.lines == written == summary.good_lines + sum(summary.dirty.values())


# --- faults ---------------------------------------------------------------------------------------------------------


def test_the_faulty_lines_of_every_kind_are_counted_exactly(sample: Sample):
    found = Counter(rule for path in sales_files(sample.folder) if path.name != EXPORT for rule, _ in read(path))
    assert found.pop("") == sample.summary.good_lines
    assert found == {rule: count for rule, count in sample.summary.dirty.items() if rule != DUPLICATE}


def test_about_two_lines_in_a_thousand_are_faulty(sample: Sample):
    faulty = sum(count for rule, count in sample.summary.dirty.items() if rule != DUPLICATE)
    assert 0.0015 < faulty / sample.summary.good_lines < 0.0025


def test_every_line_of_the_overlapping_export_is_a_good_line_of_a_monthly_file(sample: Sample):
    week = {(LAST_DAY - timedelta(days=back)).isoformat() for back in range(7)}
    export = [record for rule, record in read(sample.folder / "sales" / EXPORT) if rule == ""]
    monthly = [record for rule, record in read(sample.folder / "sales" / "sales_2025-03.csv") if rule == ""]
    assert len(export) == sample.summary.dirty[DUPLICATE]
    lines = Counter(tuple(record.values()) for record in export)
    assert lines == Counter(tuple(record.values()) for record in monthly if record["date_of_purchase"] in week)


# --- sales ----------------------------------------------------------------------------------------------------------


def test_the_default_sample_is_small_enough_to_try_out(sample: Sample):
    assert 250_000 < sample.summary.lines < 350_000


def test_the_amount_is_quantity_times_price_to_the_cent(sample: Sample):
    assert sample.query("select count(*) from good where amount <> quantity * unit_price") == (0,)


def test_the_lines_add_up_to_the_units_sold(sample: Sample):
    assert sample.query("""
        with lines as (select date_of_purchase as day, product_id, location, sum(quantity)::bigint as units
                       from good where quantity > 0 group by all),
             sold as (select day, product_id, location, sold_units as units from truth where sold_units > 0)
        select count(*) from ((from lines except all from sold) union all (from sold except all from lines))
    """) == (0,)


def test_the_stock_level_on_every_sale_is_the_days_closing_stock(sample: Sample):
    assert sample.query("""
        select count(*) from good left join truth
        on day = date_of_purchase and truth.product_id = good.product_id and truth.location = good.location
        where quantity > 0 and stock_level is distinct from on_hand
    """) == (0,)


def test_demand_is_lost_only_where_the_stock_ends_the_day_empty(sample: Sample):
    assert sample.query("""
        select count(*) filter (sold_units > demand_units), count(*) filter (sold_units < demand_units and on_hand > 0)
        from truth
    """) == (0, 0)


def test_a_few_days_in_a_hundred_lose_demand_to_a_stockout(sample: Sample):
    (share,) = sample.query("select count(*) filter (sold_units < demand_units) / count(*) from truth")
    assert 0.01 < share < 0.06


def test_a_few_returns_give_the_money_back(sample: Sample):
    not_refunded, share = sample.query(
        "select count(*) filter (quantity < 0 and amount >= 0), count(*) filter (quantity < 0) / count(*) from good"
    )
    assert not_refunded == 0
    assert 0.001 < share < 0.005


def test_most_lines_are_of_one_to_three_units(sample: Sample):
    (share,) = sample.query("select count(*) filter (quantity between 1 and 3) / count(*) from good")
    assert share > 0.9


def test_the_shops_are_closed_on_christmas_day_and_open_on_thanksgiving(sample: Sample):
    assert sample.query("select count(*) from good where strftime(date_of_purchase, '%m-%d') = '12-25'") == (0,)
    assert sample.query("select count(*) > 0 from good where holiday_name = 'Thanksgiving Day'") == (True,)


# --- demand ---------------------------------------------------------------------------------------------------------


def test_saturdays_sell_more_than_tuesdays(sample: Sample):
    saturday, tuesday = sample.query("""
        select avg(demand_units) filter (isodow(day) = 6), avg(demand_units) filter (isodow(day) = 2) from truth
    """)
    assert saturday > 1.15 * tuesday


def test_beverages_sell_more_in_summer_than_in_winter(sample: Sample):
    summer, winter = sample.query("""
        select avg(demand_units) filter (month(day) in (6, 7, 8)), avg(demand_units) filter (month(day) in (12, 1, 2))
        from truth where product_id in (select product_id from good where category = 'Beverages')
    """)
    assert summer > 1.5 * winter


def test_a_promotion_cuts_the_price_and_lifts_demand(sample: Sample):
    dearest, median_lift = sample.query("""
        with days as (
            select product_id, location, date_of_purchase as day, any_value(is_promotion) as promoted,
                any_value(unit_price) as price
            from good where quantity > 0 group by all),
        series as (
            select avg(price) filter (promoted) / avg(price) filter (not promoted) as price_ratio,
                avg(demand_units) filter (promoted) / avg(demand_units) filter (not promoted) as lift
            from days join truth using (product_id, location, day)
            group by product_id, location having count(*) filter (promoted) > 20)
        select max(price_ratio), median(lift) from series
    """)
    assert dearest < 0.9
    assert median_lift > 1.4


def test_some_products_are_launched_and_some_discontinued_within_the_period(sample: Sample):
    launched, discontinued = sample.query("""
        with life as (select min(day) as first, max(day) as last from truth group by product_id)
        select count(*) filter (first > (select min(day) from truth)),
            count(*) filter (last < (select max(day) from truth)) from life
    """)
    assert launched >= 3
    assert discontinued >= 3


def test_the_range_holds_fast_movers_and_products_that_rarely_sell(sample: Sample):
    fastest, rarest = sample.query("""
        with pace as (select avg(demand_units) as mean, avg((demand_units = 0)::int) as zeros
                      from truth group by product_id)
        select max(mean), max(zeros) from pace
    """)
    assert fastest > 10
    assert rarest > 0.9


# --- promotion plan -------------------------------------------------------------------------------------------------


def test_promotions_are_planned_for_the_28_days_after_the_last_day(sample: Sample):
    with (sample.folder / "calendar" / "promotions.csv").open(encoding="utf-8", newline="") as file:
        plan = list(csv.DictReader(file))
    assert list(plan[0]) == ["date", "end_date", "product_id", "location", "is_promotion", "effective_date"]
    ends = [date.fromisoformat(row["end_date"]) for row in plan]
    assert LAST_DAY + timedelta(days=14) < max(ends) <= LAST_DAY + timedelta(days=28)
    for row in plan:
        start, known = date.fromisoformat(row["date"]), date.fromisoformat(row["effective_date"])
        assert start - known == timedelta(days=35)


def test_a_sale_is_on_promotion_exactly_on_the_planned_days(sample: Sample):
    assert sample.query(f"""
        with plan as (
            select product_id, location, date::date as start, end_date::date as stop
            from read_csv('{sample.folder}/calendar/promotions.csv', all_varchar = true)),
        sold as (
            select distinct product_id, location, date_of_purchase as day, is_promotion from good where quantity > 0)
        select count(*) from sold where is_promotion <> exists (
            from plan where plan.product_id = sold.product_id and day between start and stop
            and coalesce(plan.location, sold.location) = sold.location)
    """) == (0,)
