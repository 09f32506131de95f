"""Policies of a deployment: their parameters, and the order-up-to level that all of them rest on.

What belongs here: the parameters, and the arithmetic of the level on numpy arrays, one element per product x location.
What does not: tables, texts, which line has which policy (`line_policies.py`), targets other than a cycle service level
(`levels.py`), how interval demand is forecast (any `IntervalDistribution` will do), and what becomes of a need under
constraints (`constraints.py`).

The level covers the protection interval, review period + lead time, because the next order can only arrive after it
(Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains, 4e, section 6.10).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.constraints import PackRounding
from nexgen_assets.tables import OrderPolicyKind

if TYPE_CHECKING:
    from nexgen_assets.settings import Settings

Floats = NDArray[np.float64]
UnknownStock = Literal["block", "zero"]


RULES_VERSION = "3.1.0"
QUANTILE_DECIMALS = 6
ROOM_PROBABILITY = 0.95  # that an order finds room when it arrives


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

    def quantile(self, p: float | Floats, /) -> NDArray[np.floating[Any]]:
        """Units that demand does not exceed with probability `p`, one or one per row; not decreasing in `p`."""
        ...

    def cdf(self, x: Floats, /) -> NDArray[np.floating[Any]]:
        """P(demand <= x)."""
        ...

    def expected_shortage(self, x: Floats, /) -> NDArray[np.floating[Any]]:
        """E[max(0, demand - x)], in units: the loss function."""
        ...


@dataclass(frozen=True)
class Policy:
    """Parameters of a deployment; raises ValueError if one cannot be meant.

    `service_level` is the cycle service level: the target probability of no stockout in the protection interval.
    `kind`, `service_level` and `review_period_days` are those of lines for which no policy was uploaded. An order line
    costs `order_line_cost` (money) to place and receive, and a unit in stock `holding_rate` of its cost a year.
    `pack_rounding` says how needs become full packs, "cost" by the cost that the service level implies. Of goods that
    expire at most `max_waste_share` of the inventory position may be expected to be wasted; 1 allows all.
    `unknown_stock` says whether a line whose stock nobody told is blocked, or ordered as if there were none, as new
    items always are. The orders of a day may cost at most `daily_budget` (money), if there is one; it goes first to
    what is expected to earn most, where the price is unknown by a `default_margin` (a share of the price).
    The demands of a product at the locations of a centre are correlated by `store_correlation`.
    """

    service_level: float
    review_period_days: int
    pack_rounding: PackRounding = "up"
    max_waste_share: float = 0.2
    unknown_stock: UnknownStock = "block"
    daily_budget: float | None = None
    default_margin: float = 0.3
    kind: OrderPolicyKind = "order_up_to"
    order_line_cost: float = 0.0
    holding_rate: float = 0.25
    store_correlation: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.service_level < 1:
            raise ValueError(f"service_level must lie between 0 and 1, not {self.service_level}")
        if self.review_period_days < 1:
            raise ValueError(f"review_period_days must be at least 1, not {self.review_period_days}")
        if self.daily_budget is not None and not self.daily_budget >= 0:
            raise ValueError(f"daily_budget must not be negative, not {self.daily_budget}")
        if not 0 <= self.default_margin < 1:
            raise ValueError(f"default_margin must be at least 0 and below 1, not {self.default_margin}")
        if self.order_line_cost < 0:
            raise ValueError(f"order_line_cost must not be negative, not {self.order_line_cost}")
        if self.holding_rate <= 0:
            raise ValueError(f"holding_rate must be above 0, not {self.holding_rate}")
        if not 0 <= self.store_correlation <= 1:
            raise ValueError(f"store_correlation must lie within 0 and 1, not {self.store_correlation}")
        if not 0 <= self.max_waste_share <= 1:
            raise ValueError(f"max_waste_share must lie within 0 and 1, not {self.max_waste_share}")

    @classmethod
    def of(cls, settings: "Settings") -> "Policy":
        """The policy that the settings tell."""
        return cls(
            service_level=settings.service_level,
            review_period_days=settings.review_period_days,
            pack_rounding=settings.pack_rounding,
            max_waste_share=settings.max_waste_share,
            unknown_stock=settings.unknown_stock,
            daily_budget=settings.daily_budget,
            default_margin=settings.default_margin,
            kind=settings.order_policy,
            order_line_cost=settings.order_line_cost,
            holding_rate=settings.holding_rate,
            store_correlation=settings.store_correlation,
        )

    @property
    def version(self) -> str:
        """Version of the rules of orders; the parameters themselves stand in every order row."""
        return f"order rules {RULES_VERSION}"


def order_up_to_level(demand: IntervalDistribution, service_level: float | Floats) -> Floats:
    """S = min{y whole : P(demand <= y) >= service level}: the interval quantile rounded up to whole units.

    `service_level` is one for all rows or one per row. Never interpolated below the quantile (Snyder & Shen,
    Fundamentals of Supply Chain Theory, 2e, section 4.3).
    """
    return round_up_to_whole_units(np.asarray(demand.quantile(service_level), np.float64))


def round_up_to_whole_units(units: Floats) -> Floats:
    """The next whole number, at least 0."""
    # the last bits of a double must not cost a unit
    return np.ceil(np.round(np.maximum(units, 0.0), QUANTILE_DECIMALS)) + 0.0


def surely_sold(until_receipt: IntervalDistribution) -> Floats:
    """Whole units that are as good as certainly sold before an order arrives: there will be room for as many."""
    sold = np.asarray(until_receipt.quantile(1 - ROOM_PROBABILITY), np.float64)
    return np.floor(np.round(sold, QUANTILE_DECIMALS))


def cost_of_position(demand: IntervalDistribution, inventory_position: Floats, service_level: float | Floats) -> Floats:
    """Expected cost of an inventory position, up to a constant and in units: a unit short costs a, one too many 1 - a.

    Of these costs the service level a is the critical ratio, so the level of the policy is the cheapest position:
    g(y) = (1 - a) E[(y - D)+] + a E[(D - y)+] = (1 - a) (y - E[D]) + E[(D - y)+] (Snyder & Shen, section 4.3).
    """
    return (1 - service_level) * inventory_position + np.asarray(
        demand.expected_shortage(inventory_position), np.float64
    )
