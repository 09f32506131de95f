"""The design matrix holds what was known at the origin, the same in training and in prediction."""

from datetime import date, timedelta

import numpy as np
import pytest

from nexgen_assets.forecasting.frame import all_horizons, expand, level_of
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.tables import CLEANED_FEATURES, HORIZON_DAYS
from nexgen_assets_tests.forecasting.frames import FEATURE_NAMES, ORIGIN, features_of, frame_of, line, plans_of


def test_the_columns_are_named() -> None:
    pairs = all_horizons(3)
    frame = expand(features_of(), *pairs, Plans.none(), [], "US")
    assert frame.matrix.shape == (3 * HORIZON_DAYS, len(FEATURE_NAMES))
    assert frame.matrix.dtype == np.float32
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)


def test_a_pair_looks_the_same_alone_and_among_others() -> None:
    features, planned = features_of(), plans_of(line(ORIGIN, ORIGIN + timedelta(20), promotion_share=0.5, known=ORIGIN))
    everything = expand(features, *all_horizons(3), planned, ["fruit"], "US")
    one = expand(features, np.array([2]), np.array([9]), planned, ["fruit"], "US")
    np.testing.assert_array_equal(one.matrix[0], everything.matrix[2 * HORIZON_DAYS + 8])


def test_demand_counts_in_units_of_the_level() -> None:
    slow, fast = (frame_of(features_of(1, **_scaled(factor))) for factor in (1.0, 1000.0))
    for name in ("relative_mean_7", "relative_sd_28", "relative_weekday_mean"):
        np.testing.assert_allclose(slow[name], fast[name], rtol=1e-5)
    np.testing.assert_allclose(fast["log_level"] - slow["log_level"], np.log(1000), rtol=1e-5)


def _scaled(factor: float) -> dict[str, float]:
    return {c.name: factor * 0.5 for c in CLEANED_FEATURES.columns if c.unit in ("units", "units per day")}


def test_the_level_has_a_floor() -> None:
    assert level_of(features_of(1, demand_mean_28=0.0, demand_mean_91=0.0))[0] == pytest.approx(1 / 91)


def test_the_weekday_mean_is_that_of_the_target_s_weekday() -> None:
    by_lag = {f"weekday_mean_{k}": float(k) for k in range(7)}
    features = features_of(1, demand_mean_28=1.0, demand_mean_91=1.0, **by_lag)
    got = frame_of(features)["relative_weekday_mean"][0]
    for horizon in range(1, HORIZON_DAYS + 1):
        lag = got[horizon - 1]
        assert (horizon + lag) % 7 == 0


def test_the_calendar_is_the_target_date_s() -> None:
    frame = frame_of(features_of(1))
    christmas = (date(2024, 12, 25) - ORIGIN).days - 1
    assert frame["is_holiday"][0, christmas] == 1
    assert frame["days_to_holiday"][0, christmas - 2] == 2
    assert frame["days_from_holiday"][0, christmas + 3] == 3
    assert frame["weekday"][0, christmas] == 2
    assert frame["day_of_month"][0, christmas] == 25
    assert frame["day_of_year"][0, christmas] == 360  # of a leap year


def test_categories_the_model_does_not_know_are_unknown() -> None:
    for category, code in (("fruit", 1), ("toys", -1), (None, -1)):
        assert frame_of(features_of(1, category=category))["category_code"][0, 0] == code
