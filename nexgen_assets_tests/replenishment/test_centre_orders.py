"""A centre's own orders: its locations' orders as its demand, by hand, and a simulated centre with its stores."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from nexgen_assets import tables
from nexgen_assets.replenishment import origins
from nexgen_assets.replenishment.centre_orders import Members, with_centres
from nexgen_assets.replenishment.formulas.echelons import pooled_sd
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.policy import order_up_to_level
from nexgen_assets.replenishment.pooled_demand import JoinedDemand, ShiftedGamma, pooled_sds, standard_deviation
from nexgen_assets.replenishment.what_if import Change, Inputs, orders_if, totals
from nexgen_assets_tests.replenishment.distributions import Floats, Poisson
from nexgen_assets_tests.replenishment.test_orders import policy_uploads
from nexgen_assets_tests.replenishment.test_origins import (
    POLICY,
    at_forecast,
    at_stores,
    exact,
    ledgers_add_up,
    supplied_by_hub,
)


def the_hubs(orders: pa.Table) -> dict[str, Any]:
    [row] = orders.filter(orders["supplied_locations"].is_valid()).to_pylist()
    return row


def test_a_centre_orders_what_its_locations_will_order_until_its_next_order_is_there() -> None:
    """4 units a day at each of two stores, whose lead time is 3 days, in packs of 2: their level is that of 4 days, 16.

    East lacks 16 and north 6. The hub's interval is 5 + 1 days, and its locations order what they sell in 5 of them.
    Packs of 2 keep half a unit above the level.
    """
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0, "north": 10.0}, {"001": 30.0})

    orders = orders_of_origin(stock, known, ahead, exact(), POLICY, centre_stock=hub)
    order = the_hubs(orders)

    assert orders["location"].to_pylist() == ["east", "hub", "north"]
    assert (order["location"], order["supplier_id"], order["supplied_locations"]) == ("hub", "S1", 2)
    assert order["expected_demand"] == pytest.approx((16.5 + 6.5) + 2 * 5 * 4)
    assert order["expected_demand_until_receipt"] == pytest.approx((16.5 + 6.5) + 2 * 4 * 4)
    assert (order["on_hand"], order["protection_interval_days"]) == (30, 6)
    assert order["order_units"] == 36  # 63 less 30, in packs of 6
    assert order["explanation"].startswith(
        "Order 36: expected demand 63 in 6 days from 2 locations that it supplies + "
    )
    assert ledgers_add_up(orders)
    assert orders.schema == tables.REORDER_RECOMMENDATIONS.arrow_schema


def test_a_surplus_of_one_location_fills_no_other_one_but_spares_its_own_orders() -> None:
    """West has enough for ever: it orders nothing. East's orders stay as they are."""
    with_surplus = supplied_by_hub({"east": 0.0, "west": 500.0}, {"001": 30.0})
    alone = supplied_by_hub({"east": 0.0}, {"001": 30.0})

    some, one = (
        the_hubs(orders_of_origin(*inputs[:3], exact(), POLICY, centre_stock=inputs[3]))
        for inputs in (with_surplus, alone)
    )

    assert some["expected_demand"] == pytest.approx(one["expected_demand"])
    assert (some["supplied_locations"], one["supplied_locations"]) == (2, 1)


def test_a_location_that_orders_in_lots_orders_half_a_lot_more_than_it_lacks() -> None:
    """A lot of 5 days is 20 units: east has 6 more than its level, and so much less to order than with half a lot."""
    stock, known, ahead, hub = supplied_by_hub({"east": 22.0}, {"001": 30.0})
    lots = policy_uploads({"location": "east", "policy": "min_max", "lot_days": 5.0})

    single = the_hubs(orders_of_origin(stock, known, ahead, exact(), POLICY, centre_stock=hub))
    in_lots = the_hubs(orders_of_origin(stock, known, ahead, exact(), POLICY, lots, hub))

    assert single["expected_demand"] == pytest.approx(5 * 4 - 6 + (2 - 1) / 2)
    assert in_lots["expected_demand"] == pytest.approx(5 * 4 - 6 + (20 - 1) / 2)


def test_a_store_that_orders_another_day_orders_up_to_the_level_of_that_day() -> None:
    """On Wednesday, for next Monday: the level of today covers 5 days to that, the one of Monday 7 days."""
    stock, known, ahead, hub = supplied_by_hub({"east": 20.0}, {"001": 30.0})  # the order date is a Wednesday
    weekly = policy_uploads({"location": "east", "review_period_days": 7})

    order = the_hubs(orders_of_origin(stock, known, ahead, exact(), POLICY, weekly, hub))

    # level of Monday: 7 + 3 days; 5 days of the hub's 6 are sold before its locations' orders leave
    assert order["expected_demand"] == pytest.approx(10 * 4 - 20 + 5 * 4 + 0.5)


def test_what_a_centre_sells_itself_is_added_and_it_has_one_row() -> None:
    stores = supplied_by_hub({"east": 0.0}, {"001": 30.0})
    selling = supplied_by_hub({"east": 0.0, "hub": 7.0}, {"001": 30.0})
    own = [row | ({"supplied_by": None} if row["location"] == "hub" else {}) for row in selling[0].to_pylist()]
    stock = pa.Table.from_pylist(own, schema=selling[0].schema)

    orders = orders_of_origin(stock, *selling[1:3], exact(), POLICY, centre_stock=selling[3])

    without = the_hubs(orders_of_origin(*stores[:3], exact(), POLICY, centre_stock=stores[3]))
    assert orders["location"].to_pylist() == ["east", "hub"]
    assert the_hubs(orders)["expected_demand"] == pytest.approx(without["expected_demand"] + 6 * 4)
    assert the_hubs(orders)["on_hand"] == 30  # what the centre has, less what it has sent
    assert ledgers_add_up(orders)


def test_a_centre_whose_stock_nobody_told_is_not_ordered_for() -> None:
    stock, known, ahead, _ = supplied_by_hub({"east": 0.0}, {})
    orders = orders_of_origin(stock, known, ahead, exact(), POLICY)
    assert orders["location"].to_pylist() == ["east"]


def test_a_centre_of_no_location_is_not_ordered_for() -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0}, {"001": 5.0, "002": 5.0})
    orders = orders_of_origin(stock, known, ahead, exact(), POLICY, centre_stock=hub)
    assert [row["product_id"] for row in orders.to_pylist()] == ["001", "001"]


def test_batches_do_not_change_a_centres_order(monkeypatch: pytest.MonkeyPatch) -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0, "north": 4.0, "west": 9.0}, {"001": 21.0})
    together = orders_of_origin(stock, known, ahead, at_forecast(), POLICY, centre_stock=hub)
    monkeypatch.setattr(origins, "BATCH_ENTRIES", 1)
    assert orders_of_origin(stock, known, ahead, at_forecast(), POLICY, centre_stock=hub).equals(together)


def test_a_centre_changes_no_order_of_its_locations() -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0, "north": 4.0}, {"001": 1e6})
    with_hub = at_stores(orders_of_origin(stock, known, ahead, at_forecast(), POLICY, centre_stock=hub))
    alone = orders_of_origin(stock, known, ahead, at_forecast(), POLICY)
    assert with_hub["order_units"].equals(alone["order_units"])


def test_the_safety_stock_of_a_centre_is_less_than_that_of_its_locations_together() -> None:
    """Eppen: that of n equal, independent stores falls to 1 / sqrt(n) of it."""
    normal, sds = stats.norm.ppf(0.95), np.full(9, 4.0)
    pooled = pooled_sds(sds, np.zeros(9, np.int64), 1, 0.0)[0]
    assert normal * pooled == pytest.approx(normal * sds.sum() / 3)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_sums_spread_as_the_textbook_says(correlation: float) -> None:
    sds, owner = np.array([1.0, 2.0, 5.0, 3.0]), np.array([0, 0, 1, 1])
    expected = [pooled_sd(sds[owner == of], correlation) for of in (0, 1)]
    assert pooled_sds(sds, owner, 2, correlation).tolist() == pytest.approx(expected)


def test_the_gamma_is_that_of_drawn_numbers() -> None:
    rng = np.random.default_rng(1)
    drawn = np.maximum(rng.gamma((20 / 8) ** 2, 8**2 / 20, 400_000) + np.array([[6.0], [-12.0]]), 0.0)
    demand = ShiftedGamma(np.full(2, 20.0), np.full(2, 8.0), np.array([6.0, -12.0]), np.zeros(2, np.bool_))

    assert demand.mean == pytest.approx(drawn.mean(axis=1), rel=0.01)
    assert demand.quantile(0.9) == pytest.approx(np.quantile(drawn, 0.9, axis=1), rel=0.01)
    for x in (0.0, 10.0, 25.0):
        assert demand.cdf(np.full(2, x)) == pytest.approx((drawn <= x).mean(axis=1), abs=0.005)
        short = np.maximum(drawn - x, 0).mean(axis=1)
        assert demand.expected_shortage(np.full(2, x)) == pytest.approx(short, rel=0.01, abs=0.01)


def test_certain_demand_is_certain() -> None:
    demand = ShiftedGamma(np.array([20.0, 0.0]), np.zeros(2), np.array([-5.0, 3.0]), np.zeros(2, np.bool_))
    assert demand.mean.tolist() == demand.quantile(0.99).tolist() == [15, 3]
    assert demand.expected_shortage(np.array([10.0, 10.0])).tolist() == [5, 0]
    assert demand.cdf(np.array([15.0, 2.0])).tolist() == [1, 0]


def test_joined_rows_keep_their_own_distribution() -> None:
    is_other = np.array([False, True, False])
    joined = JoinedDemand(Poisson(np.array([3.0, 9.0])), Poisson(np.array([100.0])), is_other)
    assert joined.mean.tolist() == [3, 100, 9]
    assert joined.quantile(0.95).tolist() == stats.poisson.ppf(0.95, [3, 100, 9]).tolist()
    assert joined.cdf(np.full(3, 9.0)) == pytest.approx(stats.poisson.cdf(9, [3, 100, 9]))


def test_the_spread_of_a_distribution_is_found_from_its_quantiles() -> None:
    assert standard_deviation(Poisson(np.array([4.0, 400.0]))) == pytest.approx([2, 20], rel=0.03)


STORES, STORE_DAYS, HUB_DAYS, DAYS, WARM_UP, DAILY = 6, 2, 7, 1_500, 200, 4.0


def simulated_fill_rate(hub_level: float | None) -> float:
    """What customers of six stores get of what they want; the hub orders as its row would, up to a level above theirs.

    Each day, after sales: the stores order up to their levels, the hub sends what it has, whoever lacks most first, and
    orders from outside, where there is always enough. None: a hub that never runs out.
    """
    demand = np.random.default_rng(8).poisson(DAILY, (DAYS, STORES)).astype(float)
    level = stats.poisson.ppf(0.95, DAILY * (STORE_DAYS + 1))
    on_hand, hub = np.full(STORES, level), 0.0 if hub_level is None else hub_level
    to_stores, to_hub = np.zeros((DAYS + 20, STORES)), np.zeros(DAYS + 20)
    sold = wanted = 0.0
    for day in range(DAYS):
        on_hand, hub = on_hand + to_stores[day], hub + to_hub[day]
        sales = np.minimum(on_hand, demand[day])
        on_hand -= sales
        if day >= WARM_UP:
            sold, wanted = sold + sales.sum(), wanted + demand[day].sum()
        lacking = np.maximum(level - on_hand - to_stores[day + 1 :].sum(axis=0), 0.0)
        if hub_level is None:
            to_stores[day + 1 + STORE_DAYS] += lacking
            continue
        missing = hub_demand_level(lacking) - hub - to_hub[day + 1 :].sum() if hub_level > 0 else 0.0
        to_hub[day + 1 + HUB_DAYS] += max(missing, 0.0)
        arriving = to_hub[day + 1]  # orders leave the next day, after the receipts of its opening
        sent = shared(lacking, hub + arriving)
        to_stores[day + 1 + STORE_DAYS] += sent
        hub -= sent.sum()
        if hub_level == 0:  # what a hub without stock gets: the day's orders, a lead time late
            to_hub[day + 1 + HUB_DAYS] += max(lacking.sum() - sent.sum() - to_hub[day + 1 :].sum(), 0.0)
    return sold / wanted


def shared(lacking: Floats, stock: float) -> Floats:
    """Unit by unit to whoever lacks most."""
    sent = np.zeros(STORES)
    for _ in range(int(min(stock, lacking.sum()))):
        sent[np.argmax(lacking - sent)] += 1
    return sent


def hub_demand_level(lacking: Floats) -> float:
    """The level of the hub's row, by the product's own demand of a centre."""
    of_stores = Poisson(np.full(STORES, DAILY))
    members = Members(np.arange(STORES), np.array([0]), np.array([STORES]), np.zeros(STORES, np.bool_))
    nothing = np.array([], np.int64)
    over = with_centres(
        lambda which, lengths: Poisson(of_stores.mean[which] * lengths), nothing, members, lacking, np.ones(STORES), 0.0
    )
    return float(order_up_to_level(over(np.array([0]), np.array([HUB_DAYS + 1])), 0.95)[0])


def test_stores_reach_their_target_with_the_centres_order_and_not_without_stock_there() -> None:
    never_short, ordered, empty = (simulated_fill_rate(level) for level in (None, 240.0, 0.0))

    assert ordered >= never_short - 0.003
    assert empty < never_short - 0.03


def test_totals_count_no_money_twice_and_no_customer() -> None:
    """What stores get from the hub was bought by the hub, and nobody but their customers loses anything."""
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0, "north": 0.0}, {"001": 30.0})
    orders = orders_of_origin(stock, known, ahead, at_forecast(), POLICY, centre_stock=hub)

    found, of_stores = totals(orders), totals(at_stores(orders))

    assert found.order_value == the_hubs(orders)["order_value"] > 0
    assert (found.expected_lost_units, found.promised_fill_rate) == (
        of_stores.expected_lost_units,
        of_stores.promised_fill_rate,
    )


def test_a_longer_lead_time_is_a_centres_too() -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0}, {"001": 30.0})
    as_is = Inputs(stock, known, ahead, exact(), POLICY, tables.ORDER_POLICIES.arrow_schema.empty_table(), hub)

    before, after = (the_hubs(orders_if(as_is, change)) for change in (Change(), Change(more_lead_time_days=2)))

    assert after["lead_time_days"] - before["lead_time_days"] == 2
    # two days more at the hub; at the store, its level is that of two days more too
    assert after["expected_demand"] - before["expected_demand"] == pytest.approx(2 * 4 + 2 * 4)
