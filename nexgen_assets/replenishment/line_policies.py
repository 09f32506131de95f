"""By which policy each line is ordered: that of the most specific line of the policy uploads, else the deployment's.

What belongs here: which line of `tables.ORDER_POLICIES` holds for which order line on which day. What does not: what a
policy orders (`levels.py`, `constraints.py`), and how segments are found (`segments.py`).

A line of an upload speaks of the order lines that have all the values it names; what it leaves empty speaks of any. Of
several the one decides that names the first column of MATCHED which not all of them name: a product at a location goes
before a product, and any product before a segment. It decides as a whole: what it leaves empty is the deployment's.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.replenishment.reviews import reviews
from nexgen_assets.sales.effective import held_on

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Texts = NDArray[np.str_]
Line = dict[str, Any]

# what a line of an upload may name, the most specific first
MATCHED = ("product_id", "location", "supplier_id", "category", "demand_class", "xyz_class", "abc_class")


@dataclass(frozen=True)
class LinePolicies:
    """By what each line is ordered, [rows].

    `kind` is one of `tables.ORDER_POLICY_KINDS`. The target is the `fill_rate` where it is a number, of a newsvendor
    the critical ratio, else the `service_level`. `lot_days` are the days of demand in a lot, not a number where the
    economic order quantity is wanted. `source` names file and line of the upload, and is empty where the deployment
    decides. `review_period_days` are the days to the next review, `next_period_days` those from it to the one after.
    """

    kind: Texts
    service_level: Floats
    fill_rate: Floats
    lot_days: Floats
    salvage_share: Floats
    is_review: NDArray[np.bool_]
    review_period_days: Integers
    next_period_days: Integers
    source: Texts

    def take(self, which: Integers) -> "LinePolicies":
        return LinePolicies(**{name: values[which] for name, values in vars(self).items()})


def line_policies(rows: pa.Table, lines: pa.Table, policy: Policy) -> LinePolicies:
    """The policy of each row, all of one day.

    `rows` holds `day`, `order_days` and the columns MATCHED, `lines` rows of `tables.ORDER_POLICIES`.
    """
    days = rows["day"].unique().to_pylist()
    if len(days) > 1:
        raise ValueError(f"policies hold on a day, and rows are of {len(days)}")
    held = [_of_deployment(policy), *(held_on(lines, MATCHED, days[0]) if days else ())]
    which = _deciding(rows, held)

    def told(name: str, default: Any) -> NDArray[Any]:
        return np.array([default if line[name] is None else line[name] for line in held])[which]

    order_dates = rows["day"].cast(pa.int32()).to_numpy().astype(np.int64) + 1
    period = told("review_period_days", policy.review_period_days).astype(np.int64)
    is_review, to_next = reviews(order_dates, rows["order_days"], period)
    _, after_next = reviews(order_dates + to_next, rows["order_days"], period)
    return LinePolicies(
        kind=told("policy", policy.kind),
        service_level=told("service_level", policy.service_level),
        fill_rate=told("fill_rate", np.nan),
        lot_days=told("lot_days", np.nan),
        salvage_share=told("salvage_share", 0.0),
        is_review=is_review,
        review_period_days=to_next,
        next_period_days=after_next,
        source=np.array([_source(line) for line in held])[which],
    )


def _of_deployment(policy: Policy) -> Line:
    settings = dict.fromkeys(("fill_rate", "lot_days", "salvage_share", "review_period_days", "file_key"))
    return {"policy": policy.kind, "service_level": policy.service_level} | settings | dict.fromkeys(MATCHED, "")


def _source(line: Line) -> str:
    return f"{line['file_key']}:{line['line_number']}" if line["file_key"] else ""


def _deciding(rows: pa.Table, held: list[Line]) -> Integers:
    """Of each row, which of the lines decides; the first one, that of the deployment, speaks of all."""
    by_names: dict[tuple[bool, ...], list[int]] = {}
    for index, line in enumerate(held):
        by_names.setdefault(tuple(bool(line[name]) for name in MATCHED), []).append(index)
    decided = np.full(rows.num_rows, -1)
    for named in sorted(by_names, reverse=True):  # True before False: by the first column that one names alone
        lines = np.array(by_names[named])
        names = [name for name, is_named in zip(MATCHED, named, strict=True) if is_named]
        found = _found(rows, [held[index] for index in lines], names)
        decided = np.where((decided < 0) & (found >= 0), lines[found], decided)
    return decided


def _found(rows: pa.Table, lines: list[Line], names: list[str]) -> Integers:
    """Of each row, the place of the line with the same values, -1 if there is none."""
    if not names:  # an upload goes before the deployment
        return np.full(rows.num_rows, len(lines) - 1)
    parts = [rows[name] for name in names]
    keys = pc.call_function("binary_join_element_wise", [*parts, pa.scalar("\x1f")])  # null where one is
    told = pa.array(["\x1f".join(line[name] for name in names) for line in lines], pa.string())
    places = pc.call_function("index_in", [keys], pc.SetLookupOptions(told, skip_nulls=True))
    return np.asarray(places.fill_null(-1).to_numpy(), np.int64)
