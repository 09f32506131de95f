"""Which runs mend what an older version left, and in which order."""

from datetime import date, timedelta

import pytest

from nexgen_assets.io_managers.evolution import Outdated
from nexgen_assets.jobs import BACKTESTING, DAILY, HISTORY, INGEST, SIMULATION
from nexgen_assets.launcher import PlannedRun, training_run
from nexgen_assets.partitions import DayRange
from nexgen_assets.tables import (
    BACKTEST,
    CLEANED_SALES,
    DAILY_DEMAND,
    FORECASTS,
    POLICY_SIMULATION,
    PRODUCTS,
    TABLES,
    Table,
)
from nexgen_assets.upgrade import Leftovers

FIRST = date(2024, 1, 1)
NEWEST = date(2024, 6, 30)
NEWEST_DAY = DayRange(NEWEST, NEWEST)
UNUSABLE = {"20240601-abc": "the model was made by code version 4, this is 5: retrain"}


def outdated(table: Table, start: int = 0, end: int = -1, *, at_once: bool = False) -> Outdated:
    """Rows of the days from number `start` to `end` lack something."""
    days = tuple(FIRST + timedelta(days=number) for number in range(start, end + 1))
    return Outdated(table, "an older version wrote rows without x", days, at_once=at_once)


def span(start: int, end: int) -> DayRange:
    return DayRange(FIRST + timedelta(days=start), FIRST + timedelta(days=end))


def left(*tables: Outdated, champions: dict[str, str] | None = None) -> Leftovers:
    return Leftovers(tables, champions or {}, NEWEST)


def test_nothing_is_left_of_nothing() -> None:
    assert left().problems == []
    assert left().runs() == []


def test_days_of_several_tables_are_built_in_one_run() -> None:
    found = left(outdated(CLEANED_SALES, 0, 9), outdated(DAILY_DEMAND, 5, 20))
    assert found.runs() == [PlannedRun(HISTORY, span(0, 20))]


def test_days_whose_forecasts_are_outdated_are_built_up_to_their_orders_after_the_days_they_look_back_on() -> None:
    found = left(outdated(DAILY_DEMAND, 0, 40), outdated(FORECASTS, 30, 40))
    assert found.runs() == [PlannedRun(HISTORY, span(0, 29)), PlannedRun(DAILY, span(30, 40))]


def test_days_that_must_be_replaced_at_once_are_one_run() -> None:
    found = left(outdated(DAILY_DEMAND, 0, 40, at_once=True), outdated(FORECASTS, 30, 40))
    assert found.runs() == [PlannedRun(DAILY, span(0, 40))]


def test_a_champion_is_trained_on_mended_features_and_forecasts_the_newest_day() -> None:
    found = left(outdated(DAILY_DEMAND, 0, 40), champions=UNUSABLE)
    assert found.runs() == [
        PlannedRun(HISTORY, span(0, 40)),
        training_run(NEWEST),
        PlannedRun(DAILY, NEWEST_DAY),
    ]


def test_tables_that_are_replaced_whole_have_their_own_jobs() -> None:
    found = left(outdated(BACKTEST), outdated(POLICY_SIMULATION), outdated(PRODUCTS), outdated(DAILY_DEMAND, 0, 1))
    assert found.runs() == [
        PlannedRun(INGEST),
        PlannedRun(HISTORY, span(0, 1)),
        PlannedRun(BACKTESTING),
        PlannedRun(SIMULATION),
    ]


@pytest.mark.parametrize("name", TABLES)
def test_no_table_is_outdated_without_a_run_that_mends_it(name: str) -> None:
    days = (FIRST,) if TABLES[name].is_daily else ()
    assert left(Outdated(TABLES[name], "an older version wrote rows without x", days)).runs()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            left(outdated(FORECASTS, 0, 1)),
            "forecasts: an older version wrote rows without x; build its days 2024-01-01..2024-01-02 anew by the job "
            "`daily`: `nexgen upgrade` does so",
        ),
        (
            left(champions=UNUSABLE),
            "champion 20240601-abc does not serve: the model was made by code version 4, this is 5: retrain, with the "
            "job `training`: `nexgen upgrade` does so",
        ),
    ],
    ids=["table", "champion"],
)
def test_each_problem_is_one_sentence_that_says_what_to_run(found: Leftovers, words: str) -> None:
    assert found.problems == [words]
