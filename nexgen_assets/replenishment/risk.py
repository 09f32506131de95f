"""What is expected to happen until the next order arrives: with an order, and without it.

What belongs here: probabilities and losses of given inventory positions. What does not: how orders are made.

Customers do not wait: unmet demand is lost. With D_L the demand until the order can be sold, D_P the demand until that
of the next review can (P = L + review period), IP the inventory position before and y with the order, and
n_L(x) = E[(D_L - x)+], n_P likewise: n_L(IP) is lost before the order comes, whatever is ordered. What is lost after
that is at most n_P(y) - n_L(y), the loss if customers waited (Axsater, Inventory Control, 3e, section 5.3), and at most
n_P(y + n_L(IP)): lost sales leave stock for later. The smaller of the two is told, so no order is promised too much.

Running out before the receipt and running out after it go together, since demand that is high is high for both: the
probability of either is at most that of independent events (Esary, Proschan & Walkup, Annals of Mathematical Statistics
38, 1967). All these bounds are the closer, the likelier the stock lasts until the receipt.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.ahead import DemandAhead
from nexgen_assets.replenishment.policy import IntervalDistribution

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Risk:
    """Each [rows]; units of lost demand, probabilities, and the fill rate, not a number where nothing is expected."""

    stockout_probability: Floats
    stockout_probability_until_receipt: Floats
    stockout_probability_with_order: Floats
    expected_lost_units: Floats
    expected_lost_units_until_receipt: Floats
    expected_lost_units_with_order: Floats
    promised_cycle_service: Floats
    promised_fill_rate: Floats


def risk(demand: DemandAhead, inventory_position: Floats, order_units: Floats) -> Risk:
    """The risks of placing and of not placing `order_units`, given the position before."""
    whole, before, position = demand.until_next_receipt, demand.until_receipt, inventory_position
    with_order = position + order_units
    service = _probability(whole.cdf(with_order))
    stockout, stockout_before = (1 - _probability(of.cdf(position)) for of in (whole, before))
    lost = _loss(whole.expected_shortage(position))
    lost_before = np.minimum(_loss(before.expected_shortage(position)), lost)
    lost_after = lost_between_receipts(whole, before, with_order, lost_before)
    served_by_it = np.maximum(np.asarray(whole.mean) - before.mean, 0.0)
    return Risk(
        stockout_probability=stockout,
        stockout_probability_until_receipt=np.minimum(stockout_before, stockout),
        stockout_probability_with_order=np.minimum(stockout, 1 - (1 - stockout_before) * service),
        expected_lost_units=lost,
        expected_lost_units_until_receipt=lost_before,
        expected_lost_units_with_order=np.minimum(lost, lost_before + lost_after),
        promised_cycle_service=service,
        promised_fill_rate=1 - np.minimum(_ratio(lost_after, served_by_it), 1.0),
    )


def lost_between_receipts(
    until_next: IntervalDistribution, until_receipt: IntervalDistribution, with_order: Floats, lost_before: Floats
) -> Floats:
    """At most so many units are expected to be lost between the receipt of an order and that of the next one, [rows].

    `with_order` is the inventory position with the order, `lost_before` what is lost before it can be sold (units): the
    smaller of n_P(y) - n_L(y) and n_P(y + n_L(IP)).
    """
    if_customers_waited = short_between_receipts(until_next, until_receipt, with_order)
    return _loss(np.minimum(if_customers_waited, until_next.expected_shortage(with_order + lost_before)))


def short_between_receipts(
    until_next: IntervalDistribution, until_receipt: IntervalDistribution, position: Floats
) -> Floats:
    """n_P(y) - n_L(y): units expected to be short between two receipts if customers waited, [rows]."""
    return np.asarray(until_next.expected_shortage(position), np.float64) - until_receipt.expected_shortage(position)


def _probability(values: NDArray[np.floating]) -> Floats:
    return np.clip(np.asarray(values, np.float64), 0.0, 1.0)


def _loss(units: NDArray[np.floating]) -> Floats:
    return np.maximum(np.asarray(units, np.float64), 0.0)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)
