"""Exceptions: which rows are told, by which number, and in which order."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets import tables
from nexgen_assets.replenishment.exceptions import DEFINITIONS, order_exceptions
from nexgen_assets.replenishment.recent_sales import RecentSales
from nexgen_assets_tests.replenishment.test_orders import many_orders

DAY = date(2026, 3, 10)
# a line in good order: 2 units a day, 10 days to cover, half a level in stock
CALM: dict[str, Any] = {
    **{c.name: 0.0 for c in tables.REORDER_RECOMMENDATIONS.columns if c.type == tables.REAL and not c.nullable},
    **{c.name: 1 for c in tables.REORDER_RECOMMENDATIONS.columns if c.type == tables.WHOLE},
    **{c.name: "" for c in tables.REORDER_RECOMMENDATIONS.columns if c.type == tables.TEXT and not c.nullable},
    **{c.name: DAY for c in tables.REORDER_RECOMMENDATIONS.columns if c.type == tables.DATE},
    "product_id": "007",
    "location": "north",
    "expected_demand": 20.0,
    "protection_interval_days": 10,
    "lead_time_days": 6,
    "order_up_to_level": 26.0,
    "on_hand": 13.0,
    "inventory_position": 13.0,
    "net_requirement": 13.0,
    "order_units": 13.0,
    "order_value": 26.0,
    "pack_size": 1.0,
    "unit_cost": 2.0,
    "unit_price": 3.0,
    "service_level": 0.95,
    "max_waste_share": 0.2,
    "money_at_risk": 30.0,
    "stockout_probability_until_receipt": 0.01,
    "is_beyond_horizon": False,
    "revision": "r1",
}


def orders(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([CALM | row for row in rows], schema=tables.REORDER_RECOMMENDATIONS.arrow_schema)


def found(*open_lines: dict[str, Any], sales: RecentSales | None = None, **row: Any) -> list[tuple[Any, ...]]:
    names = ("exception", "number", "threshold", "money_at_risk")
    return [
        tuple(e[name] for name in names) for e in order_exceptions(orders(row), lines(*open_lines), sales).to_pylist()
    ]


def lines(*rows: dict[str, Any]) -> pa.Table:
    told = {"day": DAY, "product_id": "007", "location": "north", "order_source": "decision", "order_units": 9.0}
    told |= {"ordered_as_of": DAY - timedelta(days=30), "is_assumed_received": False}
    return pa.Table.from_pylist([told | row for row in rows], schema=tables.OPEN_ORDERS.arrow_schema)


def due(days: int, **row: Any) -> dict[str, Any]:
    """A line due so many days after the origin; one that was due is assumed received."""
    return {"due_date": DAY + timedelta(days=days), "is_assumed_received": days <= 0} | row


def told_late(days: int, **row: Any) -> dict[str, Any]:
    """A line that was due so many days ago, and has not come, as the stock file says."""
    return due(-days, order_source="inventory", is_assumed_received=False) | row


def sold(*numbers: float) -> RecentSales:
    """Silent days, the longest silence, units sold, forecast, its bounds, and the side of the week before."""
    return RecentSales(*(np.array([number]) for number in numbers))


NAN = float("nan")
SILENT = sold(12.0, 8.5, NAN, NAN, NAN, NAN, 0.0)


def test_a_line_in_good_order_is_no_exception() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("row", "exception"),
    [
        (
            {"on_hand": 0.0, "expected_lost_units_until_receipt": 4.0, "stockout_probability_until_receipt": 0.9},
            ("stocked_out", 0.0, 0.0, 12.0),
        ),
        (
            {"stockout_probability_until_receipt": 0.25, "expected_lost_units_until_receipt": 1.5},
            ("potential_stockout", 0.25, pytest.approx(0.05), 4.5),
        ),
        (
            {"blocked_reason": "stock_unknown", "order_units": 0.0, "assumptions": "lead_time,on_hand", "on_hand": 0.0},
            ("order_blocked", 13.0, 0.0, 30.0),
        ),
        (
            {"on_order_units": 9.0, "surplus_units": 7.0, "net_requirement": 0.0, "order_units": 0.0},
            ("surplus_on_order", 7.0, 1.0, 14.0),
        ),
        (
            {"on_hand": 126.0, "net_requirement": 0.0, "order_units": 0.0},
            ("excess_stock", 63.0, 56.0, 200.0),
        ),
        (
            {"on_hand": 5.0, "expected_demand": 0.0, "order_up_to_level": 0.0, "net_requirement": 0.0}
            | {"order_units": 0.0},
            ("excess_stock", None, 56.0, 10.0),
        ),
        ({"expected_waste_units": 13.0}, ("expiry_risk", 0.5, 0.2, 26.0)),
        (
            {"max_stock_units": -6.5, "order_units": 6.5, "expected_lost_units_with_order": 3.0}
            | {"expected_lost_units_until_receipt": 1.0},
            ("order_cut", 0.5, 0.25, 6.0),
        ),
        ({"pack_units": 87.0, "order_units": 100.0}, ("order_raised", 43.5, 28.0, 174.0)),
        ({"assumptions": "lead_time,supplier,unit_cost"}, ("data_assumed", 2.0, 0.0, 26.0)),
    ],
)
def test_each_exception_has_its_number_threshold_and_money(row: dict[str, Any], exception: tuple[Any, ...]) -> None:
    assert found(**row) == [exception]


@pytest.mark.parametrize(
    "row",
    [
        {"stockout_probability_until_receipt": 0.05},
        {"on_order_units": 9.0, "surplus_units": 5.0, "pack_size": 6.0, "net_requirement": 0.0},
        {"max_stock_units": -3.0, "order_units": 10.0},
        {"pack_units": 56.0, "order_units": 69.0},
        {"expected_waste_units": 5.2},
        {"assumptions": "supplier,lead_time_sd,on_hand_estimated"},
        {"on_hand": 0.0, "expected_demand": 0.0, "net_requirement": 0.0, "order_units": 0.0},
    ],
)
def test_what_is_not_beyond_its_threshold_is_no_exception(row: dict[str, Any]) -> None:
    assert found(**row) == []


# 2 units a day, and an order placed now can be sold on the 7th day from the origin: 12 units are wanted before it
@pytest.mark.parametrize(
    ("open_line", "row", "exception"),
    [
        # 13 on hand without what has not come: 12 are covered
        (told_late(1), {}, (1.0, 0.0, 0.0)),
        (told_late(3), {"on_hand": 7.0}, (3.0, 0.0, 5 * 3.0)),
        # no more is missing than was ordered
        (told_late(3, order_units=4.0), {"on_hand": 1.0}, (3.0, 0.0, 4 * 3.0)),
        # of 13 on hand 9 are only assumed to have come
        (due(-8), {}, (8.0, 7.0, 8 * 3.0)),
        # it lasts 6.5 days, and is to last the 14 days before the day of the receipt
        (due(15), {"order_units": 0.0}, (7.5, 0.0, 15 * 3.0)),
    ],
)
def test_a_late_supplier_order_has_its_days_and_the_demand_that_waits_for_it(
    open_line: dict[str, Any], row: dict[str, Any], exception: tuple[float, ...]
) -> None:
    assert found(open_line, **row) == [("late_supplier_order", *exception)]


@pytest.mark.parametrize(
    ("open_line", "row"),
    [
        (due(-7), {}),  # last week's count may be to come
        (due(0), {}),
        (due(7), {}),  # the stock lasts until then
        (due(15), {}),  # this order comes earlier
        (due(15), {"order_units": 0.0, "assumptions": "on_hand_estimated", "expected_demand": 0.0}),
        ({"due_date": None}, {}),
        (told_late(9, location="south"), {}),
    ],
)
def test_an_order_that_comes_in_time_is_not_late(open_line: dict[str, Any], row: dict[str, Any]) -> None:
    assert [name for name, *_ in found(open_line, **row) if name == "late_supplier_order"] == []


def test_stock_that_is_promised_cannot_be_sold() -> None:
    lost = {"expected_lost_units_until_receipt": 4.0}

    assert found(committed_units=13.0, **lost) == [("stocked_out", 0.0, 0.0, 12.0)]
    assert found(on_hand=126.0, committed_units=20.0) == []
    assert found(told_late(3), committed_units=6.0) == [("late_supplier_order", 3.0, 0.0, 5 * 3.0)]


def test_several_late_orders_of_a_line_are_one_exception_with_the_longest_delay() -> None:
    two = (told_late(2, order_units=5.0), told_late(4, order_units=3.0))

    assert found(*two, on_hand=4.0) == [("late_supplier_order", 4.0, 0.0, 8 * 3.0)]


def test_out_of_stock_with_a_far_receipt_is_one_exception_and_loses_the_demand_until_then() -> None:
    out: dict[str, Any] = {"on_hand": 0.0, "expected_lost_units_until_receipt": 1.0, "order_units": 0.0}

    assert found(due(15), **out) == [("stocked_out", 0.0, 0.0, 14 * 2 * 3.0)]


def test_stock_that_does_not_sell_for_longer_than_chance_allows_is_perhaps_not_there() -> None:
    assert found(sales=SILENT) == [("phantom_stock", 12.0, 8.5, 13 * 3.0)]
    assert found(sales=SILENT, on_hand=40.0) == [("phantom_stock", 12.0, 8.5, 20 * 3.0)]


@pytest.mark.parametrize(
    ("open_line", "row"),
    [
        ({"due_date": None}, {"on_hand": 0.0, "expected_demand": 0.0}),
        ({"due_date": None}, {"expected_demand": 0.0}),  # nothing is expected to sell
        (due(-8, order_units=13.0), {}),  # all that is on hand is an order nobody has seen come
    ],
)
def test_a_silence_that_has_another_reason_is_no_phantom_stock(open_line: dict[str, Any], row: dict[str, Any]) -> None:
    assert "phantom_stock" not in [name for name, *_ in found(open_line, sales=SILENT, **row)]


@pytest.mark.parametrize(
    ("sales", "exception"),
    [
        (sold(0.0, 8.5, 40.0, 14.0, 3.0, 31.0, 1.0), (40.0, 31.0, 26 * 3.0)),
        (sold(0.0, 8.5, 2.0, 14.0, 3.0, 31.0, -1.0), (2.0, 3.0, 12 * 3.0)),
    ],
)
def test_sales_outside_of_their_forecast_break_it(sales: RecentSales, exception: tuple[float, ...]) -> None:
    assert found(sales=sales) == [("forecast_break", *exception)]


@pytest.mark.parametrize(
    ("units", "side_before"), [(3.0, -1.0), (14.0, 1.0), (31.0, 1.0), (NAN, 1.0), (40.0, 0.0), (40.0, -1.0), (2.0, 1.0)]
)
def test_sales_within_their_forecast_in_either_week_or_without_one_break_nothing(
    units: float, side_before: float
) -> None:
    assert found(sales=sold(0.0, 8.5, units, 14.0, 3.0, 31.0, side_before)) == []


def test_low_sales_off_a_shelf_that_may_be_empty_are_no_break_of_the_forecast() -> None:
    assert [name for name, *_ in found(sales=sold(12.0, 8.5, 0.0, 14.0, 3.0, 31.0, -1.0))] == ["phantom_stock"]


def test_unknown_prices_leave_the_money_unknown_and_rank_last() -> None:
    rows = [
        {"product_id": "unknown", "unit_price": None},
        {"product_id": "small", "unit_price": 1.0},
        {"product_id": "large", "unit_price": 9.0},
    ]
    out = {"on_hand": 0.0, "expected_lost_units_until_receipt": 4.0}

    exceptions = order_exceptions(orders(*(row | out for row in rows)))

    assert exceptions["product_id"].to_pylist() == ["large", "small", "unknown"]
    assert exceptions["exception_rank"].to_pylist() == [1, 2, 3]
    assert exceptions["money_at_risk"].to_pylist() == [36, 4, None]


def test_orders_that_rest_on_assumptions_rank_behind_what_may_be_lost() -> None:
    dear = {"assumptions": "unit_cost", "order_value": 900.0}
    out = {"on_hand": 0.0, "expected_lost_units_until_receipt": 4.0, "unit_price": None}

    exceptions = order_exceptions(orders(dear, out | {"product_id": "008"}))

    assert exceptions["exception"].to_pylist() == ["stocked_out", "data_assumed"]


def test_a_line_has_each_exception_once_and_the_ranks_are_those_of_the_money() -> None:
    exceptions = order_exceptions(many_orders())

    assert exceptions.schema == tables.ORDER_EXCEPTIONS.arrow_schema
    assert exceptions.group_by(list(tables.ORDER_EXCEPTIONS.grain)).aggregate([]).num_rows == exceptions.num_rows
    assert exceptions["exception_rank"].to_pylist() == list(range(1, exceptions.num_rows + 1))
    for is_assumed in (False, True):
        rows = [row for row in exceptions.to_pylist() if (row["exception"] == "data_assumed") == is_assumed]
        money = [-1 if row["money_at_risk"] is None else row["money_at_risk"] for row in rows]
        assert money == sorted(money, reverse=True)
    assert {"order_blocked", "potential_stockout", "order_cut"} <= set(exceptions["exception"].to_pylist())


def test_every_exception_stands_in_the_contract() -> None:
    described = tables.ORDER_EXCEPTIONS.by_name["exception"].description

    assert [part.strip("`") for part in described.split(", ")] == list(DEFINITIONS)


def test_no_orders_have_no_exceptions() -> None:
    exceptions = order_exceptions(orders())

    assert exceptions.num_rows == 0
    assert exceptions.schema == tables.ORDER_EXCEPTIONS.arrow_schema
