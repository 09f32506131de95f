"""Deliveries of a simulation: how long each order will take, drawn once and shared by all rules that are compared.

What belongs here: drawing lead times. What does not: how likely they are (`lead_times.py`), and what arrives
(`simulation.py`).
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.lead_times import LeadTimes


def drawn_lead_times(lead_times: LeadTimes, series: Sequence[str], days: int, seed: int) -> NDArray[np.int64]:
    """Lead times [series, days] of the orders placed on each day; row k of `lead_times` is that of `series[k]`.

    A draw depends on `seed`, the series' own name and the day: not on which other series there are, on their order, nor
    on `days`. Rules that are compared meet the same deliveries: common random numbers (Law, Simulation Modeling and
    Analysis, 5e, section 11.2). Raises ValueError if there are not as many names as rows.
    """
    if len(series) != len(lead_times.first):
        raise ValueError(f"{len(series)} series were named, but lead times are told of {len(lead_times.first)}")
    drawn = np.empty((len(series), days), np.int64)
    ends = [*lead_times.first[1:], len(lead_times.row)]
    for row, (name, start, end) in enumerate(zip(series, lead_times.first, ends, strict=True)):
        up_to = np.cumsum(lead_times.probability[start : end - 1])
        drawn[row] = lead_times.days[start + np.searchsorted(up_to, _uniform(name, days, seed), side="right")]
    return drawn


def _uniform(name: str, days: int, seed: int) -> NDArray[np.float64]:
    own = int.from_bytes(sha256(name.encode()).digest()[:8])
    return np.random.default_rng([seed, own]).random(days)
