"""Poisson demand, of which every quantile is known, and a calibration on it. No tests stand here."""

from functools import cache

import numpy as np

from nexgen_assets.forecasting.quantiles import Calibration, calibrate
from nexgen_assets.tables import HORIZON_DAYS

SERIES = 4_000


@cache
def poisson_calibration() -> Calibration:
    """Of series of 0.1, 1 and 8 units a day, whose mean forecasts are right."""
    rng = np.random.default_rng(3)
    level = rng.choice([0.1, 1.0, 8.0], SERIES)
    means = np.repeat(level[:, None], HORIZON_DAYS, axis=1)
    return calibrate(rng.poisson(means).astype(float), means, level)


def poisson_draws(mean: float, draws: int = 200_000) -> np.ndarray:
    return np.random.default_rng(11).poisson(mean, draws).astype(float)
