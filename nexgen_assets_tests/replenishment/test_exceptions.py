"""Exceptions: which rows are told, by which number, and in which order."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from nexgen_assets import tables
from nexgen_assets.replenishment.exceptions import DEFINITIONS, order_exceptions
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


def found(**row: Any) -> list[tuple[Any, ...]]:
    names = ("exception", "number", "threshold", "money_at_risk")
    return [tuple(e[name] for name in names) for e in order_exceptions(orders(row)).to_pylist()]


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
