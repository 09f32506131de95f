"""From a need to an order that can be placed: display minimum, minimum order, packs and maximum, in this order.

What belongs here: what ordering constraints make of a need; arrays have one element per order. What does not: the need
itself (`base_stock.py`, `policy.py`), money that several orders share (`budget.py`).

All in units. An order is 0, or full packs of at least the minimum order quantity (MOQ) and at most the maximum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.formulas.arguments import (
    Floats,
    Number,
    require_finite,
    require_not_negative,
    require_positive,
)

PACK_DECIMALS = 9
NO_NEED_UNITS = 0.0005

Rounding = Literal["up", "nearest"]


@dataclass(frozen=True)
class RoundedOrder:
    """How an order came about: `order_units` = `need` + `moq_units` + `pack_units` + `cap_units`, in units.

    `cap_units` <= 0 is what the maximum took away. `is_blocked` is true where there is a need and no order fits: a pack
    or the MOQ is more than the maximum. Somebody has to look at it.
    """

    need: Floats
    moq_units: Floats
    pack_units: Floats
    cap_units: Floats
    order_units: Floats
    is_blocked: NDArray[np.bool_]


@dataclass(frozen=True)
class PackChoice:
    """The two multiples of a pack next to a need (units), what each is expected to cost, and the cheaper one."""

    down_units: Floats
    down_cost: Floats
    up_units: Floats
    up_cost: Floats
    best_units: Floats


def net_requirement(order_up_to_level: Number, inventory_position: Number) -> Floats:
    """max(0, S - inventory position)."""
    need = np.asarray(order_up_to_level, np.float64) - inventory_position
    # units are known to thousandths: less is the noise of a sum, and must not trigger a full pack
    return np.where(need < NO_NEED_UNITS, 0.0, need)


def apply_moq(units: Number, min_order_quantity: Number) -> Floats:
    """Orders below the MOQ are raised to it; 0 stays 0."""
    return np.where(np.asarray(units) > 0, np.maximum(units, min_order_quantity), 0.0)


def round_up_to_pack(units: Number, pack_size: Number) -> Floats:
    """The next multiple of the pack size; 0 stays 0."""
    return np.ceil(_packs(units, pack_size)) * pack_size


def round_down_to_pack(units: Number, pack_size: Number) -> Floats:
    """The last multiple of the pack size that is not more; infinite stays infinite."""
    return np.floor(_packs(units, pack_size)) * pack_size


def cap_order(order_units: Number, max_order_quantity: Number, min_order_quantity: Number, pack_size: Number) -> Floats:
    """The order, cut down in full packs until it is at most the maximum. What is then below the MOQ is no order."""
    is_too_much = np.asarray(order_units) > np.asarray(max_order_quantity) + NO_NEED_UNITS
    full_packs = round_down_to_pack(np.where(is_too_much, max_order_quantity, 0.0), pack_size)
    capped = np.where(is_too_much, full_packs, order_units)
    return np.where(capped < min_order_quantity, 0.0, capped)[()]


def cap_at_max_stock(
    order_units: Number, inventory_position: Number, max_stock: Number, min_order_quantity: Number, pack_size: Number
) -> Floats:
    """The order, cut down in full packs until the position does not exceed `max_stock` with it.

    What is then below the MOQ cannot be ordered: 0. A `max_stock` of infinity caps nothing.
    """
    room = np.maximum(np.asarray(max_stock, np.float64) - inventory_position, 0.0)
    return cap_order(order_units, room, min_order_quantity, pack_size)


def round_order(
    net_need: Number,
    *,
    min_order_quantity: Number = 0.0,
    pack_size: Number = 1.0,
    max_order_quantity: Number = np.inf,
    rounding: Rounding = "up",
) -> RoundedOrder:
    """The order for a need: 0 if there is none; raised to the MOQ; rounded to packs; capped at the maximum.

    The cap is the maximum rounded down to packs; what is then below the MOQ is no order at all, and `is_blocked`.
    `rounding` "nearest" takes the nearest multiple (half a pack goes up) unless that is below the MOQ.
    Raises ValueError for a pack of 0, negative limits, and needs that are no number.
    """
    require_finite(net_need=net_need, min_order_quantity=min_order_quantity, pack_size=pack_size)
    require_positive(pack_size=pack_size)
    require_not_negative(min_order_quantity=min_order_quantity, max_order_quantity=max_order_quantity)
    need = np.maximum(np.asarray(net_need, np.float64), 0.0)
    moq_units = apply_moq(need, min_order_quantity) - need
    raised = need + moq_units
    up = np.maximum(round_up_to_pack(raised, pack_size), raised)
    nearest = np.floor(_packs(raised, pack_size) + 0.5) * pack_size
    is_nearest = (rounding == "nearest") & (nearest >= min_order_quantity)
    pack_units = np.where(is_nearest, nearest, up) - raised
    wanted = raised + pack_units
    order = cap_order(wanted, max_order_quantity, min_order_quantity, pack_size)
    return RoundedOrder(need, moq_units, pack_units, order - wanted, order, (wanted > 0) & (order == 0))


def round_order_to_level(
    order_up_to_level: Number,
    inventory_position: Number,
    *,
    display_minimum: Number = 0.0,
    min_order_quantity: Number = 0.0,
    pack_size: Number = 1.0,
    max_stock: Number = np.inf,
    max_order_quantity: Number = np.inf,
    rounding: Rounding = "up",
) -> RoundedOrder:
    """The order that brings the inventory position up to a level, or to the display minimum if that is higher.

    After it the position is at most `max_stock` (shelf or storage capacity), unless it was more before.
    The rest as in `round_order`.
    """
    require_finite(order_up_to_level=order_up_to_level, inventory_position=inventory_position)
    require_not_negative(display_minimum=display_minimum, max_stock=max_stock)
    room = np.maximum(np.asarray(max_stock, np.float64) - inventory_position, 0.0)
    return round_order(
        net_requirement(np.maximum(order_up_to_level, display_minimum), inventory_position),
        min_order_quantity=min_order_quantity,
        pack_size=pack_size,
        max_order_quantity=np.minimum(max_order_quantity, room),
        rounding=rounding,
    )


def round_to_pack_by_cost(
    order_up_to_level: Number,
    inventory_position: Number,
    *,
    pack_size: Number,
    cost: Callable[[Floats], Number],
    min_order_quantity: Number = 0.0,
) -> PackChoice:
    """The cheaper of the two possible orders next to the need S - inventory position.

    `cost` tells the expected cost (money) of an inventory position after the order, such as `newsvendor_cost` of the
    protection interval's demand. It must fall up to S and rise after it: then no other multiple is cheaper. Equal
    costs take the smaller order. Below the MOQ the smaller order is none.
    """
    require_positive(pack_size=pack_size)
    require_not_negative(min_order_quantity=min_order_quantity)
    need = net_requirement(order_up_to_level, inventory_position)
    full_packs = round_down_to_pack(need, pack_size)
    down = np.where(full_packs >= min_order_quantity, full_packs, 0.0)
    up = round_up_to_pack(apply_moq(need, min_order_quantity), pack_size)
    down_cost, up_cost = (np.asarray(cost(inventory_position + units), np.float64) for units in (down, up))
    return PackChoice(down, down_cost, up, up_cost, np.where(up_cost < down_cost, up, down)[()])


def _packs(units: Number, pack_size: Number) -> Floats:
    # 2.1 / 0.7 is a little more than 3 in doubles, and still 3 packs
    return np.round(np.asarray(units, np.float64) / pack_size, PACK_DECIMALS)
