"""Transfers: what to move from locations with a surplus to those that may run out before an order can arrive.

What belongs here: who needs how much, who can spare it, and whether it is worth moving. What does not: making orders
(`orders.py`; a suggestion changes none), and demand (`origins.py`).

Goods move between locations that one centre supplies. A location needs what makes its demand until an order can be sold
as likely to be served as its service level says. It can spare what it has on hand, and has promised to nobody, above
its own level, or display minimum, and the demand of the guard days: nobody is emptied to fill another. Where less can
be spared than is needed, it is shared out as a centre's stock is (`fair_share.py`).
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.forecasting.quantiles import Calibration
from nexgen_assets.forecasting.rows import series_key
from nexgen_assets.replenishment.ahead import DemandAhead, DemandOver, demand_ahead
from nexgen_assets.replenishment.constraints import PARTS_OF_A_UNIT, in_parts, in_units
from nexgen_assets.replenishment.explanation import assumes
from nexgen_assets.replenishment.fair_share import allotted
from nexgen_assets.replenishment.formulas.rounding import round_down_to_pack, round_up_to_pack
from nexgen_assets.replenishment.orders import lead_times_of, mean_lead_times
from nexgen_assets.replenishment.origins import demand_over, lined_up
from nexgen_assets.replenishment.policy import order_up_to_level
from nexgen_assets.replenishment.risk import Risk, risk
from nexgen_assets.replenishment.shared_limits import Lines
from nexgen_assets.sales.effective import held_on
from nexgen_assets.tables import TRANSFER_SUGGESTIONS

if TYPE_CHECKING:
    from nexgen_assets.settings import Settings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SAVED_DECIMALS = 3
MONEY_DECIMALS = 4
RISK_DECIMALS = 6


@dataclass(frozen=True)
class Guards:
    """When a transfer is worth it, and how long it takes.

    A location keeps the demand of `burn_out_days` above its level. A unit must cost `min_unit_cost` (money), all that
    one location sends to another on a day `min_value` (money at cost), unless the network tells another value.
    """

    transfer_days: int
    burn_out_days: float
    min_unit_cost: float
    min_value: float

    @classmethod
    def of(cls, settings: "Settings") -> "Guards":
        """The guards that the settings tell."""
        return cls(
            settings.transfer_days,
            settings.transfer_burn_out_days,
            settings.transfer_min_unit_cost,
            settings.transfer_min_value,
        )


@dataclass(frozen=True)
class Moves:
    """What moves, [moves]: the rows of giver and receiver, and units."""

    giver: Integers
    receiver: Integers
    units: Floats

    def where(self, which: NDArray[np.bool_]) -> "Moves":
        return Moves(self.giver[which], self.receiver[which], self.units[which])


def transfer_suggestions(  # noqa: PLR0917  # a table each
    orders: pa.Table,
    features: pa.Table,
    forecasts: pa.Table,
    calibration: Calibration | None,
    network: pa.Table,
    guards: Guards,
) -> pa.Table:
    """Rows of `tables.TRANSFER_SUGGESTIONS`, most money saved first; then those of unknown price, by units.

    `orders` holds `tables.REORDER_RECOMMENDATIONS` of one day, `features` and `forecasts` the rows that they were made
    of, `network` all of `tables.NETWORK`. What is saved is a bound: at least so much.
    """
    stores = orders.filter(orders["supplied_locations"].is_null())  # a centre gives by its locations' orders
    rows, known, ahead, _ = lined_up(stores, *(_of_series(table, stores) for table in (features, forecasts)))
    if rows["supplied_by"].null_count == rows.num_rows:
        return TRANSFER_SUGGESTIONS.arrow_schema.empty_table()
    over = demand_over(known, ahead, calibration)
    group, spare = _groups(rows), _spare_units(rows, guards)
    needy = _needy(rows, guards)
    spare[needy] = 0.0
    needy = needy[_of_groups(group, spare)[group[needy]] > 0]
    given = _given(rows, needy, over, group, spare)
    moves = moves_between(needy, given, group, spare, _numbers(rows, "pack_size"))
    moves = _worth_moving(rows, moves, network, guards)
    if not len(moves.units):
        return TRANSFER_SUGGESTIONS.arrow_schema.empty_table()
    return _suggestions(rows, moves, _risk(rows, moves, over, guards), guards)


def _of_series(table: pa.Table, orders: pa.Table) -> pa.Table:
    """The rows of the same products x locations."""
    found = pc.call_function("is_in", [series_key(table)], pc.SetLookupOptions(series_key(orders)))
    return table.filter(found)


def moves_between(needy: Integers, given: Floats, group: Integers, spare: Floats, pack_size: Floats) -> Moves:
    """Who gives to whom: full packs of the rows `needy`, each from the locations that can spare most.

    `given` [needy] are the units that each may get; `group`, `spare` and `pack_size` are of all rows. Where packs do
    not fit what single locations can spare, less is moved.
    """
    left, wanted, pack = in_parts(spare), in_parts(given), in_parts(pack_size)
    givers: dict[int, list[int]] = {}
    for row in np.flatnonzero((left > 0) & (group >= 0)).tolist():
        givers.setdefault(int(group[row]), []).append(row)
    moves: list[tuple[int, int, float]] = []
    for place in np.flatnonzero(wanted > 0).tolist():
        receiver = int(needy[place])
        of_group = givers.get(int(group[receiver]), [])
        for giver in sorted(of_group, key=lambda row: -left[row]):
            fits = min(left[giver], wanted[place]) // pack[receiver] * pack[receiver]
            if fits > 0:
                moves.append((giver, receiver, fits))
                left[giver] -= fits
                wanted[place] -= fits
    giver, receiver, units = zip(*moves, strict=True) if moves else ((), (), ())
    return Moves(np.array(giver, np.int64), np.array(receiver, np.int64), in_units(np.array(units, np.float64)))


def _groups(rows: pa.Table) -> Integers:
    """The number of each row's product and centre, -1 without a centre: among those with the same goods may move."""
    keys = pc.call_function("binary_join_element_wise", [rows["product_id"], rows["supplied_by"], pa.scalar("\x1f")])
    codes = keys.combine_chunks().dictionary_encode().indices.fill_null(-1)
    return np.array(codes.to_numpy(zero_copy_only=False), np.int64)


def _of_groups(group: Integers, units: Floats) -> Floats:
    """The sums of each group's units."""
    is_grouped = group >= 0
    return np.bincount(group[is_grouped], units[is_grouped], int(group.max()) + 1).astype(np.float64)


def _kept_units(rows: pa.Table, guards: Guards) -> Floats:
    """Units that a location does not give away, in thousandths rounded up."""
    daily = _numbers(rows, "expected_demand") / _numbers(rows, "protection_interval_days")
    minimum = np.nan_to_num(_numbers(rows, "display_minimum"), nan=0.0)
    kept = np.maximum(_numbers(rows, "order_up_to_level"), minimum) + daily * guards.burn_out_days
    # the last bits of a double must not cost a thousandth
    return in_units(np.ceil(np.round(kept * PARTS_OF_A_UNIT, 3)))


def _spare_units(rows: pa.Table, guards: Guards) -> Floats:
    """Units on hand, and promised to nobody, above what is kept, where a unit is worth moving."""
    available = in_parts(_numbers(rows, "on_hand")) - in_parts(_numbers(rows, "committed_units"))
    spare = available - in_parts(_kept_units(rows, guards))
    is_worth = _numbers(rows, "unit_cost") >= guards.min_unit_cost  # not of an unknown cost
    return in_units(np.where(is_worth, np.maximum(spare, 0.0), 0.0))


def _needy(rows: pa.Table, guards: Guards) -> Integers:
    """Rows likelier to run out before an order can be sold than the service level allows, and reached sooner."""
    allowed = 1 - _numbers(rows, "service_level")
    is_needy = _numbers(rows, "stockout_probability_until_receipt") > allowed
    is_sooner = mean_lead_times(rows) > guards.transfer_days
    is_known = ~assumes(rows["assumptions"], "on_hand") & np.asarray(rows["supplied_by"].is_valid().to_numpy())
    return np.flatnonzero(is_needy & is_sooner & is_known)


def _ahead(rows: pa.Table, which: Integers, over: DemandOver) -> DemandAhead:
    """The demand that the orders of the rows `which` depend on."""
    some = rows.take(which)
    review = some["review_period_days"].to_numpy().astype(np.int64)
    lead_times, mean = lead_times_of(some), mean_lead_times(some)
    return demand_ahead(lambda few, lengths: over(which[few], lengths), lead_times, mean, review)


def _given(rows: pa.Table, needy: Integers, over: DemandOver, group: Integers, spare: Floats) -> Floats:
    """Units that each needy row may get: what it needs, or its fair share of what its group can spare."""
    if not len(needy):
        return np.zeros(0)
    ahead = _ahead(rows, needy, over)
    position, pack = (_numbers(rows, name)[needy] for name in ("inventory_position", "pack_size"))
    level = order_up_to_level(ahead.until_receipt, _numbers(rows, "service_level")[needy])
    room = np.nan_to_num(_numbers(rows, "max_stock")[needy], nan=np.inf) - position
    need = round_up_to_pack(np.maximum(level - position, 0.0), pack)
    wanted = np.where(need <= room, need, round_down_to_pack(np.maximum(np.minimum(room, need), 0.0), pack))
    nothing = np.zeros(len(needy))
    lines = Lines(
        order_units=wanted,
        inventory_position=position,
        daily_demand=nothing,
        pack_size=pack,
        min_order_quantity=nothing,
        unit_cost=nothing,
        supplier=np.full(len(needy), -1),
        min_order_value=nothing,
        is_open=wanted > 0,
    )

    def lost(which: Integers, positions: Floats) -> Floats:
        demand = ahead.of(which).until_receipt
        return np.array([demand.expected_shortage(units) for units in positions], np.float64)

    return allotted(lines, group[needy], _of_groups(group, spare), lost)


def _worth_moving(rows: pa.Table, moves: Moves, network: pa.Table, guards: Guards) -> Moves:
    """The moves without those of two locations that together are worth too little."""
    if not len(moves.units):
        return moves
    locations = rows["location"].combine_chunks().dictionary_encode()
    code = locations.indices.to_numpy().astype(np.int64)
    pair = np.unique(code[moves.giver] * len(locations.dictionary) + code[moves.receiver], return_inverse=True)[1]
    value = moves.units * _numbers(rows, "unit_cost")[moves.giver]
    least = np.zeros(int(pair.max()) + 1)
    np.maximum.at(least, pair, _least_values(rows.take(moves.receiver), network, guards.min_value))
    return moves.where((np.round(np.bincount(pair, value), MONEY_DECIMALS) >= least)[pair])


def _least_values(rows: pa.Table, network: pa.Table, default: float) -> Floats:
    """The least value of a transfer to each row's location: the network's for category or location, else `default`."""
    lines = held_on(network, ("location", "category"), rows["day"][0].as_py())
    held = {(line["location"], line["category"]): line for line in lines}

    def told(location: str, category: str | None) -> float:
        line = held.get((location, category or ""), held.get((location, "")))
        value = line["minimum_transfer_value"] if line else None
        return default if value is None else float(value)

    return np.array([told(*key) for key in zip(*(rows[n].to_pylist() for n in ("location", "category")), strict=True)])


def _risk(rows: pa.Table, moves: Moves, over: DemandOver, guards: Guards) -> Risk:
    """Of each move the risks of its receiver until an order can be sold, without and with all that it gets."""
    receivers, place = np.unique(moves.receiver, return_inverse=True)
    got = np.bincount(place, moves.units, len(receivers)).astype(np.float64)
    ahead = _ahead(rows, receivers, over)
    before = over(receivers, np.full(len(receivers), guards.transfer_days))
    demand = replace(ahead, until_next_receipt=ahead.until_receipt, until_receipt=before)
    found = risk(demand, _numbers(rows, "inventory_position")[receivers], got)
    return Risk(**{name: values[place] for name, values in vars(found).items()})


def _suggestions(rows: pa.Table, moves: Moves, found: Risk, guards: Guards) -> pa.Table:
    """The moves that save something, as rows; of what a receiver gets from several, each saves its share."""
    got = np.bincount(moves.receiver, moves.units)[moves.receiver]
    saved = found.expected_lost_units - found.expected_lost_units_with_order
    saved = np.round(saved * moves.units / got, SAVED_DECIMALS)
    which = np.flatnonzero(saved > 0)
    gives, gets = rows.take(moves.giver[which]), rows.take(moves.receiver[which])
    units, saved = moves.units[which], saved[which]
    day = rows["day"][0].as_py()
    columns: dict[str, Any] = {
        **{name: gets[name] for name in ("day", "product_id", "product_name", "category", "supplied_by")},
        **{name: gets[name] for name in ("pack_size", "receipt_date", "stockout_probability_until_receipt")},
        "from_location": gives["location"],
        "to_location": gets["location"],
        "transfer_units": units,
        "transfer_value": np.round(units * _numbers(gives, "unit_cost"), MONEY_DECIMALS),
        "arrival_date": pa.array([day + timedelta(days=1 + guards.transfer_days)] * len(units), pa.date32()),
        "expected_saved_units": saved,
        "expected_saved_money": pa.array(
            np.round(saved * _numbers(gets, "unit_price"), MONEY_DECIMALS), from_pandas=True
        ),
        "from_on_hand": gives["on_hand"],
        "kept_units": _kept_units(gives, guards),
        "to_inventory_position": gets["inventory_position"],
        "stockout_probability_with_transfer": np.round(found.stockout_probability_with_order[which], RISK_DECIMALS),
    }
    table = pa.table({name: columns[name] for name in TRANSFER_SUGGESTIONS.names if name in columns})
    table = table.append_column("explanation", pa.array([_sentence(row) for row in table.to_pylist()], pa.string()))
    ranked = [("expected_saved_money", "descending"), ("expected_saved_units", "descending")]
    grain = [(name, "ascending") for name in TRANSFER_SUGGESTIONS.grain]
    return table.sort_by([*ranked, *grain]).cast(TRANSFER_SUGGESTIONS.arrow_schema)  # sort_by puts nulls last


def _sentence(row: dict[str, Any]) -> str:
    return (
        f"Move {row['transfer_units']:.10g} from {row['from_location']} to {row['to_location']}: {row['to_location']} "
        f"has {row['to_inventory_position']:.10g} on hand and on order and runs out before an order can be sold on "
        f"{row['receipt_date']} with probability {row['stockout_probability_until_receipt']:.2f}; "
        f"{row['from_location']} has {row['from_on_hand']:.10g} on hand and keeps {row['kept_units']:.10g} at least; "
        f"saves {row['expected_saved_units']:.2f} units of sales."
    )


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.array(table[name].cast(pa.float64()).to_numpy(), np.float64)
