"""The asset of exceptions: what it reads of the days before, and what it does without them."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import dagster as dg
import pyarrow as pa
import pytest

from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    DAILY_DEMAND,
    FORECASTS,
    INVENTORY_POSITIONS,
    OPEN_ORDERS,
    ORDER_EXCEPTIONS,
    REORDER_RECOMMENDATIONS,
    Table,
)
from nexgen_assets_tests.conftest import materialize
from nexgen_assets_tests.test_checks import Row, row, rows

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

FIRST = date(2024, 3, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(30)]
LAST = DAYS[-1]
SILENT, RISING, WAITING, CALM = "01", "02", "03", "04"
USUAL = 4  # units a day


def units_of(product: str, day: date) -> int:
    ago = (LAST - day).days
    if product == SILENT:
        return 0 if ago < 10 else USUAL
    return 5 * USUAL if product == RISING and ago < 14 else USUAL


def sold(day: date, product: str) -> Row:
    units = Decimal(units_of(product, day))
    return row(DAILY_DEMAND, day, product_id=product, location="north", demand_units=units, is_open=True)


def known(day: date, product: str) -> Row:
    names = CLEANED_FEATURES.names
    steady = {name: float(USUAL) for name in names if name.startswith(("demand_lag_", "demand_mean_", "weekday_mean_"))}
    told = {"demand_sd_28": 2.0, "age_days": 300.0, "days_since_sale": 0.0, "zero_share_91": 0.0, "unit_price": 3.0}
    if product == SILENT:
        told |= {"days_since_sale": 10.0, "zero_share_91": 10 / 91}
    return row(CLEANED_FEATURES, day, product_id=product, location="north", **steady, **told)


def stocked(day: date, product: str) -> Row:
    return row(INVENTORY_POSITIONS, day, product_id=product, location="north", on_hand=40.0)


def ordered(day: date, product: str) -> Row:
    stock = {"on_hand": 40.0, "inventory_position": 40.0, "surplus_units": 4.0}
    demand = {"expected_demand": 36.0, "order_up_to_level": 36.0, "expected_demand_until_receipt": 36.0}
    terms = {"protection_interval_days": 9, "lead_time_days": 8, "pack_size": 1.0, "unit_price": 3.0, "unit_cost": 2.0}
    told = {"assumptions": "", "max_waste_share": 0.2, "service_level": 0.9}
    return row(REORDER_RECOMMENDATIONS, day, product_id=product, location="north", **stock, **demand, **terms, **told)


@pytest.fixture
def tables(access: S3Access) -> DeltaTables:
    return DeltaTables(access)


@pytest.fixture
def publish(tables: DeltaTables) -> Callable[..., None]:
    def write(table: Table, of: Callable[[date, str], Row], *days: date) -> None:
        found = [of(day, product) for day in days for product in (SILENT, RISING, WAITING, CALM)]
        tables.replace_days(table, rows(table, *found), min(days), max(days), f"{table.name}-{min(days)}")

    return write


@pytest.fixture
def shop(publish: Callable[..., None], tables: DeltaTables) -> None:
    """Thirty days of four products, and a line that was due three days ago and has not come."""
    publish(DAILY_DEMAND, sold, *DAYS)
    publish(CLEANED_FEATURES, known, *DAYS)
    publish(INVENTORY_POSITIONS, stocked, *DAYS)
    publish(REORDER_RECOMMENDATIONS, ordered, *DAYS[-2:])
    late = row(OPEN_ORDERS, LAST, product_id=WAITING, location="north", order_units=7.0)
    late |= {"due_date": LAST - timedelta(days=3), "order_source": "inventory"}
    tables.replace_days(OPEN_ORDERS, rows(OPEN_ORDERS, late), DAYS[-2], LAST, "lines")


def forecast(tables: DeltaTables, *origins: date) -> None:
    for origin in origins:
        ahead = seasonal_naive_forecast(tables.read(CLEANED_FEATURES, origin, origin))
        tables.replace_days(FORECASTS, ahead, origin, origin, f"forecasts-{origin}")


def found(tables: DeltaTables, day: date) -> dict[str, str]:
    return {one["product_id"]: one["exception"] for one in tables.read(ORDER_EXCEPTIONS, day, day).to_pylist()}


@pytest.mark.usefixtures("shop")
def test_open_orders_and_the_sales_before_the_day_make_exceptions(graph: dg.Definitions, tables: DeltaTables) -> None:
    forecast(tables, LAST - timedelta(days=14), LAST - timedelta(days=7))

    materialize(graph, "order_exceptions", day=LAST)

    assert found(tables, LAST) == {SILENT: "phantom_stock", RISING: "forecast_break", WAITING: "late_supplier_order"}
    told = {one["product_id"]: one for one in tables.read(ORDER_EXCEPTIONS).to_pylist()}
    assert [told[product]["number"] for product in (SILENT, RISING, WAITING)] == [10.0, 7 * 5 * USUAL, 3.0]
    assert told[RISING]["money_at_risk"] == pytest.approx(7 * 4 * USUAL * 3.0)


@pytest.mark.usefixtures("shop")
def test_a_day_of_which_nothing_was_forecast_two_weeks_ago_breaks_no_forecast(
    graph: dg.Definitions, tables: DeltaTables
) -> None:
    forecast(tables, LAST - timedelta(days=7))

    materialize(graph, "order_exceptions", day=LAST)

    assert found(tables, LAST) == {SILENT: "phantom_stock", WAITING: "late_supplier_order"}


@pytest.mark.usefixtures("shop")
def test_forecasts_of_a_model_that_cannot_be_loaded_break_nothing_and_stop_nothing(
    graph: dg.Definitions, tables: DeltaTables
) -> None:
    origin = LAST - timedelta(days=7)
    forecast(tables, LAST - timedelta(days=14))
    ahead = seasonal_naive_forecast(tables.read(CLEANED_FEATURES, origin, origin))
    of_a_model = ahead.set_column(
        ahead.column_names.index("model_version"), "model_version", pa.array(["gone"] * ahead.num_rows)
    )
    tables.replace_days(FORECASTS, of_a_model, origin, origin, "forecasts")

    materialize(graph, "order_exceptions", day=LAST)

    assert RISING not in found(tables, LAST)


@pytest.mark.usefixtures("shop")
def test_a_range_of_days_has_the_exceptions_of_its_single_days(graph: dg.Definitions, tables: DeltaTables) -> None:
    forecast(tables, *(LAST - timedelta(days=ago) for ago in (15, 14, 8, 7)))
    for day in DAYS[-2:]:
        materialize(graph, "order_exceptions", day=day)
    single = tables.read(ORDER_EXCEPTIONS).sort_by([(name, "ascending") for name in ORDER_EXCEPTIONS.grain])
    days = {
        f"dagster/asset_partition_range_{end}": day.isoformat() for end, day in (("start", DAYS[-2]), ("end", LAST))
    }

    materialize(graph, "order_exceptions", tags=days)

    assert single.num_rows > 3
    assert tables.read(ORDER_EXCEPTIONS).sort_by([(n, "ascending") for n in ORDER_EXCEPTIONS.grain]).equals(single)
