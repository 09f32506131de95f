"""Time of one day's orders, with their ledgers and exceptions, in one process and without any storage.

    uv run python -m benchmarks.orders [--lines 100000] [--products 5000] [--repeat 2]

Lines are invented from a seed: half of them with an uncertain lead time, a fifth that expires, supplier minimums and
order policies as uploads tell them. Prints seconds of the orders, with and without a daily budget that buys half of
them, and of the exceptions.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table as Grid

from nexgen_assets.forecasting.quantiles import Calibration, calibrate
from nexgen_assets.replenishment.exceptions import order_exceptions
from nexgen_assets.replenishment.line_policies import MATCHED
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    FORECASTS,
    HORIZON_DAYS,
    INVENTORY_POSITIONS,
    ORDER_POLICIES,
    Table,
)

DAY = date(2026, 3, 10)
CATEGORIES = 12
SUPPLIERS = 200


def main() -> None:
    options = _options()
    rng = np.random.default_rng(options.lines)
    keys = keys_of(options.lines, options.products)
    rate = np.exp(rng.normal(-0.3, 1.3, options.lines))
    inputs = (positions_of(keys, rate, rng), features_of(keys, rate, rng), _forecasts(keys, rate), calibration_of(rng))
    policy = Policy(0.95, 1, order_line_cost=1.0)
    orders, free = _timed(lambda: orders_of_origin(*inputs, policy, order_policies()), options.repeat)
    half = pc.call_function("sum", [orders["order_value"]]).as_py() / 2
    _, cut = _timed(
        lambda: orders_of_origin(*inputs, replace(policy, daily_budget=half), order_policies()), options.repeat
    )
    found, told = _timed(lambda: order_exceptions(orders), options.repeat)

    grid = Grid(title=f"{options.lines:,} order lines, the best of {options.repeat}")
    grid.add_column("what")
    grid.add_column("seconds", justify="right")
    for name, seconds in {
        "orders and ledgers": free,
        "the same with a budget": cut,
        f"exceptions ({found.num_rows:,})": told,
        "all, with a budget": cut + told,
    }.items():
        grid.add_row(name, f"{seconds:.1f}")
    Console().print(grid)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--repeat", type=int, default=2)
    return parser.parse_args()


def _timed(work: Callable[[], pa.Table], repeat: int) -> tuple[pa.Table, float]:
    """The result and the shortest of its times."""
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    return result, min(seconds)


def keys_of(lines: int, products: int) -> dict[str, Any]:
    line = np.arange(lines)
    texts = {"product_id": np.char.mod("%06d", line % products), "location": np.char.mod("L%04d", line // products)}
    return {"day": pa.array([DAY] * lines), **{name: pa.array(text) for name, text in texts.items()}}


def positions_of(keys: dict[str, Any], rate: np.ndarray, rng: np.random.Generator) -> pa.Table:
    lines = len(rate)
    perishable, limited = rng.random(lines) < 0.2, rng.random(lines) < 0.3
    flags = {c.name: np.zeros(lines, np.bool_) for c in INVENTORY_POSITIONS.columns if c.name.startswith("is_")}
    told = {
        "on_hand": np.floor(rate * rng.uniform(0, 12, lines)),
        "on_order_units": np.zeros(lines),
        "committed_units": np.zeros(lines),
        "lead_time_days": rng.integers(1, 10, lines),
        "lead_time_sd_days": np.where(rng.random(lines) < 0.5, 1.5, 0.0),
        "pack_size": rng.choice([1.0, 6.0, 12.0], lines),
        "min_order_quantity": rng.choice([1.0, 12.0], lines),
        "unit_cost": np.round(rng.lognormal(1, 0.6, lines), 2),
        "shelf_life_days": _some(np.full(lines, 5.0), perishable),
        "max_stock": _some(np.ceil(rate * 30) + 12, limited),
        "display_minimum": _some(np.full(lines, 3.0), limited),
        "supplier_id": pa.array(np.char.mod("S%03d", rng.integers(0, SUPPLIERS, lines))),
        "min_order_value": np.full(lines, 200.0),
        "inventory_source": pa.array(["count"] * lines),
    }
    return rows_of(INVENTORY_POSITIONS, {**keys, **flags, **told}, lines)


def features_of(keys: dict[str, Any], rate: np.ndarray, rng: np.random.Generator) -> pa.Table:
    lines = len(rate)
    units = {c.name: rate for c in CLEANED_FEATURES.columns if c.unit in {"units", "units per day"}}
    told = {
        "product_name": pa.array(["Product"] * lines),
        "category": pa.array(np.char.mod("C%02d", rng.integers(0, CATEGORIES, lines))),
        "unit_price": np.round(rng.lognormal(1.5, 0.6, lines), 2),
        "zero_share_91": np.exp(-rate),
        "demand_sd_91": np.sqrt(2 * rate),
        "demand_sd_28": np.sqrt(2 * rate),
        "is_new_item": np.zeros(lines, np.bool_),
    }
    rest = {c.name: np.zeros(lines) for c in CLEANED_FEATURES.columns if not c.nullable and c.name not in keys}
    return rows_of(CLEANED_FEATURES, {**rest, **keys, **units, **told}, lines)


def _forecasts(keys: dict[str, Any], rate: np.ndarray) -> pa.Table:
    lines = len(rate)
    of_line = pa.array(np.repeat(np.arange(lines), HORIZON_DAYS))
    columns = {name: values.take(of_line) for name, values in keys.items()}
    horizon = np.tile(np.arange(1, HORIZON_DAYS + 1), lines)
    columns |= {"horizon": horizon, "mean": np.repeat(rate, HORIZON_DAYS)}
    columns["spread"] = np.repeat(0.8 + 0.4 / (1 + rate), HORIZON_DAYS)
    return rows_of(FORECASTS, {**columns, "model_version": pa.array(["m1"] * len(horizon))}, len(horizon))


def calibration_of(rng: np.random.Generator) -> Calibration:
    means = np.tile(np.exp(rng.normal(-0.3, 1.3, 2_000))[:, None], (1, HORIZON_DAYS))
    return calibrate(rng.poisson(means * rng.gamma(2, 0.5, means.shape)).astype(np.float64), means, means[:, 0])


def order_policies() -> pa.Table:
    arrival = {"effective_date": DAY, "arrived_at": datetime(2026, 3, 1, tzinfo=UTC), "file_key": "policies.csv"}
    lines = [
        {"abc_class": "A", "service_level": 0.98},
        {"abc_class": "C", "policy": "min_max"},
        {"category": "C03", "fill_rate": 0.97},
        {"category": "C07", "policy": "newsvendor"},
    ]
    told = [dict.fromkeys(MATCHED, "") | arrival | {"line_number": n} | line for n, line in enumerate(lines, 2)]
    return pa.Table.from_pylist(told, schema=ORDER_POLICIES.arrow_schema)


def _some(values: np.ndarray, which: np.ndarray) -> pa.Array:
    return pa.array(values, mask=~which)


def rows_of(table: Table, columns: dict[str, Any], rows: int) -> pa.Table:
    """Rows of the table; what is not told is null."""
    arrays = (columns.get(c.name, pa.nulls(rows)) for c in table.columns)
    cast = [pa.array(a).cast(c.type) for a, c in zip(arrays, table.columns, strict=True)]
    return pa.Table.from_arrays(cast, schema=table.arrow_schema)


if __name__ == "__main__":
    main()
