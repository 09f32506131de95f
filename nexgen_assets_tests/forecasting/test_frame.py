"""The design matrix holds what was known at the origin, the same in training and in prediction."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets.forecasting.frame import PlannedPromotions, all_horizons, expand, feature_names, level_of
from nexgen_assets.tables import CALENDAR, CLEANED_FEATURES, HORIZON_DAYS

FEATURE_NAMES = feature_names(PlannedPromotions.none())
ORIGIN = date(2024, 12, 10)


def _features(products: int = 3, day: date = ORIGIN, **values: Any) -> pa.Table:
    rng = np.random.default_rng(5)
    rows = [
        {c.name: float(rng.random()) for c in CLEANED_FEATURES.columns}
        | {"day": day, "product_id": f"p{n}", "location": "north", "product_name": None, "category": "fruit"}
        | {"is_new_item": False, "delisted_on": None}
        | values
        for n in range(products)
    ]
    return pa.Table.from_pylist(rows, schema=CLEANED_FEATURES.arrow_schema)


def _plan(start: date, end: date, share: float, *, known: date, product: str = "p0", location: str = "north") -> dict:
    return {
        "product_id": product,
        "location": location,
        "start_date": start,
        "end_date": end,
        "promotion_share": share,
        "effective_date": known,
        "file_key": "calendar.csv",
        "line_number": 1,
    }


def _planned(*plans: dict) -> PlannedPromotions:
    return PlannedPromotions(pa.Table.from_pylist(list(plans), schema=CALENDAR.arrow_schema))


def _frame(features: pa.Table, planned: PlannedPromotions | None = None) -> dict[str, np.ndarray]:
    """Each feature by name: [origins, horizons]."""
    pairs = all_horizons(features.num_rows)
    frame = expand(features, *pairs, planned or PlannedPromotions.none(), ["bread", "fruit"], "US")
    return {name: frame.matrix[:, i].reshape(-1, HORIZON_DAYS) for i, name in enumerate(FEATURE_NAMES)}


def test_the_columns_are_named() -> None:
    pairs = all_horizons(3)
    frame = expand(_features(), *pairs, PlannedPromotions.none(), [], "US")
    assert frame.matrix.shape == (3 * HORIZON_DAYS, len(FEATURE_NAMES))
    assert frame.matrix.dtype == np.float32
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)


def test_a_pair_looks_the_same_alone_and_among_others() -> None:
    features, planned = _features(), _planned(_plan(ORIGIN, ORIGIN + timedelta(20), 0.5, known=ORIGIN))
    everything = expand(features, *all_horizons(3), planned, ["fruit"], "US")
    one = expand(features, np.array([2]), np.array([9]), planned, ["fruit"], "US")
    np.testing.assert_array_equal(one.matrix[0], everything.matrix[2 * HORIZON_DAYS + 8])


def test_demand_counts_in_units_of_the_level() -> None:
    slow, fast = (_frame(_features(1, **_scaled(factor))) for factor in (1.0, 1000.0))
    for name in ("relative_mean_7", "relative_sd_28", "relative_weekday_mean"):
        np.testing.assert_allclose(slow[name], fast[name], rtol=1e-5)
    np.testing.assert_allclose(fast["log_level"] - slow["log_level"], np.log(1000), rtol=1e-5)


def _scaled(factor: float) -> dict[str, float]:
    return {c.name: factor * 0.5 for c in CLEANED_FEATURES.columns if c.unit in ("units", "units per day")}


def test_the_level_has_a_floor() -> None:
    assert level_of(_features(1, demand_mean_28=0.0, demand_mean_91=0.0))[0] == pytest.approx(1 / 91)


def test_the_weekday_mean_is_that_of_the_target_s_weekday() -> None:
    by_lag = {f"weekday_mean_{k}": float(k) for k in range(7)}
    features = _features(1, demand_mean_28=1.0, demand_mean_91=1.0, **by_lag)
    got = _frame(features)["relative_weekday_mean"][0]
    for horizon in range(1, HORIZON_DAYS + 1):
        lag = got[horizon - 1]
        assert (horizon + lag) % 7 == 0


def test_the_calendar_is_the_target_date_s() -> None:
    frame = _frame(_features(1))
    christmas = (date(2024, 12, 25) - ORIGIN).days - 1
    assert frame["is_holiday"][0, christmas] == 1
    assert frame["days_to_holiday"][0, christmas - 2] == 2
    assert frame["days_from_holiday"][0, christmas + 3] == 3
    assert frame["weekday"][0, christmas] == 2
    assert frame["day_of_month"][0, christmas] == 25
    assert frame["day_of_year"][0, christmas] == 360  # of a leap year


def test_categories_the_model_does_not_know_are_unknown() -> None:
    for category, code in (("fruit", 1), ("toys", -1), (None, -1)):
        assert _frame(_features(1, category=category))["category_code"][0, 0] == code


def test_a_plan_counts_on_its_days_only() -> None:
    start, end = ORIGIN + timedelta(days=3), ORIGIN + timedelta(days=5)
    share = _frame(_features(), _planned(_plan(start, end, 0.4, known=ORIGIN)))["planned_promotion"]
    np.testing.assert_allclose(share[0, :7], np.float32([0, 0, 0.4, 0.4, 0.4, 0, 0]))
    assert share[1:].sum() == 0


def test_a_plan_made_after_the_origin_is_not_known() -> None:
    plan = _plan(ORIGIN, ORIGIN + timedelta(days=9), 1.0, known=ORIGIN + timedelta(days=1))
    assert _frame(_features(), _planned(plan))["planned_promotion"].sum() == 0


@pytest.mark.parametrize(("product", "location", "rows"), [("", "north", 3), ("p1", "", 1), ("", "", 3), ("", "x", 0)])
def test_an_empty_name_means_every_one(product: str, location: str, rows: int) -> None:
    plan = _plan(ORIGIN, ORIGIN + timedelta(days=1), 1.0, known=ORIGIN, product=product, location=location)
    assert (_frame(_features(), _planned(plan))["planned_promotion"][:, 0] == 1).sum() == rows


def test_the_largest_of_overlapping_plans_counts() -> None:
    day = ORIGIN + timedelta(days=1)
    plans = [_plan(day, day, share, known=ORIGIN, product=p) for share, p in ((0.2, "p0"), (0.7, ""), (0.5, "p0"))]
    assert _frame(_features(1), _planned(*plans))["planned_promotion"][0, 0] == np.float32(0.7)


def test_a_promotion_counts_against_those_of_the_last_weeks() -> None:
    plan = _plan(ORIGIN - timedelta(days=13), ORIGIN + timedelta(days=1), 1.0, known=ORIGIN - timedelta(days=20))
    change = _frame(_features(1), _planned(plan))["planned_promotion_change"][0]
    np.testing.assert_allclose(change[:2], [1 - 0.5, 0 - 0.5], rtol=1e-6)


def test_origins_of_several_days_each_know_their_own_plans() -> None:
    day = ORIGIN + timedelta(days=1)
    features = pa.concat_tables([_features(1), _features(1, ORIGIN - timedelta(days=1))])
    share = _frame(features, _planned(_plan(day, day, 1.0, known=ORIGIN)))["planned_promotion"]
    assert share[0, 0] == 1
    assert share[1].sum() == 0
