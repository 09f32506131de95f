"""One series of many days from memory: the same rows as in the lake, whatever is kept and whatever was rewritten."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from nexgen_assets.dashboard.by_series import BySeries, Wanted, files_by_day
from nexgen_assets.io_managers.delta_tables import DeltaTables, TableReader
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.settings import Settings
from nexgen_assets.tables import DAILY_DEMAND, FORECASTS, OPEN_ORDERS, Table
from nexgen_assets_tests.dashboard.shop import DAY, FIRST_DAY, FORECAST_DAYS, SELLS, rows_of

DEMAND = ("demand_units", "unit_price", "product_name", "is_stockout")
NOBODY = ("none", "north")


@dataclass(frozen=True)
class Watched(TableReader):
    """A reader of the lake that notes which days it was asked for."""

    asked: list[tuple[date, date]] = field(default_factory=list)

    def rows(self, start: date, end: date, *rest: Any, **more: Any) -> pa.Table:
        self.asked.append((start, end))
        return super().rows(start, end, *rest, **more)


@pytest.fixture(scope="module")
def lake(shop: Settings) -> DeltaTables:
    return DeltaTables(open_lake(shop))


@pytest.fixture
def tables(seaweed: S3Access, shop: Settings) -> DeltaTables:
    """Empty tables, which a test may write."""
    from nexgen_assets_tests.conftest import unique_prefix

    own = shop.model_copy(update={"deployment": unique_prefix(), "s3_endpoint": seaweed.endpoint})
    return DeltaTables(open_lake(own))


def told(  # noqa: PLR0917
    kept: BySeries, tables: DeltaTables, table: Table, item: tuple[str, str], start: date, end: date, wanted: Wanted
) -> tuple[list[dict[str, Any]], list[tuple[date, date]]]:
    """The rows of a series, and the days that were read of the lake for them."""
    reader = Watched(table, tables.open(table), start, end)
    rows = kept.rows(reader, files_by_day(reader.source), wanted, *item)
    return rows.to_pylist(), reader.asked


def in_the_lake(  # noqa: PLR0917
    tables: DeltaTables, table: Table, item: tuple[str, str], start: date, end: date, wanted: Wanted
) -> list[dict[str, Any]]:
    """The same by SQL, as floats."""
    names = ", ".join(f'"{name}"' for name in (*wanted.columns, "day"))
    sql = (
        f"SELECT {names} FROM source WHERE \"product_id\" = '{item[0]}' AND \"location\" = '{item[1]}' "
        f'AND {wanted.condition} ORDER BY "day"'
    )
    columns = (
        *wanted.columns,
        "day",
        "product_id",
        "location",
        *(["horizon"] if "horizon" in wanted.condition else []),
    )
    rows = tables.query(table, sql, columns, start, end)
    return [{name: float(v) if isinstance(v, Decimal) else v for name, v in row.items()} for row in rows]


@trials(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(
        st.tuples(st.sampled_from([*SELLS, NOBODY]), st.integers(0, 68), st.integers(0, 30)), min_size=1, max_size=4
    ),
    bounds=st.sampled_from([{}, {"most_bytes": 2_000}, {"most_rows": 40}, {"rows_at_once": 30}]),
)
def test_whatever_was_asked_before_rows_are_those_of_the_lake(
    lake: DeltaTables, asked: list[tuple[tuple[str, str], int, int]], bounds: dict[str, int]
) -> None:
    kept = BySeries(**bounds)
    for item, first, days in asked:
        start = FIRST_DAY + timedelta(days=first)
        of = (lake, DAILY_DEMAND, item, start, start + timedelta(days=days), Wanted(DEMAND))
        assert told(kept, *of)[0] == in_the_lake(*of)
    kept.wait()


def test_rows_that_meet_a_condition_are_kept_apart(lake: DeltaTables) -> None:
    kept, item, start = BySeries(), ("002", "north"), DAY - timedelta(days=FORECAST_DAYS - 1)
    for horizon in (1, 7):
        wanted = Wanted(("target_date", "mean"), f'"horizon" = {horizon}')
        of = (lake, FORECASTS, item, start, DAY, wanted)
        rows, _ = told(kept, *of)
        assert rows == in_the_lake(*of)
        assert [row["target_date"] - row["day"] for row in rows] == [timedelta(days=horizon)] * FORECAST_DAYS


def test_days_are_read_once_for_all_series(lake: DeltaTables) -> None:
    kept, wanted = BySeries(), Wanted(DEMAND)
    start = DAY - timedelta(days=9)

    _, first = told(kept, lake, DAILY_DEMAND, ("001", "north"), start, DAY, wanted)
    _, other = told(kept, lake, DAILY_DEMAND, ("001", "south"), start, DAY, wanted)
    _, longer = told(kept, lake, DAILY_DEMAND, ("001", "south"), start - timedelta(days=2), DAY, wanted)

    assert (first, other) == ([(start, DAY)], [])
    assert longer == [(start - timedelta(days=2), start - timedelta(days=1))]


def demand_of(day: date, units: int) -> pa.Table:
    row = {"day": day, "product_id": "001", "location": "north", "demand_units": Decimal(units), "is_open": True}
    return rows_of(DAILY_DEMAND, [row])


def test_after_a_run_only_its_days_are_read(tables: DeltaTables) -> None:
    days = [DAY - timedelta(days=n) for n in (2, 1, 0)]
    kept, wanted, item = BySeries(), Wanted(("demand_units",)), ("001", "north")
    tables.replace_days(DAILY_DEMAND, pa.concat_tables([demand_of(day, 3) for day in days]), days[0], days[-1], "first")
    told(kept, tables, DAILY_DEMAND, item, days[0], days[-1], wanted)

    tables.replace_days(DAILY_DEMAND, demand_of(days[1], 8), days[1], days[1], "corrected")
    rows, read = told(kept, tables, DAILY_DEMAND, item, days[0], days[-1], wanted)

    assert [row["demand_units"] for row in rows] == [3, 8, 3]
    assert read == [(days[1], days[1])]


def test_nobody_waits_for_many_rows(lake: DeltaTables) -> None:
    kept, wanted, item = BySeries(rows_at_once=20), Wanted(DEMAND), ("003", "north")
    of = (lake, DAILY_DEMAND, item, FIRST_DAY, DAY, wanted)

    alone, _ = told(kept, *of)
    kept.wait()
    from_memory, read = told(kept, *of)

    assert read == []
    assert from_memory == alone == in_the_lake(*of)


def test_more_rows_than_may_be_kept_are_not(lake: DeltaTables) -> None:
    kept, of = BySeries(most_rows=100), (lake, DAILY_DEMAND, ("003", "north"), FIRST_DAY, DAY, Wanted(DEMAND))

    for _ in range(2):
        rows, read = told(kept, *of)
        assert rows == in_the_lake(*of)
        assert read == [(FIRST_DAY, DAY)]


def test_a_table_that_was_never_written_has_no_rows(tables: DeltaTables) -> None:
    wanted = Wanted(("order_units",))
    assert told(BySeries(), tables, OPEN_ORDERS, ("001", "north"), FIRST_DAY, DAY, wanted) == ([], [])
