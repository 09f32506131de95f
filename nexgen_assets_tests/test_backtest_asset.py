"""The asset `backtest` in real Dagster runs: what its job leaves in the table, in the UI and in the registry."""

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from PIL import Image
from pyspark.sql import SparkSession

from nexgen_assets.definitions import build_defs
from nexgen_assets.forecasting.baselines import seasonal_naive
from nexgen_assets.forecasting.boosting import PARAMETERS
from nexgen_assets.forecasting.model import TrainedModel
from nexgen_assets.forecasting.search import SPACE
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.aliases import CHAMPION
from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.resources.spark import SparkResource, stop_engine
from nexgen_assets.settings import Settings
from nexgen_assets.tables import BACKTEST, CLEANED_FEATURES, DAILY_DEMAND
from nexgen_assets_tests.shops import LAST, materialization, open_shop

PLOTS = ("error_by_origin", "error_by_horizon", "error_by_segment", "calibration", "feature_contributions")
MOST_CHARACTERS = 150_000
Config = dict[str, Any]


class Shop:
    """A shop whose jobs run as the UI would start them."""

    def __init__(self, settings: Settings, engine_address: str) -> None:
        self.lake = LakeResource.from_settings(settings)
        self.tables = DeltaTables(self.lake.access)
        self._resources = {"spark": SparkResource(lake=self.lake, remote=engine_address)}
        self._defs = build_defs(settings, self._resources)

    def run(self, job: str, asset: str, config: Config, *, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
        return self._defs.resolve_job_def(job).execute_in_process(
            run_config={"ops": {asset: {"config": config}}}, raise_on_error=raise_on_error
        )

    def backtest(self, **config: Any) -> dict[str, Any]:
        """The metadata that a backtest leaves."""
        done = self.run("backtesting", "backtest", {"as_of": LAST.isoformat(), **config})
        made = materialization(done)
        return {name: value.value for name, value in made.metadata.items()}


@pytest.fixture(scope="module")
def shop(
    seaweed: S3Access, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, engine_address: str
) -> Iterator[Shop]:
    """A shop whose champion has another recipe than the code's."""
    settings = open_shop(seaweed, spark, tmp_path_factory.mktemp("shop"))
    stop_engine()
    made = Shop(settings, engine_address)
    made.run("training", "trained_model", {"as_of": LAST.isoformat(), "parameters": {"rounds": 40}})
    yield made
    stop_engine()


@pytest.fixture(scope="module")
def told(shop: Shop) -> dict[str, Any]:
    return shop.backtest(origins=2, spacing_days=21)


@pytest.fixture(scope="module")
def rows(shop: Shop, told: dict[str, Any]) -> list[dict[str, Any]]:
    assert told["dagster/row_count"] > 0
    return shop.tables.read(BACKTEST).to_pylist()


def overall(rows: list[dict[str, Any]], method: str, target: str, horizon: int) -> list[dict[str, Any]]:
    """Rows of all series, oldest origin first."""
    wanted = (method, "all", target, horizon)
    found = [row for row in rows if tuple(row[k] for k in ("method", "segment", "target", "horizon")) == wanted]
    return sorted(found, key=lambda row: row["origin_date"])


# ---- the table


def test_every_method_is_judged_at_every_origin_by_every_horizon(rows: list[dict[str, Any]]) -> None:
    origins = [LAST - timedelta(days=28 + 21), LAST - timedelta(days=28)]
    for method in ("model", "champion", "seasonal_naive", "moving_average_28"):
        for target, horizons in (("day", range(1, 29)), ("all_days", [28]), ("total", [7, 14, 28])):
            for horizon in horizons:
                assert [row["origin_date"] for row in overall(rows, method, target, horizon)] == origins


def test_the_champion_is_fitted_by_its_own_recipe(shop: Shop, rows: list[dict[str, Any]]) -> None:
    champion = ModelRegistry(shop.lake.access).aliases().champion
    assert champion is not None
    recipes = {row["method"]: row["recipe"] for row in rows}
    assert recipes["champion"] == ModelRegistry(shop.lake.access).entry(champion.version)["recipe"]
    assert recipes["model"] not in (recipes["champion"], None)
    assert (recipes["seasonal_naive"], recipes["moving_average_28"]) == (None, None)


def test_demand_is_that_of_the_28_days_after_the_origin(shop: Shop, rows: list[dict[str, Any]]) -> None:
    for row in overall(rows, "model", "total", 28):
        origin = row["origin_date"]
        after = shop.tables.read(DAILY_DEMAND, origin + timedelta(days=1), origin + timedelta(days=28))
        assert row["demand_units"] == float(pc.sum(after["demand_units"]).as_py())
        assert row["series"] == pc.count_distinct(after["product_id"]).as_py()


def test_a_baseline_forecasts_from_the_origins_own_features(shop: Shop, rows: list[dict[str, Any]]) -> None:
    for row in overall(rows, "seasonal_naive", "all_days", 28):
        features = shop.tables.read(CLEANED_FEATURES, row["origin_date"], row["origin_date"])
        assert row["forecast_units"] == pytest.approx(seasonal_naive(features).sum(), rel=1e-6)


# ---- what the UI shows


def test_the_headlines_pool_the_origins(told: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    for method in ("model", "champion", "seasonal_naive", "moving_average_28"):
        totals = overall(rows, method, "total", 28)
        errors, demand = (sum(row[name] for row in totals) for name in ("absolute_error_units", "demand_units"))
        assert told[f"{method}_wape_total"] == pytest.approx(errors / demand)


def test_the_plots_are_images_small_enough_for_the_event_log(told: dict[str, Any]) -> None:
    images = re.findall(r"!\[([a-z_]+)\]\(data:image/png;base64,([^)]+)\)", told["plots"])
    assert tuple(name for name, _ in images) == PLOTS
    for _, content in images:
        image = Image.open(BytesIO(b64decode(content)))
        assert image.format == "PNG"
        assert image.width >= 600
    assert len(told["plots"]) < MOST_CHARACTERS


def test_tables_name_the_methods_and_the_worst_items(told: dict[str, Any]) -> None:
    assert [record.data["method"] for record in told["scores"].records] == [
        *("model", "champion", "seasonal_naive", "moving_average_28")
    ]
    worst = [record.data for record in told["worst_items"].records]
    assert len(worst) == 15
    money = [float(item["error_value"].replace(",", "")) for item in worst]
    assert money == sorted(money, reverse=True)
    # the trending panel sells everything at 3 a unit
    assert money[0] == pytest.approx(3 * worst[0]["error_units"], abs=0.2)


def test_a_backtest_moves_no_alias(shop: Shop, told: dict[str, Any]) -> None:
    assert "of champion" in told["compared_with"]
    [move] = ModelRegistry(shop.lake.access).aliases().history
    assert move.alias == CHAMPION


# ---- configuration


def test_a_recipe_that_is_the_champions_is_fitted_once(shop: Shop) -> None:
    told = shop.backtest(origins=1, parameters={"rounds": 40})
    assert {row["method"] for row in shop.tables.read(BACKTEST).to_pylist()} == {
        *("model", "seasonal_naive", "moving_average_28")
    }
    assert "which is that of champion" in told["compared_with"]


def test_more_origins_than_there_is_history_for_are_refused_with_advice(shop: Shop) -> None:
    before = shop.tables.version(BACKTEST)
    done = shop.run("backtesting", "backtest", {"origins": 9, "as_of": LAST.isoformat()}, raise_on_error=False)
    assert not done.success
    [failure] = done.get_step_failure_events()
    assert "Ask for fewer `origins`" in str(failure.step_failure_data.error)
    assert shop.tables.version(BACKTEST) == before


# ---- the search for parameters


def test_a_search_ends_with_a_configuration_that_a_training_takes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARAMETERS, "eta", SPACE["eta"].low)  # too slow to learn: there is a better one to find
    config = {"as_of": LAST.isoformat(), "trials": 3, "origins": 1}
    done = shop.run("search_parameters", "parameter_search", config)
    made = materialization(done)
    found = {name: value.value for name, value in made.metadata.items()}
    assert (found["trials"], found["trials_given_up"]) == (3, 0)
    assert "![trials](data:image/png;base64," in found["plots"]
    assert found["best_trials"].records[0].data["value"] == found["best_value"] < 1
    pasted = yaml.safe_load(found["what_to_do"].split("```yaml")[1].split("```")[0])
    told = pasted["ops"]["trained_model"]["config"]
    assert told == {"as_of": LAST.isoformat(), "parameters": found["best_parameters"]}
    before = ModelRegistry(shop.lake.access).aliases()
    shop.run("training", "trained_model", told, raise_on_error=False)
    moved = ModelRegistry(shop.lake.access).aliases().history[len(before.history)]
    recipe = TrainedModel.stored_recipe(ModelRegistry(shop.lake.access).load(moved.version))
    assert {name: {**recipe.parameters, "rounds": recipe.rounds}[name] for name in told["parameters"]} == (
        told["parameters"]
    )


def test_a_search_does_not_see_the_days_that_the_gate_judges_by(shop: Shop) -> None:
    """With other sales in the last 28 days it finds the same."""
    judged = (LAST - timedelta(days=27), LAST)
    before = shop.tables.read(DAILY_DEMAND, *judged)

    def best() -> float:
        done = shop.run("search_parameters", "parameter_search", {"trials": 2, "origins": 1, "as_of": LAST.isoformat()})
        made = materialization(done)
        return float(str(made.metadata["best_value"].value))

    expected = best()
    try:
        shop.tables.replace_days(DAILY_DEMAND, doubled(before), *judged, "doubled")
        assert best() == expected
    finally:
        shop.tables.replace_days(DAILY_DEMAND, before, *judged, "restored")


def doubled(rows: pa.Table) -> pa.Table:
    place = rows.schema.get_field_index("demand_units")
    field = rows.schema.field(place)
    return rows.set_column(place, field, pc.multiply(rows["demand_units"].cast(pa.float64()), 2).cast(field.type))
