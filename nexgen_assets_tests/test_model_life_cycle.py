"""The life of a model in real Dagster runs: trained, judged, promoted or kept as challenger, refreshed, rolled back."""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import obstore
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.assets.model import model_assets
from nexgen_assets.automation import rollback_job
from nexgen_assets.definitions import build_defs
from nexgen_assets.forecasting import model as model_module
from nexgen_assets.forecasting.baselines import SEASONAL_NAIVE, seasonal_naive_forecast
from nexgen_assets.forecasting.model import CODE_VERSION, MANIFEST_FILE
from nexgen_assets.forecasting.promotion import FIT_TO_SERVE
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.models import ModelIOManager
from nexgen_assets.launcher import rollback_run
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.aliases import CHALLENGER, CHAMPION, ROLLED_BACK
from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.registry import Champions, ModelRegistry
from nexgen_assets.resources.spark import SparkResource, stop_engine
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CLEANED_FEATURES, DAILY_DEMAND, FORECASTS
from nexgen_assets_tests.shops import LAST, open_shop

pytestmark = [
    # the parameter is beta, and there is no other way to one run for a range of days
    pytest.mark.filterwarnings("ignore:.*backfill_policy:dagster.BetaWarning"),
]

WEEK_AGO = LAST - timedelta(days=7)
ORIGIN = LAST - timedelta(days=28)
HASTY = {"rounds": 40}  # learns too little, and still beats the seasonal naive

Parameters = Mapping[str, float] | None


@dataclass(frozen=True)
class Training:
    """What a training left in Dagster."""

    result: dg.ExecuteInProcessResult

    @property
    def succeeded(self) -> bool:
        return self.result.success

    @property
    def metadata(self) -> dict[str, Any]:
        [event] = [
            event for event in self.result.get_asset_materialization_events() if event.step_key == "trained_model"
        ]
        found = event.materialization.metadata
        return {name: getattr(value, "value", value) for name, value in found.items()}

    @property
    def check(self) -> dg.AssetCheckEvaluation:
        [found] = self.result.get_asset_check_evaluations()
        assert found.check_name == FIT_TO_SERVE
        return found

    @property
    def version(self) -> str:
        return self.metadata["model_version"]

    @property
    def ran_downstream(self) -> bool:
        return any(event.step_key == "downstream" and event.is_step_success for event in self.result.all_events)


Train = Callable[..., Training]


@pytest.fixture(scope="module")
def shop(seaweed: S3Access, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A deployment with sales and features, whose models each test makes anew."""
    return open_shop(seaweed, spark, tmp_path_factory.mktemp("shop"))


@pytest.fixture
def lake(shop: Settings) -> LakeResource:
    """The lake of that deployment, without a model and without forecasts."""
    lake = LakeResource.from_settings(shop)
    for path in ("models", f"tables/{FORECASTS.name}"):
        store = lake.access.store(path)
        for batch in obstore.list(store):
            obstore.delete(store, [item["path"] for item in batch])
    return lake


@pytest.fixture
def train(shop: Settings, lake: LakeResource, engine_address: str, instance: dg.DagsterInstance) -> Iterator[Train]:
    """Materialize `trained_model`, and an asset that uses it, in one run."""
    stop_engine()

    @dg.asset(deps=["trained_model"])
    def downstream() -> None: ...

    def run(as_of: date = LAST, parameters: Parameters = None, settings: Settings = shop) -> Training:
        config: dict[str, Any] = {"as_of": as_of.isoformat()}
        config |= {} if parameters is None else {"parameters": dict(parameters)}
        resources = {
            "lake": lake,
            "spark": SparkResource(lake=lake, remote=engine_address),
            "models": ModelIOManager(lake=lake),
        }
        result = dg.materialize(
            [*model_assets(settings), downstream],
            run_config={"ops": {"trained_model": {"config": config}}},
            resources=resources,
            instance=instance,
            raise_on_error=False,
        )
        return Training(result)

    yield run
    stop_engine()


# ---- the gate


def test_the_first_model_that_passes_the_checks_serves(train: Train, registry: ModelRegistry) -> None:
    first = train()
    assert first.succeeded
    assert first.ran_downstream
    assert first.check.passed
    assert registry.champion_for(LAST) == registry.aliases().champion
    assert first.metadata["alias"] == CHAMPION
    assert first.metadata["champion"] == first.version


def test_a_deliberately_worse_recipe_stays_challenger_and_nothing_downstream_runs(
    train: Train, registry: ModelRegistry
) -> None:
    champion = train()
    worse = train(parameters=HASTY)
    assert not worse.succeeded
    assert not worse.ran_downstream
    aliases = registry.aliases()
    assert [known.version for known in aliases.champions] == [champion.version]
    assert aliases.challenger is not None
    assert aliases.challenger.version == worse.version != champion.version


def test_the_ui_says_why_a_recipe_is_not_promoted(train: Train, registry: ModelRegistry) -> None:
    champion = train()
    worse = train(parameters=HASTY)
    check = worse.check
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert check.description is not None
    assert "not promoted: its WAPE of the 28-day total is " in check.description
    assert f"of champion {champion.version}, refit up to {ORIGIN}" in check.description
    assert {"champion_wrmsse", "champion_wape_total", "errors_times_champion", "chart"} <= set(check.metadata)
    assert worse.metadata["why"] == check.description
    assert (worse.metadata["alias"], worse.metadata["champion"]) == (CHALLENGER, champion.version)
    move = registry.aliases().last_move(worse.version)
    assert move is not None
    assert (move.alias, move.why, move.by) == (CHALLENGER, check.description, worse.result.run_id)


def test_a_better_recipe_is_promoted(train: Train, registry: ModelRegistry) -> None:
    hasty = train(parameters=HASTY)
    better = train(parameters={})
    assert better.succeeded
    assert "refit up to" in str(better.check.description)
    champion = registry.champion_for(LAST)
    assert champion is not None
    assert champion.version == better.version
    assert [move.version for move in registry.aliases().history] == [hasty.version, better.version]


def test_the_champion_is_not_judged_by_a_model_that_has_seen_the_days(train: Train) -> None:
    """The same recipe judged as candidate and as champion's recipe has the same errors: both are fitted to one day."""
    champion = train()
    worse = train(parameters=HASTY)
    refit = {name: worse.check.metadata[f"champion_{name}"].value for name in ("wrmsse", "wape_total")}
    assert refit == {name: champion.metadata[f"model_{name}"] for name in refit}


def test_a_refresh_of_the_same_recipe_needs_no_comparison(train: Train, registry: ModelRegistry) -> None:
    earlier = train(WEEK_AGO)
    later = train(LAST)
    assert f"a refresh of the recipe of champion {earlier.version} needs no comparison" in str(later.check.description)
    assert "champion_wrmsse" not in later.check.metadata
    assert later.metadata["recipe"] == earlier.metadata["recipe"]
    assert [registry.champion_for(day) for day in (WEEK_AGO, LAST)] == registry.champions()


def test_another_sample_size_is_another_recipe(train: Train, shop: Settings) -> None:
    champion = train()
    more = train(settings=shop.model_copy(update={"training_rows": 1_200}))
    assert more.metadata["recipe"] != champion.metadata["recipe"]
    assert more.check.metadata["champion_wrmsse"].value == champion.metadata["model_wrmsse"]


# ---- recipes


def test_a_training_that_is_told_no_parameters_refreshes_those_of_the_champion(train: Train) -> None:
    champion = train(WEEK_AGO, parameters=HASTY)
    weekly = train(LAST)
    assert weekly.metadata["recipe"] == champion.metadata["recipe"]


def test_an_unknown_parameter_is_refused_by_name(train: Train, registry: ModelRegistry) -> None:
    failed = train(parameters={"max_dept": 6})
    assert not failed.succeeded
    [failure] = failed.result.get_step_failure_events()
    assert "no recipe has the parameters max_dept: it has colsample_bynode, " in str(failure.step_failure_data.error)
    assert registry.versions() == []


# ---- a champion of older code


@pytest.fixture
def older(train: Train, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> str:
    """A champion made by the code before this one."""
    champion = train(WEEK_AGO, parameters=HASTY)
    monkeypatch.setattr(model_module, "CODE_VERSION", "next")
    monkeypatch.setattr("nexgen_assets.forecasting.training.CODE_VERSION", "next")
    assert [known.version for known in registry.champions()] == [champion.version]
    return champion.version


def forecast_last_day(shop: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Materialize `forecasts` of LAST, and nothing else of the graph."""
    job = build_defs(shop).resolve_implicit_global_asset_job_def()
    wanted = [dg.AssetKey(FORECASTS.name)]
    return job.execute_in_process(instance=instance, asset_selection=wanted, tags=DayRange(LAST, LAST).tags)


def servers_of_last_day(lake: LakeResource) -> set[str]:
    return set(DeltaTables(lake.access).read(FORECASTS, LAST, LAST)["model_version"].to_pylist())


def test_it_forecasts_nothing_and_the_log_says_to_train(
    shop: Settings, lake: LakeResource, older: str, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    assert forecast_last_day(shop, instance).success
    assert servers_of_last_day(lake) == {SEASONAL_NAIVE}
    told = capfd.readouterr().err
    assert f"champion {older} does not serve: the model was made by code version {CODE_VERSION}, this is next" in told
    assert "retrain, with the job `training`" in told


def test_an_earlier_champion_that_can_be_loaded_serves_in_its_place(
    train: Train, shop: Settings, lake: LakeResource, registry: ModelRegistry, instance: dg.DagsterInstance
) -> None:
    """A release that is taken back: its champion stays, and cannot be loaded by the code before it."""
    own = train(WEEK_AGO).version
    files = registry.load(own)
    manifest = json.loads(files[MANIFEST_FILE]) | {"code_version": "next", "training_cutoff": LAST.isoformat()}
    registry.promote(registry.register(files | {MANIFEST_FILE: json.dumps(manifest).encode()}, LAST).version)
    assert forecast_last_day(shop, instance).success
    assert servers_of_last_day(lake) == {own}


def test_a_new_training_serves_again(
    train: Train, shop: Settings, lake: LakeResource, older: str, instance: dg.DagsterInstance
) -> None:
    newer = train(LAST)
    assert newer.version != older
    assert forecast_last_day(shop, instance).success
    assert servers_of_last_day(lake) == {newer.version}


def test_orders_of_its_forecasts_are_refused_until_the_day_is_forecast_anew(lake: LakeResource, older: str) -> None:
    with pytest.raises(ValueError, match=f"by model {older}, and the model was made by .* with the job `daily`"):
        Champions(lake.access).calibration_of([older])


def publish_forecasts(lake: LakeResource) -> None:
    """The seasonal naive's forecasts of ORIGIN."""
    tables = DeltaTables(lake.access)
    rows = seasonal_naive_forecast(tables.read(CLEANED_FEATURES, ORIGIN, ORIGIN))
    tables.replace_days(FORECASTS, rows, ORIGIN, ORIGIN, "forecasts")


def test_what_this_code_cannot_refit_is_judged_by_the_forecasts_it_published(
    train: Train, lake: LakeResource, older: str
) -> None:
    publish_forecasts(lake)
    newer = train(LAST)
    assert newer.version != older
    assert newer.succeeded
    assert f"of the forecasts published on {ORIGIN} (this code cannot refit the champion)" in str(
        newer.check.description
    )
    assert newer.check.metadata["champion_wrmsse"].value == newer.metadata["seasonal_naive_wrmsse"]


def test_without_such_forecasts_the_baselines_judge_alone_and_the_record_says_so(train: Train, older: str) -> None:
    newer = train(LAST)
    assert newer.succeeded
    assert f"not compared with champion {older}: this code cannot refit it" in str(newer.check.description)


# ---- the record


def test_the_same_inputs_give_the_same_version_and_no_second_entry(train: Train, registry: ModelRegistry) -> None:
    first = train()
    before = registry.aliases()
    again = train()
    assert again.version == first.version
    assert again.succeeded
    assert registry.aliases() == before
    assert len(registry.versions()) == 1


def test_a_version_keeps_the_versions_of_its_data_its_settings_and_its_scores(
    train: Train, registry: ModelRegistry, lake: LakeResource
) -> None:
    trained = train()
    entry = registry.entry(trained.version)
    tables = DeltaTables(lake.access)
    assert entry["data_versions"] == {
        "cleaned_features": tables.version(CLEANED_FEATURES),
        "daily_demand": tables.version(DAILY_DEMAND),
        "calendar": None,
    }
    assert entry["settings"]["training_rows"] == 1_000
    assert entry["settings"]["country"] == "US"
    assert entry["scores"]["model"]["wrmsse"] == trained.metadata["model_wrmsse"]
    assert entry["boosting_rounds"] == trained.metadata["boosting_rounds"] > 0
    assert (entry["recipe"], entry["run_id"]) == (trained.metadata["recipe"], trained.result.run_id)
    assert datetime.fromisoformat(entry["registered_at"]).tzinfo == UTC


def test_a_version_keeps_the_plots_that_the_ui_shows(train: Train, registry: ModelRegistry) -> None:
    trained = train()
    names = registry.entry(trained.version)["plots"]
    assert names == ["calibration", "feature_contributions", "scores"]
    shown = dict(re.findall(r"!\[([a-z_]+)\]\(data:image/png;base64,([^)]+)\)", trained.metadata["plots"]))
    kept = {name: registry.plot(trained.version, name) for name in names}
    assert {name: b64decode(content) for name, content in shown.items()} == kept
    assert all(png.startswith(b"\x89PNG") for png in kept.values())


def test_data_that_housekeeping_rewrote_gives_the_same_version(
    train: Train, lake: LakeResource, registry: ModelRegistry
) -> None:
    first = train()
    tables = DeltaTables(lake.access)
    before = tables.version(CLEANED_FEATURES)
    rows: pa.Table = tables.read(CLEANED_FEATURES, LAST, LAST)
    tables.replace_days(CLEANED_FEATURES, rows, LAST, LAST, "rewritten")
    assert tables.version(CLEANED_FEATURES) != before
    assert train().version == first.version
    assert registry.entry(first.version)["data_versions"]["cleaned_features"] == before


# ---- rollback


def roll_back(lake: LakeResource, instance: dg.DagsterInstance, version: str | None, reason: str) -> Any:
    """Run the job as the UI's launchpad does."""
    return rollback_job().execute_in_process(
        run_config=rollback_run(version, reason).run_config,
        resources={"lake": lake},
        instance=instance,
        raise_on_error=False,
    )


def test_the_job_takes_the_champion_out_of_service_and_the_one_before_serves(
    train: Train, lake: LakeResource, registry: ModelRegistry, instance: dg.DagsterInstance
) -> None:
    earlier, later = train(WEEK_AGO), train(LAST)
    done = roll_back(lake, instance, None, "orders doubled")
    assert done.success
    assert [known.version for known in registry.champions()] == [earlier.version]
    champion = registry.champion_for(LAST)
    assert champion is not None
    assert champion.version == earlier.version
    move = registry.aliases().history[-1]
    assert (move.version, move.alias, move.why, move.by) == (later.version, ROLLED_BACK, "orders doubled", done.run_id)


def test_one_click_without_any_configuration_rolls_the_champion_back(
    train: Train, lake: LakeResource, registry: ModelRegistry, instance: dg.DagsterInstance
) -> None:
    train()
    assert rollback_job().execute_in_process(resources={"lake": lake}, instance=instance).success
    assert registry.champions() == []


def test_the_asset_tells_of_the_rollback(train: Train, lake: LakeResource, instance: dg.DagsterInstance) -> None:
    trained = train()
    roll_back(lake, instance, trained.version, "orders doubled")
    [record] = instance.fetch_observations(dg.AssetKey("trained_model"), limit=10).records
    assert record.asset_observation is not None
    told = {name: value.value for name, value in record.asset_observation.metadata.items()}
    assert told == {"rolled_back": trained.version, "why": "orders doubled", "champion": "the seasonal naive"}


def test_a_version_that_does_not_serve_cannot_be_rolled_back(
    train: Train, lake: LakeResource, registry: ModelRegistry, instance: dg.DagsterInstance
) -> None:
    train()
    before = registry.aliases()
    done = roll_back(lake, instance, "20240101-000000000000", "a slip of the pen")
    assert not done.success
    assert registry.aliases() == before


def test_a_rolled_back_version_trained_again_does_not_return(
    train: Train, lake: LakeResource, registry: ModelRegistry, instance: dg.DagsterInstance
) -> None:
    trained = train()
    roll_back(lake, instance, None, "orders doubled")
    again = train()
    assert again.version == trained.version
    assert not again.succeeded
    assert "it was rolled back on " in str(again.check.description)
    assert str(again.check.description).endswith(": orders doubled")
    assert (registry.champions(), registry.aliases().challenger) == ([], None)


def test_the_alias_file_names_champion_and_challenger_for_any_reader(train: Train, lake: LakeResource) -> None:
    champion, challenger = train(), train(parameters=HASTY)
    content = json.loads(bytes(obstore.get(lake.access.store("models/demand"), "aliases.json").bytes()))
    assert (content["champion"], content["challenger"]) == (champion.version, challenger.version)
    assert [sorted(move) for move in content["history"]] == [["alias", "at", "by", "numbers", "version", "why"]] * 2
