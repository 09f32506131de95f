"""On days on which the calendar closes a location nothing is forecast, and from such days nothing is learnt."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.forecasting.closings import PlannedOpening, without_closed_days
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.holdout import holdout_at
from nexgen_assets.forecasting.rows import forecast_rows
from nexgen_assets.tables import CALENDAR, DAILY_DEMAND, HORIZON_DAYS, QUANTILES

ORIGIN = date(2024, 3, 1)
EPOCH = date(1970, 1, 1)


def line(
    first: int, last: int, location: str = "", *, is_open: bool = False, known: int = -30, number: int = 1
) -> dict:
    """A calendar line of days ahead `first`..`last`, known since day `known` of the origin."""
    return {
        "product_id": "",
        "location": location,
        "start_date": ORIGIN + timedelta(days=first),
        "end_date": ORIGIN + timedelta(days=last),
        "promotion_share": 0.0,
        "is_open": is_open,
        "effective_date": ORIGIN + timedelta(days=known),
        "file_key": "calendar.csv",
        "line_number": number,
    }


def closed_days(*lines: dict[str, Any], location: str = "North") -> list[int]:
    """Days ahead on which the location is closed, as known at the origin."""
    calendar = pa.Table.from_pylist(list(lines), schema=CALENDAR.arrow_schema)
    [is_open] = PlannedOpening(calendar).ahead([location], (ORIGIN - EPOCH).days)
    return (np.flatnonzero(~is_open) + 1).tolist()


def test_without_a_plan_every_day_is_open() -> None:
    assert closed_days() == []


def test_a_plan_closes_its_days_and_no_others() -> None:
    assert closed_days(line(3, 5)) == [3, 4, 5]


def test_a_plan_that_began_before_or_ends_after_closes_the_days_between() -> None:
    assert closed_days(line(-3, 2), line(27, 90)) == [1, 2, 27, 28]


def test_what_is_told_later_is_not_known_yet() -> None:
    assert closed_days(line(3, 5, known=0)) == [3, 4, 5]
    assert closed_days(line(3, 5, known=1)) == []


def test_a_plan_of_another_location_does_not_matter() -> None:
    assert closed_days(line(3, 5, "South")) == []


def test_a_plan_of_the_location_goes_before_one_of_all_that_is_newer() -> None:
    assert closed_days(line(3, 5, known=-1), line(4, 4, "North", is_open=True, known=-9, number=2)) == [3, 5]


def test_the_plan_that_became_known_last_holds() -> None:
    assert closed_days(line(3, 5, known=-9), line(3, 5, is_open=True, known=-1, number=2)) == []
    assert closed_days(line(3, 5, is_open=True, known=-9), line(3, 5, known=-1, number=2)) == [3, 4, 5]


def test_mean_and_quantiles_of_a_closed_day_are_0_and_others_stay() -> None:
    columns: dict[str, Any] = {"day": pa.array([ORIGIN] * 2), "product_id": ["P", "P"], "location": ["North", "South"]}
    columns["delisted_on"] = pa.nulls(2, pa.date32())
    units = np.full((2, HORIZON_DAYS), 3.0)
    told = forecast_rows(pa.table(columns), units, dict.fromkeys(QUANTILES, units), "v1")
    calendar = pa.Table.from_pylist([line(2, 2, "South")], schema=CALENDAR.arrow_schema)
    found = without_closed_days(told, PlannedOpening(calendar)).to_pylist()
    for before, after in zip(told.to_pylist(), found, strict=True):
        is_closed = (after["location"], after["horizon"]) == ("South", 2)
        expected = before | dict.fromkeys(("mean", *QUANTILES), 0.0) if is_closed else before
        assert after == expected


# ---- learning


def demand_rows(days: int, closed: dict[int, bool]) -> pa.Table:
    """A product that sells 10 a day up to the origin + `days`, nothing on `closed` days, of which some were told."""
    rows = []
    for ahead in range(-120, days + 1):
        units = Decimal(0 if ahead in closed else 10)
        rows.append(
            dict.fromkeys(DAILY_DEMAND.names)
            | {
                "day": ORIGIN + timedelta(days=ahead),
                "product_id": "P",
                "location": "North",
                "demand_units": units,
                "returned_units": Decimal(0),
                "revenue": 2 * units,
                "sales_lines": int(units),
                "is_open": ahead not in closed,
                "is_open_inferred": not closed.get(ahead, False),
                "is_stockout_assumed": False,
                "days_since_sale": 0,
            }
        )
    return pa.Table.from_pylist(rows, schema=DAILY_DEMAND.arrow_schema)


@pytest.fixture(scope="module")
def closed_week(spark: SparkSession) -> pa.Table:
    """Features of the origin after a week told closed, and the day before it inferred to be."""
    demand = demand_rows(0, {-8: False, **dict.fromkeys(range(-7, 0), True)})
    frame = spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl)
    return cleaned_features(frame, ORIGIN, ORIGIN, 400).toArrow()


def test_a_closed_week_told_beforehand_is_no_week_without_demand(closed_week: pa.Table) -> None:
    [row] = closed_week.to_pylist()
    assert row["demand_mean_28"] == pytest.approx(10 * 20 / 21)  # 28 days less those told; the one inferred counts


def test_days_told_closed_are_not_judged(spark: SparkSession) -> None:
    demand = spark.createDataFrame(demand_rows(28, {3: True, 4: False}), DAILY_DEMAND.spark_ddl)
    features = cleaned_features(demand, ORIGIN, ORIGIN, 400)
    [held_out] = holdout_at(features, demand, ORIGIN).demand
    expected = [10.0] * 28
    expected[2], expected[3] = np.nan, 0.0
    np.testing.assert_array_equal(held_out, expected)
