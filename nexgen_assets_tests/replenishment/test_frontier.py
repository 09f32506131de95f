"""The frontier: stock at equal fill rates by hand, and confidence in a difference beside SciPy's bootstrap."""

import numpy as np
import pytest
from scipy import stats

from nexgen_assets.replenishment.frontier import Sweep, Weighting, stock_difference, stock_needed, sweep
from nexgen_assets.replenishment.kpis import Totals, totals_of_days
from nexgen_assets.replenishment.order_rules import BaseStock
from nexgen_assets.replenishment.simulation import scenario
from nexgen_assets_tests.replenishment.scenarios import Floats


def one_day(demand: Floats, sales: Floats, on_hand: Floats) -> Totals:
    """Totals of series that had this demand, sales and stock on a single day."""
    zero = np.zeros((len(demand), 1))
    return totals_of_days(
        demand=demand[:, None],
        sales=sales[:, None],
        on_hand=on_hand[:, None],
        waste=zero,
        received=zero,
        ordered=zero,
    )


def swept(points: list[tuple[list[float], list[float]]], demand: list[float]) -> Sweep:
    """A sweep whose points are (sales, stock) of each series."""
    totals = [one_day(np.array(demand), np.array(sales), np.array(stock)) for sales, stock in points]
    return Sweep(tuple(float(k) for k in range(len(points))), tuple(totals))


TWO_SERIES = swept(
    [([80.0, 0.0], [10.0, 5.0]), ([90.0, 10.0], [20.0, 10.0]), ([90.0, 20.0], [20.0, 50.0])], [100.0, 20.0]
)


def test_weighted_by_units_stock_lies_between_the_points_beside_the_fill_rate() -> None:
    # fill rates 80/120, 100/120, 110/120; stocks 15, 30, 70
    found = stock_needed(TWO_SERIES, [0.75, 100 / 120, 0.875, 0.95])

    assert found[:3] == pytest.approx([15 + 15 / 2, 30, 50])
    assert np.isnan(found[3])


def test_weighted_by_series_all_count_the_same_and_stock_is_in_days() -> None:
    # fill rates (.8 + 0)/2, (.9 + .5)/2, (.9 + 1)/2; days (.1 + .25)/2, (.2 + .5)/2, (.2 + 2.5)/2
    found = stock_needed(TWO_SERIES, [0.4, 0.7, 0.95, 0.825], weighting="series")

    assert found == pytest.approx([0.175, 0.35, 1.35, (0.35 + 1.35) / 2])


def test_a_series_without_demand_has_stock_and_no_fill_rate() -> None:
    idle = swept([([50.0, 0.0], [5.0, 3.0]), ([100.0, 0.0], [15.0, 3.0])], [100.0, 0.0])

    assert stock_needed(idle, [0.75]) == pytest.approx([13])
    assert stock_needed(idle, [0.75], "series") == pytest.approx([0.1])


def test_points_that_take_more_stock_and_serve_no_more_are_left_out() -> None:
    with_a_bad_point = swept([([80.0], [10.0]), ([70.0], [50.0]), ([100.0], [30.0]), ([100.0], [90.0])], [100.0])

    assert stock_needed(with_a_bad_point, [0.9, 1.0]) == pytest.approx([20, 30])


def test_the_order_of_parameters_does_not_matter() -> None:
    reversed_sweep = Sweep(TWO_SERIES.parameters[::-1], TWO_SERIES.totals[::-1])

    np.testing.assert_array_equal(stock_needed(reversed_sweep, [0.75, 0.875]), stock_needed(TWO_SERIES, [0.75, 0.875]))


def made_up(seed: int, series: int = 60, factor: float = 1.0) -> Sweep:
    """A rule with three points, whose stocks scatter around `factor`."""
    demand = np.random.default_rng(1).gamma(2.0, 50.0, series)
    random = np.random.default_rng(seed)
    stock = demand * factor * random.gamma(4.0, 0.25, series)
    points = [(demand * fill, stock * more) for fill, more in [(0.85, 1.0), (0.95, 2.0), (0.995, 4.0)]]
    return Sweep((0.0, 1.0, 2.0), tuple(one_day(demand, sales, on_hand) for sales, on_hand in points))


def test_a_rule_that_always_needs_a_tenth_less_is_a_tenth_better_for_sure() -> None:
    rule = made_up(2)
    better = Sweep(
        rule.parameters,
        tuple(one_day(point.demand, point.sales, 0.9 * point.average_on_hand) for point in rule.totals),
    )

    difference = stock_difference(better, rule, 0.95)

    assert (difference.estimate, difference.low, difference.high) == pytest.approx((-0.1, -0.1, -0.1))
    assert difference.is_clear


def test_a_rule_does_not_differ_from_itself() -> None:
    difference = stock_difference(made_up(2), made_up(2), 0.95)

    assert (difference.estimate, difference.low, difference.high) == (0, 0, 0)
    assert not difference.is_clear


@pytest.mark.parametrize("weighting", ["units", "series"])
def test_bounds_agree_with_another_paired_bootstrap(weighting: Weighting) -> None:
    ours, theirs = made_up(3, factor=0.9), made_up(4)

    found = stock_difference(ours, theirs, 0.97, weighting)

    def needed(rule: Sweep, rows: np.ndarray) -> float:
        demand = rule.totals[0].demand[rows]
        weight = np.ones_like(demand) if weighting == "units" else 1 / demand
        stock = [(weight * point.average_on_hand[rows]).sum() for point in rule.totals]
        return float(np.interp(0.97, [0.85, 0.95, 0.995], stock))

    def difference(rows: np.ndarray) -> float:
        return needed(ours, rows) / needed(theirs, rows) - 1

    rows = np.arange(60)
    other = stats.bootstrap(
        (rows,),
        difference,
        n_resamples=4_000,
        vectorized=False,
        method="percentile",
        random_state=np.random.default_rng(9),
    ).confidence_interval
    assert found.estimate == pytest.approx(difference(rows))
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.025)
    assert found.low < found.estimate < found.high


def test_the_same_seed_gives_the_same_bounds() -> None:
    first, again = (stock_difference(made_up(3), made_up(4), 0.95) for _ in range(2))

    assert first == again
    assert first != stock_difference(made_up(3), made_up(4), 0.95, seed=1)


def test_bounds_are_unknown_if_a_resample_does_not_reach_the_fill_rate() -> None:
    rule = swept([([80.0, 0.0], [10.0, 5.0]), ([100.0, 10.0], [20.0, 10.0])], [100.0, 20.0])

    difference = stock_difference(rule, rule, 0.9)

    assert difference.estimate == 0
    assert np.isnan([difference.low, difference.high]).all()
    assert not difference.is_clear


def test_rules_that_met_other_demand_are_not_compared() -> None:
    other = swept([([80.0, 0.0], [10.0, 5.0])], [100.0, 30.0])
    with pytest.raises(ValueError, match="same demand"):
        stock_difference(TWO_SERIES, other, 0.9)


def test_without_demand_nothing_is_compared() -> None:
    idle = swept([([0.0], [1.0])], [0.0])
    with pytest.raises(ValueError, match="without any series with demand"):
        stock_difference(idle, idle, 0.9, "series")


def test_a_sweep_simulates_the_rule_with_every_parameter() -> None:
    world = scenario(np.random.default_rng(5).poisson(4, (30, 90)), 2, 10, warm_up_days=10)

    result = sweep(world, lambda level: BaseStock(np.array([[level]])), [8.0, 12.0, 16.0, 20.0])

    fill_rates = [totals.sales.sum() / totals.demand.sum() for totals in result.totals]
    stocks = [totals.average_on_hand.sum() for totals in result.totals]
    assert result.parameters == (8, 12, 16, 20)
    assert fill_rates == sorted(fill_rates)
    assert stocks == sorted(stocks)
    needed = stock_needed(result, [fill_rates[1], (fill_rates[1] + fill_rates[2]) / 2])
    assert needed == pytest.approx([stocks[1], (stocks[1] + stocks[2]) / 2])
