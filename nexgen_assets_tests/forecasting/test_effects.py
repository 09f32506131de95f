"""An effect is what promotions added to the level without them, shrunk where little is known."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.forecasting.effects import (
    LEVEL_DAYS,
    PRIOR_UNITS,
    Promotions,
    effect_terms,
    in_units,
    shrunk,
)

DAYS = 250


def promotions(*entries: tuple[str, int, int, int]) -> Promotions:
    """Entries of key, first and last day, and share in hundredths."""
    keys, start, end, share = zip(*entries, strict=True)
    encoded = pa.array(keys, pa.string()).dictionary_encode()
    return Promotions("promotion", encoded, *(np.array(column) for column in (start, end, share)))


def sums(units: np.ndarray, share: np.ndarray, is_censored: np.ndarray | None = None) -> tuple[float, float]:
    """Excess and exposure of one series in units, over all its days."""
    censored = np.zeros(len(units), bool) if is_censored is None else is_censored
    terms = effect_terms(np.rint(units * 1000).astype(np.int64)[None], share[None], censored[None])
    excess, exposure = in_units(*(term.sum(keepdims=True)[0] for term in terms))
    return float(excess[0]), float(exposure[0])


@pytest.mark.parametrize("effect", [-0.5, 0.0, 1.0, 4.0])
@pytest.mark.parametrize("share", [25, 100])
def test_the_effect_of_clean_data_is_found_exactly(effect: float, share: int) -> None:
    on = np.where(np.arange(DAYS) % 50 > 45, share, 0)
    excess, exposure = sums(8 * (1 + effect * on / 100), on)
    assert excess / exposure == pytest.approx(effect)


def test_a_day_out_of_stock_tells_nothing_of_a_promotion_nor_of_the_level() -> None:
    on = np.where(np.arange(DAYS) % 50 > 45, 100, 0)
    is_out = np.arange(DAYS) % 3 == 0
    units = np.where(is_out, 0, np.where(on > 0, 20.0, 10.0))
    excess, exposure = sums(units, on, is_out)
    assert excess / exposure == pytest.approx(1)


def test_what_is_always_on_promotion_tells_nothing() -> None:
    assert sums(np.full(DAYS, 9.0), np.full(DAYS, 100)) == (0, 0)


def test_the_level_is_that_of_the_last_days_without_promotion() -> None:
    """A product that sold 10 a day and now sells 2: the last promotion is judged by the 2."""
    units = np.where(np.arange(DAYS) < DAYS - LEVEL_DAYS - 10, 10.0, 2.0)
    on = np.where(np.arange(DAYS) == DAYS - 1, 100, 0)
    units[-1] = 4
    excess, exposure = sums(units, on)
    assert (excess, exposure) == (2, 2)


def test_without_data_the_effect_is_the_category_s_and_with_much_its_own() -> None:
    own = 3.0
    for level, expected in ((0, 0.5), (PRIOR_UNITS, (0.5 + own) / 2), (1e6, own)):
        excess, exposure = (np.array([round(own * level * 1e5)]), np.array([round(level * 1e7)]))
        assert shrunk(excess, exposure, np.array([0.5]))[0] == pytest.approx(expected, rel=1e-4)


KEYS = ["a", "b", "every"]
RUNS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.integers(-5, 25), st.integers(0, 9), st.integers(1, 100)), min_size=1
)


@given(runs=RUNS)
def test_the_share_of_a_day_is_the_largest_of_the_entries_that_run_on_it(runs: list[tuple[str, int, int, int]]) -> None:
    entries = [(key, start, start + length, share) for key, start, length, share in runs]
    own, every = pa.array(["a", "b", "c"]), pa.array(["every"] * 3)
    got = promotions(*entries).shares([own, every], first_day=0, days=20)
    for number, name in enumerate(own.to_pylist()):
        for day in range(20):
            on = [s for key, start, end, s in entries if key in {name, "every"} and start <= day <= end]
            assert got[number, day] == max(on, default=0)


@given(runs=RUNS, first=st.integers(-10, 20), days=st.integers(1, 9))
def test_entries_of_other_days_change_nothing(runs: list[tuple[str, int, int, int]], first: int, days: int) -> None:
    told = promotions(*((key, start, start + length, share) for key, start, length, share in runs))
    keys = [pa.array(KEYS)]
    some = told.within(first, days)
    assert some.shares(keys, first, days).tolist() == told.shares(keys, first, days).tolist()
    assert len(some.share) == int(((told.end >= first) & (told.start < first + days)).sum())
