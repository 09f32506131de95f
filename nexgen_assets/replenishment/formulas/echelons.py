"""Several stages of stock: a central warehouse in place of stores, and a chain of stages that supply each other.

What belongs here: risk pooling and the serial system. What does not: single stages (`base_stock.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import signal, special

from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    require_finite,
    require_inside,
    require_not_negative,
    require_positive,
    require_within,
)
from nexgen_assets.replenishment.formulas.distributions import Demand

TAIL = 1e-9
STEPS_PER_SD = 400
MOST_STEPS = 1_000_000


@dataclass(frozen=True)
class PooledSafetyStock:
    """Safety stock in units if every store holds its own (`decentralised`), and if one place holds it for all."""

    decentralised: float
    centralised: float


@dataclass(frozen=True)
class Stage:
    """One stage of a chain: `lead_time` from its supplier in periods, echelon `holding_cost` per unit and period.

    The echelon holding cost is what holding costs more here than one stage upstream.
    """

    lead_time: float
    holding_cost: float


@dataclass(frozen=True)
class SerialBaseStock:
    """Echelon base-stock levels in units, in the order of the stages, and the expected `cost` in money per period."""

    echelon_base_stock_levels: list[float]
    cost: float


def pooled_sd(sds: Floats | Sequence[float], correlation: float | Floats) -> float:
    """Standard deviation (units) of the sum of the demands of stores: sqrt(sum_ij sd_i rho_ij sd_j).

    `correlation` is one number for every pair, or the matrix of all. Raises ValueError for one that no demands have.
    """
    sds = np.asarray(sds, np.float64)
    require_not_negative(sds=sds)
    require_within(-1, 1, correlation=correlation)
    matrix = np.full((len(sds), len(sds)), correlation) if np.ndim(correlation) == 0 else np.asarray(correlation)
    if matrix.shape != (len(sds), len(sds)):
        raise ValueError(f"a correlation matrix of {len(sds)} stores cannot have the shape {matrix.shape}")
    matrix = np.where(np.eye(len(sds), dtype=np.bool_), 1.0, matrix)
    if np.linalg.eigvalsh(matrix)[0] < -1e-9:
        raise ValueError(f"{len(sds)} stores cannot all have the correlation {correlation}")
    return float(np.sqrt(max(sds @ matrix @ sds, 0.0)))


def pooled_safety_stock(
    sds: Floats | Sequence[float], correlation: float | Floats, *, lead_time: float, cycle_service_level: float
) -> PooledSafetyStock:
    """Safety stock of stores with and without pooling: k sqrt(L) sum sd_i, and k sqrt(L) sd of their sum.

    `sds` of one period's demand per store in units, `lead_time` in periods. Equal, independent stores need
    1 / sqrt(number of stores) of it when pooled (Eppen 1979; Snyder & Shen 2e, section 7.2).
    """
    require_not_negative(lead_time=lead_time)
    require_inside(0, 1, cycle_service_level=cycle_service_level)
    factor = float(special.ndtri(cycle_service_level) * np.sqrt(lead_time))
    return PooledSafetyStock(factor * float(np.sum(sds)), factor * pooled_sd(sds, correlation))


def serial_base_stock(
    demand: Demand, stages: Sequence[Stage], *, stockout_cost: float, steps_per_sd: int = STEPS_PER_SD
) -> SerialBaseStock:
    """Best echelon base-stock levels of a chain (Clark & Scarf 1960; Chen & Zheng 1994; Snyder & Shen 2e, ch. 6).

    `stages` from the one that serves customers upstream; `demand` of one period in units; `stockout_cost` p in money
    per unit waiting and period. With C_0(x) = (p + sum h_i) x^-, for each stage j:
    C_j(y) = E[h_j (y - D_j) + C_{j-1}(min(S_{j-1}, y - D_j))], S_j = argmin C_j, D_j the demand of its lead time. Whole
    demand is exact; other demand is put on a grid of `steps_per_sd` steps in a standard deviation of the demand of all
    lead times, which is how exact the levels are. Ties take the smaller level.
    """
    require_positive(stockout_cost=stockout_cost, number_of_stages=len(stages))
    for stage in stages:
        require_not_negative(lead_time=stage.lead_time)
        require_positive(holding_cost=stage.holding_cost)
        require_finite(lead_time=stage.lead_time, holding_cost=stage.holding_cost)
    chain = demand.over(sum(stage.lead_time for stage in stages))
    step = 1.0 if demand.is_whole else float(np.sqrt(chain.variance)) / steps_per_sd
    if step == 0:
        return _certain(demand, stages)
    lead_time_demands = [_on_grid(demand.over(stage.lead_time), step) for stage in stages]
    reach = sum(len(pmf) for _, pmf in lead_time_demands)
    if reach > MOST_STEPS:
        raise ValueError(f"demand reaches over {reach} steps: measure it in larger units")
    x = np.arange(-2.0 * reach, 2.0 * reach + 1)  # in steps
    value = (stockout_cost + sum(stage.holding_cost for stage in stages)) * np.maximum(-x, 0.0) * step
    levels = []
    for stage, (least, pmf) in zip(stages, lead_time_demands, strict=True):
        value = signal.fftconvolve(stage.holding_cost * x * step + value, pmf, mode="valid")
        # sum_d p(d) c(y - d): the values of y that would need c left of the grid are gone
        x = x[len(pmf) - 1 :] + least
        best = int(np.argmin(value))
        levels.append(float(x[best] * step))
        value = np.where(np.arange(len(x)) < best, value, value[best])
    return SerialBaseStock(levels, float(value[-1]))


def _on_grid(demand: Demand, step: float) -> tuple[float, Floats]:
    """The least demand in steps, and the probabilities of it and of the steps that follow.

    What lies beyond the ends is put on them.
    """
    least = float(np.floor(demand.quantile(TAIL) / step))
    count = int(np.ceil(demand.quantile(1 - TAIL) / step) - least) + 1
    upper = np.asarray(demand.cdf((least + np.arange(count - 1.0) + (0.0 if demand.is_whole else 0.5)) * step))
    return least, np.diff(np.concatenate([[0.0], upper, [1.0]]))


def _certain(demand: Demand, stages: Sequence[Stage]) -> SerialBaseStock:
    """Without uncertainty each echelon holds the demand of the lead times downstream, and nothing else costs."""
    lead_times = np.cumsum([stage.lead_time for stage in stages])
    before = np.append(0.0, lead_times[:-1])
    levels = [float(demand.mean * lead_time) for lead_time in lead_times]
    # in steady state echelon j holds what is on its way to the stages below it
    held = sum(stage.holding_cost * float(demand.mean * wait) for stage, wait in zip(stages, before, strict=True))
    return SerialBaseStock(levels, float(held))
