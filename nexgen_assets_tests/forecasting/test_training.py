"""Training sees the past only, samples from the origin's side, and gives a model that knows what it learned."""

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import DataFrame, SparkSession

from nexgen_assets.forecasting import holdout, lessons, sampling, training
from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.forecasting.evaluation import squared_step_mean
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.model import ModelError, TrainedModel
from nexgen_assets.forecasting.panel import PanelColumns, panel_of
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.tables import CLEANED_FEATURES, DAILY_DEMAND, FORECASTS, HORIZON_DAYS, QUANTILES
from nexgen_assets_tests.forecasting.panels import demand_panel

FIRST = date(2024, 1, 1)
DAYS = 260
LAST = FIRST + timedelta(days=DAYS - 1)
AS_OF = LAST - timedelta(days=10)
ROWS = 3_000
KEYS = ["day", "product_id", "location", "horizon"]


@dataclass(frozen=True)
class Panel:
    """Demand with a strong weekday pattern, and its features, as arrow tables and as the engine's frames."""

    demand: pa.Table
    features: pa.Table
    demand_frame: DataFrame
    features_frame: DataFrame

    @classmethod
    def of(cls, spark: SparkSession, demand: pa.Table, features: pa.Table) -> "Panel":
        frames = (
            spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl),
            spark.createDataFrame(features, CLEANED_FEATURES.spark_ddl),
        )
        return cls(demand, features, *frames)

    def until(self, spark: SparkSession, day: date) -> "Panel":
        return Panel.of(
            spark, *(t.filter(pc.less_equal(t["day"], pa.scalar(day))) for t in (self.demand, self.features))
        )

    def sample(self, as_of: date = AS_OF, rows: int = ROWS) -> pa.Table:
        return sampling.training_frame(self.features_frame, self.demand_frame, as_of, rows)

    def train(self, as_of: date = AS_OF) -> TrainedModel:
        planned = Plans.none()
        return training.train(self.features_frame, self.demand_frame, as_of, planned, ROWS, "US")


@pytest.fixture(scope="module")
def panel(spark: SparkSession) -> Panel:
    demand = demand_panel(FIRST, DAYS, series=90, seed=2)
    features = cleaned_features(spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl), FIRST, LAST, 400).toArrow()
    return Panel.of(spark, demand, features)


@pytest.fixture(scope="module")
def sample(panel: Panel) -> pa.Table:
    return panel.sample()


@pytest.fixture(scope="module")
def model(panel: Panel) -> TrainedModel:
    return panel.train()


def test_a_missing_target_row_is_no_demand_and_others_are_their_demand(sample: pa.Table, panel: Panel) -> None:
    connection = duckdb.connect()
    connection.register("sample", sample)
    connection.register("demand", panel.demand)
    wrong, missing = connection.sql("""
        select count(*) filter (s.target <> coalesce(d.demand_units, 0)), count(*) filter (d.day is null)
        from sample s left join demand d on d.product_id = s.product_id and d.location = s.location
            and d.day = s.day + s.horizon
    """).fetchall()[0]
    assert wrong == 0
    assert missing > 0


def test_targets_lie_at_the_cutoff_or_before(sample: pa.Table) -> None:
    targets = [
        day + timedelta(days=h) for day, h in zip(*(sample[k].to_pylist() for k in ("day", "horizon")), strict=True)
    ]
    assert max(targets) <= AS_OF


def test_every_horizon_is_sampled(sample: pa.Table) -> None:
    assert set(sample["horizon"].to_pylist()) == set(range(1, HORIZON_DAYS + 1))


def test_days_known_to_be_out_of_stock_are_told_apart(sample: pa.Table, panel: Panel) -> None:
    stockouts = panel.demand.filter(panel.demand["is_stockout"])
    out = set(zip(*(stockouts[k].to_pylist() for k in ("product_id", "location", "day")), strict=True))
    assert out
    for day, product, place, h, is_censored in zip(
        *(sample[k].to_pylist() for k in (*KEYS, "is_censored")), strict=True
    ):
        assert is_censored == ((product, place, day + timedelta(days=h)) in out)


def test_unknown_demand_is_no_target(panel: Panel, spark: SparkSession) -> None:
    number = panel.demand.schema.get_field_index("demand_units")
    field = panel.demand.schema.field(number).with_nullable(True)
    nothing_known = panel.demand.set_column(number, field, pa.nulls(panel.demand.num_rows, field.type))
    blind = Panel.of(spark, nothing_known, panel.features).sample()
    told = {tuple(row.values()) for row in panel.demand.select(["product_id", "location", "day"]).to_pylist()}
    targets = {
        (product, place, day + timedelta(days=h))
        for day, product, place, h in zip(*(blind[k].to_pylist() for k in KEYS), strict=True)
    }
    assert targets
    assert not targets & {(product, place, day) for product, place, day in told}


def _censored_frame(sold_without_stock: float) -> pa.Table:
    """Two rows of one series that sells 4 units on days in stock; on the second it was out of stock."""
    names = ("target", "sampling_weight", "in_stock_mean_28")
    values = {"target": [4.0, sold_without_stock], "sampling_weight": [1.0, 1.0], "in_stock_mean_28": [4.0, 4.0]}
    return pa.table(
        {name: values[name] for name in names}
        | {"is_censored": [False, True], "horizon": [1, 1], "day": pa.array([AS_OF, AS_OF], pa.date32())}
    )


def test_sales_of_days_without_stock_are_scaled_up_to_those_of_other_days() -> None:
    level = np.ones(2, np.float32)
    assert lessons.Lessons.of(_censored_frame(1.0), level).target.tolist() == [4.0, 4.0]


def test_sales_of_days_without_stock_are_never_scaled_down() -> None:
    level = np.ones(2, np.float32)
    assert lessons.Lessons.of(_censored_frame(9.0), level).target.tolist() == [4.0, 9.0]


def test_days_without_stock_teach_less() -> None:
    weight = lessons.Lessons.of(_censored_frame(1.0), np.ones(2, np.float32)).weight
    assert 0 < weight[1] < weight[0]


def test_origins_are_chosen_without_looking_at_the_target(sample: pa.Table, panel: Panel, spark: SparkSession) -> None:
    nothing_sold = panel.demand.slice(0, 0)
    blind = Panel.of(spark, nothing_sold, panel.features).sample()
    chosen = {tuple(row.values()) for row in sample.select(KEYS).to_pylist()}
    blindly = {tuple(row.values()) for row in blind.select(KEYS).to_pylist()}
    assert chosen == blindly


def test_weights_undo_the_sampling(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    some = panel.sample(rows=1_000)
    monkeypatch.setattr(sampling, "ROWS_A_SERIES", 10**6)
    every = panel.sample(rows=10**9)
    assert some.num_rows < every.num_rows / 2
    estimate = np.sum(some["target"].to_numpy() * some["sampling_weight"].to_numpy())
    assert estimate == pytest.approx(every["target"].to_numpy().sum(), rel=0.2)
    assert set(every["sampling_weight"].to_pylist()) == {1.0}


def test_a_series_teaches_so_many_rows_and_more_are_not_sampled(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "FEWEST_ROWS", 0)
    assert panel.sample(rows=10**9).num_rows <= 1.05 * 90 * sampling.ROWS_A_SERIES


def test_fast_movers_teach_more_rows(panel: Panel, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "FEWEST_ROWS", 0)
    units = pa.array(np.full(panel.features.num_rows, 100.0))
    index = panel.features.schema.get_field_index("demand_mean_28")
    fast = Panel.of(spark, panel.demand, panel.features.set_column(index, "demand_mean_28", units))
    rows, slow_rows = (told.sample(rows=10**9).num_rows for told in (fast, panel))
    assert slow_rows <= 90 * sampling.ROWS_A_SERIES < 2 * slow_rows
    assert rows > 1.5 * slow_rows


def test_the_sample_is_about_as_large_as_asked(panel: Panel) -> None:
    assert 600 < panel.sample(rows=1_000).num_rows <= 1_000 + 4 * 1_000**0.5  # each row is drawn by chance


def test_no_history_is_an_error_that_says_so(panel: Panel) -> None:
    with pytest.raises(sampling.TrainingError, match="origins"):
        panel.sample(as_of=FIRST + timedelta(days=12))


def test_the_same_data_gives_the_same_bytes(panel: Panel, model: TrainedModel) -> None:
    assert panel.train().to_files() == model.to_files()


def test_data_after_the_cutoff_changes_nothing(panel: Panel, model: TrainedModel, spark: SparkSession) -> None:
    assert panel.until(spark, AS_OF).train().to_files() == model.to_files()


def test_it_is_judged_on_28_days_against_both_baselines(model: TrainedModel) -> None:
    assert set(model.metrics) == {"model", "seasonal_naive", "moving_average_28"}
    for scores in model.metrics.values():
        assert {"wrmsse", "wape_total", "wape", "bias"} <= set(scores)
        assert np.isfinite(list(scores.values())).all()
    assert 0.7 < model.metrics["model"]["coverage_q95"] <= 1


def test_it_learns_the_week(model: TrainedModel) -> None:
    """No week's level changes in this panel, so the baselines' totals are hard to beat; the days within it are not."""
    for method in ("seasonal_naive", "moving_average_28"):
        assert model.metrics["model"]["wrmsse"] < 0.9 * model.metrics[method]["wrmsse"]


@pytest.fixture(scope="module")
def data(panel: Panel) -> training.TrainingData:
    return training.training_data(panel.features_frame, panel.demand_frame, AS_OF, ROWS)


def test_a_recipe_refit_for_comparison_has_the_scores_of_its_own_model(
    model: TrainedModel, data: training.TrainingData
) -> None:
    scores = training.refit_scores(data, Plans.none(), model.recipe)
    assert scores == {name: model.metrics["model"][name] for name in scores}


def test_other_parameters_make_another_recipe_and_another_model(
    model: TrainedModel, data: training.TrainingData
) -> None:
    planned = Plans.none()
    other = training.fit(data, planned, training.recipe_of(planned, ROWS, "US", {"max_depth": 2, "rounds": 3}))
    assert (other.recipe.parameters["max_depth"], other.recipe.rounds) == (2, 3)
    assert other.recipe.overrides == {"max_depth": 2, "rounds": 3}
    assert other.recipe != model.recipe
    assert other.mean_model != model.mean_model


def test_published_forecasts_have_the_scores_of_what_made_them(
    model: TrainedModel, data: training.TrainingData
) -> None:
    published = seasonal_naive_forecast(data.holdout.features)
    scores = training.published_scores(data, published)
    assert scores == pytest.approx({name: model.metrics["seasonal_naive"][name] for name in scores or ()}, rel=1e-5)
    assert scores


def test_published_forecasts_that_lack_a_row_are_no_judge(data: training.TrainingData) -> None:
    published = seasonal_naive_forecast(data.holdout.features)
    assert training.published_scores(data, published.slice(1)) is None
    assert training.published_scores(data, published.slice(0, 0)) is None


def test_the_scale_of_a_series_counts_the_days_without_a_row(panel: Panel) -> None:
    origin = AS_OF
    facts = holdout._past_facts(panel.demand_frame, origin).toArrow().to_pylist()
    assert len(facts) > 20
    for fact in facts:
        history = np.zeros((origin - FIRST).days + 1)
        product, location = (pc.equal(panel.demand[name], fact[name]) for name in ("product_id", "location"))
        mine = panel.demand.filter(pc.and_(product, location))
        for row in mine.to_pylist():
            if row["day"] <= origin:
                history[(row["day"] - FIRST).days] = float(row["demand_units"])
        assert fact["scale"] == pytest.approx(squared_step_mean(history))


def test_a_model_survives_its_files(panel: Panel, model: TrainedModel) -> None:
    files = model.to_files()
    again = TrainedModel.from_files(files)
    assert set(files) == {"model-0.ubj", "model-1.ubj", "spread.ubj", "manifest.json"}
    assert again == model
    assert _forecast(again, panel).equals(_forecast(model, panel))


def test_a_model_of_other_features_is_refused(model: TrainedModel) -> None:
    files = model.to_files()
    files["manifest.json"] = files["manifest.json"].replace(b'"log_level"', b'"log_levels"')
    with pytest.raises(ModelError, match="log_level"):
        TrainedModel.from_files(files)


def _forecast(model: TrainedModel, panel: Panel, threads: int = 1) -> pa.Table:
    origins = panel.features.filter(pc.equal(panel.features["day"], pa.scalar(AS_OF)))
    return model.predict(origins, Plans.none(), model_version="v1", threads=threads)


def test_a_forecast_is_the_contract_s_table(panel: Panel, model: TrainedModel) -> None:
    table = _forecast(model, panel)
    origins = panel.features.filter(pc.equal(panel.features["day"], pa.scalar(AS_OF))).num_rows
    assert table.schema.names == FORECASTS.names
    assert table.schema.types == FORECASTS.arrow_schema.types
    assert table.num_rows == origins * HORIZON_DAYS
    assert table["target_date"][0].as_py() == AS_OF + timedelta(days=1)
    assert set(table["model_version"].to_pylist()) == {"v1"}
    stacked = np.stack([table[name].to_numpy() for name in QUANTILES])
    assert (stacked >= 0).all()
    assert (np.diff(stacked, axis=0) >= 0).all()


def test_threads_and_batches_change_nothing(panel: Panel, model: TrainedModel) -> None:
    whole = _forecast(model, panel)
    assert _forecast(model, panel, threads=2).equals(whole)
    batches = panel.features.filter(pc.equal(panel.features["day"], pa.scalar(AS_OF))).to_batches(max_chunksize=7)
    parts = [model.predict(batch, Plans.none(), model_version="v1") for batch in batches]
    assert pa.concat_tables(parts).equals(whole)


def test_no_origins_give_no_rows(panel: Panel, model: TrainedModel) -> None:
    table = model.predict(panel.features.slice(0, 0), Plans.none(), model_version="v1")
    assert table.num_rows == 0
    assert table.schema.names == FORECASTS.names


def _shuffled(series: int = 40, days: int = 200) -> pd.DataFrame:
    """Days drawn at random: nothing in a series' past tells its future but its mean. `told` gives the future away."""
    rng = np.random.default_rng(8)
    units = rng.poisson(np.linspace(2, 20, series)[:, None], (series, days)).astype(float)
    days_of = [FIRST + timedelta(days=n) for n in range(days)]
    rows = [(f"p{s:02d}", "north", day, units[s, n]) for s in range(series) for n, day in enumerate(days_of)]
    return pd.DataFrame(rows, columns=["product_id", "location", "date", "quantity"]).assign(
        told=lambda shown: shown["quantity"]
    )


@pytest.mark.parametrize(("known", "is_told"), [((), False), (("told",), True)])
def test_where_days_are_shuffled_no_model_beats_the_mean_unless_the_future_leaks(
    spark: SparkSession, known: tuple[str, ...], *, is_told: bool
) -> None:
    rows = _shuffled()
    shuffled = panel_of(rows, PanelColumns(known=known))
    last = shuffled.last_day
    origin = last - timedelta(days=HORIZON_DAYS)
    demand = spark.createDataFrame(shuffled.demand(last), DAILY_DEMAND.spark_ddl)
    features = cleaned_features(demand, FIRST, last, 400)
    model = training.train(features, demand, origin, shuffled.covariates, 20_000, "US")
    at_origin = features.where(f"day = date '{origin}'").toArrow().sort_by("product_id")
    means, _ = model.means_and_spread(at_origin, shuffled.covariates)
    actual = rows["quantity"].to_numpy().reshape(40, -1)[:, -HORIZON_DAYS:]
    rates = np.linspace(2, 20, 40)[:, None]
    error, least = np.square(means - actual).sum(), np.square(rates - actual).sum()
    assert (error < 0.5 * least) if is_told else (0.98 * least < error < 1.15 * least)
