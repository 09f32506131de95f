"""Reorder recommendations: rows that add up, that explain themselves, and that do not depend on their batch."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nexgen_assets import tables
from nexgen_assets.replenishment.constraints import PackRounding
from nexgen_assets.replenishment.line_policies import MATCHED, LinePolicies, line_policies
from nexgen_assets.replenishment.orders import (
    ORIGIN_COLUMNS,
    mean_lead_times,
    most_urgent,
    reorder_recommendations,
)
from nexgen_assets.replenishment.policy import IntervalDistribution, Policy
from nexgen_assets.replenishment.segments import SEGMENTS
from nexgen_assets_tests.replenishment.distributions import Poisson, Totals, ahead

DAY = date(2026, 3, 10)
POLICY = Policy(0.95, 1)
EXPECTATIONS = (
    "expected_lost_units",
    "expected_lost_units_until_receipt",
    "expected_lost_units_with_order",
    "expected_waste_units",
)
# a busy machine is no failure
steady = settings(max_examples=50)
thousandths = st.integers(0, 10_000_000).map(lambda n: n / 1000)
ORIGIN_SCHEMA = pa.schema(
    [
        *(pa.field(c.name, c.type) for c in tables.INVENTORY_POSITIONS.columns),
        pa.field("product_name", pa.string()),
        pa.field("category", pa.string()),
        pa.field("unit_price", pa.float32()),
        pa.field("is_new_item", pa.bool_()),
        pa.field("delisted_on", pa.date32()),
        pa.field("model_version", pa.string()),
        pa.field("centre_on_hand", pa.float64()),
        pa.field("supplied_locations", pa.int64()),
        *(pa.field(name, pa.string()) for name in SEGMENTS),
    ]
)
TOLD: dict[str, Any] = {
    "day": DAY,
    "product_id": "007",
    "location": "north",
    "on_hand": 3.0,
    "on_hand_as_of": DAY,
    "is_on_hand_estimated": False,
    "inventory_source": "count",
    "on_order_units": 0.0,
    "committed_units": 0.0,
    "lead_time_days": 7,
    "is_default_lead_time": False,
    "lead_time_sd_days": 0.0,
    "pack_size": 12.0,
    "is_default_pack_size": False,
    "min_order_quantity": 1.0,
    "is_default_min_order_quantity": False,
    "unit_cost": 2.5,
    "is_default_unit_cost": False,
    "shelf_life_days": None,
    "supplier_id": "S1",
    "order_days": None,
    "min_order_value": None,
    "display_minimum": None,
    "max_stock": None,
    "supplied_by": None,
    "centre_on_hand": None,
    "supplied_locations": None,
    "product_name": "Oat milk",
    "category": "dairy",
    "unit_price": 4.0,
    "is_new_item": False,
    "delisted_on": None,
    "model_version": "m1",
    "abc_class": "A",
    "xyz_class": "X",
    "demand_class": "smooth",
}
NO_UPLOADS = tables.ORDER_POLICIES.arrow_schema.empty_table()


def origin_rows(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([TOLD | row for row in rows], schema=ORIGIN_SCHEMA)


def poisson(*means: float) -> Poisson:
    return Poisson(np.array(means))


def policies_of(rows: pa.Table, policy: Policy, uploads: pa.Table = NO_UPLOADS) -> LinePolicies:
    """The policies of rows that may be of several days."""
    of_days = [line_policies(rows.slice(row, 1), uploads, policy) for row in range(max(rows.num_rows, 1))]
    return LinePolicies(
        **{name: np.concatenate([getattr(of_day, name) for of_day in of_days]) for name in vars(of_days[0])}
    )


def policy_uploads(*lines: dict[str, Any]) -> pa.Table:
    told = dict.fromkeys(MATCHED, "") | {
        "effective_date": date(2026, 1, 1),
        "arrived_at": datetime(2026, 1, 1, tzinfo=UTC),
        "file_key": "policies.csv",
    }
    numbered = [told | {"line_number": number} | line for number, line in enumerate(lines, 2)]
    return pa.Table.from_pylist(numbered, schema=tables.ORDER_POLICIES.arrow_schema)


def only_order(
    demand: IntervalDistribution, policy: Policy = POLICY, uploads: pa.Table = NO_UPLOADS, **row: Any
) -> dict[str, Any]:
    [order] = orders_of(origin_rows(row), demand, policy, uploads=uploads).to_pylist()
    return order


def orders_of(
    rows: pa.Table,
    demand: IntervalDistribution,
    policy: Policy = POLICY,
    certain: IntervalDistribution | None = None,
    uploads: pa.Table = NO_UPLOADS,
) -> pa.Table:
    lines = policies_of(rows, policy, uploads)
    in_time = ahead(demand, mean_lead_times(rows), lines.review_period_days, certain)
    return reorder_recommendations(rows, in_time, policy, lines)


def many_rows(n: int, seed: int = 3) -> pa.Table:
    """Rows of every kind: fractions of units, unknown stock, price and cost, several days."""
    rng = np.random.default_rng(seed)
    return origin_rows(
        *(
            {
                "day": DAY + timedelta(days=i % 3),
                "product_id": f"{i:05d}",
                "on_hand": None if rng.random() < 0.1 else int(rng.integers(0, 60_000)) / 1000,
                "on_order_units": float(rng.integers(0, 20)),
                "committed_units": 0.0 if rng.random() < 0.6 else int(rng.integers(0, 40_000)) / 1000,
                "lead_time_days": int(rng.integers(0, 20)),
                "pack_size": float(rng.choice([0.7, 1, 6, 12])),
                "min_order_quantity": float(rng.choice([0, 1, 20])),
                "unit_cost": None if rng.random() < 0.1 else 2.5,
                "unit_price": None if rng.random() < 0.1 else float(rng.choice([0.99, 4.0, 19.99])),
                "product_name": None if rng.random() < 0.1 else "Brot, weiß",
                "order_days": rng.choice([None, None, "mon thu", "wed"]),
                "abc_class": rng.choice(["A", "B", "C"]),
                "display_minimum": None if rng.random() < 0.7 else int(rng.integers(0, 90_000)) / 1000,
                "max_stock": None if rng.random() < 0.5 else float(rng.integers(5, 90)),
                "shelf_life_days": None if rng.random() < 0.5 else float(rng.integers(0, 15)),
            }
            for i in range(n)
        )
    )


POLICIES_BY_CLASS = policy_uploads(
    {"abc_class": "B", "policy": "min_max"},
    {"abc_class": "C", "policy": "reorder_quantity", "lot_days": 2.5, "service_level": 0.8},
    {"abc_class": "C", "product_id": "00004", "policy": "newsvendor"},
)


def many_orders(n: int = 500, rounding: PackRounding = "up") -> pa.Table:
    """Orders of `many_rows`, whose lead times are uncertain in every other row."""
    rows, means = many_rows(n), np.linspace(0, 60, n)
    uncertain = means + np.where(np.arange(n) % 2, means / 7, 0.0)
    policy = Policy(0.95, 1, pack_rounding=rounding, order_line_cost=2.0)
    return orders_of(rows, Poisson(uncertain), policy, Poisson(means), POLICIES_BY_CLASS)


def violations(orders: pa.Table, condition: str) -> int:
    """Rows of `orders` for which the SQL condition is not true."""
    connection = duckdb.connect()
    connection.register("orders", orders)
    [(count,)] = connection.execute(f"select count(*) from orders where ({condition}) is not true").fetchall()
    return count


def in_thousandths(orders: pa.Table) -> pa.Table:
    """The same with its units as exact decimals, but for expectations, which have more digits than units."""
    for number, column in enumerate(tables.REORDER_RECOMMENDATIONS.columns):
        if column.unit == "units" and column.name not in EXPECTATIONS:
            exact = orders[column.name].cast(pa.string()).cast(pa.decimal128(18, 3))
            orders = orders.set_column(number, column.name, exact)
    return orders


def test_orders_have_the_columns_of_the_contract() -> None:
    orders = many_orders()

    assert orders.schema == tables.REORDER_RECOMMENDATIONS.arrow_schema
    assert all(orders[c.name].null_count == 0 for c in tables.REORDER_RECOMMENDATIONS.columns if not c.nullable)


def test_every_origin_row_gets_one_row_in_its_place() -> None:
    rows = many_rows(500)
    grain = list(tables.REORDER_RECOMMENDATIONS.grain)

    assert many_orders(500).select(grain).to_pylist() == rows.select(grain).to_pylist()


@pytest.mark.parametrize(
    "identity",
    [
        "order_up_to_level = ceil(order_up_to_level)",
        "protection_interval_days = review_period_days + lead_time_days",
        "order_value is not distinct from order_units * unit_cost",
        "days_of_cover is not distinct from"
        " greatest(inventory_position, 0) * protection_interval_days / nullif(expected_demand, 0)",
        "order_date = day + 1 and receipt_date = order_date + lead_time_days::int",
        "next_order_date = order_date + review_period_days::int",
        "stockout_probability between 0 and 1 and expected_lost_units between 0 and"
        " expected_demand + greatest(-inventory_position, 0) + 0.001",
    ],
)
def test_a_person_can_recompute_every_row(identity: str) -> None:
    assert violations(many_orders(), identity) == 0


@pytest.mark.parametrize(
    "identity",
    [
        "order_units = " + " ".join(f"{'+' if sign > 0 else '-'} {name}" for name, sign in tables.ORDER_LEDGER.items()),
        "order_units = net_requirement + display_units + lot_units + moq_units + pack_units + max_stock_units"
        " + shelf_life_units + delisted_units + review_units + blocked_units + supplier_minimum_units + budget_units",
        "net_requirement = greatest(0, order_up_to_level - inventory_position)",
        "surplus_units = greatest(0, inventory_position - order_up_to_level)",
        "order_up_to_level = expected_demand + safety_stock",
        "expected_demand = expected_demand_until_receipt + expected_demand_after_receipt",
        "safety_stock = safety_stock_for_demand + safety_stock_for_lead_time",
        "inventory_position = on_hand + on_order_units - committed_units",
        "order_units % pack_size = 0 and (order_units = 0 or order_units >= min_order_quantity)",
        "order_units = 0 or coalesce(stock_on_arrival, 0) + order_units <= coalesce(max_stock, 1e9)",
        "(stock_on_arrival is null) = (max_stock is null)",
        "stock_on_arrival is null or stock_on_arrival between on_order_units"
        " and on_order_units + if(lead_time_days > 0, greatest(0, on_hand - committed_units), on_hand)",
        "order_units = 0 or expected_waste_units is null"
        " or expected_waste_units <= max_waste_share * (inventory_position + order_units) + 0.001",
        "blocked_reason is null or order_units = 0",
        "is_review or order_units = 0",
        "lot_units = 0 or (policy = 'min_max' and net_requirement + display_units > 0) or policy = 'reorder_quantity'",
    ],
)
@pytest.mark.parametrize("rounding", ["up", "nearest", "cost"])
def test_units_add_up_exactly(identity: str, rounding: PackRounding) -> None:
    assert violations(in_thousandths(many_orders(rounding=rounding)), identity) == 0


@steady
@given(
    mean=st.floats(0, 5_000),
    service_level=st.floats(0.5, 0.999),
    on_hand=st.none() | thousandths,
    more=st.fixed_dictionaries(
        {
            "on_order_units": thousandths,
            "committed_units": thousandths,
            "lead_time_days": st.integers(0, 40),
            "pack_size": st.integers(1, 50_000).map(lambda n: n / 1000),
            "min_order_quantity": thousandths,
            "display_minimum": st.none() | thousandths,
            "max_stock": st.none() | thousandths,
            "shelf_life_days": st.none() | st.floats(0, 30),
        }
    ),
    rounding=st.sampled_from(["up", "nearest", "cost"]),
)
def test_the_ledger_of_any_row_is_exact(
    *, mean: float, service_level: float, on_hand: float | None, more: dict[str, Any], rounding: PackRounding
) -> None:
    policy = Policy(service_level, 1, pack_rounding=rounding)

    order = only_order(poisson(mean), policy, on_hand=on_hand, **more)

    units = {name: Decimal(str(order[name])) for name in tables.ORDER_LEDGER}
    assert sum(sign * units[name] for name, sign in tables.ORDER_LEDGER.items()) == Decimal(str(order["order_units"]))


@steady
@given(st.floats(0.1, 200), st.floats(0.5, 0.999), st.floats(0.5, 0.999))
def test_an_order_never_falls_when_the_service_level_rises(mean: float, a: float, b: float) -> None:
    low, high = (only_order(poisson(mean), Policy(p, 1))["order_units"] for p in sorted((a, b)))

    assert low <= high


@steady
@given(st.lists(st.integers(1, 29), max_size=4))
def test_no_row_depends_on_its_batch(cuts: list[int]) -> None:
    rows, means = many_rows(30), np.linspace(0, 60, 30)
    bounds = [0, *sorted(set(cuts)), 30]

    batches = [orders_of(rows.slice(a, b - a), Poisson(means[a:b])) for a, b in pairwise(bounds)]

    assert pa.concat_tables(batches) == orders_of(rows, Poisson(means))


def test_no_row_depends_on_the_order_of_rows() -> None:
    rows, demand = many_rows(50), Poisson(np.linspace(0, 60, 50))
    shuffled = np.random.default_rng(0).permutation(50)

    orders = orders_of(rows, demand)

    assert orders_of(rows.take(shuffled), demand.rows(shuffled)) == orders.take(shuffled)


def test_an_order_of_a_day_is_dated_the_next_and_received_a_lead_time_later() -> None:
    order = only_order(poisson(18.2), Policy(0.95, 7), day=date(2026, 3, 1), lead_time_days=3)

    assert order["order_date"] == date(2026, 3, 2)  # a monday
    assert order["receipt_date"] == date(2026, 3, 5)
    assert order["next_order_date"] == date(2026, 3, 9)
    assert order["protection_interval_days"] == 10


def test_on_a_day_without_review_nothing_is_ordered_and_the_row_says_when() -> None:
    order = only_order(poisson(40.0), order_days="thu", day=date(2026, 3, 9), lead_time_days=3, on_hand=0.0)

    assert (order["is_review"], order["order_units"]) == (False, 0)
    assert order["next_order_date"] == date(2026, 3, 12)
    assert order["protection_interval_days"] == 2 + 3  # from tuesday to thursday, and until that order is there
    assert order["review_units"] == -(order["net_requirement"] + order["pack_units"]) < 0
    assert order["explanation"].endswith("; not ordered: orders are placed next on 2026-03-12.")


def test_a_line_that_is_not_reviewed_is_not_blocked_either() -> None:
    order = only_order(poisson(40.0), order_days="thu", day=date(2026, 3, 9), on_hand=None)

    assert (order["blocked_reason"], order["blocked_units"], order["order_units"]) == (None, 0, 0)
    assert order["review_units"] < 0


@pytest.mark.parametrize(
    ("kind", "on_hand", "lot_units", "order_units"),
    [
        ("min_max", 12.0, 4, 5),  # one unit is needed, and a lot is the demand of 2 days
        ("reorder_quantity", 12.0, 3, 4),
        ("reorder_quantity", 4.0, 3, 12),
        ("order_up_to", 12.0, 0, 1),
        ("min_max", 13.0, 0, 0),
        ("reorder_quantity", 13.0, 0, 0),
    ],
)
def test_policies_with_lots_order_more_at_once_and_then_nothing(
    kind: str, on_hand: float, lot_units: float, order_units: float
) -> None:
    upload = {"policy": kind, "lot_days": None if kind == "order_up_to" else 2.0}
    terms = {"lead_time_days": 3, "pack_size": 1.0, "on_hand": on_hand}

    order = only_order(poisson(8.0), uploads=policy_uploads(upload), **terms)

    assert order["order_up_to_level"] == 13
    assert (order["policy"], order["policy_source"]) == (kind, "policies.csv:2")
    assert (order["lot_units"], order["order_units"]) == (lot_units, order_units)


def test_a_fill_rate_is_promised_where_it_is_the_target() -> None:
    order = only_order(
        poisson(40.0), uploads=policy_uploads({"fill_rate": 0.98}), lead_time_days=3, pack_size=1.0, on_hand=38.0
    )

    assert order["target_fill_rate"] == 0.98
    assert 0.98 <= order["promised_fill_rate"] < 1
    assert order["service_level"] == pytest.approx(order["promised_cycle_service"], abs=1e-5)


# probabilities and loss of Poisson demand: Snyder & Shen 2e, section 4.3.4 and (C.41)
@pytest.mark.parametrize(
    ("mean", "position", "served", "shortage"),
    [
        (3.6, 7, 0.9692107246403425, 0.048259368746678244),
        (16, 21, 0.9107733721614383, 0.23555226672875162),
        (6, 8, 0.8472374938707862, 0.31402138915418754),
        (0.35, 0, np.exp(-0.35), 0.35),
    ],
)
def test_risk_is_what_happens_if_nothing_is_ordered(
    mean: float, position: float, served: float, shortage: float
) -> None:
    order = only_order(poisson(mean), on_hand=position, unit_price=4.0)

    assert order["stockout_probability"] == pytest.approx(1 - served, abs=1e-6)
    assert order["expected_lost_units"] == pytest.approx(shortage, abs=1e-6)
    assert order["money_at_risk"] == pytest.approx(4 * shortage, abs=1e-5)


def test_no_order_leaves_the_risk_as_it_is() -> None:
    order = only_order(poisson(18.2), on_hand=25.0)

    assert order["order_units"] == 0
    for measure in ("stockout_probability", "expected_lost_units"):
        assert order[f"{measure}_with_order"] == pytest.approx(order[measure], abs=1e-6)
    assert order["promised_cycle_service"] == pytest.approx(1 - order["stockout_probability"], abs=1e-6)


def test_an_order_promises_at_least_the_service_level() -> None:
    order = only_order(poisson(18.2), pack_size=1.0)

    assert order["promised_cycle_service"] == pytest.approx(stats.poisson.cdf(25, 18.2), abs=1e-6)
    assert order["promised_cycle_service"] >= POLICY.service_level


def test_a_maximum_stock_costs_service_that_the_order_tells() -> None:
    full, cut = (only_order(poisson(18.2), pack_size=1.0, max_stock=most) for most in (None, 16.0))

    # the 3 on hand are sold until 16 arrive
    assert cut["promised_cycle_service"] == pytest.approx(stats.poisson.cdf(3 + 16, 18.2), abs=1e-6)
    assert cut["promised_fill_rate"] < full["promised_fill_rate"]
    assert cut["expected_lost_units_with_order"] > full["expected_lost_units_with_order"]


def test_stock_on_order_counts_as_stock() -> None:
    ordered, stocked = (only_order(poisson(18.2), on_hand=3.0 + 9 * k, on_order_units=9.0 * (1 - k)) for k in (0, 1))

    assert ordered["order_units"] == stocked["order_units"]
    assert ordered["inventory_position"] == 12


def test_a_fill_rate_counts_on_what_packs_bring_and_the_row_says_so() -> None:
    target = policy_uploads({"fill_rate": 0.98})
    single = only_order(poisson(24.0), uploads=target, pack_size=1.0)
    packed = only_order(poisson(24.0), uploads=target, pack_size=24.0)

    assert packed["order_up_to_level"] < single["order_up_to_level"]
    assert (single["above_level_units"], packed["above_level_units"]) == (0, 11.5)  # evenly 0 to 23
    assert 0.98 <= packed["cycle_fill_rate"] < 0.99
    assert " over a cycle of orders: lots keep 11.5 above it on average), less 3 on hand" in packed["explanation"]
    assert "cycle of orders" not in single["explanation"]
    assert only_order(poisson(24.0))["cycle_fill_rate"] is None


def test_orders_over_a_cycle_promise_the_target_together() -> None:
    """Of all positions that packs of 24 lead to, each equally often, the promises of the rows have the target as mean.

    The row's promise is that of its own position: more than the target after an order, less before the next one.
    """
    target = policy_uploads({"fill_rate": 0.98})
    level = int(only_order(poisson(24.0), uploads=target, pack_size=24.0)["order_up_to_level"])
    stock = [float(level + above) for above in range(24)]

    promises = [
        only_order(poisson(24.0), uploads=target, pack_size=24.0, on_hand=h)["promised_fill_rate"] for h in stock
    ]

    assert 0.98 <= np.mean(promises) < 0.99
    assert min(promises) < 0.98 < max(promises)


def test_unknown_stock_blocks_an_order_and_says_what_it_would_be() -> None:
    order = only_order(poisson(18.2), on_hand=None, inventory_source="unknown", pack_size=1.0)

    assert (order["order_units"], order["blocked_units"], order["blocked_reason"]) == (0, -25, "stock_unknown")
    assert order["assumptions"] == "on_hand"
    assert order["explanation"].endswith("less 0 on hand and 0 on order = 25; blocked: nobody told the stock.")


def test_unknown_stock_blocks_no_line_that_needs_nothing_whatever_the_stock() -> None:
    assert only_order(poisson(0), on_hand=None)["blocked_reason"] is None


def test_a_new_item_of_unknown_stock_is_taken_to_have_none() -> None:
    order = only_order(poisson(18.2), on_hand=None, is_new_item=True, pack_size=1.0)

    assert (order["order_units"], order["blocked_reason"]) == (25, None)
    assert order["assumptions"] == "new_item,on_hand"


def test_unknown_stock_may_be_set_to_count_as_none_and_is_named_as_an_assumption() -> None:
    order = only_order(poisson(18.2), Policy(0.95, 1, unknown_stock="zero"), on_hand=None, pack_size=1.0)

    assert (order["on_hand"], order["order_units"], order["blocked_reason"]) == (0, 25, None)
    assert order["assumptions"] == "on_hand"


@pytest.mark.parametrize(("committed", "position", "order"), [(0.0, 8.0, 17), (5.0, 3.0, 22), (12.0, -4.0, 29)])
def test_what_is_promised_is_ordered_on_top(committed: float, position: float, order: float) -> None:
    found = only_order(poisson(18.2), on_hand=6.0, on_order_units=2.0, committed_units=committed, pack_size=1.0)

    assert (found["inventory_position"], found["order_units"]) == (position, order)
    assert found["days_of_cover"] == pytest.approx(max(position, 0) * 8 / 18.2)


# P(Poisson(14) <= 7) = .03, P(Poisson(14) <= 8) = .06: 8 of the 14 units of 7 days are sold as good as certainly
@pytest.mark.parametrize(
    ("told", "on_arrival", "order"),
    [
        ({"on_hand": 6.0}, 0, 17),  # the level is 23
        ({"on_hand": 12.0}, 4, 11),
        ({"on_hand": 12.0, "max_stock": 10.0}, 4, 6),
        ({"on_hand": 12.0, "committed_units": 5.0, "max_stock": 10.0}, 4, 6),  # they are among those that are sold
        ({"on_hand": 12.0, "committed_units": 10.0, "max_stock": 10.0}, 2, 8),
        ({"on_hand": 12.0, "committed_units": 20.0, "max_stock": 10.0}, 0, 10),
        ({"on_hand": 7.0, "on_order_units": 9.0, "max_stock": 10.0}, 9, 1),  # may come on the same day
        ({"on_hand": 7.0, "committed_units": 7.0, "max_stock": 10.0, "lead_time_days": 0}, 7, 3),  # nobody fetched them
    ],
)
def test_an_order_finds_room_beside_what_is_there_when_it_arrives(
    told: dict[str, Any], on_arrival: float, order: float
) -> None:
    found = only_order(poisson(16.0), **({"pack_size": 1.0, "max_stock": 50.0, "lead_time_days": 7} | told))

    assert (found["stock_on_arrival"], found["order_units"]) == (on_arrival, order)


def test_a_long_way_does_not_starve_a_shelf_that_holds_less_than_is_sold_on_it() -> None:
    """Over 20 days 100 units are sold, of which the shelf holds 40: what arrives then finds it empty."""
    order = only_order(poisson(105.0), lead_time_days=20, pack_size=1.0, max_stock=40.0, on_hand=30.0)

    assert (order["stock_on_arrival"], order["order_units"]) == (0, 40)


def test_unknown_cost_and_price_leave_money_unknown_and_say_so() -> None:
    order = only_order(poisson(18.2), unit_cost=None, unit_price=None)

    assert order["assumptions"] == "unit_cost_unknown"
    assert order["order_value"] is None
    assert order["money_at_risk"] is None
    assert order["order_units"] > 0


def test_safety_stock_for_the_lead_time_is_what_a_certain_one_would_save() -> None:
    # the smallest y with P(demand <= y) >= 0.95: 28 for Poisson(20), 25 for Poisson(18)
    certain, uncertain = poisson(18.0), poisson(20.0)
    [order] = orders_of(origin_rows({"lead_time_sd_days": 1.5}), uncertain, POLICY, certain).to_pylist()

    assert (order["order_up_to_level"], order["safety_stock"]) == (28, 8)
    assert (order["safety_stock_for_demand"], order["safety_stock_for_lead_time"]) == (5, 3)
    assert order["lead_time_sd_days"] == 1.5


def test_a_certain_lead_time_needs_no_safety_stock() -> None:
    order = only_order(poisson(18.2))

    assert order["safety_stock_for_lead_time"] == 0
    assert order["safety_stock_for_demand"] == order["safety_stock"]


@pytest.mark.parametrize(
    ("told", "assumed"),
    [
        ({"lead_time_sd_days": None}, "lead_time_sd"),
        ({"lead_time_sd_days": 0.0}, ""),
        ({"lead_time_sd_days": None, "is_default_lead_time": True}, "lead_time"),
        ({"lead_time_sd_days": 1.5, "is_default_lead_time": True}, "lead_time"),
    ],
)
def test_a_lead_time_told_without_its_spread_is_assumed_to_be_certain(told: dict[str, Any], assumed: str) -> None:
    assert only_order(poisson(18.2), **told)["assumptions"] == assumed


def test_no_demand_needs_no_order_and_has_no_days_of_cover() -> None:
    order = only_order(poisson(0), on_hand=0.0)

    assert order["order_units"] == 0
    assert order["days_of_cover"] is None
    assert order["stockout_probability"] == 0


def test_a_price_read_as_single_precision_is_the_money_it_was() -> None:
    assert only_order(Totals(np.array([8.0])), on_hand=0.0, unit_price=19.99)["money_at_risk"] == 8 * 19.99


def test_nothing_told_names_every_assumption() -> None:
    order = only_order(
        poisson(18.2),
        supplier_id=None,
        is_default_lead_time=True,
        is_default_pack_size=True,
        is_default_min_order_quantity=True,
        is_default_unit_cost=True,
        is_on_hand_estimated=True,
        inventory_source="simulated",
    )

    assert order["assumptions"].split(",") == [
        "lead_time",
        "pack_size",
        "min_order_quantity",
        "unit_cost",
        "supplier",
        "on_hand_estimated",
        "on_hand_simulated",
    ]


def test_the_demand_of_a_new_item_is_assumed() -> None:
    assert only_order(poisson(18.2), is_new_item=True)["assumptions"] == "new_item"


def test_everything_told_assumes_nothing() -> None:
    assert only_order(poisson(18.2))["assumptions"] == ""


def test_an_extrapolated_interval_is_flagged() -> None:
    assert only_order(Totals(np.array([8.0])))["is_beyond_horizon"]
    assert not only_order(poisson(8.0))["is_beyond_horizon"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {},
            "Order 24: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, "
            "less 3 on hand and 0 on order = 22, rounded up to packs of 12.",
        ),
        (
            {"min_order_quantity": 30.0, "pack_size": 1.0},
            "Order 30: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, "
            "less 3 on hand and 0 on order = 22, raised to the minimum order of 30.",
        ),
        (
            {"min_order_quantity": 30.0, "on_hand": 3.25, "on_order_units": 2.0},
            "Order 36: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, "
            "less 3.25 on hand and 2 on order = 19.75, raised to the minimum order of 30, rounded up to packs of 12.",
        ),
        (
            {"committed_units": 2.0},
            "Order 24: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, "
            "less 3 on hand, 2 of them promised, and 0 on order = 24.",
        ),
        (
            {"display_minimum": 40.0},
            "Order 48: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, less 3 on hand and 0 on order = 22"
            ", raised to the display minimum of 40, rounded up to packs of 12.",
        ),
        (
            {"max_stock": 20.0},
            "Order 12: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, less 3 on hand and 0 on order = 22"
            ", rounded up to packs of 12, cut by 12 to the maximum stock of 20.",
        ),
        (
            {"max_stock": 20.0, "pack_size": 24.0},
            "No order: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, less 3 on hand and 0 on order = 22"
            ", rounded up to packs of 24, cut by 24 to the maximum stock of 20"
            "; blocked: the smallest order is more than the maximum stock.",
        ),
        (
            # 9 days of Poisson(2.275) a day: 20.475; of 27 units more than a fifth would be left, of 15 not
            {"shelf_life_days": 2.0},
            "Order 12: expected demand 18.2 in 8 days + safety stock 6.8 = level 25, less 3 on hand and 0 on order = 22"
            ", rounded up to packs of 12, cut by 12 of which too many would expire.",
        ),
        (
            {"on_hand": 26.0, "lead_time_days": 0},
            "No order: expected demand 18.2 in 1 day + safety stock 6.8 = level 25, "
            "covered by 26 on hand and 0 on order.",
        ),
    ],
)
def test_the_explanation_says_where_the_order_comes_from(row: dict[str, Any], sentence: str) -> None:
    assert only_order(poisson(18.2), **row)["explanation"] == sentence


@pytest.mark.parametrize(("days_ahead", "order_units"), [(-30, 0), (1, 0), (8, 0), (9, 24)])
def test_nothing_is_ordered_that_could_be_sold_only_once_the_product_is_delisted(
    days_ahead: int, order_units: float
) -> None:
    """An order of day 1 with a lead time of 7 days can be sold on day 8."""
    order = only_order(poisson(18.2), delisted_on=DAY + timedelta(days=days_ahead))
    assert order["order_units"] == order_units
    assert (order["net_requirement"], order["pack_units"], order["delisted_units"]) == (22, 2, order_units - 24)
    assert order["expected_lost_units"] > 15  # what no order can prevent is a loss all the same


def test_the_explanation_says_that_a_delisting_is_why_nothing_is_ordered() -> None:
    delisted_on, receipt_date = DAY + timedelta(days=5), DAY + timedelta(days=8)
    assert only_order(poisson(12.5), delisted_on=delisted_on)["explanation"] == (
        f"No order: delisted from {delisted_on} on, and an order could be sold from {receipt_date} on; "
        "expected demand until then 12.5, 3 on hand and 0 on order."
    )


def test_the_explanation_says_when_a_delisting_cuts_the_demand_short() -> None:
    delisted_on = DAY + timedelta(days=9)
    assert only_order(poisson(18.2), delisted_on=delisted_on)["explanation"].startswith(
        f"Order 24: expected demand 18.2 in 8 days (delisted from {delisted_on} on) + safety stock 6.8 = level 25,"
    )


def test_the_explanation_tells_what_an_uncertain_lead_time_adds() -> None:
    [order] = orders_of(origin_rows({}), poisson(20.25), POLICY, poisson(18.0)).to_pylist()

    assert order["explanation"].startswith(
        "Order 36: expected demand 20.25 in 8 days + safety stock 7.75 (4.75 for demand, 3 for the lead time)"
        " = level 28, less 3 on hand"
    )


@steady
@given(mean=st.floats(0, 500), service_level=st.floats(0.5, 0.999))
def test_the_numbers_of_the_explanation_add_up_as_shown(mean: float, service_level: float) -> None:
    order = only_order(poisson(mean), Policy(service_level, 1))

    words = order["explanation"].replace("= level ", "= ").split()
    demand, safety, level = (
        float(words[words.index("demand") + 1]),
        *(float(words[words.index(after) + 1].rstrip(",")) for after in ("stock", "=")),
    )
    assert demand + safety == pytest.approx(level, abs=1e-9)
    assert level == order["order_up_to_level"]


def test_the_same_inputs_give_the_same_revision() -> None:
    assert only_order(poisson(18.2))["revision"] == only_order(poisson(18.2))["revision"]


@pytest.mark.parametrize(
    "change",
    [
        {"day": DAY + timedelta(days=1)},
        {"product_id": "7"},
        {"on_hand": 3.001},
        {"product_name": None},
        {"product_name": ""},
        {"unit_cost": None},
        {"unit_price": 4.01},
        {"lead_time_days": 8},
        {"is_default_lead_time": True},
        {"lead_time_sd_days": None},
        {"delisted_on": DAY + timedelta(days=90)},
        {"is_new_item": True},
        {"supplier_id": "S2"},
        {"max_stock": 1000.0},
        {"model_version": "m2"},
    ],
)
def test_any_change_of_content_changes_the_revision(change: dict[str, Any]) -> None:
    assert only_order(poisson(18.2), **change)["revision"] != only_order(poisson(18.2))["revision"]


def test_an_empty_product_name_is_not_an_unknown_one() -> None:
    unknown, empty = (only_order(poisson(18.2), product_name=name)["revision"] for name in (None, ""))

    assert unknown != empty


def test_revisions_are_short_and_differ_between_rows() -> None:
    revisions = many_orders(500)["revision"].to_pylist()

    assert len(set(revisions)) == 500
    assert {len(revision) for revision in revisions} == {16}


def test_most_urgent_is_most_money_at_risk_then_most_units_where_the_price_is_unknown() -> None:
    rows = origin_rows(
        {"product_id": "cheap", "unit_price": 1.0},
        {"product_id": "few", "unit_price": None, "on_hand": 15.0},
        {"product_id": "dear", "unit_price": 9.0},
        {"product_id": "many", "unit_price": None, "on_hand": 0.0},
    )
    orders = orders_of(rows, poisson(18, 18, 18, 18))

    assert most_urgent(orders, 3)["product_id"].to_pylist() == ["dear", "cheap", "many"]
    assert most_urgent(orders, 9)["product_id"].to_pylist() == ["dear", "cheap", "many", "few"]


def test_no_origins_give_no_orders() -> None:
    orders = orders_of(origin_rows(), Poisson(np.empty(0)))

    assert orders.num_rows == 0
    assert orders.schema == tables.REORDER_RECOMMENDATIONS.arrow_schema


def test_missing_origin_columns_are_named() -> None:
    assert set(ORIGIN_COLUMNS) <= set(ORIGIN_SCHEMA.names)
    with pytest.raises(ValueError, match="unit_price"):
        orders_of(origin_rows({}).drop_columns(["unit_price"]), poisson(1.0))
