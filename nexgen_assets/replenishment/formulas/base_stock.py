"""Base stock by cycle service level: the level that demand of the protection interval does not exceed too often.

What belongs here: demand over the protection interval (fixed or random lead time, correlated errors) and the level and
safety stock for a promised probability of no stockout. What does not: fill rates (`fill_rates.py`), costs
(`newsvendor.py`), and NexGen's own order-up-to level from forecasts (`policy.py`).

The protection interval is lead time + review period; with continuous review the review period is 0. Lead times, review
periods and `demand_mean` share one unit of time, such as a day.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from nexgen_assets.replenishment.formulas.arguments import (
    Number,
    require_finite,
    require_inside,
    require_not_negative,
    require_whole,
    require_within,
)
from nexgen_assets.replenishment.formulas.distributions import Demand, Mixture


@dataclass(frozen=True)
class BaseStock:
    """`order_up_to_level` S in units and what it achieves over one protection interval.

    `cycle_service_level` is P(demand <= S), `safety_stock` = S - expected demand, `expected_shortage` = E[(X - S)+],
    the last two in units.
    """

    order_up_to_level: Number
    cycle_service_level: Number
    safety_stock: Number
    expected_shortage: Number


@dataclass(frozen=True)
class SafetyStock:
    """Normal demand of the protection interval and the stock that covers it, in units.

    `level` = `protection_mean` + `safety_stock`: the reorder point under continuous review, the order-up-to level
    under periodic review. `safety_factor` is the standard normal quantile k, 0 where nothing is uncertain.
    """

    protection_mean: Number
    protection_sd: Number
    safety_factor: Number
    safety_stock: Number
    level: Number


def base_stock_for_cycle_service(demand: Demand, cycle_service_level: Number) -> BaseStock:
    """S = min{y : P(demand <= y) >= cycle service level}, of demand over the protection interval.

    Never interpolated: whole units where demand is whole (Snyder & Shen 2e, 4.3.4). Raises ValueError where no finite
    level keeps the promise, such as 100 % of unbounded demand.
    """
    require_within(0, 1, cycle_service_level=cycle_service_level)
    level = demand.quantile(cycle_service_level)
    if not np.all(np.isfinite(level)):
        raise ValueError(f"no finite level keeps a cycle service level of {cycle_service_level}: promise less")
    return BaseStock(level, demand.cdf(level), level - demand.mean, demand.expected_shortage(level))


def safety_stock_normal(
    *,
    demand_mean: Number,
    demand_sd: Number,
    lead_time_mean: Number,
    lead_time_sd: Number = 0.0,
    review_period: Number = 0.0,
    cycle_service_level: Number,
) -> SafetyStock:
    """Safety stock k sd with sd^2 = (E[L] + R) sd_D^2 + mean_D^2 Var[L], k the standard normal quantile.

    For independent days and a lead time independent of demand (Silver, Pyke & Thomas 4e (2017), section 6.10; Axsater,
    Inventory Control 3e (2015), section 5.7). `demand_mean` and `demand_sd` in units per unit of time; with forecasts
    `demand_sd` is that of their errors.
    """
    require_inside(0, 1, cycle_service_level=cycle_service_level)
    require_not_negative(demand_mean=demand_mean, demand_sd=demand_sd)
    require_not_negative(lead_time_mean=lead_time_mean, lead_time_sd=lead_time_sd, review_period=review_period)
    require_finite(demand_mean=demand_mean, demand_sd=demand_sd, lead_time_mean=lead_time_mean)
    require_finite(lead_time_sd=lead_time_sd, review_period=review_period)
    interval = np.asarray(lead_time_mean, np.float64) + review_period
    mean = demand_mean * interval
    sd = np.hypot(np.sqrt(interval) * demand_sd, np.asarray(demand_mean, np.float64) * lead_time_sd)
    factor = np.where(sd > 0, special.ndtri(cycle_service_level), 0.0)[()]
    return SafetyStock(mean, sd, factor, factor * sd, mean + factor * sd)


def demand_over_random_lead_time(
    demand: Demand, lead_time_pmf: Mapping[float, float], review_period: float = 0
) -> Mixture:
    """Demand over a protection interval of random length: the mixture sum_l P(L = l) F_{l + R}(x).

    `demand` is that of one period; `lead_time_pmf` gives the probability of each lead time. Exact, where the normal
    approximation of `safety_stock_normal` is off in the tail (Silver, Pyke & Thomas 4e (2017), section 6.10).
    """
    require_not_negative(lead_time=list(lead_time_pmf), review_period=review_period)
    components = [demand.over(lead_time + review_period) for lead_time in lead_time_pmf]
    return Mixture(components, list(lead_time_pmf.values()))


def sd_of_correlated_sum(daily_sd: Number, autocorrelation: Number, days: int) -> Number:
    """Standard deviation, in units, of the sum of `days` daily errors of an AR(1) process.

    sd^2 = sd_D^2 [P + 2 sum_{k=1}^{P-1} (P - k) rho^k], `daily_sd` in units, `autocorrelation` rho within -1 and 1.
    rho 0 is the square root rule; rho 1 is P sd_D, which is what adding up daily quantiles assumes
    (compare Saoud, Kourentzes & Boylan, Omega 110 (2022) 102614).
    """
    require_not_negative(daily_sd=daily_sd, days=days)
    require_whole(days=days)
    require_within(-1, 1, autocorrelation=autocorrelation)
    lags = np.arange(1.0, days)
    pairs = (days - lags) * np.asarray(autocorrelation, np.float64)[..., None] ** lags
    # rho -1 and an even number of days cancel exactly, up to the last bits
    return np.asarray(daily_sd) * np.sqrt(np.maximum(days + 2 * pairs.sum(axis=-1), 0.0))
