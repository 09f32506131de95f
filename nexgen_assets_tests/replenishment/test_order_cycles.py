"""Levels for a fill rate when orders come in lots: against textbook formulas, and against simulated shops."""

import numpy as np
import pytest
from scipy import stats

from nexgen_assets.replenishment.formulas import distributions
from nexgen_assets.replenishment.formulas.fill_rates import s_q_fill_rate
from nexgen_assets.replenishment.levels import counted_lots, fill_rate_level, no_lots, served_share
from nexgen_assets.replenishment.order_cycles import CountedLots, order_cycle
from nexgen_assets.replenishment.order_rules import BaseStock, ReorderPointUpTo
from nexgen_assets.replenishment.simulation import scenario, simulate
from nexgen_assets_tests.replenishment.distributions import Floats, Poisson

DAYS, WARM_UP, SERIES = 1_500, 200, 60
LEAD_TIME = 5


def one(value: float) -> Floats:
    return np.array([float(value)])


def lots_of(
    kind: str = "order_up_to", lot: float = 0, moq: float = 1, pack: float = 1, most: float = np.inf, *, counts=True
) -> CountedLots:
    return counted_lots(np.array([kind]), one(lot), one(moq), one(pack), one(most), np.array([counts]))


def achieved(level: float, kind: str, lots: dict[str, float], daily: float, review: int) -> float:
    """Fill rate of many simulated years with lost sales."""
    demand = np.random.default_rng(11).poisson(daily, (SERIES, DAYS)).astype(float)
    pack = lots.get("lot", 1.0) if kind == "reorder_quantity" else lots.get("pack", 1.0)
    terms = scenario(
        demand,
        np.full(SERIES, LEAD_TIME),
        np.full(SERIES, level),
        review_period_days=review,
        min_order_quantity=lots.get("moq", 0.0),
        pack_size=pack,
        max_stock=lots.get("most", np.inf),
        warm_up_days=WARM_UP,
    )
    at = np.array([[level]])
    rule = ReorderPointUpTo(at - 1, at + lots["lot"]) if kind == "min_max" else BaseStock(at)
    totals = simulate(terms, rule).totals
    return float(totals.sales.sum() / totals.demand.sum())


@pytest.mark.parametrize("target", [0.9, 0.97])
@pytest.mark.parametrize(
    ("kind", "lots", "daily", "review"),
    [
        ("order_up_to", {"pack": 24.0}, 3.0, 1),
        ("order_up_to", {"pack": 12.0}, 8.0, 7),
        ("order_up_to", {"moq": 60.0}, 3.0, 1),
        ("order_up_to", {"moq": 40.0}, 4.0, 7),
        ("order_up_to", {"moq": 40.0, "pack": 12.0}, 12.0, 7),
        ("order_up_to", {"moq": 12.0}, 0.2, 1),
        ("order_up_to", {"moq": 20.0}, 3.0, 7),
        ("min_max", {"lot": 45.0, "most": 40.0, "pack": 5.0}, 3.0, 1),
        ("min_max", {"lot": 45.0}, 3.0, 1),
        ("min_max", {"lot": 20.0}, 3.0, 7),
        ("reorder_quantity", {"lot": 50.0}, 4.0, 1),
        ("reorder_quantity", {"lot": 30.0}, 9.0, 7),
    ],
)
def test_simulated_shops_reach_the_target_and_are_nearer_to_it_than_without_counting_lots(
    kind: str, lots: dict[str, float], daily: float, review: int, target: float
) -> None:
    until_next, before = Poisson(one(daily * (LEAD_TIME + review))), Poisson(one(daily * LEAD_TIME))
    between = Poisson(one(daily * review))

    [level] = fill_rate_level(until_next, before, one(target), lots_of(kind, **lots), between)
    [without] = fill_rate_level(until_next, before, one(target))

    served, served_without = (achieved(at, kind, lots, daily, review) for at in (level, without))
    assert served >= target - 0.002
    assert level <= without
    assert served - target <= served_without - target + 1e-9


def test_a_small_review_period_gives_the_shortage_of_a_cycle_over_the_lot() -> None:
    """Silver, Pyke & Thomas 4e, section 6.7: 1 - n_L(s) / Q, with s one below the level."""
    level, between = one(12), 1e-4
    until_next, before = Poisson(one(10 + between)), Poisson(one(10))

    cycle = order_cycle(lots_of("reorder_quantity", lot=40), level, Poisson(one(between)))

    textbook = s_q_fill_rate(distributions.Poisson(10), order_quantity=40.0, safety_stock=1.0).fill_rate
    assert served_share(until_next, before, level, cycle)[0] == pytest.approx(float(textbook), abs=1e-3)
    assert cycle.mean[0] == (40 - 1) / 2


@pytest.mark.parametrize("lot", [1, 2, 7, 30, 400])
def test_whole_lots_spread_the_position_evenly(lot: int) -> None:
    """Hadley & Whitin: the mean over all Q positions, added up one by one."""
    level, mean_before, mean = 9, 8.0, 12.0
    positions, units = level + np.arange(lot), np.arange(200)
    chance = stats.poisson.pmf(units[:, None], [mean_before, mean])
    short = (np.maximum(units[:, None] - positions, 0).T @ chance) @ [-1, 1]

    cycle = order_cycle(lots_of("reorder_quantity", lot=lot), one(level), Poisson(one(4)))
    [served] = served_share(Poisson(one(mean)), Poisson(one(mean_before)), one(level), cycle)

    assert served == pytest.approx(1 - short.mean() / (mean - mean_before), abs=2e-3)


def test_exponential_demand_spreads_a_smallest_order_as_renewal_theory_says() -> None:
    """Of orders of m, exp(-m / d) / (m / d + exp(-m / d)) of the reviews leave the level: more than m was missing."""
    rng, smallest, mean = np.random.default_rng(5), 30.0, 20.0
    above, at_level = 0.0, 0
    demands = rng.exponential(mean, 200_000)
    for demand in demands:
        above = above - demand if above >= demand else max(smallest + above - demand, 0.0)
        at_level += above == 0.0
    share = np.exp(-smallest / mean) / (smallest / mean + np.exp(-smallest / mean))

    assert at_level / len(demands) == pytest.approx(share, abs=0.01)  # the rest is spread evenly


def test_no_more_is_counted_on_than_there_is_room_for() -> None:
    lots = lots_of("order_up_to", moq=60, most=25)
    cycle = order_cycle(lots, one(20), Poisson(one(3)))
    assert (cycle.wide[0], cycle.mean[0] < 3) == (5, True)


def test_lots_that_may_yet_be_cut_are_not_counted_on() -> None:
    lots = lots_of("min_max", lot=40, moq=60, pack=12, counts=False)
    until_next, before = Poisson(one(18)), Poisson(one(15))
    assert fill_rate_level(until_next, before, one(0.95), lots, Poisson(one(3))) == fill_rate_level(
        until_next, before, one(0.95), no_lots(1)
    )


def test_something_is_ordered_for_any_demand_however_large_the_lot() -> None:
    lots = lots_of("reorder_quantity", lot=10_000)
    assert fill_rate_level(Poisson(one(18)), Poisson(one(15)), one(0.8), lots, Poisson(one(3))) == [1]
