"""Day-by-day simulation of stock under an order rule, for many series at once.

What belongs here: the order of events in a day, the ledgers of units, and what all rules that are compared share. What
does not: rules themselves (`order_rules.py`), stock by age (`shelves.py`), rates and costs (`kpis.py`), comparisons
(`frontier.py`), tables.

A day: orders that are due arrive; demand is served, what expires first goes first, and what cannot be served is lost;
a day of life passes and expired units are wasted; where a review is due, the rule sees the inventory position and says
how far to raise it. An order of day t with lead time L arrives at the start of day t + 1 + L.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nexgen_assets.replenishment.formulas.rounding import (
    apply_moq,
    cap_at_max_stock,
    net_requirement,
    round_up_to_pack,
)
from nexgen_assets.replenishment.kpis import Totals, totals_of_days
from nexgen_assets.replenishment.shelves import Shelves

Floats = NDArray[np.float64]
Whole = NDArray[np.integer[Any]]

LEDGER_TOLERANCE = 1e-9  # of the units that moved


@dataclass(frozen=True)
class Scenario:
    """What happens whatever is ordered, and the terms of supply: the same for all rules that are compared.

    Arrays are [series], `demand`, `lead_time_days` and `surely_sold` [series, days]; units may be fractions, days are
    whole. `max_stock` is what there is room for when an order arrives, beside what is on order and what is on hand less
    `surely_sold`: units that, as is known on the day of the order, are as good as certainly sold until it arrives.
    Infinite `max_stock`: no limit; infinite `shelf_life_days` and `initial_life_days`: goods that do not expire.
    Reviews are due on `first_review_day` (0: the first day) and every `review_period_days` from then on. Sums leave the
    first `warm_up_days` out. Raises ValueError for values that cannot be meant; `scenario` fills in what is usual.
    """

    demand: Floats
    lead_time_days: Whole  # of an order placed that day
    initial_on_hand: Floats
    initial_life_days: Floats
    shelf_life_days: Floats  # of units on receipt
    review_period_days: Whole
    first_review_day: Whole
    min_order_quantity: Floats
    pack_size: Floats
    max_stock: Floats
    surely_sold: Floats  # until an order placed that day arrives
    warm_up_days: int

    def __post_init__(self) -> None:
        for name, (lowest, must_be_whole) in _ALLOWED.items():
            values = np.asarray(getattr(self, name))
            # a comparison with a number that is none is false
            if not np.all(values >= lowest) or (must_be_whole and np.any(np.mod(values[np.isfinite(values)], 1))):
                raise ValueError(f"{name} must be {'whole and ' if must_be_whole else ''}at least {lowest} everywhere")
        if not np.all(np.isfinite(self.demand)) or not np.all(np.isfinite(self.initial_on_hand)):
            raise ValueError("demand and initial_on_hand must be known: finite numbers")
        if not np.all(self.pack_size > 0):
            raise ValueError("pack_size must be greater than 0")
        shapes = {field.name: np.shape(getattr(self, field.name)) for field in fields(self)}
        for name, shape in shapes.items():
            expected = () if name == "warm_up_days" else self.demand.shape[: 2 if name in _DAILY else 1]
            if shape != expected:
                raise ValueError(f"{name} has the shape {shape}, not {expected}")
        if self.warm_up_days >= self.days:
            raise ValueError(f"a warm-up of {self.warm_up_days} days leaves nothing of {self.days} days")

    @property
    def series(self) -> int:
        return self.demand.shape[0]

    @property
    def days(self) -> int:
        return self.demand.shape[1]

    def is_review(self, day: int) -> NDArray[np.bool_]:
        """Which series [series] may order at the close of `day`."""
        since_first = day - self.first_review_day
        return (since_first >= 0) & (since_first % self.review_period_days == 0)

    def rows(self, which: NDArray[np.integer[Any]]) -> "Scenario":
        """The same for these series, in this order."""
        picked = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "warm_up_days"}
        return Scenario(warm_up_days=self.warm_up_days, **{name: values[which] for name, values in picked.items()})


_DAILY = ("demand", "lead_time_days", "surely_sold")
# lowest value, and whether it must be whole
_ALLOWED = {
    "demand": (0, False),
    "lead_time_days": (0, True),
    "initial_on_hand": (0, False),
    "shelf_life_days": (1, True),
    "initial_life_days": (1, True),
    "review_period_days": (1, True),
    "first_review_day": (0, True),
    "min_order_quantity": (0, False),
    "pack_size": (0, False),
    "max_stock": (0, False),
    "surely_sold": (0, False),
    "warm_up_days": (0, True),
}


def scenario(
    demand: ArrayLike,
    lead_time_days: ArrayLike,
    initial_on_hand: ArrayLike,
    *,
    shelf_life_days: ArrayLike = np.inf,
    initial_life_days: ArrayLike | None = None,
    review_period_days: ArrayLike = 1,
    first_review_day: ArrayLike = 0,
    min_order_quantity: ArrayLike = 0.0,
    pack_size: ArrayLike = 1.0,
    max_stock: ArrayLike = np.inf,
    surely_sold: ArrayLike = 0.0,
    warm_up_days: int = 0,
) -> Scenario:
    """A `Scenario` of `demand` [series, days]; terms may be one number for all series, or for all days of a series.

    Without `surely_sold`, all that is on hand counts as there when an order arrives. Initial stock is as fresh as a
    receipt unless `initial_life_days` says otherwise.
    """
    units = np.asarray(demand, np.float64)
    if units.ndim != 2:
        raise ValueError(f"demand must be [series, days], not of the shape {units.shape}")
    lead_times = _whole("lead_time_days", lead_time_days)
    if lead_times.ndim == 1:
        lead_times = lead_times[:, None]

    def by_series(values: ArrayLike) -> Floats:
        return np.broadcast_to(np.asarray(values, np.float64), units.shape[:1])

    return Scenario(
        demand=units,
        lead_time_days=np.broadcast_to(lead_times, units.shape),
        initial_on_hand=by_series(initial_on_hand),
        initial_life_days=by_series(shelf_life_days if initial_life_days is None else initial_life_days),
        shelf_life_days=by_series(shelf_life_days),
        review_period_days=_whole("review_period_days", by_series(review_period_days)),
        first_review_day=_whole("first_review_day", by_series(first_review_day)),
        min_order_quantity=by_series(min_order_quantity),
        pack_size=by_series(pack_size),
        max_stock=by_series(max_stock),
        surely_sold=np.broadcast_to(np.asarray(surely_sold, np.float64), units.shape),
        warm_up_days=warm_up_days,
    )


def _whole(name: str, values: ArrayLike) -> NDArray[np.int64]:
    numbers = np.asarray(values, np.float64)
    if not np.all(np.isfinite(numbers)) or np.any(np.mod(numbers, 1)):
        raise ValueError(f"{name} must be whole days")
    return numbers.astype(np.int64)


@dataclass(frozen=True)
class Known:
    """What a rule may use at the close of `day` (0: the first): nothing of later days. Arrays cannot be written to."""

    day: int
    on_hand: Floats  # [series]
    on_order: Floats  # [series]
    demand: Floats  # [series, day + 1], today's the last

    @property
    def inventory_position(self) -> Floats:
        return self.on_hand + self.on_order


class OrderRule(Protocol):
    """Decides orders; constraints of the supplier and of the shop are not its business."""

    def raise_to(self, known: Known, /) -> Floats:
        """Inventory position [series] that an order placed now is to reach; where it is reached already, no order.

        Asked on days on which any series has a review; the others' values are ignored.
        """
        ...


class Day(NamedTuple):
    """Units of one day, each [series]; `on_hand` and `on_order` at its close, after the order."""

    received: Floats
    demand: Floats
    sales: Floats
    waste: Floats
    on_hand: Floats
    ordered: Floats
    on_order: Floats


@dataclass(frozen=True)
class Trace:
    """Every day of some series: units, each [traced series, days]; see `Day`."""

    received: Floats
    demand: Floats
    sales: Floats
    lost: Floats
    waste: Floats
    on_hand: Floats
    ordered: Floats
    on_order: Floats


@dataclass(frozen=True)
class Simulation:
    """`totals` of all series over the days after the warm-up, `trace` of the chosen series over all days."""

    totals: Totals
    trace: Trace


class ConservationError(ArithmeticError):
    """Units came out of nothing or vanished: the simulation is wrong."""


def simulate(scenario: Scenario, rule: OrderRule, traced_series: Sequence[int] = ()) -> Simulation:
    """Live through all days with the orders of `rule`.

    Raises ValueError if the rule names no number for a series under review, ConservationError if units do not add up:
    initial + received = sold + wasted + on hand at the end, ordered = received + on order at the end, for each series.
    """
    traced = np.asarray(traced_series, np.int64)
    shop = _Shop(scenario)
    days: list[Day] = []
    sums: list[Totals] = []  # of the warm-up, and of what counts
    for day in range(scenario.days):
        events = shop.live(day, rule)
        days.append(Day(*(units[traced] for units in events)))
        today = _totals(events)
        if day in (0, scenario.warm_up_days):
            sums.append(today)
        else:
            sums[-1] += today
    whole = sums[0] if len(sums) == 1 else sums[0] + sums[1]
    check_conservation(scenario.initial_on_hand, whole, shop.shelves.on_hand, shop.in_transit())
    return Simulation(sums[-1], _trace(days))


def check_conservation(initial_on_hand: Floats, totals: Totals, on_hand: Floats, on_order: Floats) -> None:
    """Raise ConservationError unless the ledgers of stock, demand and orders close for each series.

    `totals` are those of all days; `on_hand` and `on_order` were counted after the last.
    """
    moved = 1 + initial_on_hand + totals.received + totals.ordered + totals.demand
    gaps = {
        "initial stock + received - sales - waste - on hand": (
            initial_on_hand + totals.received - totals.sales - totals.waste - on_hand
        ),
        "demand - sales - lost": totals.demand - totals.sales - totals.lost,
        "ordered - received - on order": totals.ordered - totals.received - on_order,
    }
    for ledger, gap in gaps.items():
        # not `>`: a sum that is no number is a gap too
        if np.any(wrong := ~(np.abs(gap) <= LEDGER_TOLERANCE * moved)):
            first = int(np.flatnonzero(wrong)[0])
            raise ConservationError(f"{ledger} = {gap[first]} instead of 0 in series {first} ({wrong.sum()} series)")


class _Shop:
    """The state of all series between two days."""

    def __init__(self, scenario: Scenario) -> None:
        self.shelves = Shelves(
            scenario.initial_on_hand, scenario.initial_life_days, scenario.shelf_life_days, scenario.days
        )
        self._scenario = scenario
        self._rows = np.arange(scenario.series)
        self._on_order = np.zeros(scenario.series)
        # units by day of arrival, a ring: longer than the longest way
        self._due = np.zeros((int(scenario.lead_time_days.max(initial=0)) + 2, scenario.series))

    def live(self, day: int, rule: OrderRule) -> Day:
        demand = self._scenario.demand[:, day]
        received = self._receive(day)
        sales = self.shelves.sell(demand)
        waste = self.shelves.expire()
        ordered = self._order(day, rule)
        return Day(received, demand, sales, waste, self.shelves.on_hand, ordered, self._on_order)

    def in_transit(self) -> Floats:
        """Units [series] on their way, counted one by one."""
        return self._due.sum(axis=0)

    def _receive(self, day: int) -> Floats:
        slot = day % len(self._due)
        received = self._due[slot].copy()
        self._due[slot] = 0.0
        self._on_order = self._on_order - received
        self.shelves.receive(received)
        return received

    def _order(self, day: int, rule: OrderRule) -> Floats:
        is_review = self._scenario.is_review(day)
        if not is_review.any():
            return np.zeros(self._scenario.series)
        ordered = np.where(is_review, self._wanted(day, rule, is_review), 0.0)
        arrival = (day + 1 + self._scenario.lead_time_days[:, day]) % len(self._due)
        self._due[arrival, self._rows] += ordered
        self._on_order = self._on_order + ordered
        return ordered

    def _wanted(self, day: int, rule: OrderRule, is_review: NDArray[np.bool_]) -> Floats:
        terms = self._scenario
        known = Known(
            day, *(_read_only(units) for units in (self.shelves.on_hand, self._on_order, terms.demand[:, : day + 1]))
        )
        level = np.broadcast_to(np.asarray(rule.raise_to(known), np.float64), is_review.shape)
        if np.any(unknown := is_review & ~np.isfinite(level)):
            raise ValueError(
                f"the rule has no level for series {np.flatnonzero(unknown)[0]} on day {day}:"
                " give it the history that it needs before the first review"
            )
        position = known.inventory_position
        # a level that nobody needs must not disturb
        level = np.where(is_review, level, 0.0)
        need = net_requirement(level, position)
        units = round_up_to_pack(apply_moq(need, terms.min_order_quantity), terms.pack_size)
        there = np.maximum(known.on_hand - terms.surely_sold[:, day], 0.0) + known.on_order
        return cap_at_max_stock(units, there, terms.max_stock, terms.min_order_quantity, terms.pack_size)


def _read_only(units: Floats) -> Floats:
    view = units.view()
    view.flags.writeable = False
    return view


def _totals(day: Day) -> Totals:
    units = {name: values[:, None] for name, values in day._asdict().items() if name != "on_order"}
    return totals_of_days(**units)


def _trace(days: list[Day]) -> Trace:
    by_name = Day(*(np.stack(units, axis=1) for units in zip(*days, strict=True)))
    return Trace(**by_name._asdict(), lost=by_name.demand - by_name.sales)
