"""How fast the simulation is: seconds for order rules on made-up demand with weekdays, packs, delays and expiry.

    python benchmarks/simulation.py --series 1000 --days 365

Six rules meet the same demand and deliveries; a fifth of the series expires within one to three weeks. Levels are
computed from the year before. Seconds of levels and of simulation are told apart.
"""

import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Report

from nexgen_assets.replenishment.baselines import days_of_supply_levels, moving_average_moments, weekday_moments
from nexgen_assets.replenishment.deliveries import drawn_lead_times
from nexgen_assets.replenishment.foresight import foresight_orders
from nexgen_assets.replenishment.lead_times import LeadTimes, lead_times_of_moments
from nexgen_assets.replenishment.order_rules import (
    BaseStock,
    PlannedOrders,
    ReorderPointQuantity,
    ReorderPointUpTo,
)
from nexgen_assets.replenishment.simulation import OrderRule, Scenario, scenario, simulate

HISTORY_DAYS = 392
SEED = 11
Z = 1.645


def made_up_demand(series: int, days: int) -> NDArray[np.float64]:
    random = np.random.default_rng(SEED)
    level = random.lognormal(1.0, 1.2, series)[:, None]
    weekday = random.dirichlet(np.full(7, 8.0), series)[:, np.arange(days) % 7] * 7
    size = 2.0
    return random.negative_binomial(size, size / (size + level * weekday)).astype(np.float64)


def rules(demand: NDArray[np.float64], lead_times: LeadTimes, terms: Scenario) -> dict[str, Callable[[], OrderRule]]:
    """How to make each rule; `demand` holds the history as well."""
    days, review = terms.days, terms.review_period_days

    two_weeks = np.ceil(demand[:, :HISTORY_DAYS].mean(axis=1, keepdims=True) * 14)

    def weekday_levels(z: float) -> NDArray[np.float64]:
        return weekday_moments(demand, lead_times, review).last(days).levels(z)

    return {
        "days of supply": lambda: BaseStock(days_of_supply_levels(demand, 10)[:, -days:]),
        "moving average": lambda: BaseStock(moving_average_moments(demand, lead_times, review).last(days).levels(Z)),
        "weekday profile": lambda: BaseStock(weekday_levels(Z)),
        "(s, S)": lambda: ReorderPointUpTo(weekday_levels(Z), weekday_levels(Z) + 20),
        "(s, Q)": lambda: ReorderPointQuantity(weekday_levels(Z), two_weeks),
        "perfect foresight": lambda: PlannedOrders(foresight_orders(terms)),
    }


def main(
    series: Annotated[int, typer.Option(min=1, help="Products x locations")] = 1_000,
    days: Annotated[int, typer.Option(min=29, help="Simulated days")] = 365,
) -> None:
    """Simulate each rule once."""
    random = np.random.default_rng(SEED)
    demand = made_up_demand(series, HISTORY_DAYS + days)
    lead_times = lead_times_of_moments(random.integers(1, 8, series), random.choice([0.0, 0.8, 1.5], series))
    terms = scenario(
        demand[:, HISTORY_DAYS:],
        drawn_lead_times(lead_times, [f"{number:05d}" for number in range(series)], days, SEED),
        np.ceil(demand[:, :HISTORY_DAYS].mean(axis=1) * 10),
        shelf_life_days=np.where(random.random(series) < 0.2, random.integers(7, 22, series), np.inf),
        review_period_days=random.choice([1, 2, 7], series),
        pack_size=random.choice([1.0, 6.0, 12.0], series),
        warm_up_days=28,
    )
    report = Report("", "levels s", "simulation s", "fill rate", "stock units", title=f"{series} series x {days} days")
    seconds = 0.0
    for name, make in rules(demand, lead_times, terms).items():
        began = time.perf_counter()
        rule = make()
        made = time.perf_counter()
        totals = simulate(terms, rule).totals
        simulated = time.perf_counter() - made
        seconds += simulated
        fill_rate = totals.sales.sum() / totals.demand.sum()
        stock = totals.average_on_hand.sum()
        report.add_row(name, f"{made - began:.2f}", f"{simulated:.2f}", f"{fill_rate:.4f}", f"{stock:,.0f}")
    Console().print(report, f"simulation took {seconds:.1f} s")


if __name__ == "__main__":
    typer.run(main)
