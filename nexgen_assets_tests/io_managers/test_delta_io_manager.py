"""The IO managers in Dagster runs: one frame in, exactly the run's days out, and what Dagster is told about it."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import obstore
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame

from nexgen_assets.assets.common import daily_table, lookback, small_table
from nexgen_assets.io_managers.delta import DeltaTableIOManager, MissingDaysError
from nexgen_assets.io_managers.delta_tables import ContractError, DeltaTables, TableReader
from nexgen_assets.partitions import DayRange, key_range
from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.spark import SparkResource, stop_engine
from nexgen_assets.tables import DAILY_DEMAND, LANDING_FILES, REJECTED_SALES

pytestmark = [
    # the parameter is beta, and there is no other way to one run for a range of days
    pytest.mark.filterwarnings("ignore:.*backfill_policy:dagster.BetaWarning"),
]

FIRST = date(2024, 1, 1)
DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-03-01")
LOOKBACK_DAYS = 2


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def rejected(days: DayRange) -> pa.Table:
    rows = [
        {
            "day": of,
            "file_key": "sales/a.csv",
            "file_version": "1",
            "line_number": 2,
            "rule": "r",
            "column_name": None,
            "value": None,
            "reason": "why",
            "is_duplicate": False,
            "raw_text": "x",
        }
        for of in days
    ]
    return pa.Table.from_pylist(rows, schema=REJECTED_SALES.arrow_schema)


def demand(days: DayRange, units: str = "1") -> pa.Table:
    row = dict.fromkeys(DAILY_DEMAND.names) | {
        "product_id": "01",
        "location": "north",
        "demand_units": Decimal(units),
        "returned_units": Decimal(0),
        "revenue": Decimal(2),
        "sales_lines": 1,
        "days_since_sale": 0,
        "is_open": True,
        "is_open_inferred": True,
        "is_stockout_assumed": False,
    }
    return pa.Table.from_pylist([row | {"day": of} for of in days], schema=DAILY_DEMAND.arrow_schema)


def manifest(*days: date) -> pa.Table:
    row = {
        "file_key": "sales/a.csv",
        "file_version": "1",
        "kind": "sales",
        "etag": "1",
        "arrived_at": datetime(2024, 3, 1, tzinfo=UTC),
        "changed_at": datetime(2024, 3, 1, tzinfo=UTC),
        "bytes": 1,
        "lines": 1,
        "days": list(days),
        "file_day": None,
        "separator": ",",
        "decimal_mark": ".",
        "date_order": "year_first",
        "unknown_columns": [],
        "status": "current",
        "problem": None,
    }
    return pa.Table.from_pylist([row], schema=LANDING_FILES.arrow_schema)


def table_kwargs(table: Any) -> dict[str, Any]:
    return daily_table(table, DAYS, group="sales", kinds=set(), code_version="1")


@pytest.fixture
def resources(lake: LakeResource, engine_address: str) -> Iterator[dict[str, Any]]:
    spark = SparkResource(lake=lake, remote=engine_address)
    yield {"tables": DeltaTableIOManager(lake=lake, spark=spark)}
    stop_engine()


@pytest.fixture
def run(instance: dg.DagsterInstance, resources: dict[str, Any]) -> Callable[..., dg.ExecuteInProcessResult]:
    def materialize(
        assets: list[dg.AssetsDefinition], days: DayRange | None = None, only: str | None = None
    ) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            assets,
            instance=instance,
            resources=resources,
            selection=only,
            tags=days.tags if days else {},
        )

    return materialize


def source(make: Callable[[DayRange], Any] = demand) -> dg.AssetsDefinition:
    @dg.asset(**table_kwargs(DAILY_DEMAND))
    def daily_demand(context: dg.AssetExecutionContext) -> Any:
        return make(key_range(context.partition_key_range))

    return daily_demand


def consumer(kind: Any, seen: list[Any], days_back: int = 0) -> dg.AssetsDefinition:
    def keep(context: dg.AssetExecutionContext, daily_demand: Any) -> pa.Table:
        seen.append(daily_demand)
        return rejected(key_range(context.partition_key_range))

    keep.__annotations__["daily_demand"] = kind
    return dg.asset(
        **table_kwargs(REJECTED_SALES), ins={"daily_demand": lookback("daily_demand", days_back)} if days_back else None
    )(keep)


def metadata_by_day(instance: dg.DagsterInstance, key: str) -> dict[str, dict[str, Any]]:
    records = instance.fetch_materializations(dg.AssetKey(key), limit=100).records
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        assert record.asset_materialization
        assert record.partition_key
        found.setdefault(record.partition_key, {k: v.value for k, v in record.asset_materialization.metadata.items()})
    return found


# ---- what Dagster is told


def test_each_day_of_a_range_reports_its_own_rows(
    run: Callable[..., Any], instance: dg.DagsterInstance, access: S3Access
) -> None:
    run([source(lambda days: demand(DayRange(days.start, days.start)))], DayRange(day(0), day(2)))
    told = metadata_by_day(instance, "daily_demand")
    assert {key: values["dagster/row_count"] for key, values in told.items()} == {
        "2024-01-01": 1,
        "2024-01-02": 0,
        "2024-01-03": 0,
    }
    assert {values["table_version"] for values in told.values()} == {1}
    assert {values["dagster/uri"] for values in told.values()} == {access.table_uri("daily_demand")}
    assert obstore.list(access.store("tables/daily_demand")).collect(), "the table is where the URI says"


def test_the_newest_day_shows_the_columns_with_type_unit_and_constraints(
    run: Callable[..., Any], instance: dg.DagsterInstance
) -> None:
    run([source()], DayRange(day(0), day(2)))
    told = metadata_by_day(instance, "daily_demand")
    assert [key for key, values in told.items() if "dagster/column_schema" in values] == ["2024-01-03"]
    lineage = told["2024-01-03"]["dagster/column_lineage"].deps_by_column
    assert lineage["revenue"] == [dg.TableColumnDep(dg.AssetKey("cleaned_sales"), "amount")]
    assert lineage["category"] == [
        dg.TableColumnDep(dg.AssetKey(source), "category") for source in ("cleaned_sales", "products")
    ]
    schema = told["2024-01-03"]["dagster/column_schema"]
    assert [column.name for column in schema.columns] == DAILY_DEMAND.names
    units = schema.columns[DAILY_DEMAND.names.index("demand_units")]
    assert (units.type, units.constraints.nullable, units.constraints.other) == ("decimal(18,3)", False, [">= 0"])
    assert units.description.endswith("[units]")
    assert schema.constraints.other == ["one row per day x product_id x location"]


def test_a_small_table_reports_its_rows(run: Callable[..., Any], instance: dg.DagsterInstance) -> None:
    @dg.asset(**small_table(LANDING_FILES, group="landing", code_version="1"))
    def landing_files() -> pa.Table:
        return manifest(FIRST)

    run([landing_files])
    event = instance.get_latest_materialization_event(dg.AssetKey("landing_files"))
    assert event
    assert event.asset_materialization
    assert event.asset_materialization.metadata["dagster/row_count"].value == 1


def test_a_refused_write_fails_the_run_and_materializes_nothing(
    run: Callable[..., Any], instance: dg.DagsterInstance, access: S3Access
) -> None:
    with pytest.raises(ContractError, match="lie outside"):
        run([source(lambda days: demand(days.preceded_by(1)))], DayRange(day(1), day(2)))
    assert instance.get_materialized_partitions(dg.AssetKey("daily_demand")) == set()
    assert DeltaTables(access).read(DAILY_DEMAND).num_rows == 0


# ---- reading by annotation


def count(frame: Any) -> int:
    if isinstance(frame, DataFrame):
        return frame.count()
    if isinstance(frame, pa.RecordBatchReader):
        return frame.read_all().num_rows
    if isinstance(frame, TableReader):
        return sum(frame.day(of).num_rows for of in frame.days())
    return len(frame)


@pytest.mark.parametrize("kind", [pa.Table, pa.RecordBatchReader, pd.DataFrame, TableReader, DataFrame])
def test_an_input_is_one_frame_of_the_annotated_type_over_the_days_of_the_run(
    kind: type, run: Callable[..., Any]
) -> None:
    seen: list[Any] = []
    producing = source()
    run([producing], DayRange(day(0), day(4)))
    run([producing, consumer(kind, seen)], DayRange(day(1), day(3)), only="rejected_sales")
    (frame,) = seen
    # a Spark input arrives as the Spark Connect class, which is a subclass of the annotated one
    assert isinstance(frame, kind)
    assert count(frame) == 3


def test_an_asset_may_return_a_spark_frame(
    run: Callable[..., Any], resources: dict[str, Any], access: S3Access
) -> None:
    spark = resources["tables"].spark.spark_session
    made = source(lambda days: spark.createDataFrame(demand(days).to_pandas(), DAILY_DEMAND.spark_ddl))
    run([made], DayRange(day(0), day(2)))
    assert DeltaTables(access).read(DAILY_DEMAND).sort_by("day").equals(demand(DayRange(day(0), day(2))))


# ---- lookback


def land(access: S3Access, *days: date) -> None:
    DeltaTables(access).replace_all(LANDING_FILES, manifest(*days))


def test_a_lookback_is_read_as_one_frame_with_the_run(run: Callable[..., Any], access: S3Access) -> None:
    seen: list[Any] = []
    producing = source()
    land(access, *DayRange(day(0), day(6)))
    run([producing], DayRange(day(0), day(6)))
    run([producing, consumer(pa.Table, seen, LOOKBACK_DAYS)], DayRange(day(4), day(5)), only="rejected_sales")
    (frame,) = seen
    assert sorted(frame["day"].to_pylist()) == list(DayRange(day(2), day(5)))


def test_a_day_missing_in_the_lookback_fails_the_run_and_is_named(run: Callable[..., Any], access: S3Access) -> None:
    producing = source()
    land(access, *DayRange(day(0), day(6)))
    run([producing], DayRange(day(4), day(5)))
    with pytest.raises(MissingDaysError, match=r"daily_demand lacks 1 .*\(2024-01-04\)"):
        run([producing, consumer(pa.Table, [], LOOKBACK_DAYS)], DayRange(day(5), day(5)), only="rejected_sales")


def test_a_materialized_day_without_rows_is_not_missing(run: Callable[..., Any], access: S3Access) -> None:
    seen: list[Any] = []
    land(access, *DayRange(day(0), day(6)))
    producing = source(lambda days: demand(DayRange(days.end, days.end)))
    run([producing], DayRange(day(3), day(5)))
    run([producing, consumer(pa.Table, seen, LOOKBACK_DAYS)], DayRange(day(5), day(5)), only="rejected_sales")
    assert seen[0].num_rows == 1


def test_days_before_the_first_landed_one_are_not_missing(run: Callable[..., Any], access: S3Access) -> None:
    seen: list[Any] = []
    land(access, day(4))
    producing = source()
    run([producing], DayRange(day(4), day(5)))
    run([producing, consumer(pa.Table, seen, LOOKBACK_DAYS)], DayRange(day(5), day(5)), only="rejected_sales")
    assert seen[0].num_rows == 2
