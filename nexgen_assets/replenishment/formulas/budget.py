"""A budget shared by many orders: pack by pack to where the next money is expected to earn most.

What belongs here: which packs a budget buys, and what the last money earned. What does not: the constraints of a single
order (`rounding.py`), how demand is forecast.

The k-th unit above the inventory position is expected to earn d_k = c_u P(X >= ip + k) - c_o P(X < ip + k), which falls
in k (Fox, Operations Research 14 (1966) 191; Sherbrooke's METRIC). A pack earns the sum of its units, the minimum order
counts as one large pack.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nexgen_assets.replenishment.formulas.arguments import (
    Number,
    require_finite,
    require_not_negative,
    require_positive,
)
from nexgen_assets.replenishment.formulas.distributions import Demand
from nexgen_assets.replenishment.formulas.rounding import round_down_to_pack, round_up_to_pack

SAME_MONEY = 1e-12  # of the budget
NO_GAIN = 1e-12
NEGLIGIBLE_GAIN = 1e-4  # of what is gained
PACKS_AT_ONCE = 16


@dataclass(frozen=True)
class BudgetLine:
    """What one product may be bought for; raises ValueError where a number cannot be meant.

    `demand` over the interval that the order covers and `inventory_position` in units; `unit_cost` is the money that a
    unit takes from the budget, `underage_cost` c_u (margin) what a unit short loses and `overage_cost` c_o what a unit
    left over costs, in money. `max_order_quantity` in units.
    """

    sku: str
    demand: Demand
    inventory_position: float
    unit_cost: float
    underage_cost: float
    overage_cost: float
    pack_size: float = 1.0
    min_order_quantity: float = 0.0
    max_order_quantity: float = np.inf

    def __post_init__(self) -> None:
        require_positive(unit_cost=self.unit_cost, pack_size=self.pack_size)
        require_not_negative(underage_cost=self.underage_cost, overage_cost=self.overage_cost)
        require_not_negative(min_order_quantity=self.min_order_quantity, max_order_quantity=self.max_order_quantity)
        require_finite(inventory_position=self.inventory_position, unit_cost=self.unit_cost)

    def expected_gain(self, quantity: Number) -> Number:
        """Expected money earned by ordering `quantity` units rather than none: sum of d_k for k = 1 .. quantity."""
        short_without = self.demand.expected_shortage(self.inventory_position)
        served = short_without - self.demand.expected_shortage(self.inventory_position + quantity)
        return (self.underage_cost + self.overage_cost) * served - self.overage_cost * quantity

    @property
    def most_units(self) -> float:
        """The maximum order in full packs; 0 where the MOQ does not fit into it."""
        most = float(round_down_to_pack(self.max_order_quantity, self.pack_size))
        return most if most >= self.min_order_quantity else 0.0


@dataclass(frozen=True)
class Purchase:
    """One pack (the first one is the minimum order): its `units`, `cost` and expected `gain` in money."""

    sku: str
    units: float
    cost: float
    gain: float

    @property
    def gain_per_money(self) -> float:
        """What each money unit of it is expected to earn."""
        return self.gain / self.cost


@dataclass(frozen=True)
class Allocation:
    """What the budget buys.

    `quantities` in units by SKU, `spend` and `expected_gain` in money, `purchases` in the order they were chosen.
    `value_of_last_money` is the smallest gain per money among them, `value_of_next_money` the largest among the packs
    that would come next: money is scarce while it is high. None where there is no such pack. No other purchases for the
    same budget earn more than `largest_missed_gain` above `expected_gain`; it is 0 where these are the best.
    """

    quantities: dict[str, float]
    spend: float
    expected_gain: float
    purchases: tuple[Purchase, ...]
    value_of_last_money: float | None
    value_of_next_money: float | None
    largest_missed_gain: float


def allocate_budget(lines: Sequence[BudgetLine], budget: float) -> Allocation:
    """Buys, one after another, the affordable pack of the largest positive expected gain per money.

    Optimal where packs cost the same, and at every budget that it spends exactly; otherwise `exchange_packs` may find
    better. Ties go to the SKU that sorts first, so that the order of `lines` does not matter. `budget` in money, may be
    infinite: then every SKU gets its newsvendor quantity.
    """
    if not budget >= 0:
        raise ValueError(f"budget must not be negative, not {budget}")
    offers = _Offers(lines)
    return _summary(offers, _bought(offers, (), _limit(budget)), budget)


def exchange_packs(lines: Sequence[BudgetLine], allocation: Allocation, budget: float) -> Allocation:
    """Improves an allocation: gives back the packs that earn least for one that did not fit, and spends what is left.

    Repeats with the exchange of the largest gain until none is left or less than 0.01 % can be gained, so the result
    never earns less than before. Almost always it is then the best there is, and `largest_missed_gain` bounds the rest.
    """
    if allocation.spend > _limit(budget):
        raise ValueError(f"the allocation spends {allocation.spend}, more than the budget of {budget}")
    offers, purchases = _Offers(lines), allocation.purchases
    while better := _best_exchange(offers, purchases, _limit(budget)):
        purchases = better
    return _summary(offers, purchases, budget)


class _Offers:
    """The packs of each line in the order in which they can be bought, computed as far as they are asked for."""

    def __init__(self, lines: Sequence[BudgetLine]) -> None:
        self.lines = {line.sku: line for line in lines}
        if len(self.lines) < len(lines):
            skus = [line.sku for line in lines]
            raise ValueError(f"a SKU stands in two lines: {sorted({sku for sku in skus if skus.count(sku) > 1})[:5]}")
        self._packs: dict[str, list[Purchase | None]] = {sku: [] for sku in self.lines}

    def after(self, sku: str, owned: int) -> Purchase | None:
        """The pack of `sku` after the first `owned` ones; None if it would earn nothing or exceed the maximum."""
        packs = self._packs[sku]
        while owned >= len(packs):
            packs.extend(_packs(self.lines[sku], len(packs), PACKS_AT_ONCE))
        return packs[owned]

    def following(self, purchases: Sequence[Purchase]) -> list[Purchase]:
        """The next pack of every line that has one, after `purchases`."""
        owned = Counter(purchase.sku for purchase in purchases)
        return [pack for sku in self.lines if (pack := self.after(sku, owned[sku]))]


def _packs(line: BudgetLine, first: int, count: int) -> list[Purchase | None]:
    """Packs `first` .. `first` + `count` - 1 of a line."""
    smallest = max(line.pack_size, float(round_up_to_pack(line.min_order_quantity, line.pack_size)))
    numbers = np.arange(first, first + count + 1)
    units = np.where(numbers > 0, smallest + (numbers - 1) * line.pack_size, 0.0)
    gains = np.diff(line.expected_gain(units))
    return [
        Purchase(line.sku, float(size), float(size) * line.unit_cost, float(gain))
        if gain > NO_GAIN and total <= line.most_units
        else None
        for size, gain, total in zip(np.diff(units), gains, units[1:], strict=True)
    ]


def _bought(offers: _Offers, owned: Sequence[Purchase], budget: float) -> tuple[Purchase, ...]:
    """`owned` and then greedily what the rest of the budget affords."""
    count = Counter(purchase.sku for purchase in owned)
    left = budget - _spend(owned)
    queue = [_ranked(pack) for pack in offers.following(owned)]
    heapq.heapify(queue)
    bought = list(owned)
    while queue:
        pack = heapq.heappop(queue)[-1]
        if pack.cost > left:
            continue  # money only gets less: this SKU is done
        bought.append(pack)
        left -= pack.cost
        count[pack.sku] += 1
        if following := offers.after(pack.sku, count[pack.sku]):
            heapq.heappush(queue, _ranked(following))
    return tuple(bought)


def _best_exchange(offers: _Offers, purchases: tuple[Purchase, ...], budget: float) -> tuple[Purchase, ...] | None:
    """The purchases after the single exchange that gains most, or None if none gains anything worth mentioning."""
    following = offers.following(purchases)
    price, missed = _largest_missed_gain(purchases, following, budget)
    if missed <= NEGLIGIBLE_GAIN * _gain(purchases):
        return None
    # a pack that differs from its price by more than all that is missed is where it belongs
    doubtful = {pack for pack in (*purchases, *following) if abs(pack.gain - price * pack.cost) < missed}
    best, best_gain = None, _gain(purchases) * (1 + NO_GAIN) + NO_GAIN
    for wanted in filter(doubtful.__contains__, following):
        for kept in _with_room(purchases, wanted, doubtful, budget):
            exchanged = _bought(offers, (*kept, wanted), budget)
            if (gain := _gain(exchanged)) > best_gain:
                best, best_gain = exchanged, gain
    return best


def _with_room(
    purchases: tuple[Purchase, ...], wanted: Purchase, doubtful: set[Purchase], budget: float
) -> Iterator[list[Purchase]]:
    """Ways to keep most purchases and make room for `wanted`; of each SKU the last packs go first.

    One gives back the packs that earn least per money, of whichever SKU; each of the others packs of a single SKU.
    Only `doubtful` packs are given back.
    """
    skus = sorted({pack.sku for pack in purchases if pack in doubtful} - {wanted.sku})
    for allowed in [set(skus), *({sku} for sku in skus if len(skus) > 1)]:
        kept = [*purchases]
        while _spend(kept) + wanted.cost > budget:
            last_packs = {pack.sku: i for i, pack in enumerate(kept) if pack.sku in allowed}
            loose = [i for i in last_packs.values() if kept[i] in doubtful]
            if not loose:
                break
            del kept[min(loose, key=lambda i: (kept[i].gain_per_money, kept[i].sku))]
        else:
            yield kept


def _largest_missed_gain(
    purchases: Sequence[Purchase], following: Sequence[Purchase], budget: float
) -> tuple[float, float]:
    """A price of money, and what no other purchases can gain more than these: the bound of Lagrangian relaxation.

    At the price of the best pack that was not bought, nothing further is worth its money. What is missed is then the
    worth of the money that is left, and of the money in packs that earn less.
    """
    price = max((pack.gain_per_money for pack in following), default=0.0)
    left = budget - _spend(purchases) if price > 0 else 0.0
    return price, price * left + math.fsum(max(price * pack.cost - pack.gain, 0.0) for pack in purchases)


def _summary(offers: _Offers, purchases: tuple[Purchase, ...], budget: float) -> Allocation:
    units = dict.fromkeys(offers.lines, 0.0)
    for pack in purchases:
        units[pack.sku] += pack.units
    following = offers.following(purchases)
    return Allocation(
        quantities=units,
        spend=_spend(purchases),
        expected_gain=_gain(purchases),
        purchases=purchases,
        value_of_last_money=min((pack.gain_per_money for pack in purchases), default=None),
        value_of_next_money=max((pack.gain_per_money for pack in following), default=None),
        largest_missed_gain=_largest_missed_gain(purchases, following, budget)[1],
    )


def _spend(purchases: Iterable[Purchase]) -> float:
    return math.fsum(pack.cost for pack in purchases)


def _gain(purchases: Iterable[Purchase]) -> float:
    return math.fsum(pack.gain for pack in purchases)


def _limit(budget: float) -> float:
    # the last bits of a sum must not cost the pack that fits exactly
    return budget * (1 + SAME_MONEY)


def _ranked(pack: Purchase) -> tuple[float, str, Purchase]:
    return -pack.gain_per_money, pack.sku, pack
