"""The order-up-to policy (R, S): from interval demand and inventory position to units, one array operation a step.

What belongs here: the policy's parameters and its arithmetic on numpy arrays, one element per product x location.
What does not: tables, texts, and how interval demand is forecast (any `IntervalDistribution` will do).

The level covers the protection interval, review period + lead time, because the next order can only arrive after it
(Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains, 4e, section 6.10).
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RULES_VERSION = "1.1.0"
UNIT_DECIMALS = 3
QUANTILE_DECIMALS = 6
PACK_DECIMALS = 9
NO_NEED_UNITS = 0.0005


class IntervalDistribution(Protocol):
    """Distribution of the demand summed over each row's protection interval; arrays have one element per row."""

    @property
    def mean(self) -> NDArray[np.floating[Any]]:
        """Expected demand, in units."""
        ...

    @property
    def is_beyond_horizon(self) -> NDArray[np.bool_]:
        """True where the interval reaches beyond the forecast and was extrapolated."""
        ...

    def quantile(self, p: float, /) -> NDArray[np.floating[Any]]:
        """Units that demand does not exceed with probability `p`; not decreasing in `p`."""
        ...

    def cdf(self, x: Floats, /) -> NDArray[np.floating[Any]]:
        """P(demand <= x)."""
        ...

    def expected_shortage(self, x: Floats, /) -> NDArray[np.floating[Any]]:
        """E[max(0, demand - x)], in units: the loss function."""
        ...


@dataclass(frozen=True)
class Policy:
    """Parameters of the order-up-to policy; raises ValueError if one cannot be meant.

    `service_level` is the cycle service level: the target probability of no stockout in the protection interval.
    """

    service_level: float
    review_period_days: int

    def __post_init__(self) -> None:
        if not 0 < self.service_level < 1:
            raise ValueError(f"service_level must lie between 0 and 1, not {self.service_level}")
        if self.review_period_days < 1:
            raise ValueError(f"review_period_days must be at least 1, not {self.review_period_days}")

    @property
    def version(self) -> str:
        """Version of the rules in this module; the parameters themselves stand in every order row."""
        return f"order-up-to {RULES_VERSION}"


@dataclass(frozen=True)
class OrderQuantities:
    """How each order came about, in units: `order_units` = `net_requirement` + `moq_units` + `pack_units`."""

    net_requirement: Floats
    moq_units: Floats
    pack_units: Floats
    order_units: Floats


def protection_interval_days(lead_time_days: NDArray[np.integer[Any]], policy: Policy) -> NDArray[np.int64]:
    """Days that an order placed now must cover: until the order of the next review can be sold."""
    return lead_time_days.astype(np.int64) + policy.review_period_days


def order_up_to_level(demand: IntervalDistribution, policy: Policy) -> Floats:
    """S = min{y whole : P(demand <= y) >= service level}: the interval quantile rounded up to whole units.

    Never interpolated below the quantile (Snyder & Shen, Fundamentals of Supply Chain Theory, 2e, section 4.3).
    """
    return round_up_to_whole_units(np.asarray(demand.quantile(policy.service_level), np.float64))


def round_up_to_whole_units(units: Floats) -> Floats:
    """The next whole number, at least 0."""
    # the last bits of a double must not cost a unit
    return np.ceil(np.round(np.maximum(units, 0.0), QUANTILE_DECIMALS)) + 0.0


def order_quantities(
    order_up_to_level: Floats, inventory_position: Floats, min_order_quantity: Floats, pack_size: Floats
) -> OrderQuantities:
    """Bring the inventory position up to the level: need, then MOQ, then full packs. No need means no order.

    All arguments in units, one element per row, `pack_size` > 0 (else ValueError). Sums of whole units are exact.
    """
    if not np.all(pack_size > 0):
        raise ValueError("pack_size must be greater than 0")
    need = net_requirement(order_up_to_level, inventory_position)
    moq_units = apply_moq(need, min_order_quantity) - need
    pack_units = np.maximum(round_up_to_pack(need + moq_units, pack_size) - (need + moq_units), 0.0)
    return OrderQuantities(need, moq_units, pack_units, need + moq_units + pack_units)


def net_requirement(order_up_to_level: Floats, inventory_position: Floats) -> Floats:
    """max(0, S - inventory position)."""
    need = order_up_to_level - inventory_position
    # units are known to thousandths: less is the noise of a sum, and must not trigger a full pack
    return np.where(need < NO_NEED_UNITS, 0.0, need)


def apply_moq(units: Floats, min_order_quantity: Floats) -> Floats:
    """Orders below the MOQ are raised to it; 0 stays 0."""
    return np.where(units > 0, np.maximum(units, min_order_quantity), 0.0)


def round_up_to_pack(units: Floats, pack_size: Floats) -> Floats:
    """The next multiple of the pack size; 0 stays 0."""
    # 2.1 / 0.7 is a little more than 3 in doubles, and still 3 packs
    return np.ceil(np.round(units / pack_size, PACK_DECIMALS)) * pack_size


def cap_at_max_stock(
    order_units: Floats, inventory_position: Floats, max_stock: Floats, min_order_quantity: Floats, pack_size: Floats
) -> Floats:
    """The order, cut down in full packs until the position does not exceed `max_stock` with it.

    What is then below the MOQ cannot be ordered: 0. A `max_stock` of infinity caps nothing.
    """
    room = np.maximum(max_stock - inventory_position, 0.0)
    is_too_much = order_units > room + NO_NEED_UNITS
    full_packs = np.floor(np.round(np.where(is_too_much, room, 0.0) / pack_size, PACK_DECIMALS)) * pack_size
    capped = np.where(is_too_much, full_packs, order_units)
    return np.where(capped < min_order_quantity, 0.0, capped)
