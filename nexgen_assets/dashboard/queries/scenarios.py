"""What if: the newest orders under other assumptions, and what other quantities of one line would do.

What belongs here: reading what orders are made of, once per snapshot, and telling the difference. What does not: making
orders (`replenishment/what_if.py`). Nothing is stored.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from nexgen_assets.dashboard.answers.orders import Outcome, Outcomes, PlanTotals, WhatIf, WhatIfAnswer, WhatIfLine
from nexgen_assets.dashboard.queries.worklist import published_lines
from nexgen_assets.dashboard.reading import View
from nexgen_assets.dashboard.sql import equals
from nexgen_assets.dashboard.worker import Worker, for_worker
from nexgen_assets.decisions.book import exact
from nexgen_assets.decisions.rules import DecisionError, LineKey
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.snapshots import Snapshot, SnapshotTables
from nexgen_assets.replenishment.outcomes import outcomes_of
from nexgen_assets.replenishment.what_if import Change, Inputs, Totals, orders_if, totals
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.resources.order_inputs import inputs_of
from nexgen_assets.resources.registry import Champions
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CLEANED_FEATURES, FORECASTS, REORDER_RECOMMENDATIONS

MOST_QUANTITIES = 20
NO_ORDERS = "no orders are published yet: `nexgen run` makes them"
CENTRE_ORDER = (
    "what other quantities do is told of locations that sell: a centre's order depends on all its locations; "
    "`nexgen what-if` makes the orders of a whole day under other assumptions"
)


class Scenarios:
    """What if, computed in a worker process, so that pages stay quick meanwhile; one question at a time."""

    def __init__(self, settings: Settings, worker: Worker) -> None:
        self._settings = for_worker(settings)
        self._worker = worker

    def what_if(self, view: View, asked: WhatIf) -> WhatIfAnswer:
        """Raises DecisionError if no orders are published yet, or the change cannot be meant."""
        day = view.last_day(REORDER_RECOMMENDATIONS)
        if day is None:
            raise DecisionError(NO_ORDERS)
        return self._worker.call(answer, self._settings, view.snapshot, day, _change(asked), asked.lines)


# ---- in the worker process


def answer(settings: Settings, snapshot: Snapshot, day: date, change: Change, most_lines: int) -> WhatIfAnswer:
    """The orders of that day under a change, beside the plan."""
    inputs, plan, is_as_published = _plan(settings, tuple(sorted(snapshot.versions.items())), day)
    changed = orders_if(inputs, change)
    return WhatIfAnswer(
        snapshot_id=snapshot.snapshot_id,
        day=day,
        plan=_totals(totals(plan)),
        what_if=_totals(totals(changed)),
        is_plan_as_published=is_as_published,
        lines=_most_changed(plan, changed, most_lines),
    )


# people try one change after the other on the same snapshot
@lru_cache(maxsize=1)
def _plan(settings: Settings, versions: tuple[tuple[str, int], ...], day: date) -> tuple[Inputs, pa.Table, bool]:
    """What the orders of a day are made of, these orders, and whether they are the published ones."""
    tables = SnapshotTables(DeltaTables(open_lake(settings)), Snapshot(dict(versions)))
    inputs = inputs_of(tables, day, settings)
    plan = orders_if(inputs, Change())
    published = tables.read(REORDER_RECOMMENDATIONS, day, day, ("revision",))
    return inputs, plan, set(published["revision"].to_pylist()) == set(plan["revision"].to_pylist())


def _change(asked: WhatIf) -> Change:
    try:
        return Change(**asked.model_dump(exclude={"lines"}))
    except ValueError as error:
        raise DecisionError(str(error)) from None


def _totals(of: Totals) -> PlanTotals:
    fill_rate = None if np.isnan(of.promised_fill_rate) else of.promised_fill_rate
    told: dict[str, Any] = vars(of) | {"promised_fill_rate": fill_rate}
    return PlanTotals(**told)


def _most_changed(plan: pa.Table, changed: pa.Table, most: int) -> list[WhatIfLine]:
    """Both tables have the same lines in the same order."""
    before, after = (np.asarray(of["order_units"].to_numpy(), np.float64) for of in (plan, changed))
    cost = np.asarray(plan["unit_cost"].to_numpy(), np.float64)  # not a number where it is not known
    units = after - before
    value = units * cost
    ranking = np.lexsort((-np.abs(units), -np.abs(np.nan_to_num(value))))
    chosen = [int(place) for place in ranking if units[place] != 0][:most]
    names = plan.select(["product_id", "location", "product_name"]).take(pa.array(chosen, pa.int64())).to_pylist()
    return [
        WhatIfLine(
            **name,
            plan_units=before[place],
            what_if_units=after[place],
            difference_value=None if np.isnan(value[place]) else value[place],
        )
        for name, place in zip(names, chosen, strict=True)
    ]


# ---- one line


def outcomes(
    view: View, champions: Champions, product_id: str, location: str, quantities: Sequence[Decimal]
) -> Outcomes | None:
    """Of nothing, the proposal, and the quantities, rising; None if nothing is proposed for the line."""
    day = view.last_day(REORDER_RECOMMENDATIONS)
    if day is None:
        raise DecisionError(NO_ORDERS)
    key = LineKey(day, product_id, location)
    row = published_lines(view, [key]).rows.get(key)
    if row is None:
        return None
    if row["supplied_locations"] is not None:
        raise DecisionError(CENTRE_ORDER)
    where = equals(product_id=product_id, location=location)
    features = view.rows(CLEANED_FEATURES, day, day, CLEANED_FEATURES.names, where)
    forecasts = view.rows(FORECASTS, day, day, ("horizon", "mean", "spread", "model_version"), where)
    calibration = champions.calibration_of(forecasts["model_version"].unique().to_pylist())
    units = sorted(
        {Decimal(0), exact(row["order_units"]), *(quantity.quantize(Decimal("0.001")) for quantity in quantities)}
    )
    order = pa.Table.from_pylist([dict(row)], schema=REORDER_RECOMMENDATIONS.arrow_schema)
    numbers = np.array([float(quantity) for quantity in units])
    found = outcomes_of(order, features, forecasts, calibration, numbers)
    waste = found.expected_waste_units
    told = [
        _outcome(
            row, quantity, {n: float(v[i]) for n, v in vars(found.risk).items()}, None if waste is None else waste[i]
        )
        for i, quantity in enumerate(units)
    ]
    return Outcomes(snapshot_id=view.snapshot_id, day=day, product_id=product_id, location=location, outcomes=told)


def _outcome(row: Any, units: Decimal, risk: dict[str, float], waste: float | None) -> Outcome:
    pack, least = exact(row["pack_size"]), exact(row["min_order_quantity"])
    lost, fill_rate = risk["expected_lost_units_with_order"], risk["promised_fill_rate"]
    return Outcome(
        order_units=float(units),
        is_proposal=units == exact(row["order_units"]),
        has_full_packs=units % pack == 0,
        reaches_minimum=units == 0 or units >= least,
        order_value=None if row["unit_cost"] is None else float(units) * row["unit_cost"],
        stockout_probability=risk["stockout_probability_with_order"],
        promised_cycle_service=risk["promised_cycle_service"],
        promised_fill_rate=None if np.isnan(fill_rate) else fill_rate,
        expected_lost_units=lost,
        expected_lost_money=None if row["unit_price"] is None else lost * row["unit_price"],
        expected_waste_units=waste,
    )
