"""Orders of one origin: three tables of one day, lined up by product and location."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets import tables
from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.forecasting.quantiles import Calibration, calibrate
from nexgen_assets.replenishment import origins
from nexgen_assets.replenishment.exceptions import order_exceptions
from nexgen_assets.replenishment.lead_times import lead_time_pmf
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.policy import Policy

DAY = date(2026, 3, 10)
POLICY = Policy(0.95, 1)
DAILY = {"001": 2.0, "002": 5.0, "003": 11.0}  # units a day, every day


def positions(products: list[str], lead_time_sds: Sequence[float | None] = (), on_hand: float = 0.0) -> pa.Table:
    told = {
        "day": DAY,
        "location": "north",
        "on_hand": on_hand,
        "on_order_units": 0.0,
        "committed_units": 0.0,
        "lead_time_days": 3,
    }
    terms = {"pack_size": 1.0, "min_order_quantity": 0.0, "inventory_source": "count", "unit_cost": 1.0}
    flags = {c.name: False for c in tables.INVENTORY_POSITIONS.columns if c.name.startswith("is_")}
    sds = lead_time_sds or [None] * len(products)
    rows = [
        {**told, **terms, **flags, "product_id": product, "lead_time_sd_days": sd}
        for product, sd in zip(products, sds, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=tables.INVENTORY_POSITIONS.arrow_schema)


def features(products: list[str], **values: Any) -> pa.Table:
    names = tables.CLEANED_FEATURES.arrow_schema.names
    steady = [name for name in names if name.startswith(("demand_lag_", "demand_mean_", "weekday_mean_"))]
    rows = [
        {"day": DAY, "product_id": product, "location": "north", "demand_sd_28": 0.0, "unit_price": 4.0}
        | dict.fromkeys(steady, DAILY[product])
        | values
        for product in products
    ]
    return pa.Table.from_pylist(rows, schema=tables.CLEANED_FEATURES.arrow_schema)


def modelled(products: list[str]) -> pa.Table:
    """Forecasts of a model that expects twice of what the naive sees."""
    rows = [
        {
            "day": DAY,
            "product_id": product,
            "location": "north",
            "horizon": horizon,
            "target_date": DAY + timedelta(days=horizon),
            "mean": 2 * DAILY[product],
            "model_version": "m1",
        }
        for product in products
        for horizon in range(1, tables.HORIZON_DAYS + 1)
    ]
    return pa.Table.from_pylist(rows, schema=tables.FORECASTS.arrow_schema)


def at_forecast() -> Calibration:
    """The calibration of a model whose demand is Poisson, and whose means are right."""
    means = np.tile(np.linspace(1, 20, 400)[:, None], (1, tables.HORIZON_DAYS))
    return calibrate(np.random.default_rng(2).poisson(means).astype(np.float64), means, means[:, 0])


def shuffled(table: pa.Table) -> pa.Table:
    return table.take(np.random.default_rng(5).permutation(table.num_rows))


def exact() -> Calibration:
    """The calibration of a model that was never wrong."""
    means = np.tile(np.linspace(1, 20, 64)[:, None], (1, tables.HORIZON_DAYS)).astype(np.float32)
    return calibrate(means.astype(np.float64), means, means[:, 0])


def test_a_model_orders_what_it_expects_until_the_next_order_has_come() -> None:
    products = list(DAILY)
    orders = orders_of_origin(positions(products), features(products), modelled(products), exact(), POLICY)
    assert orders["expected_demand"].to_pylist() == [4 * 2 * DAILY[product] for product in products]
    assert set(orders["model_version"].to_pylist()) == {"m1"}


def test_without_a_calibration_the_seasonal_naive_decides() -> None:
    known = features(list(DAILY))
    orders = orders_of_origin(positions(list(DAILY)), known, seasonal_naive_forecast(known), None, POLICY)
    assert orders["expected_demand"].to_pylist() == [4 * daily for daily in DAILY.values()]


@pytest.mark.parametrize("calibration", [exact(), None], ids=["model", "naive"])
@pytest.mark.parametrize(("days_ahead", "days"), [(-9, 0), (1, 0), (3, 2), (5, 4), (40, 4)])
def test_demand_ends_with_a_delisting(calibration: Calibration | None, days_ahead: int, days: int) -> None:
    known = features(["001"], delisted_on=DAY + timedelta(days=days_ahead))
    ahead = seasonal_naive_forecast(known) if calibration is None else modelled(["001"])
    a_day = 2.0 if calibration is None else 4.0

    [order] = orders_of_origin(positions(["001"]), known, ahead, calibration, POLICY).to_pylist()

    assert order["expected_demand"] == days * a_day
    assert (order["order_units"] > 0) == (days_ahead > 4)  # sellable on the fourth day ahead


def test_a_new_item_is_ordered_at_the_level_of_its_category() -> None:
    unsold = dict.fromkeys(f"demand_lag_{k}" for k in range(7))
    known = features(["001"], **unsold, demand_mean_28=None, is_new_item=True, category_mean_28=3.0, unit_price=None)

    [order] = orders_of_origin(positions(["001"]), known, seasonal_naive_forecast(known), None, POLICY).to_pylist()

    assert order["expected_demand"] == pytest.approx(4 * 3.0)
    assert order["order_units"] > 12
    assert "new_item" in order["assumptions"].split(",")


def test_the_order_of_the_rows_of_its_inputs_does_not_matter() -> None:
    inputs = (positions(list(DAILY)), features(list(DAILY)), modelled(list(DAILY)))
    expected = orders_of_origin(*inputs, exact(), POLICY)
    assert orders_of_origin(*(shuffled(table) for table in inputs), exact(), POLICY).equals(expected)


def test_an_uncertain_lead_time_holds_more_and_says_how_much_of_it_is_for_that() -> None:
    products = list(DAILY)
    inputs = (features(products), modelled(products), at_forecast(), POLICY)
    certain = orders_of_origin(positions(products), *inputs).to_pylist()
    uncertain = orders_of_origin(positions(products, [1.5] * 3), *inputs).to_pylist()

    for before, after in zip(certain, uncertain, strict=True):
        added = after["order_up_to_level"] - before["order_up_to_level"]
        assert added > 0
        assert after["safety_stock_for_lead_time"] == added
        assert after["expected_demand"] == pytest.approx(before["expected_demand"])
        assert f"{added:.10g} for the lead time" in after["explanation"]


def test_a_model_that_is_never_wrong_orders_for_the_latest_day_that_is_likely_enough() -> None:
    # 4 units a day for sure: the level is 4 x (review + the 0.95 quantile of the lead time)
    sd = 1.5
    until = np.cumsum(list(lead_time_pmf(3.0, sd).values()))
    latest = list(lead_time_pmf(3.0, sd))[int(np.argmax(until >= POLICY.service_level))]

    orders = orders_of_origin(positions(["001"], [sd]), features(["001"]), modelled(["001"]), exact(), POLICY)

    assert orders["order_up_to_level"].to_pylist() == [4 * (1 + latest)]
    assert orders["safety_stock"].to_pylist() == [4 * (1 + latest) - 4 * (1 + 3)]
    assert orders["safety_stock_for_demand"].to_pylist() == [0]


def test_stock_for_the_mean_lead_time_runs_out_if_the_order_is_late() -> None:
    # 4 units a day, and 16 on hand: each day beyond the third loses 4 units (for sure but for the lowest hundredth of
    # the distribution, which runs down to 0 units)
    stock = positions(["001"], [1.5], on_hand=16.0)
    late = {day - 3: share for day, share in lead_time_pmf(3.0, 1.5).items() if day > 3}

    [order] = orders_of_origin(stock, features(["001"]), modelled(["001"]), exact(), POLICY).to_pylist()

    assert order["stockout_probability"] == pytest.approx(sum(late.values()), rel=0.01)
    assert order["expected_lost_units"] == pytest.approx(sum(4 * days * p for days, p in late.items()), rel=0.01)
    assert order["money_at_risk"] == pytest.approx(4.0 * order["expected_lost_units"])


@pytest.mark.parametrize("calibration", [at_forecast(), None], ids=["model", "naive"])
def test_a_certain_lead_time_is_ordered_for_as_if_no_other_were_uncertain(calibration: Calibration | None) -> None:
    products = list(DAILY)
    ahead = seasonal_naive_forecast(features(products)) if calibration is None else modelled(products)
    inputs = (features(products), ahead, calibration, POLICY)
    alone = orders_of_origin(positions(products), *inputs)
    beside = orders_of_origin(positions(products, [None, 2.0, 0.0]), *inputs)

    assert beside.slice(0, 1) == alone.slice(0, 1)
    told = ["lead_time_sd_days", "assumptions", "revision"]
    assert beside.slice(2, 1).drop_columns(told) == alone.slice(2, 1).drop_columns(told)
    assert beside["order_up_to_level"][1].as_py() > alone["order_up_to_level"][1].as_py()


def test_rows_worked_on_in_several_batches_come_out_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    products = list(DAILY)
    inputs = (positions(products, [None, 2.0, 0.7]), features(products), modelled(products), at_forecast(), POLICY)
    together = orders_of_origin(*inputs)

    monkeypatch.setattr(origins, "BATCH_ENTRIES", 1)

    assert orders_of_origin(*inputs).equals(together)


@pytest.mark.parametrize("lacking", ["features", "forecasts"])
def test_a_product_that_one_table_lacks_is_an_error_and_no_shifted_order(lacking: str) -> None:
    everything, two = list(DAILY), list(DAILY)[:2]
    known = features(two if lacking == "features" else everything)
    ahead = modelled(two if lacking == "forecasts" else everything)
    with pytest.raises(ValueError, match=lacking):
        orders_of_origin(positions(everything), known, ahead, exact(), POLICY)


def test_a_day_without_products_has_no_orders() -> None:
    orders = orders_of_origin(positions([]), features([]), modelled([]), None, POLICY)
    assert orders.num_rows == 0
    assert orders.schema == tables.REORDER_RECOMMENDATIONS.arrow_schema


def supplied(minimum: float | None = None) -> pa.Table:
    stock = positions(list(DAILY))
    for name, values in {"supplier_id": ["S1", "S1", "S2"], "min_order_value": [minimum, minimum, None]}.items():
        index = stock.schema.get_field_index(name)
        stock = stock.set_column(index, stock.schema.field(name), pa.array(values, stock.schema.field(name).type))
    return stock


def ledgers_add_up(orders: pa.Table) -> bool:
    rows = orders.select(["order_units", *tables.ORDER_LEDGER]).to_pylist()
    return all(
        round(row["order_units"] * 1000) == sum(sign * round(row[n] * 1000) for n, sign in tables.ORDER_LEDGER.items())
        for row in rows
    )


def test_a_suppliers_smallest_order_is_reached_by_covering_more_days() -> None:
    known, ahead = features(list(DAILY)), modelled(list(DAILY))
    alone = orders_of_origin(supplied(), known, ahead, exact(), POLICY)
    together = orders_of_origin(supplied(140.0), known, ahead, exact(), POLICY)

    # the model expects 4 and 10 units a day: 16 and 40 for four days, 56 in money; ten days are 140
    assert alone["order_units"].to_pylist() == [16, 40, 88]
    assert together["order_units"].to_pylist() == [40, 100, 88]
    assert together["supplier_minimum_units"].to_pylist() == [24, 60, 0]
    assert ledgers_add_up(together)
    assert together["explanation"][0].as_py().endswith("raised by 24 for the supplier's smallest order of 140.")
    assert together.slice(2) == alone.slice(2)


def test_a_suppliers_smallest_order_that_is_out_of_reach_blocks_its_lines() -> None:
    orders = orders_of_origin(supplied(1e6), features(list(DAILY)), modelled(list(DAILY)), exact(), POLICY)

    assert orders["order_units"].to_pylist() == [0, 0, 88]
    assert orders["blocked_reason"].to_pylist() == ["supplier_minimum", "supplier_minimum", None]
    assert ledgers_add_up(orders)


@pytest.mark.parametrize("lead_time_sds", [[], [None, 2.0, 0.7]], ids=["certain", "uncertain"])
def test_a_budget_is_kept_and_says_what_it_cut(
    lead_time_sds: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    products = list(DAILY)
    inputs = (positions(products, lead_time_sds), features(products), modelled(products), at_forecast())
    budget = 100.0

    orders = orders_of_origin(*inputs, replace(POLICY, daily_budget=budget))

    free = orders_of_origin(*inputs, POLICY)
    assert sum(free["order_value"].to_pylist()) > budget
    assert budget - 3 < sum(orders["order_value"].to_pylist()) <= budget
    assert orders["budget_units"].to_numpy() == pytest.approx(
        orders["order_units"].to_numpy() - free["order_units"].to_numpy()
    )
    assert ledgers_add_up(orders)
    assert all(value > 0 for value in orders["value_of_last_money"].to_pylist() if value is not None)
    assert "to the budget" in orders["explanation"][int(np.argmin(orders["budget_units"].to_numpy()))].as_py()

    monkeypatch.setattr(origins, "BATCH_ENTRIES", 1)
    assert orders_of_origin(*inputs, replace(POLICY, daily_budget=budget)).equals(orders)


def test_fresh_goods_are_ordered_for_what_can_be_sold_in_time() -> None:
    products = list(DAILY)
    stock = positions(products)
    index = stock.schema.get_field_index("shelf_life_days")
    fresh = stock.set_column(index, stock.schema.field(index), pa.array([1.0] * 3))
    inputs = (features(products), modelled(products), at_forecast())

    keeps = orders_of_origin(stock, *inputs, POLICY)
    expires = orders_of_origin(fresh, *inputs, replace(POLICY, max_waste_share=0.1))

    assert all(units < 0 for units in expires["shelf_life_units"].to_pylist())
    for long, short in zip(keeps.to_pylist(), expires.to_pylist(), strict=True):
        assert 0 < short["order_units"] < long["order_units"]
        assert short["expected_waste_units"] <= 0.1 * short["order_units"]
        assert short["promised_cycle_service"] < long["promised_cycle_service"]


def supplied_by_hub(locations: dict[str, float], on_hand: dict[str, float]) -> tuple[pa.Table, ...]:
    """One product, 4 units a day expected by the model, at locations (units on hand) that `hub` supplies."""
    stock = pa.Table.from_pylist(
        [
            positions(["001"]).to_pylist()[0]
            | {"location": location, "on_hand": units, "supplied_by": "hub", "supplier_id": "hub", "pack_size": 2.0}
            for location, units in locations.items()
        ],
        schema=tables.INVENTORY_POSITIONS.arrow_schema,
    )
    at = [
        pa.Table.from_pylist(
            [row | {"location": location} for location in locations for row in table.to_pylist()], schema
        )
        for table, schema in (
            (features(["001"]), tables.CLEANED_FEATURES.arrow_schema),
            (modelled(["001"]), tables.FORECASTS.arrow_schema),
        )
    ]
    told = {"lead_time_days": 5, "supplier_id": "S1", "pack_size": 6.0, "supplied_by": None}
    held = positions(["001"]).to_pylist()[0] | told | {"on_hand_as_of": DAY}
    movements = dict.fromkeys(("counted_units", "received_units", "sent_units", "sold_units"), 0.0)
    rows = [held | movements | {"product_id": p, "location": "hub", "on_hand": units} for p, units in on_hand.items()]
    return stock, *at, pa.Table.from_pylist(rows, schema=tables.CENTRE_STOCK.arrow_schema)


def at_stores(orders: pa.Table) -> pa.Table:
    """The orders without those of the hub."""
    return orders.filter(orders["supplied_locations"].is_null())


def test_a_short_centre_shares_out_what_it_has_and_the_orders_say_so() -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0, "north": 4.0, "west": 16.0}, {"001": 21.0})

    orders = at_stores(orders_of_origin(stock, known, ahead, at_forecast(), POLICY, centre_stock=hub))
    free = orders_of_origin(stock, known, ahead, at_forecast(), POLICY)

    wanted, sent = free["order_units"].to_numpy(), orders["order_units"].to_numpy()
    assert wanted.sum() > 21
    assert sent.sum() == 20  # in packs of 2
    reached = np.array([0.0, 4.0, 16.0]) + sent
    assert reached[:2].tolist() == [12, 12]  # 20 units for two that expect 16 each; the third has them
    assert orders["allocation_units"].to_pylist() == (sent - wanted).tolist()
    assert ledgers_add_up(orders)
    assert orders["explanation"][0].as_py().endswith("to its share of the 21 that hub has.")
    assert orders["centre_on_hand"].to_pylist() == [21, 21, 21]
    risks = [table["stockout_probability_with_order"].to_numpy() for table in (orders, free)]
    assert np.all(risks[0] >= risks[1])
    exceptions = order_exceptions(orders).to_pylist()
    assert {row["location"] for row in exceptions if row["exception"] == "order_cut"} == {"east", "north", "west"}


def test_a_centre_whose_stock_nobody_told_is_taken_to_have_enough_and_the_order_says_so() -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0}, {"002": 0.0})

    [order] = orders_of_origin(stock, known, ahead, exact(), POLICY, centre_stock=hub).to_pylist()

    assert (order["order_units"], order["centre_on_hand"]) == (16, None)
    assert "centre_stock" in order["assumptions"].split(",")


def test_a_budget_pays_suppliers_and_not_what_a_centre_sends() -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0, "north": 0.0, "west": 0.0}, {"001": 500.0})
    row = next(i for i, location in enumerate(stock["location"].to_pylist()) if location == "west")
    outside = pa.Table.from_pylist(
        [r | ({"supplied_by": None, "supplier_id": "S1"} if i == row else {}) for i, r in enumerate(stock.to_pylist())],
        schema=stock.schema,
    )

    free = orders_of_origin(outside, known, ahead, at_forecast(), POLICY, centre_stock=hub)
    orders = orders_of_origin(outside, known, ahead, at_forecast(), replace(POLICY, daily_budget=6.0), centre_stock=hub)

    free, orders = at_stores(free), at_stores(orders)
    units = dict(zip(orders["location"].to_pylist(), orders["order_units"].to_pylist(), strict=True))
    wanted = dict(zip(free["location"].to_pylist(), free["order_units"].to_pylist(), strict=True))
    assert units == wanted | {"west": 6.0}  # at a unit cost of 1
    assert wanted["east"] > 6
    assert ledgers_add_up(orders)


def test_batches_do_not_change_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0, "north": 4.0, "west": 1.0}, {"001": 21.0})
    together = orders_of_origin(stock, known, ahead, at_forecast(), POLICY, centre_stock=hub)
    monkeypatch.setattr(origins, "BATCH_ENTRIES", 1)

    assert orders_of_origin(stock, known, ahead, at_forecast(), POLICY, centre_stock=hub).equals(together)


def test_without_a_network_no_centres_stock_changes_an_order() -> None:
    *_, hub = supplied_by_hub({"east": 0.0}, dict.fromkeys(DAILY, 0.0))
    inputs = (positions(list(DAILY)), features(list(DAILY)), modelled(list(DAILY)), at_forecast(), POLICY)

    orders = orders_of_origin(*inputs)

    assert orders_of_origin(*inputs, centre_stock=hub).equals(orders)
    assert set(orders["allocation_units"].to_pylist()) == {0}
    assert orders["supplied_by"].null_count == orders["centre_on_hand"].null_count == orders.num_rows


def test_a_centre_with_more_than_enough_makes_no_new_revision() -> None:
    stock, known, ahead, hub = supplied_by_hub({"east": 0.0}, {"001": 21.0})
    *_, fuller = supplied_by_hub({"east": 0.0}, {"001": 500.0})

    some, more = (
        at_stores(orders_of_origin(stock, known, ahead, exact(), POLICY, centre_stock=of)) for of in (hub, fuller)
    )

    assert some["centre_on_hand"] != more["centre_on_hand"]
    assert some["revision"] == more["revision"]
