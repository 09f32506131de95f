"""Poisson demand, of which every quantile is known, a calibration on it, and panels of any kind. No tests are here."""

from functools import cache

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from nexgen_assets.forecasting.quantiles import Calibration, calibrate
from nexgen_assets.tables import HORIZON_DAYS

Array = NDArray[np.float64]

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


@st.composite
def random_panels(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Demand and means [series, days], and levels [series]: few or many series, alike or not, mostly zeros or not."""
    series, distinct = draw(st.integers(1, 700)), draw(st.integers(1, 5))
    zeros, rng = draw(st.floats(0, 1)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    level = rng.lognormal(0, 1, distinct)[rng.integers(0, distinct, series)]
    means = level[:, None] * rng.random((series, HORIZON_DAYS))
    demand = rng.poisson(3, (series, HORIZON_DAYS)) * (rng.random((series, HORIZON_DAYS)) >= zeros)
    return demand.astype(float), means, level
