"""The order-up-to policy (R, S): from interval demand and inventory position to units, one array operation a step.

What belongs here: the policy's parameters and its arithmetic on numpy arrays, one element per product x location.
What does not: tables, texts, how interval demand is forecast (any `IntervalDistribution` will do), and the rounding of
needs to orders (`formulas/rounding.py`).

The level covers the protection interval, review period + lead time, because the next order can only arrive after it
(Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains, 4e, section 6.10).
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.formulas.rounding import net_requirement, round_order

Floats = NDArray[np.float64]

RULES_VERSION = "1.2.0"
UNIT_DECIMALS = 3
QUANTILE_DECIMALS = 6


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
    need = net_requirement(order_up_to_level, inventory_position)
    order = round_order(need, min_order_quantity=min_order_quantity, pack_size=pack_size)
    return OrderQuantities(need, order.moq_units, order.pack_units, order.order_units)
