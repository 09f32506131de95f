"""What a retailer told of days ahead counts from the day it was known, on its days, where it holds."""

from datetime import date, timedelta
from decimal import Decimal

import holidays
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.forecasting.frame import HOLIDAY_REACH_DAYS
from nexgen_assets.tables import HORIZON_DAYS
from nexgen_assets_tests.forecasting.frames import ORIGIN, features_of, frame_of, line, plans_of

TOMORROW = ORIGIN + timedelta(days=1)


def test_a_plan_counts_on_its_days_only() -> None:
    start, end = ORIGIN + timedelta(days=3), ORIGIN + timedelta(days=5)
    share = frame_of(features_of(), plans_of(line(start, end, promotion_share=0.4, known=ORIGIN)))["planned_promotion"]
    np.testing.assert_allclose(share[0, :7], np.float32([0, 0, 0.4, 0.4, 0.4, 0, 0]))
    assert share[1:].sum() == 0


def test_a_plan_made_after_the_origin_is_not_known() -> None:
    told = line(ORIGIN, ORIGIN + timedelta(days=9), promotion_share=1.0, known=ORIGIN + timedelta(days=1))
    assert frame_of(features_of(), plans_of(told))["planned_promotion"].sum() == 0


@pytest.mark.parametrize(("product", "location", "rows"), [("", "north", 3), ("p1", "", 1), ("", "", 3), ("", "x", 0)])
def test_an_empty_name_means_every_one(product: str, location: str, rows: int) -> None:
    told = line(
        ORIGIN, ORIGIN + timedelta(days=1), promotion_share=1.0, known=ORIGIN, product=product, location=location
    )
    assert (frame_of(features_of(), plans_of(told))["planned_promotion"][:, 0] == 1).sum() == rows


def test_the_largest_of_overlapping_plans_counts() -> None:
    day = ORIGIN + timedelta(days=1)
    plans = [
        line(day, day, promotion_share=share, known=ORIGIN, product=p)
        for share, p in ((0.2, "p0"), (0.7, ""), (0.5, "p0"))
    ]
    assert frame_of(features_of(1), plans_of(*plans))["planned_promotion"][0, 0] == np.float32(0.7)


def test_a_promotion_counts_against_those_of_the_last_weeks() -> None:
    told = line(
        ORIGIN - timedelta(days=13), ORIGIN + timedelta(days=1), promotion_share=1.0, known=ORIGIN - timedelta(days=20)
    )
    change = frame_of(features_of(1), plans_of(told))["planned_promotion_change"][0]
    np.testing.assert_allclose(change[:2], [1 - 0.5, 0 - 0.5], rtol=1e-6)


def test_origins_of_several_days_each_know_their_own_plans() -> None:
    day = ORIGIN + timedelta(days=1)
    features = pa.concat_tables([features_of(1), features_of(1, ORIGIN - timedelta(days=1))])
    share = frame_of(features, plans_of(line(day, day, promotion_share=1.0, known=ORIGIN)))["planned_promotion"]
    assert share[0, 0] == 1
    assert share[1].sum() == 0


def test_the_effect_expected_is_that_of_the_product_times_the_change_against_the_last_weeks() -> None:
    told = line(ORIGIN - timedelta(days=13), TOMORROW, promotion_share=1.0, known=ORIGIN - timedelta(days=20))
    features = features_of(1, planned_promotion_effect=3.0)
    expected = frame_of(features, plans_of(told))["expected_promotion_effect"][0]
    np.testing.assert_allclose(expected[:2], [3 * 0.5, 3 * -0.5], rtol=1e-6)
    assert frame_of(features_of(1), plans_of())["expected_promotion_effect"].any() == 0


def test_a_promotion_is_in_force_from_the_day_it_is_known() -> None:
    told = line(ORIGIN, ORIGIN + timedelta(days=9), promotion_share=0.5, known=ORIGIN + timedelta(days=4))
    [promotions] = plans_of(told).promotions()
    day = (ORIGIN - date(1970, 1, 1)).days
    assert promotions.shares([pa.array(["p0\nnorth"])], day, 12).tolist() == [[0] * 4 + [50] * 6 + [0] * 2]


def test_where_no_promotion_is_told_there_is_none_to_learn_from() -> None:
    assert plans_of(line(ORIGIN, TOMORROW, known=ORIGIN, holiday_name="Fair")).promotions() == ()


# ---- prices


def test_a_planned_price_counts_against_the_usual_one() -> None:
    """Usual: the mean of the days sold in the last 91, here 2.00 while the latest price is 1.50."""
    features = features_of(2, unit_price=1.5, price_ratio_91=0.75)
    told = line(TOMORROW, TOMORROW, known=ORIGIN, unit_price=Decimal("1.6"))
    ratio = frame_of(features, plans_of(told))["planned_price_ratio"]
    assert ratio[0, 0] == pytest.approx(0.8)
    assert np.isnan(ratio[0, 1:]).all()
    assert np.isnan(ratio[1]).all()


def test_a_planned_price_of_what_has_no_price_yet_tells_nothing() -> None:
    told = line(TOMORROW, TOMORROW, known=ORIGIN, unit_price=Decimal("1.6"))
    ratio = frame_of(features_of(1, unit_price=None, price_ratio_91=None), plans_of(told))["planned_price_ratio"]
    assert np.isnan(ratio).all()


@pytest.mark.parametrize(
    ("lines", "price"),
    [
        # the product's own line, then the location's
        ([("p0", "", 3), ("", "north", 2), ("", "", 1)], 3),
        ([("p0", "", 3), ("p0", "north", 4), ("", "north", 2)], 4),
        # of lines for the same, the one known last
        ([("p0", "north", 5), ("p0", "north", 4)], 4),
    ],
)
def test_of_several_prices_the_narrowest_counts_then_the_one_known_last(
    lines: list[tuple[str, str, int]], price: int
) -> None:
    told = [
        line(TOMORROW, TOMORROW, product=product, location=location, unit_price=value, line_number=number, known=ORIGIN)
        for number, (product, location, value) in enumerate(lines)
    ]
    ratio = frame_of(features_of(1, unit_price=1.0, price_ratio_91=1.0), plans_of(*told))["planned_price_ratio"]
    assert ratio[0, 0] == price


def test_a_correction_of_a_price_counts_from_the_day_it_is_known() -> None:
    lines = [
        line(TOMORROW, TOMORROW, unit_price=Decimal(2), known=ORIGIN - timedelta(days=9)),
        line(TOMORROW, TOMORROW, unit_price=Decimal(3), known=ORIGIN),
    ]
    usual = {"unit_price": 1.0, "price_ratio_91": 1.0}
    features = pa.concat_tables([features_of(1, **usual), features_of(1, ORIGIN - timedelta(days=1), **usual)])
    ratio = frame_of(features, plans_of(*lines))["planned_price_ratio"]
    assert (ratio[0, 0], ratio[1, 1]) == (3, 2)


# ---- holidays


@given(
    starts=st.lists(st.integers(-40, 40), max_size=4),
    length=st.integers(0, 5),
    location=st.sampled_from(["", "north", "south"]),
    ahead=st.integers(0, 2),
)
def test_holidays_that_are_told_count_as_those_of_the_country_do(
    starts: list[int], length: int, location: str, ahead: int
) -> None:
    """The distances are counted out here day by day, within the 28 days before and after the origin."""
    known = ORIGIN + timedelta(days=1 - ahead)
    lines = [
        line(
            ORIGIN + timedelta(days=start),
            ORIGIN + timedelta(days=start + length),
            known=known,
            product="",
            location=location,
            holiday_name="Fair",
        )
        for start in starts
    ]
    frame = frame_of(features_of(1), plans_of(*lines))
    holds = location != "south" and known <= ORIGIN
    told = {start + day for start in starts for day in range(length + 1) if holds and -28 < start + day <= 28}
    country = holidays.country_holidays("US", years=range(2023, 2027))
    free = told | {(day - ORIGIN).days for day in country}
    for target in range(1, HORIZON_DAYS + 1):
        expected = [
            target in free,
            min([HOLIDAY_REACH_DAYS, *(day - target for day in free if day >= target)]),
            min([HOLIDAY_REACH_DAYS, *(target - day for day in free if day <= target)]),
        ]
        got = [frame[name][0, target - 1] for name in ("is_holiday", "days_to_holiday", "days_from_holiday")]
        assert got == expected


def test_a_holiday_of_one_product_is_none_of_the_others() -> None:
    told = line(TOMORROW, TOMORROW, known=date(2024, 1, 1), product="p1", location="", holiday_name="Day of p1")
    frame = frame_of(features_of(2), plans_of(told))
    assert frame["is_holiday"][:, 0].tolist() == [0, 1]
