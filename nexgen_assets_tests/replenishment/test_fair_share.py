"""Fair shares: what is sent, against every allotment tried and against the exact Poisson probabilities."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets.replenishment.fair_share import MOST_PACKS, allotted
from nexgen_assets.replenishment.shared_limits import Lines
from nexgen_assets_tests.replenishment.distributions import Floats
from nexgen_assets_tests.replenishment.test_shared_limits import lines_of, losses_of

DAYS = 10


def shares(lines: Lines, *on_hand: float, stock: list[int] | None = None) -> list[float]:
    of = np.array(stock or [0] * len(lines.order_units))
    return allotted(lines, of, np.array(on_hand), losses_of(lines, DAYS)).tolist()


def served(lines: Lines, units: Floats) -> float:
    """Expected demand of DAYS days that these units serve beyond the positions, summed term by term."""
    demand = np.arange(400)
    probabilities = stats.poisson.pmf(demand, DAYS * lines.daily_demand[:, None])
    left = np.maximum(demand - lines.inventory_position[:, None], 0)
    return float((probabilities * np.minimum(left, units[:, None])).sum())


def test_all_is_sent_where_the_centre_has_enough() -> None:
    assert shares(lines_of(2, order_units=[10.0, 6.0]), 16.0) == [10, 6]


def test_where_nobody_knows_what_the_centre_has_all_is_sent() -> None:
    assert shares(lines_of(2), np.inf) == [10, 10]


def test_nothing_comes_from_an_empty_centre() -> None:
    assert shares(lines_of(2), 0.0) == [0, 0]


def test_equal_locations_get_equal_shares() -> None:
    assert shares(lines_of(4, pack_size=2.0), 12.0) == [4, 4, 2, 2]


def test_what_one_has_already_goes_to_the_other() -> None:
    # both want to reach 10: a share of 8 brings them from 6 and 0 to 7 each, as likely to run out
    assert shares(lines_of(2, inventory_position=[6.0, 0.0]), 8.0) == [1, 7]


def test_a_price_or_cost_gives_no_precedence() -> None:
    assert shares(lines_of(2, unit_cost=[0.01, 500.0]), 10.0) == [5, 5]


def test_every_stock_is_shared_among_its_own_lines_and_lines_without_a_centre_keep_theirs() -> None:
    assert shares(lines_of(5), 4.0, 30.0, stock=[0, 1, 0, -1, 1]) == [2, 10, 2, 10, 10]


def test_a_smallest_order_that_does_not_fit_leaves_the_stock_to_the_others() -> None:
    lines = lines_of(2, min_order_quantity=[9.0, 1.0])

    assert shares(lines, 8.0) == [0, 8]


def test_a_large_order_is_shared_in_lots_and_the_last_of_them_pack_by_pack() -> None:
    lines = lines_of(2, order_units=[1000.0, 1000.0], daily_demand=100.0)

    first, second = shares(lines, 1001.0)

    assert first + second == 1001
    assert abs(first - second) <= 2 * np.ceil(1000 / (MOST_PACKS - 1))


@st.composite
def short_centres(draw: st.DrawFn, *, one_pack_size: bool = False, smallest_orders: bool = True) -> tuple[Lines, float]:
    """Up to three lines of a few packs, and less stock than they want."""
    n = draw(st.integers(1, 3))

    def some(of: st.SearchStrategy[float]) -> Floats:
        return np.array(draw(st.lists(of, min_size=n, max_size=n)))

    sizes = st.sampled_from([1.0, 2.0, 0.5, 6.0])
    pack = np.full(n, draw(sizes)) if one_pack_size else some(sizes)
    moq = some(st.sampled_from([0.0, 3.0])) if smallest_orders else np.zeros(n)
    order = np.maximum(some(st.integers(0, 4).map(float)) * pack, 0.0)
    lines = lines_of(
        n,
        pack_size=pack,
        min_order_quantity=moq,
        order_units=np.where(order >= moq, order, 0.0),
        daily_demand=some(st.floats(0.01, 2.0)),
        inventory_position=some(st.integers(0, 12).map(float)),
    )
    return lines, draw(st.integers(0, 60)) / 60 * float(lines.order_units.sum())


@given(case=short_centres())
def test_no_more_is_sent_than_there_is_or_is_wanted_in_full_packs_of_at_least_the_smallest_order(
    case: tuple[Lines, float],
) -> None:
    lines, on_hand = case

    sent = np.array(shares(lines, on_hand))

    assert sent.sum() <= on_hand + 1e-3  # stock counts in thousandths
    assert np.all((sent >= 0) & (sent <= lines.order_units))
    assert np.all(sent % lines.pack_size == 0)
    assert np.all((sent == 0) | (sent >= lines.min_order_quantity))


@given(case=short_centres())
def test_nothing_stays_that_a_location_still_wants(case: tuple[Lines, float]) -> None:
    lines, on_hand = case

    sent = np.array(shares(lines, on_hand))

    smallest = np.ceil(np.maximum(lines.min_order_quantity, lines.pack_size) / lines.pack_size) * lines.pack_size
    next_lot = np.where(sent > 0, lines.pack_size, np.minimum(smallest, lines.order_units))
    assert np.all((sent == lines.order_units) | (on_hand - sent.sum() < next_lot))


@given(case=short_centres(one_pack_size=True, smallest_orders=False))
def test_no_allotment_of_packs_of_one_size_serves_more(case: tuple[Lines, float]) -> None:
    lines, on_hand = case
    ranges = [np.arange(0, units + 1e-9, size) for units, size in zip(lines.order_units, lines.pack_size, strict=True)]
    possible = [np.array(units) for units in product(*ranges) if sum(units) <= on_hand + 1e-9]

    sent = np.array(shares(lines, on_hand))

    assert served(lines, sent) == pytest.approx(max(served(lines, units) for units in possible), abs=1e-6)


@given(
    demand=st.lists(st.floats(0.1, 3.0), min_size=2, max_size=5),
    position=st.integers(0, 10),
    share=st.floats(0.05, 0.95),
)
def test_stockouts_are_as_equally_likely_as_units_allow(demand: list[float], position: int, share: float) -> None:
    n = len(demand)
    lines = lines_of(n, daily_demand=demand, order_units=40.0, inventory_position=[float(position), *([0.0] * (n - 1))])

    sent = np.array(shares(lines, np.floor(40 * n * share)))

    # P(D > y): moving the last unit of one to another would leave that one the likeliest to run out
    reached, mean = lines.inventory_position + sent, DAYS * lines.daily_demand
    before_last = np.where(sent > 0, stats.poisson.sf(reached - 1, mean), np.inf)
    after_all = np.where(sent < 40, stats.poisson.sf(reached, mean), -np.inf)
    assert before_last.min() >= after_all.max() - 1e-9


def test_many_stocks_at_once_share_as_each_would_alone() -> None:
    rng = np.random.default_rng(3)
    n, stocks = 240, 60
    stock = rng.integers(-1, stocks, n)
    lines = lines_of(
        n,
        order_units=rng.integers(0, 20, n) * 6.0,
        pack_size=6.0,
        daily_demand=rng.uniform(0.1, 9, n),
        inventory_position=rng.integers(0, 20, n).astype(float),
    )
    on_hand = rng.integers(0, 200, stocks).astype(float)

    together = allotted(lines, stock, on_hand, losses_of(lines, DAYS))

    for number in range(stocks):
        own = np.flatnonzero(stock == number)
        few = Lines(**{name: values[own] for name, values in vars(lines).items()})
        if len(own):
            assert together[own].tolist() == shares(few, on_hand[number])
    assert together[stock < 0].tolist() == lines.order_units[stock < 0].tolist()
