"""The measures, on examples worked by hand."""

import numpy as np
import pytest

from nexgen_assets.forecasting import evaluation

ACTUAL = np.array([[1.0, 3.0], [0.0, 4.0]])
FORECAST = np.array([[2.0, 1.0], [1.0, 4.0]])


def test_wape_is_absolute_error_per_unit_sold() -> None:
    assert evaluation.wape(ACTUAL, FORECAST) == pytest.approx((1 + 2 + 1 + 0) / 8)


def test_wape_of_the_total_lets_errors_of_a_series_cancel() -> None:
    assert evaluation.wape_total(ACTUAL, FORECAST) == pytest.approx((abs(3 - 4) + abs(5 - 4)) / 8)


def test_bias_is_positive_for_forecasts_too_high() -> None:
    assert evaluation.bias(ACTUAL, ACTUAL + 1) == pytest.approx(4 / 8)
    assert evaluation.bias(ACTUAL, FORECAST) == pytest.approx(0)


def test_the_scale_begins_at_the_first_sale() -> None:
    assert evaluation.squared_step_mean(np.array([0.0, 0.0, 2.0, 0.0, 1.0])) == pytest.approx((4 + 1) / 2)
    assert np.isnan(evaluation.squared_step_mean(np.array([0.0, 0.0, 2.0])))
    assert np.isnan(evaluation.squared_step_mean(np.zeros(5)))


def test_rmsse_is_one_for_the_error_of_the_one_step_naive() -> None:
    history = np.array([1.0, 3.0, 1.0])
    error = evaluation.rmsse(np.array([[5.0, 5.0]]), np.array([[3.0, 7.0]]), np.array([4.0]))
    assert evaluation.squared_step_mean(history) == 4
    np.testing.assert_allclose(error, [1.0])


def test_wrmsse_weights_by_sales_value_and_leaves_out_series_without_scale() -> None:
    actual, forecast = np.array([[4.0], [2.0], [9.0]]), np.array([[2.0], [2.0], [0.0]])
    score = evaluation.wrmsse(actual, forecast, np.array([1.0, 1.0, 0.0]), np.array([30.0, 10.0, 1000.0]))
    assert score == pytest.approx((2 * 30 + 0 * 10) / 40)


def test_pinball_loss_charges_each_side_its_share() -> None:
    assert evaluation.pinball_loss(np.array([10.0]), np.array([8.0]), 0.9) == pytest.approx(0.9 * 2)
    assert evaluation.pinball_loss(np.array([8.0]), np.array([10.0]), 0.9) == pytest.approx(0.1 * 2)


def test_wql_of_the_median_is_the_wape() -> None:
    assert evaluation.weighted_quantile_loss(ACTUAL, FORECAST, 0.5) == pytest.approx(evaluation.wape(ACTUAL, FORECAST))


def test_coverage_counts_actuals_at_the_quantile() -> None:
    assert evaluation.coverage(ACTUAL, FORECAST) == pytest.approx(3 / 4)


def test_errors_without_any_demand_are_undefined() -> None:
    assert np.isnan(evaluation.wape(np.zeros((1, 2)), np.ones((1, 2))))
