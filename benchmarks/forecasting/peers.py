"""The peers: how the same panels are forecast with the libraries that people would use instead.

Settings are those under which each did best on the panels here; every peer sees the days up to the origin, and of the
days after it only the covariates declared known. A day without a row is a day without a sale to them.
"""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from benchmarks.forecasting.panels import BenchmarkPanel

SHARES = {"q10": 0.1, "q50": 0.5, "q90": 0.9, "q95": 0.95, "q99": 0.99}
THREADS = 2
WINDOWS = (3, 7, 14, 28, 56, 112)
MOST_ROWS = 500_000
KEYS = ["product_id", "location"]

Peer = Callable[[BenchmarkPanel, pd.DataFrame, date], pd.DataFrame]


def seasonal_naive(panel: BenchmarkPanel, rows: pd.DataFrame, origin: date) -> pd.DataFrame:
    """The last seven days repeated."""
    grid = _Grid(panel, rows, origin)
    ahead = np.arange(panel.horizon_days)
    return grid.table(grid.sold[:, -7:][:, ahead % 7])


def moving_average_28(panel: BenchmarkPanel, rows: pd.DataFrame, origin: date) -> pd.DataFrame:
    """The mean of the last 28 days, quantiles those of the same days."""
    grid = _Grid(panel, rows, origin)
    recent = grid.sold[:, -28:]
    quantiles = {
        name: _repeat(np.quantile(recent, share, axis=1, method="inverted_cdf"), panel)
        for name, share in SHARES.items()
    }
    return grid.table(_repeat(recent.mean(axis=1), panel), quantiles)


def same_weekdays(panel: BenchmarkPanel, rows: pd.DataFrame, origin: date) -> pd.DataFrame:
    """The mean of the last eight same weekdays."""
    grid = _Grid(panel, rows, origin)
    weeks = min(8, grid.sold.shape[1] // 7)
    by_weekday = grid.sold[:, -7 * weeks :].reshape(len(grid.sold), weeks, 7).mean(axis=1)
    return grid.table(by_weekday[:, np.arange(panel.horizon_days) % 7])


def mlforecast_mean(panel: BenchmarkPanel, rows: pd.DataFrame, origin: date) -> pd.DataFrame:
    """mlforecast with XGBoost, recursive, without intervals."""
    return mlforecast_xgboost(panel, rows, origin, has_intervals=False)


def mlforecast_xgboost(
    panel: BenchmarkPanel, rows: pd.DataFrame, origin: date, *, has_intervals: bool = True
) -> pd.DataFrame:
    """mlforecast with XGBoost, recursive, conformal intervals from two windows."""
    import xgboost
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import ExpandingMean, RollingMean, RollingStd, SeasonalRollingMean
    from mlforecast.utils import PredictionIntervals

    data = _long(panel, rows)
    static = list(panel.static)
    known = list(panel.known)
    past = data[data["ds"] <= pd.Timestamp(origin)]
    longest = int(past.groupby("unique_id")["ds"].count().max())
    weeks = range(7, min(57, max(8, (longest - 2 * panel.horizon_days) // 2)), 7)
    model = xgboost.XGBRegressor(
        n_estimators=200,
        max_depth=8,
        learning_rate=0.08,
        tree_method="hist",
        max_bin=128,
        n_jobs=THREADS,
        subsample=0.8,
        colsample_bytree=0.8,
    )
    transforms = {
        1: [ExpandingMean(), RollingMean(7), RollingStd(7), RollingMean(28)],
        7: [RollingMean(7), RollingMean(14), RollingMean(28), RollingStd(28), SeasonalRollingMean(7, 4)],
    }
    if longest < 120:
        transforms = {1: [RollingMean(7), RollingStd(7)], 7: [RollingMean(7)]}
    forecaster = MLForecast(
        models={"model": model},
        freq="D",
        lags=[1, 2, 3, *weeks],
        lag_transforms=transforms,
        date_features=["dayofweek", "day", "month"],
        num_threads=THREADS,
    )
    ahead = data[(data["ds"] > pd.Timestamp(origin)) & (data["ds"] <= _last(panel, origin))]
    needed = panel.horizon_days * 2 + 15  # to train on before the two windows
    long_enough = past.groupby("unique_id")["ds"].transform("count") >= needed
    fitted, others = past[long_enough], past[~long_enough]
    forecaster.fit(
        fitted[["unique_id", "ds", "y", *known, *static]],
        static_features=static,
        prediction_intervals=PredictionIntervals(n_windows=2, h=panel.horizon_days) if has_intervals else None,
    )
    ids = fitted["unique_id"].unique()
    future = ahead.loc[ahead["unique_id"].isin(ids), ["unique_id", "ds", *known]]
    # one-sided 0.9, 0.95, 0.99 are the upper ends of two-sided 80, 90, 98
    found = forecaster.predict(
        panel.horizon_days, X_df=future if known else None, level=[80, 90, 98] if has_intervals else None
    )
    columns = {"mean": found["model"]}
    if has_intervals:
        columns |= {
            "q10": found["model-lo-80"],
            "q50": found["model"],
            "q90": found["model-hi-80"],
            "q95": found["model-hi-90"],
            "q99": found["model-hi-98"],
        }
    table = found[["unique_id", "ds"]].assign(**{name: np.maximum(value, 0) for name, value in columns.items()})
    if len(others):  # series too short for it: their recent mean
        recent = others[others["ds"] > pd.Timestamp(origin) - pd.Timedelta(28, "D")].groupby("unique_id")["y"].mean()
        short = ahead.loc[ahead["unique_id"].isin(others["unique_id"]), ["unique_id", "ds"]]
        value = short["unique_id"].map(recent).fillna(0.0)
        table = pd.concat([table, short.assign(**dict.fromkeys(columns, value))])
    return _named(table, origin)


def stacked_lightgbm(panel: BenchmarkPanel, rows: pd.DataFrame, origin: date) -> pd.DataFrame:
    """Direct LightGBM: rows of series x origin x step, demand by level, a Tweedie mean and five pinball models."""
    import lightgbm

    grid = _Grid(panel, rows, origin)
    horizon, days = panel.horizon_days, grid.sold.shape[1]
    oldest = min(days // 3, 112)
    stride = 7 if days > 150 else 1
    cuts = list(range(days - horizon, oldest, -stride))
    rng = np.random.default_rng(7)
    per_cut = max(1, MOST_ROWS // len(cuts))
    matrices, targets, levels = [], [], []
    for cut in cuts:
        alive = np.flatnonzero(grid.first < cut)
        pairs = rng.choice(len(alive) * horizon, min(per_cut, len(alive) * horizon), replace=False)
        series, step = alive[pairs // horizon], pairs % horizon + 1
        matrix, level = grid.stacked(cut, series, step)
        keep = np.isfinite(grid.target[series, cut + step - 1])
        matrices.append(matrix[keep])
        targets.append(grid.target[series, cut + step - 1][keep])
        levels.append(level[keep])
    matrix, target, level = np.concatenate(matrices), np.concatenate(targets), np.concatenate(levels)
    data = lightgbm.Dataset(matrix, target / level, weight=level)
    series, step = np.repeat(np.arange(len(grid.sold)), horizon), np.tile(np.arange(1, horizon + 1), len(grid.sold))
    asked, asked_level = grid.stacked(days, series, step)
    common = {"learning_rate": 0.05, "num_leaves": 63, "min_data_in_leaf": 100, "feature_fraction": 0.7,
              "bagging_fraction": 0.8, "bagging_freq": 1, "num_threads": THREADS, "verbose": -1, "seed": 7}  # fmt: skip

    def forecast(rounds: int, **objective: object) -> np.ndarray:
        booster = lightgbm.train({**common, **objective}, data, rounds)
        predicted = np.asarray(booster.predict(asked, num_threads=THREADS))
        return np.maximum(predicted * asked_level, 0).reshape(-1, horizon)

    mean = forecast(200, objective="tweedie", tweedie_variance_power=1.3)
    quantiles = {name: forecast(150, objective="quantile", alpha=share) for name, share in SHARES.items()}
    ordered = np.sort(np.stack(list(quantiles.values())), axis=0)
    return grid.table(mean, dict(zip(quantiles, ordered, strict=True)))


class _Grid:
    """A panel on a grid of series x days up to an origin, covariates beyond it."""

    def __init__(self, panel: BenchmarkPanel, rows: pd.DataFrame, origin: date) -> None:
        self.panel, self.origin = panel, origin
        rows = rows[rows["date"] <= _last(panel, origin)]
        known = rows[rows["date"] <= pd.Timestamp(origin)]
        self.keys = known[KEYS].drop_duplicates().sort_values(KEYS).reset_index(drop=True)
        index = pd.MultiIndex.from_frame(self.keys)
        start = rows["date"].min()
        self.start = start
        days = (pd.Timestamp(origin) - start).days + 1
        series = index.get_indexer(pd.MultiIndex.from_frame(rows[KEYS]))
        day = (rows["date"] - start).dt.days.to_numpy()
        inside = series >= 0
        series, day, rows = series[inside], day[inside], rows[inside]
        past = day < days
        self.sold = np.zeros((len(self.keys), days), np.float32)
        self.sold[series[past], day[past]] = rows["quantity"].to_numpy()[past]
        self.target = self.sold.copy()
        if panel.stockout:
            out = (rows[panel.stockout].to_numpy() > 0) & past
            self.target[series[out], day[out]] = np.nan
        self.first = np.full(len(self.keys), days)
        np.minimum.at(self.first, series, day)
        self.known = np.full((len(panel.known), len(self.keys), days + panel.horizon_days), np.nan, np.float32)
        for i, name in enumerate(panel.known):
            self.known[i, series, day] = rows[name].to_numpy()
        self.fixed = np.zeros((len(self.keys), len(panel.static)), np.float32)
        for i, name in enumerate(panel.static):
            self.fixed[series, i] = pd.factorize(rows[name], sort=True)[0]

    def stacked(self, cut: int, series: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features frozen at the close of day `cut` - 1 of these series, with the step, and the level."""
        past = self.sold[:, max(0, cut - 112) : cut]
        level = np.maximum(0.5 * past[:, -28:].mean(axis=1) + 0.5 * past.mean(axis=1), 0.01)
        own = [np.log(level)]
        own += [past[:, -w:].mean(axis=1) / level for w in WINDOWS]
        own += [past[:, -w:].std(axis=1) / level for w in (28, 112)]
        own += [(past[:, -w:] == 0).mean(axis=1) for w in (28, 112)]
        own += [np.quantile(past[:, -56:], share, axis=1) / level for share in (0.5, 0.9)]
        own += [np.argmax(np.concatenate([past[:, ::-1] > 0, np.ones((len(past), 1), bool)], axis=1), axis=1)]
        own += [cut - self.first]
        own += [past[:, -k] / level for k in (1, 2, 3)]
        weeks = max(1, min(8, past.shape[1] // 7))
        recent = past[:, -7 * weeks :].reshape(len(past), weeks, 7)
        weekday = (step - 1) % 7
        target = self.start + pd.to_timedelta(cut + step - 1, "D")
        blocks = [np.stack(own, axis=1)[series], self.fixed[series]]
        blocks += [(recent.mean(axis=1)[series, weekday] / level[series])[:, None]]
        blocks += [(recent[:, -1][series, weekday] / level[series])[:, None]]
        calendar = (step, target.dayofweek, target.day, target.month, target.dayofyear)
        blocks += [np.stack([np.asarray(column, np.float32) for column in calendar], axis=1)]
        for known in self.known:
            on_target = known[series, cut + step - 1]
            usual = np.nanmean(np.nan_to_num(known[:, max(0, cut - 28) : cut]), axis=1)[series]
            blocks += [on_target[:, None], (on_target - usual)[:, None]]
        return np.concatenate(blocks, axis=1).astype(np.float32), level[series]

    def table(self, means: np.ndarray, quantiles: dict[str, np.ndarray] | None = None) -> pd.DataFrame:
        horizon = means.shape[1]
        found = self.keys.loc[self.keys.index.repeat(horizon)].reset_index(drop=True)
        ahead = pd.Timestamp(self.origin) + pd.to_timedelta(np.tile(np.arange(1, horizon + 1), len(self.keys)), "D")
        found = found.assign(origin_date=self.origin, target_date=ahead.date, mean=means.ravel())
        return found.assign(**{name: values.ravel() for name, values in (quantiles or {}).items()})


def _repeat(values: np.ndarray, panel: BenchmarkPanel) -> np.ndarray:
    return np.repeat(values[:, None], panel.horizon_days, axis=1)


def _last(panel: BenchmarkPanel, origin: date) -> pd.Timestamp:
    return pd.Timestamp(origin) + pd.Timedelta(panel.horizon_days, "D")


def _long(panel: BenchmarkPanel, rows: pd.DataFrame) -> pd.DataFrame:
    data = rows.rename(columns={"date": "ds", "quantity": "y"})
    data["unique_id"] = data["product_id"] + "\n" + data["location"]
    for name in panel.static:
        data[name] = pd.factorize(data[name], sort=True)[0]
    return data.sort_values(["unique_id", "ds"])


def _named(table: pd.DataFrame, origin: date) -> pd.DataFrame:
    names = table["unique_id"].str.split("\n", expand=True)
    columns = {"origin_date": origin, "product_id": names[0], "location": names[1], "target_date": table["ds"].dt.date}
    return table.drop(columns=["unique_id", "ds"]).assign(**columns)


PEERS: dict[str, Peer] = {
    "seasonal naive": seasonal_naive,
    "moving average 28": moving_average_28,
    "8 same weekdays": same_weekdays,
    "mlforecast + XGBoost": mlforecast_xgboost,
    "stacked LightGBM": stacked_lightgbm,
}
