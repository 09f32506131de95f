"""Random scenarios and rules for tests of the simulation. No tests stand here."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from nexgen_assets.replenishment.order_rules import BaseStock, ReorderPointQuantity, ReorderPointUpTo
from nexgen_assets.replenishment.simulation import Known, OrderRule, Scenario, scenario

Floats = NDArray[np.float64]

whole_units = st.integers(0, 12).map(float)
thousandths = st.integers(0, 12_000).map(lambda n: n / 1000)


@dataclass(frozen=True)
class Adaptive:
    """Raise to a multiple of the last days' demand, as a rule would that looks at what was sold."""

    days: int
    factor: float

    def raise_to(self, known: Known, /) -> Floats:
        return self.factor * known.demand[:, -self.days :].mean(axis=1)


def lists(values: st.SearchStrategy, size: int) -> st.SearchStrategy:
    return st.lists(values, min_size=size, max_size=size)


@st.composite
def scenarios(draw: st.DrawFn, *, units=whole_units, expires: bool = True, constrained: bool = True) -> Scenario:
    """One to three series over up to 20 days; if `constrained`, with MOQ and maximum stock, always with packs."""
    series, days = draw(st.integers(1, 3)), draw(st.integers(1, 20))

    def by_series(values: st.SearchStrategy) -> list:
        return draw(lists(values, series))

    lives = st.one_of(st.integers(1, 6).map(float), st.just(np.inf)) if expires else st.just(np.inf)
    limits = st.one_of(st.integers(0, 60).map(float), st.just(np.inf)) if constrained else st.just(np.inf)
    return scenario(
        draw(lists(lists(units, days), series)),
        draw(lists(lists(st.integers(0, 4), days), series)),
        by_series(units),
        shelf_life_days=by_series(lives),
        initial_life_days=by_series(lives),
        review_period_days=by_series(st.integers(1, 5)),
        first_review_day=by_series(st.integers(0, 3)),
        min_order_quantity=by_series(whole_units if constrained else st.just(0.0)),
        pack_size=by_series(st.sampled_from([1.0, 2.0, 6.0, 0.5])),
        max_stock=by_series(limits),
    )


@st.composite
def rules(draw: st.DrawFn) -> OrderRule:
    """A rule that fits any number of series: the same levels for all, changing with the day of the scenario or not."""
    level = np.array([[draw(st.integers(0, 60).map(float))]])
    low = np.array([[draw(st.integers(0, 30).map(float))]])
    return draw(
        st.sampled_from(
            [
                BaseStock(level),
                ReorderPointUpTo(low, level),
                ReorderPointQuantity(low, level),
                Adaptive(1 + int(low.item()) % 7, level.item() / 5),
            ]
        )
    )
