"""The demand that an order depends on: distributions over the intervals that matter to it.

What belongs here: which intervals those are, and mixing them where the lead time is random. What does not: how demand
over an interval is forecast, and what an order makes of it (`orders.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.lead_times import LeadTimes
from nexgen_assets.replenishment.mixture import MixedDemand
from nexgen_assets.replenishment.policy import IntervalDistribution

Integers = NDArray[np.int64]

# of the rows `which`, the demand over their next `lengths` days; none over 0 days
DemandOver = Callable[[Integers, Integers], IntervalDistribution]


@dataclass(frozen=True)
class DemandAhead:
    """Demand of each row from the day after the origin on, as far as an order placed now depends on it.

    `until_next_receipt` is that of the protection interval, until the order of the next review can be sold;
    `if_certain` the same if every lead time were certain: what the level owes to the difference is the safety stock
    for the lead time. `until_receipt` ends when this order can be sold. `over` tells the demand of any rows over any
    days, `of` all of this for some of the rows.
    """

    until_next_receipt: IntervalDistribution
    if_certain: IntervalDistribution
    until_receipt: IntervalDistribution
    over: DemandOver
    of: Callable[[Integers], "DemandAhead"]


def demand_ahead(
    over: DemandOver, lead_times: LeadTimes, mean_lead_time_days: Integers, review_period_days: Integers
) -> DemandAhead:
    """The demand ahead of rows with these lead times and days to the next review.

    `mean_lead_time_days` is what a certain lead time would last.
    """
    rows = np.arange(len(mean_lead_time_days))

    def of(which: Integers) -> DemandAhead:
        return demand_ahead(
            lambda few, lengths: over(which[few], lengths),
            lead_times.take(which),
            mean_lead_time_days[which],
            review_period_days[which],
        )

    if_certain = over(rows, mean_lead_time_days + review_period_days)
    if len(lead_times.row) == len(rows):  # one lead time each
        return DemandAhead(if_certain, if_certain, over(rows, mean_lead_time_days), over, of)

    def mixed(more_days: Integers) -> MixedDemand:
        return MixedDemand(over(lead_times.row, lead_times.days + more_days[lead_times.row]), lead_times)

    return DemandAhead(mixed(review_period_days), if_certain, mixed(np.zeros_like(review_period_days)), over, of)
