"""Days out of stock count as if as much had been asked for as on other days, never less than was sold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nexgen_assets.forecasting.censoring import uncensored

_SALES = hnp.arrays(np.float64, 12, elements=st.integers(0, 40).map(float))


def test_sales_cut_short_are_scaled_up_to_the_ratio_of_other_days() -> None:
    sales, expected = np.array([4.0, 6.0, 1.0, 2.0]), np.full(4, 5.0)
    out_of_stock = np.array([False, False, True, True])
    np.testing.assert_allclose(uncensored(sales, expected, out_of_stock), [4.0, 6.0, 10 / 3, 20 / 3])


def test_unknown_sales_stay_unknown_and_teach_nothing() -> None:
    sales, expected = np.array([4.0, np.nan, 2.0]), np.full(3, 4.0)
    np.testing.assert_allclose(uncensored(sales, expected, np.array([False, False, True])), [4.0, np.nan, 4.0])


@given(sales=_SALES, is_censored=hnp.arrays(np.bool_, 12))
def test_no_sale_is_lost_and_days_in_stock_are_as_they_were(sales: np.ndarray, is_censored: np.ndarray) -> None:
    found = uncensored(sales, np.full(12, 7.0), is_censored)
    assert (found >= sales).all()
    assert (found[~is_censored] == sales[~is_censored]).all()


@given(sales=_SALES, is_censored=hnp.arrays(np.bool_, 12))
def test_in_sum_days_out_of_stock_come_up_to_the_others(sales: np.ndarray, is_censored: np.ndarray) -> None:
    if not is_censored.any() or is_censored.all() or not sales[is_censored].any():
        return
    found = uncensored(sales, np.full(12, 7.0), is_censored)
    assert found[is_censored].mean() >= found[~is_censored].mean() - 1e-9
