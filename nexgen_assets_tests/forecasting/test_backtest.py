"""A backtest forecasts from past days with what was known then, for every series, by the assets' code."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from nexgen_assets.cli import app
from nexgen_assets.forecasting.backtest import BacktestError, backtest
from nexgen_assets.forecasting.panel import PanelColumns, panel_of
from nexgen_assets.settings import Settings
from nexgen_assets.tables import QUANTILES

FIRST, DAYS, SERIES = date(2025, 1, 1), 150, 40
ORIGIN = FIRST + timedelta(days=DAYS - 15)
LIFT = 2  # a promotion adds so many times the demand without
COLUMNS = PanelColumns(known=("promo",), static=("family",))
SETTINGS = Settings(training_rows=5_000, threads=1)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Poisson demand that a promotion triples, of every second product.

    Series 0 has no row in the last month before the origin.
    """
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        [(f"p{n}", "north", FIRST + timedelta(days=day), n, day) for n in range(SERIES) for day in range(DAYS)],
        columns=["product_id", "location", "date", "n", "day"],
    )
    frame["promo"] = rng.random(len(frame)) < 0.2
    frame["quantity"] = rng.poisson((1 + frame["n"] % 7) * (1 + LIFT * frame["promo"] * (frame["n"] % 2))).astype(float)
    frame["family"] = frame["n"] % 3
    return frame[(frame["n"] > 0) | (frame["day"] < DAYS - 45)]


def _forecast(
    spark: SparkSession, rows: pd.DataFrame, horizon: int = 14, intervals: tuple[int, ...] = (7,)
) -> pa.Table:
    found = list(backtest(spark, panel_of(rows, COLUMNS), [ORIGIN], horizon, intervals, SETTINGS))
    assert len(found) == 1
    return found[0][0]


@pytest.fixture(scope="module")
def forecast(spark: SparkSession, rows: pd.DataFrame) -> pa.Table:
    return _forecast(spark, rows)


def test_every_series_has_every_target_day_once(forecast: pa.Table) -> None:
    found = set(zip(*(forecast[name].to_pylist() for name in ("product_id", "target_date")), strict=True))
    targets = [ORIGIN + timedelta(days=h) for h in range(1, 15)]
    assert found == {(f"p{n}", target) for n in range(SERIES) for target in targets}
    assert forecast.num_rows == len(found)
    assert set(forecast["origin_date"].to_pylist()) == {ORIGIN}


def test_sales_after_the_origin_change_nothing(spark: SparkSession, rows: pd.DataFrame, forecast: pa.Table) -> None:
    shuffled = rows.copy()
    later = shuffled["date"] > ORIGIN
    shuffled.loc[later, "quantity"] = None
    shuffled.loc[shuffled["date"] == ORIGIN + timedelta(days=15), "quantity"] = 1_000.0
    assert _forecast(spark, shuffled).equals(forecast)


def test_a_promotion_known_ahead_is_forecast_by_what_it_did_to_the_product(
    rows: pd.DataFrame, forecast: pa.Table
) -> None:
    found = forecast.to_pandas().merge(rows, left_on=["product_id", "target_date"], right_on=["product_id", "date"])
    rate = found["mean"] / (1 + found["n"] % 7)
    for is_lifted, lift in ((found["n"] % 2 == 1, 1 + LIFT), (found["n"] % 2 == 0, 1)):
        forecast_lift = rate[found["promo"] & is_lifted].mean() / rate[~found["promo"] & is_lifted].mean()
        assert forecast_lift == pytest.approx(lift, rel=0.25)


def test_quantiles_never_fall_and_intervals_stand_on_their_last_day(forecast: pa.Table) -> None:
    table = forecast.to_pandas()
    daily = table[list(QUANTILES)].to_numpy()
    assert (np.diff(daily, axis=1) >= 0).all()
    assert (daily >= 0).all()
    totals = table[[f"cum7_{name}" for name in QUANTILES]]
    is_seventh = table["target_date"] == ORIGIN + timedelta(days=7)
    assert totals[~is_seventh].isna().all(axis=None)
    assert (np.diff(totals[is_seventh].to_numpy(), axis=1) >= 0).all()
    sums = table[table["target_date"] <= ORIGIN + timedelta(days=7)].groupby("product_id")["mean"].sum()
    means = table[is_seventh].set_index("product_id")["cum7_mean"]
    np.testing.assert_allclose(means, sums.loc[means.index], rtol=1e-5)


@pytest.mark.parametrize(
    ("origin", "horizon", "intervals", "message"),
    [
        (FIRST + timedelta(days=400), 14, (), "outside the days whose sales are known"),
        (ORIGIN, 29, (), "it can be 1 to 28"),
        (ORIGIN, 7, (14,), "does not fit into the horizon of 7"),
    ],
)
def test_what_cannot_be_forecast_is_refused(  # noqa: PLR0917
    spark: SparkSession, rows: pd.DataFrame, origin: date, horizon: int, intervals: tuple[int, ...], message: str
) -> None:
    with pytest.raises(BacktestError, match=message):
        list(backtest(spark, panel_of(rows, COLUMNS), [origin], horizon, intervals, SETTINGS))


def test_the_command_writes_a_file_or_nothing(rows: pd.DataFrame, tmp_path: Path) -> None:
    panel, out = tmp_path / "panel.parquet", tmp_path / "forecasts.parquet"
    rows.to_parquet(panel)
    base = ["backtest", str(panel), "--known", "promo", "--horizon", "7", "--out", str(out), "--origins"]
    refused = CliRunner().invoke(app, [*base, "2031-01-01"])
    assert refused.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["panel.parquet"]
    done = CliRunner().invoke(app, [*base, str(ORIGIN)], env={"NEXGEN_TRAINING_ROWS": "2000"})
    assert done.exit_code == 0, done.output
    assert pq.read_metadata(out).num_rows == SERIES * 7
