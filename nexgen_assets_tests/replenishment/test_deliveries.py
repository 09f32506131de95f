"""Drawn lead times: as likely as told, and the same for a name and a day, whatever else is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.deliveries import drawn_lead_times
from nexgen_assets.replenishment.lead_times import lead_times

PMFS = [{2: 0.8, 3: 0.15, 5: 0.05}, {4: 1.0}, {0: 0.5, 9: 0.5}]
NAMES = ["a", "b", "c"]


def test_lead_times_are_drawn_as_often_as_they_are_likely() -> None:
    days = 40_000
    drawn = drawn_lead_times(lead_times(PMFS), NAMES, days, seed=1)

    for row, pmf in zip(drawn, PMFS, strict=True):
        assert set(row.tolist()) == set(pmf)
        for lead_time, share in pmf.items():
            error = 4 * np.sqrt(share * (1 - share) / days)
            assert (row == lead_time).mean() == pytest.approx(share, abs=float(error))


def test_series_and_seeds_have_draws_of_their_own() -> None:
    alike = lead_times([PMFS[0]] * 3)
    first, other = (drawn_lead_times(alike, NAMES, 200, seed) for seed in (1, 2))

    assert len({tuple(row) for row in np.concatenate([first, other]).tolist()}) == 6


@given(st.permutations(range(3)), st.integers(1, 3), st.integers(1, 30))
def test_a_draw_depends_on_name_and_day_alone(order: list[int], series: int, days: int) -> None:
    whole = drawn_lead_times(lead_times(PMFS), NAMES, 30, seed=1)
    chosen = order[:series]

    part = drawn_lead_times(lead_times([PMFS[k] for k in chosen]), [NAMES[k] for k in chosen], days, seed=1)

    np.testing.assert_array_equal(part, whole[chosen, :days])


def test_every_series_has_a_name() -> None:
    with pytest.raises(ValueError, match="1 series were named, but lead times are told of 3"):
        drawn_lead_times(lead_times(PMFS), ["a"], 3, seed=1)
