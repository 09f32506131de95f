"""Transfers: who gives what to whom, against cases worked out by hand, a simulation, and what must always hold."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexgen_assets.forecasting.quantiles import Calibration
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.transfers import Guards, moves_between, transfer_suggestions
from nexgen_assets.tables import INVENTORY_POSITIONS, NETWORK, TRANSFER_SUGGESTIONS
from nexgen_assets_tests.replenishment.test_origins import DAY, POLICY, at_forecast, exact, supplied_by_hub

# 4 units a day are expected, packs of 2; an order placed now can be sold after 3 days, that of the next review after 4
GUARDS = Guards(transfer_days=1, burn_out_days=5.0, min_unit_cost=0.5, min_value=0.0)
NO_LINES = NETWORK.arrow_schema.empty_table()


def transfers(
    on_hand: dict[str, float],
    guards: Guards = GUARDS,
    calibration: Calibration | None = None,
    network: pa.Table = NO_LINES,
    **terms: Any,
) -> list[dict[str, Any]]:
    """Suggestions among locations that hold so many units of one product; `terms` change all their positions."""
    stock, known, ahead, _ = supplied_by_hub(on_hand, {})
    stock = pa.Table.from_pylist([row | terms for row in stock.to_pylist()], schema=INVENTORY_POSITIONS.arrow_schema)
    calibration = calibration or exact()
    orders = orders_of_origin(stock, known, ahead, calibration, POLICY)
    found = transfer_suggestions(orders, known, ahead, calibration, network, guards)
    assert found.schema == TRANSFER_SUGGESTIONS.arrow_schema
    return found.to_pylist()


def moved(*args: Any, **terms: Any) -> list[tuple[str, str, float]]:
    return [(row["from_location"], row["to_location"], row["transfer_units"]) for row in transfers(*args, **terms)]


def line(location: str, minimum: float | None, category: str = "") -> dict[str, Any]:
    arrival = {"effective_date": DAY, "arrived_at": datetime(2026, 3, 1, tzinfo=UTC), "file_key": "n", "line_number": 2}
    return (
        arrival
        | {"location": location, "category": category}
        | {"minimum_transfer_value": None if minimum is None else Decimal(minimum)}
    )


def test_an_empty_location_gets_what_it_needs_until_an_order_comes_from_one_with_a_surplus() -> None:
    [row] = transfers({"east": 0.0, "west": 100.0})

    # three days want 12; those of the first day are lost before the transfer can be sold
    assert (row["from_location"], row["to_location"], row["transfer_units"]) == ("west", "east", 12)
    # quantiles that run from 0 to the mean within the first percent: not quite certain
    assert row["expected_saved_units"] == pytest.approx(8, abs=0.05)
    assert row["expected_saved_money"] == pytest.approx(4 * row["expected_saved_units"])
    assert row["transfer_value"] == 12
    assert row["kept_units"] == 16 + 5 * 4
    assert (row["arrival_date"], row["receipt_date"]) == (DAY + timedelta(days=2), DAY + timedelta(days=4))
    assert row["explanation"] == (
        f"Move 12 from west to east: east has 0 on hand and on order and runs out before an order can be sold on "
        f"{DAY + timedelta(days=4)} with probability 1.00; west has 100 on hand and keeps 36 at least; "
        "saves 7.96 units of sales."
    )


def test_what_is_promised_to_somebody_is_not_given_away() -> None:
    assert moved({"east": 0.0, "west": 60.0}, committed_units=0.0) == [("west", "east", 12.0)]
    assert moved({"east": 0.0, "west": 60.0}, committed_units=30.0) == []  # 36 of the 60 are its own


@pytest.mark.parametrize(
    ("on_hand", "expected"),
    [
        ({"east": 12.0, "west": 100.0}, []),  # lasts until an order comes
        ({"east": 0.0, "west": 36.0}, []),  # its level of 16 and five days of 4 are its own
        ({"east": 0.0, "west": 41.0}, [("west", "east", 4.0)]),  # five can be spared: two packs
        ({"east": 0.0, "west": 40.0, "north": 46.0}, [("north", "east", 10.0), ("west", "east", 2.0)]),
        ({"east": 0.0, "north": 0.0, "west": 44.0}, [("west", "east", 4.0), ("west", "north", 4.0)]),
        ({"east": 0.0, "north": 8.0, "west": 100.0}, [("west", "east", 12.0), ("west", "north", 4.0)]),
    ],
)
def test_nobody_gives_what_it_needs_itself_and_a_small_surplus_is_shared(
    on_hand: dict[str, float], expected: list[tuple[str, str, float]]
) -> None:
    assert moved(on_hand) == expected


@pytest.mark.parametrize(
    "guards",
    [
        replace(GUARDS, burn_out_days=21.0),  # 16 + 84
        replace(GUARDS, min_unit_cost=1.01),
        replace(GUARDS, min_value=12.01),
        replace(GUARDS, transfer_days=3),
    ],
    ids=["burn-out", "unit cost", "value", "an order is as fast"],
)
def test_a_guard_forbids_what_is_not_worth_moving(guards: Guards) -> None:
    assert moved({"east": 0.0, "west": 100.0}, guards) == []


def test_what_just_passes_the_guards_is_moved() -> None:
    guards = Guards(transfer_days=2, burn_out_days=18.0, min_unit_cost=1.0, min_value=12.0)

    assert moved({"east": 0.0, "west": 100.0}, guards) == [("west", "east", 12)]


@pytest.mark.parametrize(
    ("lines", "is_moved"),
    [
        ([line("east", 13.0)], False),
        ([line("east", 12.0)], True),
        ([line("west", 13.0)], True),  # it is told of the location that gets it
        ([line("east", 13.0), line("east", 5.0, "Dairy")], True),
        ([line("east", 5.0), line("east", 13.0, "Dairy")], False),
        ([line("east", 13.0) | {"effective_date": DAY + timedelta(days=1)}], True),
        ([line("east", 13.0), line("east", None) | {"line_number": 3}], True),
    ],
)
def test_the_network_may_tell_the_least_value_of_a_transfer(lines: list[dict[str, Any]], *, is_moved: bool) -> None:
    network = pa.Table.from_pylist(lines, schema=NETWORK.arrow_schema)
    stock, known, ahead, _ = supplied_by_hub({"east": 0.0, "west": 100.0}, {})
    known = known.set_column(known.schema.get_field_index("category"), "category", pa.array(["Dairy"] * 2))
    orders = orders_of_origin(stock, known, ahead, exact(), POLICY)

    found = transfer_suggestions(orders, known, ahead, exact(), network, GUARDS)

    assert (found.num_rows > 0) == is_moved


def test_goods_do_not_move_where_no_centre_supplies() -> None:
    assert moved({"east": 0.0, "west": 100.0}, supplied_by=None, supplier_id="S1") == []


def test_goods_do_not_move_to_a_location_whose_stock_nobody_told() -> None:
    stock, known, ahead, _ = supplied_by_hub({"east": 0.0, "west": 100.0}, {})
    rows = [row | {"on_hand": None if row["location"] == "east" else 100.0} for row in stock.to_pylist()]
    orders = orders_of_origin(
        pa.Table.from_pylist(rows, schema=INVENTORY_POSITIONS.arrow_schema), known, ahead, exact(), POLICY
    )

    assert transfer_suggestions(orders, known, ahead, exact(), NO_LINES, GUARDS).num_rows == 0


@pytest.mark.parametrize("terms", [{"unit_cost": None}, {"max_stock": 1.0}, {"lead_time_days": 1}])
def test_nothing_moves_without_a_cost_without_room_or_where_an_order_is_as_fast(terms: dict[str, Any]) -> None:
    assert moved({"east": 0.0, "west": 100.0}, **terms) == []


def test_a_location_gets_no_more_than_it_has_room_for() -> None:
    assert moved({"east": 0.0, "west": 100.0}, max_stock=9.0) == [("west", "east", 8)]


def test_the_sales_told_to_be_saved_are_saved_in_a_simulation() -> None:
    [row] = transfers({"east": 3.0, "west": 100.0}, calibration=at_forecast())

    demand = np.random.default_rng(11).poisson(4.0, (200_000, 3))
    left_after_a_day = np.maximum(3 - demand[:, 0], 0)
    wanted = demand[:, 1:].sum(axis=1)
    without, with_it = (np.minimum(left_after_a_day + units, wanted) for units in (0, row["transfer_units"]))
    saved = (with_it - without).mean()
    assert 0.9 * saved <= row["expected_saved_units"] <= saved + 0.15  # forecasts are Poisson to some percent


stocks = st.dictionaries(st.sampled_from(["east", "north", "south", "west"]), st.integers(0, 120), min_size=2)


@settings(max_examples=40)
@given(on_hand=stocks, burn_out_days=st.integers(0, 9), calibration=st.sampled_from([exact(), at_forecast()]))
def test_whatever_moves_is_spared_by_who_gives_and_needed_by_who_gets(
    on_hand: dict[str, int], burn_out_days: int, calibration: Calibration
) -> None:
    held = {location: float(units) for location, units in on_hand.items()}

    rows = transfers(held, replace(GUARDS, burn_out_days=float(burn_out_days)), calibration)

    given_by: dict[str, float] = defaultdict(float)
    for row in rows:
        given_by[row["from_location"]] += row["transfer_units"]
        assert row["transfer_units"] % row["pack_size"] == 0
        assert row["from_location"] != row["to_location"]
        assert row["expected_saved_units"] > 0
        assert row["expected_saved_units"] <= 4 * 3
        assert row["stockout_probability_until_receipt"] > 0.05
        assert row["stockout_probability_with_transfer"] <= row["stockout_probability_until_receipt"]
    kept = {row["from_location"]: row["kept_units"] for row in rows}
    assert all(held[location] - units >= kept[location] for location, units in given_by.items())
    assert not given_by.keys() & {row["to_location"] for row in rows}


@given(data=st.data())
def test_moves_are_full_packs_within_what_each_can_spare_and_may_get(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 6))

    def some(of: st.SearchStrategy[Any]) -> np.ndarray:
        return np.array(data.draw(st.lists(of, min_size=n, max_size=n)))

    group, pack = some(st.integers(-1, 1)), some(st.sampled_from([1.0, 2.0, 0.5]))
    is_needy = some(st.booleans()) & (group >= 0)
    spare = np.where(is_needy, 0.0, some(st.integers(0, 9_000)) / 1000)
    needy = np.flatnonzero(is_needy)
    wanted = some(st.integers(0, 6))[needy] * pack[needy]

    moves = moves_between(needy, wanted, group, spare, pack)

    assert np.all(moves.units > 0)
    assert np.all(moves.units % pack[moves.receiver] == 0)
    assert np.all(group[moves.giver] == group[moves.receiver])
    assert np.all(np.bincount(moves.giver, moves.units, n) <= spare + 1e-9)
    got = np.bincount(moves.receiver, moves.units, n)[needy]
    assert np.all(got <= wanted)
    left = spare - np.bincount(moves.giver, moves.units, n)
    most_left = np.array([left[group == group[row]].max(initial=0.0) for row in needy])
    assert np.all((got == wanted) | (most_left < pack[needy] - 1e-9))
