"""What a comparison of order rules found: rows for the table, headline numbers and small tables for people.

What belongs here: sums over segments, and which numbers one looks at first. What does not: simulating
(`comparison.py`), how a plot is drawn (`plots.py`), and where the report is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.segments import Segments
from nexgen_assets.replenishment.comparison import FORECAST, PERFECT_FORESIGHT, WEEKDAY_PROFILE, Comparison
from nexgen_assets.replenishment.cycle_service import CycleService, cycle_service
from nexgen_assets.replenishment.frontier import FILL_RATES, Difference, stock_difference, stock_needed
from nexgen_assets.replenishment.kpis import DAYS_A_YEAR, CostRates, Totals, costs
from nexgen_assets.tables import POLICY_SIMULATION

Floats = NDArray[np.float64]
Record = dict[str, str | float]

HOLDING_SHARE_A_YEAR = 0.25  # of the unit cost
SUMS = {
    "demand_units": "demand",
    "sales_units": "sales",
    "lost_units": "lost",
    "waste_units": "waste",
    "average_on_hand_units": "average_on_hand",
    "order_lines": "order_lines",
    "stockout_days": "stockout_days",
}


@dataclass(frozen=True)
class Money:
    """Cost and price of a unit [series], not a number where unknown; and what an order line costs."""

    unit_cost: Floats
    unit_price: Floats
    order_cost: float

    @property
    def is_known(self) -> NDArray[np.bool_]:
        return np.isfinite(self.unit_cost) & np.isfinite(self.unit_price)

    @property
    def rates(self) -> CostRates:
        """Holding a quarter of the cost a year, a lost sale its margin, a wasted unit its cost; 0 where unknown."""
        cost, price = (np.where(self.is_known, money, 0.0) for money in (self.unit_cost, self.unit_price))
        return CostRates(
            HOLDING_SHARE_A_YEAR * cost / DAYS_A_YEAR,
            np.maximum(price - cost, 0.0),
            np.where(self.is_known, self.order_cost, 0.0),
            cost,
        )


def comparison_rows(found: Comparison, segments: Segments, money: Money, cutoff: date) -> pa.Table:
    """Rows of `tables.POLICY_SIMULATION`: each rule with each value of its parameter, by segment.

    `cutoff` is the day up to which the model behind the forecasts had learned: the day before the first simulated one.
    """
    last = cutoff + timedelta(days=found.scenario.days)
    judged = {
        "training_cutoff": cutoff,
        "first_day": cutoff + timedelta(days=1 + found.scenario.warm_up_days),
        "last_day": last,
    }
    tables: list[pa.Table] = []
    for name, swept in found.sweeps.items():
        for value, totals in zip(swept.parameters, swept.totals, strict=True):
            cycles = cycle_service(found.scenario, found.contenders[name].levels(value))
            tables.append(_rows(name, value, totals, cycles, found, segments, money, judged))
    tables.append(_rows(PERFECT_FORESIGHT, 0.0, found.foresight, None, found, segments, money, judged))
    return pa.concat_tables(tables)


def _rows(  # noqa: PLR0917
    rule: str,
    value: float,
    totals: Totals,
    cycles: CycleService | None,
    found: Comparison,
    segments: Segments,
    money: Money,
    judged: Mapping[str, date],
) -> pa.Table:
    member = segments.membership
    units = {column: member @ getattr(totals, name) for column, name in SUMS.items()}
    spent = costs(totals, money.rates)
    names = {"holding": "holding_cost", "lost_sales": "lost_margin", "orders": "order_cost", "waste": "waste_cost"}
    service = found.promised.get(value) if rule == FORECAST else None
    columns: dict[str, Any] = {
        "rule": [rule] * len(member),
        "parameter": np.full(len(member), value),
        "segment_kind": [kind for kind, _ in segments.names],
        "segment": [name for _, name in segments.names],
        "series": member.sum(axis=1).astype(np.int64),
        **units,
        "fill_rate": _ratio(units["sales_units"], units["demand_units"]),
        "mean_fill_rate": _mean(member, totals.fill_rate),
        "promised_fill_rate": None if service is None else service.pooled(member).promised_fill_rate,
        "cycle_service_level": None if cycles is None else _ratio(member @ cycles.covered, member @ cycles.closed),
        "costed_series": (member @ money.is_known).astype(np.int64),
        **{column: member @ getattr(spent, cause) for cause, column in names.items()},
    } | {name: [day] * len(member) for name, day in judged.items()}
    arrays = [
        pa.nulls(len(member), field.type)
        if columns[field.name] is None
        else pa.array(columns[field.name], field.type, from_pandas=True)
        for field in POLICY_SIMULATION.arrow_schema
    ]
    return pa.Table.from_arrays(arrays, schema=POLICY_SIMULATION.arrow_schema)


def stock_records(found: Comparison) -> list[Record]:
    """Stock that each rule needs for the usual fill rates: units of all series, and days of a series' demand."""
    records: list[Record] = []
    for name, swept in found.sweeps.items():
        units, days = stock_needed(swept), stock_needed(swept, weighting="series")
        told: Record = {
            f"{fill_rate:.0%}": "not reached" if np.isnan(of_units) else f"{of_units:,.1f} units, {_days(of_days)}"
            for fill_rate, of_units, of_days in zip(FILL_RATES, units, days, strict=True)
        }
        records.append({"rule": name, **told})
    foresight = found.foresight
    reached = foresight.sales.sum() / max(foresight.demand.sum(), np.finfo(float).tiny)
    least = f"{foresight.average_on_hand.sum():,.1f} units for {reached:.1%}"
    bound: Record = {"rule": PERFECT_FORESIGHT, **{f"{fill_rate:.0%}": "" for fill_rate in FILL_RATES}, "99%": least}
    return [*records, bound]


def difference_records(found: Comparison) -> list[Record]:
    """How much more stock the forecast's rule needs than each other one, with 95 % intervals."""
    records: list[Record] = []
    for name, swept in found.sweeps.items():
        if name != FORECAST:
            told = {
                f"{share:.0%}": _told(stock_difference(found.sweeps[FORECAST], swept, share)) for share in FILL_RATES
            }
            records.append({"other_rule": name, **told})
    return records


def promise_records(found: Comparison, segments: Segments) -> list[Record]:
    """Promised and achieved service of the forecast's rule, by segment and service level."""
    records: list[Record] = []
    for share, by_series in found.promised.items():
        pooled = by_series.pooled(segments.membership)
        records += [
            {
                "segment": name if kind == name else f"{kind} {name}",
                "series": int(segments.membership[row].sum()),
                "promised_cycle_service": f"{share:.0%}",
                "achieved_cycle_service": _percent(pooled.achieved_cycle_service[row]),
                "promised_fill_rate": _percent(pooled.promised_fill_rate[row]),
                "achieved_fill_rate": _percent(pooled.achieved_fill_rate[row]),
            }
            for row, (kind, name) in enumerate(segments.names)
        ]
    return records


def headlines(found: Comparison) -> dict[str, float]:
    """The numbers that the UI plots from run to run; those that are undefined are left out."""
    service = found.promised[0.95].pooled(np.ones((1, found.scenario.series)))
    numbers = {
        "achieved_cycle_service_at_95": service.achieved_cycle_service[0],
        "promised_fill_rate_at_95": service.promised_fill_rate[0],
        "achieved_fill_rate_at_95": service.achieved_fill_rate[0],
    }
    for share in FILL_RATES:
        difference = stock_difference(found.sweeps[FORECAST], found.sweeps[WEEKDAY_PROFILE], share)
        numbers[f"stock_difference_at_{100 * share:.0f}_percent_fill"] = difference.estimate
    return {name: float(number) for name, number in numbers.items() if np.isfinite(number)}


def _told(found: Difference) -> str:
    if np.isnan(found.estimate):
        return "not reached"
    if np.isnan(found.low) or np.isnan(found.high):
        return f"{found.estimate:+.1%} (bounds not known)"
    words = "" if found.is_clear else ", no difference"
    return f"{found.estimate:+.1%} ({found.low:+.1%} to {found.high:+.1%}{words})"


def _days(days: float) -> str:
    return "not reached" if np.isnan(days) else f"{days:.2f} days"


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{share:.1%}"


def _mean(membership: Floats, rates: Floats) -> Floats:
    is_known = np.isfinite(rates)
    return _ratio(membership @ np.where(is_known, rates, 0.0), membership @ is_known)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(
        numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=np.asarray(denominator) > 0
    )
