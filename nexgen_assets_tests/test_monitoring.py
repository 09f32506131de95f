"""Forecasts in service, in real Dagster runs: their accuracy, what the warnings say, when a training is asked for."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import dagster as dg
import numpy as np
import pytest

from nexgen_assets.automation import RETRAINING_REASON, look_at_champion
from nexgen_assets.definitions import build_defs
from nexgen_assets.forecasting import drift
from nexgen_assets.forecasting.baselines import SEASONAL_NAIVE
from nexgen_assets.forecasting.model import CODE_VERSION, MANIFEST_FILE, STORED_FEATURES
from nexgen_assets.forecasting.retraining import DRIFT_DAYS, NO_RETRAINING_DUE
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.jobs import TRAINING
from nexgen_assets.monitoring import monitoring_checks
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    DAILY_DEMAND,
    FORECAST_ACCURACY,
    FORECASTS,
    HORIZON_DAYS,
    LANDING_FILES,
    Table,
)
from nexgen_assets_tests.test_checks import Row, row, rows

pytestmark = [
    # the parameter is beta, and there is no other way to one run for a range of days
    pytest.mark.filterwarnings("ignore:.*backfill_policy:dagster.BetaWarning"),
    # Dagster asks its own deprecated attribute when it makes an IO manager of a configurable one
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"),
]

FIRST = date(2024, 1, 1)
TODAY = date(2024, 6, 28)
SCORES = {"model": {"wape": 0.3}, "seasonal_naive": {"wape": 0.5}}

Publish = Callable[[Table, list[Row]], None]


@pytest.fixture
def tables(lake: LakeResource) -> DeltaTables:
    return DeltaTables(lake.access)


@pytest.fixture
def publish(tables: DeltaTables) -> Publish:
    """Replace the days from the first to the last of the rows."""
    written: list[str] = []

    def write(table: Table, found: list[Row]) -> None:
        days = [one["day"] for one in found]
        written.append(table.name)
        tables.replace_days(table, rows(table, *found), min(days), max(days), f"published-{len(written)}")

    return write


# ---- the table

Judge = Callable[[DayRange], dg.ExecuteInProcessResult]


@pytest.fixture
def judge(instance: dg.DagsterInstance, deployment: Settings) -> Judge:
    """Materialize `forecast_accuracy` of some days, and nothing else of the graph."""
    settings = deployment.model_copy(update={"calendar_start": FIRST})

    def run(days: DayRange) -> dg.ExecuteInProcessResult:
        job = build_defs(settings).resolve_implicit_global_asset_job_def()
        wanted = [dg.AssetKey(FORECAST_ACCURACY.name)]
        return job.execute_in_process(instance=instance, asset_selection=wanted, tags=days.tags, raise_on_error=False)

    return run


def forecasts_of(origin: date, mean: float, model: str = "m1") -> list[Row]:
    return [
        row(FORECASTS, origin, product_id="01", location="north", target_date=origin + timedelta(days=horizon))
        | {"horizon": horizon, "mean": mean, "model_version": model}
        for horizon in range(1, HORIZON_DAYS + 1)
    ]


def demand_of(days: DayRange, units: int) -> list[Row]:
    told = {"product_id": "01", "location": "north", "demand_units": Decimal(units)}
    return [row(DAILY_DEMAND, day, **told) for day in days]


def land(tables: DeltaTables, days: DayRange) -> None:
    """The manifest of a file that touches the days: from the first of them on there is a history."""
    file = row(LANDING_FILES, days.start, kind="sales", status="current", days=list(days), unknown_columns=[])
    del file["day"]
    tables.replace_all(LANDING_FILES, rows(LANDING_FILES, file))


def test_a_day_is_judged_by_all_its_forecasts_and_by_no_other(
    judge: Judge, publish: Publish, tables: DeltaTables
) -> None:
    days = DayRange(FIRST, FIRST + timedelta(days=40))
    publish(DAILY_DEMAND, demand_of(days, 3))
    publish(FORECASTS, [one for origin in days for one in forecasts_of(origin, origin.day)])
    judged = FIRST + timedelta(days=35)

    assert judge(DayRange(judged, judged)).success

    found = tables.read(FORECAST_ACCURACY).sort_by("horizon").to_pylist()
    origins = [judged - timedelta(days=row["horizon"]) for row in found]
    assert [row["horizon"] for row in found] == list(range(1, HORIZON_DAYS + 1))
    assert [row["absolute_error_units"] for row in found] == [abs(origin.day - 3) for origin in origins]


def test_origins_that_nobody_built_are_no_reason_to_refuse(judge: Judge, publish: Publish, tables: DeltaTables) -> None:
    """A long history has forecasts for its last origins only."""
    days = DayRange(FIRST, FIRST + timedelta(days=40))
    land(tables, days)
    publish(DAILY_DEMAND, demand_of(days, 3))
    publish(FORECASTS, forecasts_of(days.end - timedelta(days=2), 4.0))

    assert judge(days.last(30)).success

    found = tables.read(FORECAST_ACCURACY).sort_by("day").to_pylist()
    assert [(row["day"], row["horizon"]) for row in found] == [(days.end - timedelta(days=1), 1), (days.end, 2)]


def test_days_of_demand_that_nobody_built_are(judge: Judge, publish: Publish, tables: DeltaTables) -> None:
    """What the seasonal naive repeats must be known: a hole in the sales is not a day without sales."""
    land(tables, DayRange(FIRST, TODAY))
    publish(DAILY_DEMAND, demand_of(DayRange(TODAY, TODAY), 3))
    assert not judge(DayRange(TODAY, TODAY)).success


@pytest.mark.parametrize("has_forecasts", [False, True])
def test_first_days_have_no_rows(
    has_forecasts: bool,
    judge: Judge,
    publish: Publish,
    tables: DeltaTables,
    instance: dg.DagsterInstance,
) -> None:
    publish(DAILY_DEMAND, demand_of(DayRange(FIRST, FIRST), 3))
    if has_forecasts:
        publish(FORECASTS, forecasts_of(FIRST, 4.0))
    assert judge(DayRange(FIRST, FIRST)).success
    assert tables.row_count(FORECAST_ACCURACY) == 0
    assert instance.get_materialized_partitions(dg.AssetKey("forecast_accuracy")) == {FIRST.isoformat()}


def test_a_day_whose_sales_are_not_there_is_not_judged_as_if_nothing_had_sold(
    judge: Judge, publish: Publish, tables: DeltaTables
) -> None:
    publish(DAILY_DEMAND, demand_of(DayRange(FIRST, FIRST), 3))
    publish(FORECASTS, forecasts_of(FIRST, 4.0))
    day = FIRST + timedelta(days=1)
    assert judge(DayRange(day, day)).success
    assert tables.row_count(FORECAST_ACCURACY) == 0


@pytest.mark.parametrize("at_once", [1, 100, 1_000_000])
def test_a_range_equals_its_days_one_by_one_however_many_are_read_at_once(
    at_once: int, judge: Judge, publish: Publish, tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexgen_assets.assets.monitoring.ROWS_AT_ONCE", at_once)
    days = DayRange(FIRST, FIRST + timedelta(days=4))
    publish(DAILY_DEMAND, [one for day in days for one in demand_of(DayRange(day, day), day.day)])
    publish(FORECASTS, [one for origin in days for one in forecasts_of(origin, 2.5)])
    grain = [(name, "ascending") for name in FORECAST_ACCURACY.grain]
    assert judge(days).success
    at_once_rows = tables.read(FORECAST_ACCURACY).sort_by(grain)
    for day in days:
        assert judge(DayRange(day, day)).success
    assert at_once_rows.num_rows == sum(range(5))
    assert tables.read(FORECAST_ACCURACY).sort_by(grain).equals(at_once_rows)


def test_the_ui_plots_the_measures_of_each_day(judge: Judge, publish: Publish, instance: dg.DagsterInstance) -> None:
    days = DayRange(FIRST, FIRST + timedelta(days=1))
    publish(DAILY_DEMAND, demand_of(days, 4))
    publish(FORECASTS, forecasts_of(FIRST, 5.0))
    judge(days)
    wanted = dg.AssetRecordsFilter(dg.AssetKey("forecast_accuracy"), asset_partitions=[days.end.isoformat()])
    materialization = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
    assert materialization
    told = {name: value.value for name, value in materialization.metadata.items()}
    assert (told["wape"], told["bias"], told["share_above_q95"]) == (0.25, 0.25, 1.0)


# ---- warnings


def accuracy(version: str, days: DayRange, *, error: float = 1.0, forecast: float = 1.0) -> list[Row]:
    """Days of a model that keeps what SCORES promise, if no factor changes it."""
    rng = np.random.default_rng(days.start.toordinal())
    return [
        row(FORECAST_ACCURACY, day, model_version=version, volume_class="1_to_10", series_days=1_000)
        | {"demand_units": 1_000.0, "forecast_units": 1_000 * forecast * rng.normal(1, 0.03)}
        | {"absolute_error_units": 300 * error * rng.normal(1, 0.03), "seasonal_naive_absolute_error_units": 500.0}
        | {"above_q90": 100, "above_q95": 50, "above_q99": 10}
        for day in days
    ]


SERIES = [{"product_id": f"{number:03}", "location": "north"} for number in range(60)]


@pytest.fixture
def offer(publish: Publish) -> Callable[..., None]:
    """Let features of those days be there, and the demand that they are made of."""

    def write(days: DayRange, *, price_ratio: float = 1.0) -> None:
        publish(DAILY_DEMAND, [row(DAILY_DEMAND, day, **one) for day in days for one in SERIES])
        told = {"price_ratio_91": price_ratio}
        publish(CLEANED_FEATURES, [row(CLEANED_FEATURES, day, **one, **told) for day in days for one in SERIES])

    return write


@pytest.fixture
def champion(registry: ModelRegistry) -> Callable[..., str]:
    """Let a model with the SCORES serve from a day on; returns its version."""

    def serve(
        age_days: int, content: bytes = b"model", *, promote: bool = True, code_version: str = CODE_VERSION
    ) -> str:
        cutoff = TODAY - timedelta(days=age_days)
        manifest = {"code_version": code_version, "feature_names": STORED_FEATURES}
        files = {"model": content, MANIFEST_FILE: json.dumps(manifest).encode()}
        version = registry.register(files, cutoff, {"scores": SCORES}).version
        if promote:
            registry.promote(version)
        return version

    return serve


@pytest.fixture
def warn(instance: dg.DagsterInstance, lake: LakeResource) -> Callable[..., dict[str, dg.AssetCheckEvaluation]]:
    """Run the warnings, as a run over TODAY would; each check's evaluation by its name."""

    def run(settings: Settings | None = None) -> dict[str, dg.AssetCheckEvaluation]:
        done = dg.materialize(
            monitoring_checks(settings or Settings()),
            selection=dg.AssetSelection.all_asset_checks(),
            instance=instance,
            resources={"lake": lake},
            tags=DayRange(TODAY, TODAY).tags,
        )
        assert done.success, "a warning stops nothing"
        return {found.check_name: found for found in done.get_asset_check_evaluations()}

    return run


Warn = Callable[..., dict[str, dg.AssetCheckEvaluation]]
Champion = Callable[..., str]
Offer = Callable[..., None]
WINDOW = DayRange(TODAY, TODAY).preceded_by(60)


def failed(found: dict[str, dg.AssetCheckEvaluation]) -> set[str]:
    return {name for name, evaluation in found.items() if not evaluation.passed}


def test_a_new_deployment_has_nothing_to_warn_of(warn: Warn) -> None:
    found = warn()
    assert set(found) == {*drift.ERROR_CHECKS, drift.FAMILIAR, NO_RETRAINING_DUE}
    assert failed(found) == set()


def test_a_model_that_keeps_its_promise_gives_no_warning(
    warn: Warn, champion: Champion, publish: Publish, offer: Offer
) -> None:
    publish(FORECAST_ACCURACY, accuracy(champion(20), WINDOW))
    offer(WINDOW)
    found = warn()
    assert failed(found) == set()
    assert found[drift.ERRORS].metadata["errors_over_seasonal_naive"].value == pytest.approx(0.6, abs=0.02)
    assert found[drift.ERRORS].metadata["judged_days"].value == 28
    assert found[drift.FAMILIAR].metadata["reference_days"].value == 2


def test_warnings_show_numbers_and_a_chart_and_are_no_errors(warn: Warn, champion: Champion, publish: Publish) -> None:
    publish(FORECAST_ACCURACY, accuracy(champion(20), WINDOW, forecast=1.3))
    found = warn()[drift.BIAS]
    assert (found.passed, found.severity, found.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
    assert found.metadata["bias"].value == pytest.approx(0.3, abs=0.03)
    assert "█" in str(found.metadata["chart"].value)


@pytest.mark.parametrize(("days", "is_due"), [(1, False), (drift.RECENT_DAYS, False), (DRIFT_DAYS, True)])
def test_prices_unknown_to_the_training_are_warned_of_and_if_they_last_learned(
    days: int,
    is_due: bool,
    warn: Warn,
    champion: Champion,
    offer: Offer,
) -> None:
    champion(20)
    offer(WINDOW)
    offer(WINDOW.last(days), price_ratio=0.5)
    assert failed(warn()) == {drift.FAMILIAR, *([NO_RETRAINING_DUE] if is_due else [])}


def test_forecasts_without_a_model_are_not_judged(warn: Warn, publish: Publish) -> None:
    publish(FORECAST_ACCURACY, accuracy(SEASONAL_NAIVE, WINDOW, forecast=3.0))
    assert failed(warn()) == set()


# ---- when a training is due


def test_an_old_champion_is_due_for_training(warn: Warn, champion: Champion, offer: Offer) -> None:
    version = champion(29)
    offer(WINDOW.last(1))
    assert failed(warn(Settings(retrain_after_days=29))) == set()
    found = warn(Settings(retrain_after_days=28))
    assert failed(found) == {NO_RETRAINING_DUE}
    assert f"{version} knows no sales of the last 29 days; 28 are allowed" in str(found[NO_RETRAINING_DUE].description)


def test_a_champion_of_another_version_of_the_code_is_due_for_training_and_tried_once(
    warn: Warn, champion: Champion, offer: Offer
) -> None:
    version = champion(1, code_version="older")
    offer(WINDOW.last(1))
    found = warn()[NO_RETRAINING_DUE]
    assert not found.passed, "that the older code has trained of late is no training of this one"
    assert f"{version} serves no more: the model was made by code version older, this is {CODE_VERSION}" in str(
        found.description
    )
    champion(0, promote=False)
    assert warn()[NO_RETRAINING_DUE].passed


def test_a_drift_of_a_week_is_due_for_training(warn: Warn, champion: Champion, publish: Publish, offer: Offer) -> None:
    publish(FORECAST_ACCURACY, accuracy(champion(40), WINDOW, forecast=1.3))
    offer(WINDOW.last(1))
    found = warn()[NO_RETRAINING_DUE]
    assert not found.passed
    assert f"{drift.BIAS} has failed {DRIFT_DAYS} days in a row" in str(found.description)


def test_a_drift_of_an_earlier_champion_is_not(warn: Warn, champion: Champion, publish: Publish, offer: Offer) -> None:
    """The forecasts are bad, and the check says so; but what made them serves no more."""
    publish(FORECAST_ACCURACY, accuracy(champion(60), WINDOW, forecast=1.3))
    offer(WINDOW.last(1))
    champion(8, b"newer")
    assert failed(warn()) == {drift.BIAS}


def test_a_challenger_of_last_week_was_a_try(warn: Warn, champion: Champion, offer: Offer) -> None:
    champion(60)
    offer(WINDOW.last(1))
    assert failed(warn()) == {NO_RETRAINING_DUE}
    champion(6, b"worse", promote=False)
    assert failed(warn()) == set()


# ---- the sensor


def say(instance: dg.DagsterInstance, *, passed: bool, day: str = "2024-06-28") -> None:
    """Let the check have been evaluated, as a run of `daily` does."""
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("trained_model"),
            check_name=NO_RETRAINING_DUE,
            passed=passed,
            description="it is 40 days old",
            metadata={"day": day, "model_version": "20240519-abc"},
        )
    )


def requests(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    answer = look_at_champion(instance)
    return [] if isinstance(answer, dg.SkipReason) else list(answer.run_requests or [])


def test_the_sensor_asks_for_a_training_and_says_why(instance: dg.DagsterInstance) -> None:
    say(instance, passed=False)
    [request] = requests(instance)
    assert request.job_name == TRAINING
    assert request.run_config == {"ops": {"trained_model": {"config": {"as_of": "2024-06-28"}}}}
    assert request.tags[RETRAINING_REASON] == "it is 40 days old"


def test_it_asks_once_for_one_finding(instance: dg.DagsterInstance) -> None:
    """Dagster never starts a run key twice."""
    say(instance, passed=False)
    [first] = requests(instance)
    say(instance, passed=False)
    [again] = requests(instance)
    say(instance, passed=False, day="2024-06-29")
    [next_day] = requests(instance)
    assert first.run_key == again.run_key != next_day.run_key


def test_it_asks_for_nothing_where_none_is_due(instance: dg.DagsterInstance) -> None:
    assert requests(instance) == []
    say(instance, passed=True)
    assert requests(instance) == []
    say(instance, passed=False)
    say(instance, passed=True)
    assert requests(instance) == []


def test_it_asks_for_nothing_while_a_training_is_unfinished(instance: dg.DagsterInstance, deployment: Settings) -> None:
    say(instance, passed=False)
    job = build_defs(deployment).get_repository_def().get_job(TRAINING)
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert requests(instance) == []


@pytest.mark.parametrize(("setting", "status"), [("on", "RUNNING"), ("off", "STOPPED")])
def test_without_schedules_nothing_is_asked_for(setting: str, status: str) -> None:
    settings = Settings(schedules=setting)  # pyright: ignore[reportArgumentType]
    assert build_defs(settings).get_repository_def().get_sensor_def("retraining").default_status.value == status
