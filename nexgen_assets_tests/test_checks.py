"""Checks in real Dagster runs: what a bad write leaves behind, what a warning says, and when a day is late."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest

from nexgen_assets.assets.common import daily_table, small_table, table_asset
from nexgen_assets.checks import freshness_checks, quality_checks
from nexgen_assets.definitions import build_defs
from nexgen_assets.io_managers.audit import (
    CONSERVATION,
    GRAIN,
    LEDGER,
    MULTIPLES,
    NO_FUTURE_DAYS,
    SAME_SERIES,
    SCHEMA,
    VALUES,
    rules_of,
)
from nexgen_assets.io_managers.delta import DeltaTableIOManager
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.spark import SparkResource
from nexgen_assets.sales import quality
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CALENDAR,
    CLEANED_FEATURES,
    CLEANED_SALES,
    DAILY_DEMAND,
    DATE,
    FLAG,
    FORECASTS,
    INSTANT,
    INVENTORY_POSITIONS,
    RAW_SALES,
    REJECTED_SALES,
    REORDER_RECOMMENDATIONS,
    TABLES,
    TEXT,
    Table,
)
from nexgen_assets_tests.replenishment.test_orders import many_orders

pytestmark = [
    # the parameter is beta, and there is no other way to one run for a range of days
    pytest.mark.filterwarnings("ignore:.*backfill_policy:dagster.BetaWarning"),
    # Dagster asks its own deprecated attribute when it makes an IO manager of a configurable one
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"),
]

CALENDAR_DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-06-01")
FIRST = date(2024, 1, 1)
RUN = DayRange(FIRST, FIRST + timedelta(days=2))
MONDAY = date(2024, 4, 29)
Row = dict[str, Any]


def row(table: Table, day: date, **values: Any) -> Row:
    """A row that keeps every rule of its table: what is required is there, and at its minimum."""
    required = {c.name: _least(c.type, day, c.minimum) for c in table.columns if not c.nullable}
    return dict.fromkeys(table.names) | required | {"day": day} | values


def _least(kind: pa.DataType, day: date, minimum: float | None) -> Any:
    plain = {TEXT: "x", DATE: day, FLAG: False, INSTANT: datetime(2024, 1, 1, tzinfo=UTC)}
    if kind in plain:
        return plain[kind]
    return Decimal(int(minimum or 0)) if pa.types.is_decimal(kind) else int(minimum or 0)


def rows(table: Table, *found: Row) -> pa.Table:
    return pa.Table.from_pylist(list(found), schema=pa.schema([(c.name, c.type) for c in table.columns]))


def series(table: Table, day: date, *products: str, **values: Any) -> list[Row]:
    return [row(table, day, product_id=product, location="north", **values) for product in products]


def lines(table: Table, day: date, count: int) -> list[Row]:
    return [row(table, day, line_number=number + 2) for number in range(count)]


@pytest.fixture
def tables(access: S3Access) -> DeltaTables:
    return DeltaTables(access)


@pytest.fixture
def publish(tables: DeltaTables) -> Callable[[Table, list[Row]], None]:
    def write(table: Table, found: list[Row]) -> None:
        days = [one["day"] for one in found]
        tables.replace_days(table, rows(table, *found), min(days), max(days), f"published-{len(days)}-{table.name}")

    return write


Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def materialize(instance: dg.DagsterInstance, lake: LakeResource) -> Materialize:
    """Write the frame as an asset's output in a real run, with an asset downstream of it."""
    resources = {"tables": DeltaTableIOManager(lake=lake, spark=SparkResource(lake=lake, remote=None))}

    def run(table: Table, frame: Any, days: DayRange | None = RUN) -> dg.ExecuteInProcessResult:
        stage: dict[str, Any] = {"group": "sales", "kinds": set(), "code_version": "1"}
        shape = daily_table(table, CALENDAR_DAYS, **stage) if days else small_table(table, group="g", code_version="1")

        @table_asset(**shape)
        def made() -> Any:
            return frame

        @dg.asset(
            deps=[table.name],
            partitions_def=CALENDAR_DAYS if days else None,
            backfill_policy=dg.BackfillPolicy.single_run() if days else None,
        )
        def downstream() -> None: ...

        return dg.materialize(
            [made, downstream],
            instance=instance,
            resources=resources,
            tags=days.tags if days else {},
            raise_on_error=False,
        )

    return run


def recorded(instance: dg.DagsterInstance, table: Table, name: str) -> list[dg.AssetCheckEvaluation]:
    """What the instance knows of a check, newest first, as the UI shows it."""
    key = dg.AssetCheckKey(dg.AssetKey(table.name), name)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    return [
        found.evaluation
        for found in history
        if isinstance(found.evaluation, dg.AssetCheckEvaluation) and found.status.value in ("SUCCEEDED", "FAILED")
    ]


# ---- blocking checks


def good_demand(days: DayRange = RUN) -> list[Row]:
    return [one for day in days for one in series(DAILY_DEMAND, day, "01", "02", demand_units=Decimal(3))]


def test_a_good_write_passes_every_rule_once_with_its_numbers(
    materialize: Materialize, instance: dg.DagsterInstance
) -> None:
    assert materialize(DAILY_DEMAND, rows(DAILY_DEMAND, *good_demand())).success
    for name in rules_of(DAILY_DEMAND):
        (found,) = recorded(instance, DAILY_DEMAND, name)
        assert found.passed
        assert found.blocking
        assert found.metadata["rows"].value == 6
        assert found.metadata["days"].value == "2024-01-01..2024-01-03"


def good_orders(**broken: float) -> list[Row]:
    """26.5 units expected, 7 at hand, 2 on order, 5 promised, packs of 12, on each day; the last order is changed."""
    demand = {"expected_demand_until_receipt": 4.125, "expected_demand_after_receipt": 22.375}
    stock = {"on_hand": 7.0, "on_order_units": 2.0, "committed_units": 5.0, "inventory_position": 4.0}
    order = {**demand, **stock, "pack_units": 1.5, "pack_size": 12.0, "order_units": 24.0}
    found = [one for day in RUN for one in series(REORDER_RECOMMENDATIONS, day, "01", "02", **order)]
    return [*found[:-1], found[-1] | broken]


BAD_WRITES: dict[str, tuple[str, Table, list[Row], str]] = {
    "a row of another day": (
        SCHEMA,
        DAILY_DEMAND,
        [*good_demand(), *series(DAILY_DEMAND, RUN.end + timedelta(days=1), "01")],
        "2024-01-04 lie outside 2024-01-01..2024-01-03",
    ),
    "two rows of one product and location": (
        GRAIN,
        DAILY_DEMAND,
        [*good_demand(), *series(DAILY_DEMAND, RUN.end, "01")],
        "several rows share one day x product_id x location",
    ),
    "negative demand": (
        VALUES,
        DAILY_DEMAND,
        [*good_demand(), *series(DAILY_DEMAND, RUN.end, "03", demand_units=Decimal(-1))],
        '1 rows with "demand_units" < 0',
    ),
    "a line that got lost": (
        CONSERVATION,
        CLEANED_SALES,
        [one for day in RUN for one in lines(CLEANED_SALES, day, 3 if day == RUN.end else 4)],
        "worst is 2024-01-03: 3 + 1, not 5",
    ),
    "a line counted twice": (
        CONSERVATION,
        CLEANED_SALES,
        [one for day in RUN for one in lines(CLEANED_SALES, day, 5 if day == FIRST else 4)],
        "worst is 2024-01-01: 5 + 1, not 5",
    ),
    "days whose lines are all lost": (CONSERVATION, CLEANED_SALES, [], "3 days where"),
    **{
        f"a product that {table.name} forgot": (
            SAME_SERIES,
            table,
            [one for day in RUN for one in series(table, day, "01", *([] if day == RUN.end else ["02"]))],
            "1 are missing, and 0 are not among them, such as 02 at north on 2024-01-03",
        )
        for table in (CLEANED_FEATURES, INVENTORY_POSITIONS, FORECASTS, REORDER_RECOMMENDATIONS)
    },
    "a product that nobody sells": (
        SAME_SERIES,
        CLEANED_FEATURES,
        [one for day in RUN for one in series(CLEANED_FEATURES, day, "01", "02", "99")],
        "0 are missing, and 3 are not among them, such as 99 at north",
    ),
    "days without any product": (SAME_SERIES, CLEANED_FEATURES, [], "6 are missing"),
    "an order of a thousandth more than its parts": (
        LEDGER,
        REORDER_RECOMMENDATIONS,
        good_orders(order_units=24.001),
        "1 rows with order_units other than expected_demand_until_receipt + expected_demand_after_receipt",
    ),
    "a position that counts what is promised": (
        LEDGER,
        REORDER_RECOMMENDATIONS,
        good_orders(inventory_position=9.0),
        "1 rows with inventory_position other than on_hand + on_order_units - committed_units",
    ),
    "parts whose rounding hides a difference": (
        LEDGER,
        REORDER_RECOMMENDATIONS,
        good_orders(on_order_units=2.0004),
        "1 rows with on_order_units in parts of a thousandth, such as",
    ),
    "an order of broken packs": (
        MULTIPLES,
        REORDER_RECOMMENDATIONS,
        good_orders(pack_size=7.0),
        "1 rows with order_units no whole multiple of pack_size",
    ),
    "an order in packs of nothing": (
        MULTIPLES,
        REORDER_RECOMMENDATIONS,
        good_orders(pack_size=0.0),
        "1 rows with order_units no whole multiple of pack_size",
    ),
}


@pytest.fixture
def upstream(publish: Callable[[Table, list[Row]], None]) -> None:
    """Two products sold on each day; of five lines a day one was rejected."""
    publish(DAILY_DEMAND, good_demand())
    publish(RAW_SALES, [one for day in RUN for one in lines(RAW_SALES, day, 5)])
    publish(REJECTED_SALES, [one for day in RUN for one in lines(REJECTED_SALES, day, 1)])


@pytest.mark.usefixtures("upstream")
@pytest.mark.parametrize("case", BAD_WRITES)
def test_a_bad_write_is_recorded_as_failed_and_never_readable(
    case: str, materialize: Materialize, instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    check, table, bad, reason = BAD_WRITES[case]
    before = tables.read(table)

    run = materialize(table, rows(table, *bad))

    assert not run.success
    (found,) = recorded(instance, table, check)
    assert not found.passed
    assert found.blocking
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert reason in (found.description or "")
    assert tables.read(table).equals(before)
    assert instance.get_materialized_partitions(dg.AssetKey(table.name)) == set()
    assert "downstream" not in {event.step_key for event in run.all_events if event.is_step_start}


@pytest.mark.usefixtures("upstream")
def test_orders_whose_ledgers_sum_are_published(materialize: Materialize, instance: dg.DagsterInstance) -> None:
    assert materialize(REORDER_RECOMMENDATIONS, rows(REORDER_RECOMMENDATIONS, *good_orders())).success
    assert all(recorded(instance, REORDER_RECOMMENDATIONS, name)[0].passed for name in (LEDGER, MULTIPLES))


def test_orders_of_every_kind_keep_the_rules_of_their_table(tables: DeltaTables) -> None:
    orders = many_orders()
    first, last = min(orders["day"].to_pylist()), max(orders["day"].to_pylist())
    sold = [row(DAILY_DEMAND, **one) for one in orders.select(list(DAILY_DEMAND.grain)).to_pylist()]
    tables.replace_days(DAILY_DEMAND, rows(DAILY_DEMAND, *sold), first, last, "demand")

    published = tables.replace_days(REORDER_RECOMMENDATIONS, orders, first, last, "orders")

    assert {verdict.name for verdict in published.verdicts} == set(rules_of(REORDER_RECOMMENDATIONS))
    assert all(verdict.passed for verdict in published.verdicts)


@pytest.mark.usefixtures("upstream")
def test_a_broken_rule_hides_no_other_that_can_still_be_judged(
    materialize: Materialize, instance: dg.DagsterInstance
) -> None:
    bad = [*series(CLEANED_FEATURES, FIRST, "01", "01", age_days=-1.0)]
    materialize(CLEANED_FEATURES, rows(CLEANED_FEATURES, *bad))
    verdicts = {name: recorded(instance, CLEANED_FEATURES, name)[0].passed for name in rules_of(CLEANED_FEATURES)}
    assert verdicts == {SCHEMA: True, NO_FUTURE_DAYS: True, GRAIN: False, VALUES: False, SAME_SERIES: False}


def test_a_frame_of_other_columns_fails_the_schema_check(
    materialize: Materialize, instance: dg.DagsterInstance
) -> None:
    run = materialize(DAILY_DEMAND, rows(DAILY_DEMAND, *good_demand()).drop_columns(["revenue"]))
    assert not run.success
    (found,) = recorded(instance, DAILY_DEMAND, SCHEMA)
    assert not found.passed
    assert "columns missing ['revenue']" in (found.description or "")


def test_a_day_that_has_not_closed_yet_is_refused(
    materialize: Materialize, instance: dg.DagsterInstance, tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dagster itself refuses a run of days to come; the rule is for whoever gets around it
    monkeypatch.setattr(dg.DailyPartitionsDefinition, "get_last_partition_key", lambda _: "2024-01-02")
    run = materialize(DAILY_DEMAND, rows(DAILY_DEMAND, *good_demand()))
    assert not run.success
    (found,) = recorded(instance, DAILY_DEMAND, NO_FUTURE_DAYS)
    assert not found.passed
    assert "2024-01-03, days that have not closed yet: the last complete day is 2024-01-02" in (found.description or "")
    assert tables.row_count(DAILY_DEMAND) == 0


def test_a_small_table_is_checked_too(
    materialize: Materialize, instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    plan = dict.fromkeys(CALENDAR.names) | {
        "product_id": "01",
        "location": "",
        "start_date": FIRST,
        "end_date": FIRST,
        "promotion_share": 1.0,
    }
    plan |= {"effective_date": FIRST, "file_key": "calendar/a.csv", "line_number": 2}
    assert materialize(CALENDAR, rows(CALENDAR, plan), days=None).success
    assert recorded(instance, CALENDAR, VALUES)[0].passed

    assert not materialize(CALENDAR, rows(CALENDAR, {**plan, "promotion_share": -1.0}), days=None).success
    assert not recorded(instance, CALENDAR, VALUES)[0].passed
    assert tables.read(CALENDAR).to_pylist() == [plan]


@pytest.mark.filterwarnings("ignore:.*include_sources:dagster.BetaWarning")  # Dagster's own default selection
def test_automation_refuses_what_depends_on_a_table_whose_write_was_stopped(
    materialize: Materialize, instance: dg.DagsterInstance
) -> None:
    materialize(DAILY_DEMAND, rows(DAILY_DEMAND, *good_demand()))
    condition = dg.AutomationCondition.all_deps_blocking_checks_passed()

    @table_asset(**daily_table(DAILY_DEMAND, CALENDAR_DAYS, group="g", kinds=set(), code_version="1"))
    def daily_demand() -> None: ...

    @dg.asset(deps=["daily_demand"], partitions_def=CALENDAR_DAYS, automation_condition=condition)
    def report() -> None: ...

    def requested() -> int:
        defs = dg.Definitions([daily_demand, report], resources={"tables": dg.mem_io_manager})
        return dg.evaluate_automation_conditions(defs, instance).get_num_requested(dg.AssetKey("report"))

    assert requested() > 0
    materialize(DAILY_DEMAND, rows(DAILY_DEMAND, *series(DAILY_DEMAND, FIRST, "01", demand_units=Decimal(-1))))
    assert requested() == 0


def test_every_table_of_the_graph_carries_the_rules_of_its_audit_as_blocking_checks() -> None:
    graph = build_defs(Settings()).resolve_asset_graph()
    for name, table in TABLES.items():
        checks = {key.name: graph.get(key) for key in graph.get_check_keys_for_assets({dg.AssetKey(name)})}
        blocking = {check for check, node in checks.items() if node.blocking}
        assert blocking == set(rules_of(table))
        assert all(node.description for node in checks.values())


def test_days_are_plotted_with_their_figures(
    materialize: Materialize, instance: dg.DagsterInstance, publish: Callable[[Table, list[Row]], None]
) -> None:
    publish(RAW_SALES, [one for day in RUN for one in lines(RAW_SALES, day, 4)])
    refused = [*lines(REJECTED_SALES, FIRST, 2), row(REJECTED_SALES, FIRST, line_number=9, is_duplicate=True)]
    materialize(REJECTED_SALES, rows(REJECTED_SALES, *refused))
    demand = [
        *series(DAILY_DEMAND, FIRST, "01", demand_units=Decimal("1.5"), is_stockout=True),
        *series(DAILY_DEMAND, FIRST, "02", "03", "04", demand_units=Decimal(2)),
    ]
    materialize(DAILY_DEMAND, rows(DAILY_DEMAND, *demand))

    def told(table: Table, day: date, name: str) -> Any:
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(table.name), asset_partitions=[day.isoformat()])
        materialization = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
        assert materialization
        return materialization.metadata[name].value

    assert told(REJECTED_SALES, FIRST, "refused_lines") == 2
    assert told(REJECTED_SALES, FIRST, "duplicate_lines") == 1
    assert told(REJECTED_SALES, FIRST, "rejected_share") == 0.5
    assert told(REJECTED_SALES, RUN.end, "rejected_share") == 0
    assert told(DAILY_DEMAND, FIRST, "units") == 7.5
    assert told(DAILY_DEMAND, FIRST, "stockout_share") == 0.25


def test_figures_of_orders_count_a_purchase_once_where_centres_supply_locations() -> None:
    orders = rows(
        REORDER_RECOMMENDATIONS,
        row(REORDER_RECOMMENDATIONS, FIRST, order_units=5.0, order_value=10.0),
        row(REORDER_RECOMMENDATIONS, FIRST, order_units=8.0, order_value=16.0, supplied_locations=1),
        row(REORDER_RECOMMENDATIONS, FIRST, order_units=6.0, order_value=12.0, supplied_by="hub"),
    )
    columns = ", ".join(f"{sql} AS {name}" for name, sql in REORDER_RECOMMENDATIONS.figures.items())
    told = duckdb.sql(f"SELECT {columns} FROM orders").fetchall()
    assert orders.num_rows == 3
    assert told == [(13, 26)]


# ---- warnings


@pytest.fixture
def warn(instance: dg.DagsterInstance, lake: LakeResource) -> Callable[[DayRange | None], dict[str, Any]]:
    """Run the warnings, as a run over those days would; each check's evaluation by its name."""

    def run(days: DayRange | None) -> dict[str, Any]:
        done = dg.materialize(
            quality_checks(),
            selection=dg.AssetSelection.all_asset_checks(),
            instance=instance,
            resources={"lake": lake},
            tags=days.tags if days else {},
        )
        assert done.success, "a warning stops nothing"
        return {found.check_name: found for found in done.get_asset_check_evaluations()}

    return run


def ordinary_weeks(**last_day: Any) -> list[Row]:
    """Nine weeks of two products at two locations; on the last day they have the values told."""
    days = DayRange(MONDAY, MONDAY).preceded_by(63)
    usual = {"demand_units": Decimal(10), "sales_lines": 4, "unit_price": Decimal(2), "is_open": True}
    return [
        row(
            DAILY_DEMAND,
            day,
            product_id=product,
            location=location,
            **(usual | (last_day if day == MONDAY and location == "south" else {})),
        )
        for day in days
        for product in ("01", "02")
        for location in ("north", "south")
    ]


UNUSUAL_DAYS: dict[str, tuple[dict[str, Any], str]] = {
    quality.VOLUME: ({"demand_units": Decimal(100)}, "220 units, 550% of the 40 that are usual on a Monday"),
    quality.LOCATIONS: ({"sales_lines": 0}, "1 that usually do on a Monday are missing: south"),
    quality.PRICES: ({"unit_price": Decimal(4)}, "2 of 4 prices (50.0%) jumped"),
}


def test_an_ordinary_day_warns_of_nothing(
    warn: Callable[..., dict[str, Any]], publish: Callable[[Table, list[Row]], None]
) -> None:
    publish(DAILY_DEMAND, ordinary_weeks())
    found = warn(DayRange(MONDAY, MONDAY))
    assert {name: evaluation.passed for name, evaluation in found.items()} == dict.fromkeys(quality.DESCRIPTIONS, True)


@pytest.mark.parametrize("check", UNUSUAL_DAYS)
def test_an_unusual_day_is_told_with_its_numbers_and_stops_nothing(
    check: str, warn: Callable[..., dict[str, Any]], publish: Callable[[Table, list[Row]], None]
) -> None:
    values, reason = UNUSUAL_DAYS[check]
    publish(DAILY_DEMAND, ordinary_weeks(**values))
    found = warn(DayRange(MONDAY, MONDAY))
    assert [name for name, evaluation in found.items() if not evaluation.passed] == [check]
    assert found[check].severity == dg.AssetCheckSeverity.WARN
    assert reason in found[check].description
    assert "█" in found[check].metadata["chart"].value


def test_days_of_an_older_version_that_cannot_be_judged_are_warned_of_and_stop_nothing(
    warn: Callable[..., dict[str, Any]], tables: DeltaTables
) -> None:
    known = tuple(column for column in DAILY_DEMAND.columns if column.name != "is_open")
    older = replace(DAILY_DEMAND, columns=known, figures={})
    weeks = rows(DAILY_DEMAND, *ordinary_weeks()).select(older.names)
    tables.replace_days(older, weeks, MONDAY - timedelta(days=63), MONDAY, "older")
    found = warn(DayRange(MONDAY, MONDAY))
    assert [name for name, evaluation in found.items() if not evaluation.passed] == [quality.LOCATIONS]
    assert "cannot be judged. daily_demand: an older version wrote rows without is_open" in str(
        found[quality.LOCATIONS].description
    )


def test_only_the_last_day_of_a_run_is_looked_at(
    warn: Callable[..., dict[str, Any]], publish: Callable[[Table, list[Row]], None]
) -> None:
    publish(DAILY_DEMAND, ordinary_weeks(demand_units=Decimal(100)))
    the_day_before = MONDAY - timedelta(days=1)
    assert warn(DayRange(the_day_before, the_day_before))[quality.VOLUME].passed
    assert not warn(DayRange(the_day_before, MONDAY))[quality.VOLUME].passed
    assert not warn(None)[quality.VOLUME].passed, "without a run's days, the newest of the table"


def test_many_rejected_lines_are_told_with_their_rules(
    warn: Callable[..., dict[str, Any]], publish: Callable[[Table, list[Row]], None]
) -> None:
    publish(RAW_SALES, lines(RAW_SALES, MONDAY, 10))
    duplicates = [row(REJECTED_SALES, MONDAY, line_number=20 + n, is_duplicate=True) for n in range(5)]
    publish(REJECTED_SALES, [*duplicates, row(REJECTED_SALES, MONDAY, line_number=2, rule="quantity_zero")])
    found = warn(DayRange(MONDAY, MONDAY))[quality.REJECTS]
    assert not found.passed
    assert found.description == "2024-04-29: 1 of 10 lines (10.0%) are refused: quantity_zero 1"


def test_unknown_stock_is_told(
    warn: Callable[..., dict[str, Any]], publish: Callable[[Table, list[Row]], None]
) -> None:
    publish(DAILY_DEMAND, series(DAILY_DEMAND, MONDAY, "01", "02"))
    known, unknown = series(INVENTORY_POSITIONS, MONDAY, "01", "02")
    publish(INVENTORY_POSITIONS, [known | {"on_hand": 3.0}, unknown])
    found = warn(DayRange(MONDAY, MONDAY))[quality.STOCK]
    assert not found.passed
    assert "1 of 2 products x locations (50.0%) have no stock" in found.description


def test_suspicious_lines_are_told(
    warn: Callable[..., dict[str, Any]], publish: Callable[[Table, list[Row]], None]
) -> None:
    cents = {"is_amount_implausible": True, "is_near_duplicate": True}
    known = {"is_amount_implausible": False}
    publish(RAW_SALES, lines(RAW_SALES, MONDAY, 4))
    publish(
        CLEANED_SALES,
        [row(CLEANED_SALES, MONDAY, line_number=n, **told) for n, told in enumerate((cents, known, {}, {}), start=2)],
    )
    found = warn(DayRange(MONDAY, MONDAY))
    assert not found[quality.AMOUNTS].passed
    assert found[quality.AMOUNTS].description.startswith("2024-04-29: 1 of 2 amounts (50.0%)")
    assert not found[quality.NEAR_DUPLICATES].passed
    assert found[quality.NEAR_DUPLICATES].description.startswith("2024-04-29: 1 of 4 lines (25.0%)")


def test_a_location_that_the_calendar_calls_closed_is_not_missed(
    warn: Callable[..., dict[str, Any]], publish: Callable[[Table, list[Row]], None]
) -> None:
    publish(DAILY_DEMAND, ordinary_weeks(sales_lines=0, is_open=False, is_open_inferred=False))
    assert warn(DayRange(MONDAY, MONDAY))[quality.LOCATIONS].passed


def test_a_lake_without_tables_warns_of_nothing(warn: Callable[..., dict[str, Any]]) -> None:
    found = warn(None)
    assert {name: evaluation.passed for name, evaluation in found.items()} == dict.fromkeys(quality.DESCRIPTIONS, True)


# ---- freshness

SETTINGS = Settings(timezone="Europe/Berlin", fresh_by="06:00")
BEFORE, AFTER = datetime(2024, 5, 7, 3, 59, tzinfo=UTC), datetime(2024, 5, 7, 4, 1, tzinfo=UTC)  # 05:59, 06:01 there


@pytest.mark.parametrize(
    ("built", "now", "passed"),
    [
        (["2024-05-06"], AFTER, True),
        (["2024-05-05"], BEFORE, True),
        (["2024-05-05"], AFTER, False),
        ([], AFTER, False),
        # what Dagster's own freshness policy would take for fresh: an old day was just materialized again
        (["2024-05-04", "2024-01-01"], AFTER, False),
    ],
)
def test_yesterdays_partition_is_there_by_the_deadline(
    built: list[str], now: datetime, passed: bool, instance: dg.DagsterInstance
) -> None:
    for name in (RAW_SALES.name, REORDER_RECOMMENDATIONS.name):
        for key in built:
            instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=key))
    checks = freshness_checks(SETTINGS, lambda: now)
    done = dg.materialize(checks, selection=dg.AssetSelection.all_asset_checks(), instance=instance)
    assert done.success
    assert [found.passed for found in done.get_asset_check_evaluations()] == [passed, passed]


def test_freshness_is_looked_at_shortly_after_the_deadline_by_the_deployments_clock() -> None:
    repository = build_defs(Settings(timezone="Europe/Berlin", fresh_by="07:58")).get_repository_def()
    schedule = repository.get_schedule_def("freshness_after_deadline")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("3 8 * * *", "Europe/Berlin")
    checked = repository.get_job(schedule.job_name).asset_layer.asset_graph.asset_check_keys
    assert {key.to_user_string() for key in checked} == {
        "raw_sales:yesterday_is_there",
        "reorder_recommendations:yesterday_is_there",
    }


def test_a_deadline_at_midnight_is_looked_at_on_the_same_day() -> None:
    repository = build_defs(Settings(fresh_by="23:58")).get_repository_def()
    assert repository.get_schedule_def("freshness_after_deadline").cron_schedule == "59 23 * * *"


def test_a_run_of_old_months_judges_neither_the_newest_day_nor_freshness() -> None:
    job = build_defs(Settings()).get_repository_def().get_job("history")
    judged = {key.name for key in job.asset_layer.asset_graph.asset_check_keys}
    assert SCHEMA in judged
    assert judged.isdisjoint({quality.FRESH, *quality.DESCRIPTIONS})
