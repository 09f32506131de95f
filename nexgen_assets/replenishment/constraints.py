"""From a level to an order: one step after another, each with what it adds or takes away.

What belongs here: the fixed order of the constraints of a single line, and the sum that they make. What does not: the
rules of rounding (`formulas/rounding.py`), where limits come from, and what several lines share (`shared_limits.py`).

The order of the steps: level, display minimum, lot, MOQ, packs, maximum stock, shelf life. Supplier minimum and budget
follow, over all lines of a day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.formulas.rounding import (
    apply_moq,
    cap_at_max_stock,
    net_requirement,
    round_order,
    round_to_pack_by_cost,
    round_up_to_pack,
)

Floats = NDArray[np.float64]
Rule = Callable[[Floats], Floats]

PackRounding = Literal["up", "nearest", "cost"]

PARTS_OF_A_UNIT = 1000  # every quantity is a whole number of thousandths: their sums are exact


@dataclass(frozen=True)
class Limits:
    """What the supplier and the location allow, in units, [rows]; 0 where there is no minimum, infinite no maximum."""

    display_minimum: Floats
    min_order_quantity: Floats
    pack_size: Floats
    max_stock: Floats


@dataclass(frozen=True)
class Lots:
    """Units that an order is placed in, [rows], 0 for no lots: one lot above the level, or whole lots up to it."""

    units: Floats
    is_multiple: NDArray[np.bool_]

    def raised(self, need: Floats) -> Floats:
        """What a need (thousandths) becomes; no need stays none."""
        lot = in_parts(self.units)
        whole_lots = np.ceil(need / np.maximum(lot, 1.0)) * lot
        wanted = np.where(self.is_multiple, whole_lots, need + lot)
        return np.where((need > 0) & (lot > 0), wanted, need)


@dataclass(frozen=True)
class OrderSteps:
    """How each order came about, in units, [rows]: `order_units` is the sum of all others.

    `max_stock_units` and `shelf_life_units` are not positive, `pack_units` is where packs are rounded down. The two
    flags say where a need meets a smallest order that is more than there may ever be in stock.
    """

    net_requirement: Floats
    display_units: Floats
    lot_units: Floats
    moq_units: Floats
    pack_units: Floats
    max_stock_units: Floats
    shelf_life_units: Floats
    order_units: Floats
    is_pack_above_max_stock: NDArray[np.bool_]
    is_pack_above_shelf_life: NDArray[np.bool_]


def in_parts(units: NDArray[np.floating[Any]]) -> Floats:
    """Units as whole thousandths; infinite stays infinite."""
    return np.rint(np.asarray(units, np.float64) * PARTS_OF_A_UNIT)


def in_units(parts: Floats) -> Floats:
    """Thousandths as units: of all doubles the nearest."""
    return parts / PARTS_OF_A_UNIT + 0.0


def order_steps(
    order_up_to_level: Floats,
    inventory_position: Floats,
    limits: Limits,
    *,
    lots: Lots | None = None,
    rounding: PackRounding = "up",
    cost: Rule | None = None,
    sellable: Rule | None = None,
    on_arrival: Floats | None = None,
) -> OrderSteps:
    """Bring the inventory position up to the level, in lots if there are any, within the limits.

    No need means no order. All in units, [rows]. `cost` tells the expected cost (money) of an inventory position, by
    which packs are rounded where `rounding` is "cost". `sellable` tells of a wanted inventory position how much can be
    sold before it expires: infinite where all of it; None if nothing expires. `on_arrival` are the units that may still
    be there when the order arrives, beside which it must find room: None for the whole inventory position. Raises
    ValueError for a pack that is nothing in thousandths, and for a rounding by cost without a cost.
    """
    level, position = in_parts(order_up_to_level), in_parts(inventory_position)
    display, moq, pack, room = (in_parts(limit) for limit in _each(limits))
    target = np.maximum(level, display)
    need = net_requirement(level, position)
    shown = net_requirement(target, position)
    in_lots = shown if lots is None else lots.raised(shown)
    raised = apply_moq(in_lots, moq)
    packed = _packed(
        np.where(in_lots > shown, position + in_lots, target), position, moq, pack, display, rounding, cost
    )
    there = position if on_arrival is None else in_parts(on_arrival)
    stored = cap_at_max_stock(packed, there, room, moq, pack)
    life = np.full_like(position, np.inf)
    if sellable is not None:
        life = in_parts(sellable(in_units(np.where(stored > 0, position + stored, 0.0))))
    sold = cap_at_max_stock(stored, position, life, moq, pack)
    steps = np.diff(np.stack([need, shown, in_lots, raised, packed, stored, sold]), axis=0, prepend=0.0)
    smallest = round_up_to_pack(np.maximum(moq, pack), pack)
    return OrderSteps(
        *(in_units(step) for step in steps),
        order_units=in_units(sold),
        is_pack_above_max_stock=(packed > 0) & (stored == 0) & (smallest > room),
        is_pack_above_shelf_life=(stored > 0) & (sold == 0) & (smallest > life),
    )


def _each(limits: Limits) -> tuple[Floats, Floats, Floats, Floats]:
    return limits.display_minimum, limits.min_order_quantity, limits.pack_size, limits.max_stock


def _packed(  # noqa: PLR0917  # what decides on packs
    target: Floats,
    position: Floats,
    moq: Floats,
    pack: Floats,
    display: Floats,
    rounding: PackRounding,
    cost: Rule | None,
) -> Floats:
    """Full packs for the need, at least the MOQ; rounded down only if what must be on show is there without them."""
    need = net_requirement(target, position)
    up = round_order(need, min_order_quantity=moq, pack_size=pack).order_units
    if rounding == "up":
        return up
    if rounding == "nearest":
        chosen = round_order(need, min_order_quantity=moq, pack_size=pack, rounding="nearest").order_units
    elif cost is None:
        raise ValueError("packs can only be rounded by cost if the cost is known")
    else:
        of_parts: Rule = lambda parts: cost(in_units(parts))  # noqa: E731
        chosen = round_to_pack_by_cost(
            target, position, pack_size=pack, cost=of_parts, min_order_quantity=moq
        ).best_units
    return np.where(position + chosen < display, up, chosen)
