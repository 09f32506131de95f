"""Whether quantiles mean what they say: coverage of daily and summed demand, overall and by volume.

Where demand is whole units, coverage is that of the randomised probability integral transform (Czado, Gneiting and
Held 2009): u is uniform between F(y - 1) and F(y), and a quantile at p should cover P(u <= p) = p. A plain count of
y <= quantile cannot come out right for slow items, not even with the true quantiles. Sales of a day out of stock are
less than the demand: there only sales above a quantile count as a miss.

Of F only the quantiles on a grid are known, with straight lines between: at jumps that lets coverages read high. How
high, `python -m benchmarks.forecasting.calibration` prints: the measure of quantiles that are right by construction.
"""

from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nexgen_assets.forecasting.interval import interval_demand
from nexgen_assets.forecasting.quantiles import calibrate, daily_quantiles
from nexgen_assets.tables import HORIZON_DAYS, QUANTILES

Floats = NDArray[np.float64]

DAILY = "daily"
LENGTHS = (7, 14)
VOLUMES = (0.1, 0.3, 1.0, 3.0)  # units a day, borders of the volume segments
KEYS = ["origin_date", "product_id", "location"]


def calibration(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per target (daily, 7 days, 14 days) and volume segment: series days or sums, and coverages in percent.

    `rows` are those of `scores.judged`; targets whose quantiles are missing are left out.
    """
    found = [_by_volume(DAILY, rows, rows["actual"], rows["is_stockout"], "")] if "q95" in rows else []
    for length in LENGTHS:
        if f"cum{length}_q95" in rows:
            sums = _sums(rows, length)
            found.append(_by_volume(f"{length} days", sums, sums["actual"], sums["is_stockout"], f"cum{length}_"))
    return pd.concat(found) if found else pd.DataFrame()


def _sums(rows: pd.DataFrame, length: int) -> pd.DataFrame:
    """The rows that hold the quantiles of a sum, with the sum of the days up to it; only where every day is known."""
    horizon = (pd.to_datetime(rows["target_date"]) - pd.to_datetime(rows["origin_date"])).dt.days
    within = rows[horizon <= length].groupby(KEYS)
    sums = within.agg(actual=("actual", "sum"), days=("actual", "size"), is_stockout=("is_stockout", "any"))
    last = rows[horizon == length].drop(columns=["actual", "is_stockout"])
    joined = last.merge(sums.reset_index(), on=KEYS)
    return joined[joined["days"] == length]


def _by_volume(target: str, rows: pd.DataFrame, actual: pd.Series, is_censored: pd.Series, prefix: str) -> pd.DataFrame:
    borders = [-np.inf, *VOLUMES, np.inf]
    names = [f"up to {VOLUMES[0]}", *(f"up to {border}" for border in VOLUMES[1:]), f"above {VOLUMES[-1]}"]
    volume = pd.cut(rows["level"].fillna(0), borders, labels=names)
    hit = pd.DataFrame(
        {
            name: _covered(rows, actual.to_numpy(), is_censored.to_numpy(), prefix, name)
            for name in ("q10", "q90", "q95", "q99")
        }
    )
    hit["80 %"] = hit["q90"] - np.where(is_censored, 0.0, hit["q10"])
    shown = hit[["80 %", "q95", "q99"]].set_axis(["80 %", "95 %", "99 %"], axis=1) * 100
    shown.index = rows.index
    by_volume = shown.groupby(volume, observed=True).mean()
    by_volume.insert(0, "count", volume.value_counts())
    total = shown.mean().to_frame("all").T
    total.insert(0, "count", len(shown))
    return pd.concat([total, by_volume]).rename_axis("volume").assign(target=target).reset_index()


def _covered(rows: pd.DataFrame, actual: Floats, is_censored: NDArray[np.bool_], prefix: str, name: str) -> Floats:
    """The probability that each row's demand lies at or below its quantile."""
    counted = (actual <= rows[prefix + name].to_numpy()).astype(np.float64)
    if not np.all(actual == np.round(actual)):
        return counted
    low, high = (_probability(rows, prefix, at) for at in (actual - 1, actual))
    share = QUANTILES[name]
    inside = np.clip((share - low) / np.maximum(high - low, 1e-12), 0, 1)
    return np.where(is_censored, counted, inside)


def _probability(rows: pd.DataFrame, prefix: str, at: Floats) -> Floats:
    """F(at) by the quantiles of each row: straight between them, 0 below zero units, 1 above the last."""
    shares = np.array([0.0, *QUANTILES.values()])
    values = np.stack([np.zeros(len(rows)), *(rows[prefix + name].to_numpy() for name in QUANTILES)], axis=1)
    below = (values <= at[:, None]).sum(axis=1)
    left = np.maximum(below - 1, 0)
    right = np.minimum(below, len(shares) - 1)
    each = np.arange(len(rows))
    width = values[each, right] - values[each, left]
    part = np.divide(at - values[each, left], width, out=np.zeros(len(rows)), where=width > 0)
    inside = shares[left] + (shares[right] - shares[left]) * part
    return np.where(at < 0, 0.0, np.where(below == len(shares), 1.0, inside))


def reference(series: int = 6_000) -> pd.DataFrame:
    """`calibration` of demand whose quantiles come from other draws of the very same distribution."""
    rng = np.random.default_rng(0)
    level = rng.lognormal(-1.5, 1.2, series)
    means = level[:, None] * rng.lognormal(0, 0.4, (series, HORIZON_DAYS))
    others, actual = (rng.poisson(means * rng.gamma(1.5, 1 / 1.5, means.shape)).astype(np.float64) for _ in range(2))
    known = calibrate(others, means, level)
    day = np.tile(np.arange(1, HORIZON_DAYS + 1), series)
    origin = date(2024, 1, 1)
    columns = {
        "origin_date": origin,
        "product_id": np.repeat(np.arange(series), HORIZON_DAYS),
        "location": "",
        "target_date": np.tile([origin + timedelta(days=d) for d in range(1, HORIZON_DAYS + 1)], series),
        "actual": actual.ravel(),
        "is_stockout": False,
        "level": np.repeat(level, HORIZON_DAYS),
    }
    columns |= {name: values.ravel() for name, values in daily_quantiles(means, level, known).items()}
    for length in LENGTHS:
        total = interval_demand(means, level, np.full(series, length), known)
        for name, share in QUANTILES.items():
            spread = np.repeat(total.quantile(share), HORIZON_DAYS)
            columns[f"cum{length}_{name}"] = np.where(day == length, spread, np.nan)
    return calibration(pd.DataFrame(columns))


if __name__ == "__main__":
    print(reference().round(1).to_string(index=False))
