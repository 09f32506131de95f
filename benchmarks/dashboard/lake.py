"""The lake that the dashboard is measured on: invented from a seed, written as runs write it, a file per day and table.

What belongs here: rows of every table that the measured requests read. What does not: the requests (`client.py`).
"""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.orders import (
    DAY,
    SUPPLIERS,
    calibration_of,
    features_of,
    keys_of,
    order_policies,
    positions_of,
    rows_of,
)
from nexgen_assets import tables as t
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.snapshots import Snapshots
from nexgen_assets.replenishment.exceptions import order_exceptions
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.policy import Policy

logger = logging.getLogger("benchmarks.dashboard")

PRODUCTS = 5_000
DAYS_PER_WRITE = 40
ORIGINS_PER_WRITE = 8
STOCKOUT_SHARE, PROMOTION_SHARE = 0.03, 0.1
MODEL = "benchmark"

Columns = dict[str, Any]


def build(tables: DeltaTables, lines: int, series: int, days: int, origins: int) -> None:
    """One day of `lines` orders and forecasts; before it, `days` of history and `origins` of forecasts of `series`."""
    rng = np.random.default_rng(lines)
    rate = np.exp(rng.normal(-0.3, 1.3, lines))
    keys = {name: keys_of(lines, PRODUCTS)[name] for name in ("product_id", "location")}
    _write_last_day(tables, keys, rate, rng)
    few = {name: column.slice(0, series) for name, column in keys.items()}
    for some in _chunks(days, DAYS_PER_WRITE):
        _write(tables, t.DAILY_DEMAND, [demand(day, few, rate[:series], rng) for day in some], some)
        _write(tables, t.CLEANED_FEATURES, [features(day, few, rate[:series], rng) for day in some], some)
    for some in _chunks(origins, ORIGINS_PER_WRITE):
        _write(tables, t.FORECASTS, [forecasts(day, few, rate[:series], rng) for day in some], some)
    for some in _chunks(56, 56):
        _write(tables, t.FORECAST_ACCURACY, [accuracy(day) for day in some], some)
    tables.replace_all(t.SUPPLIERS, suppliers())
    Snapshots(tables).publish(list(t.TABLES), None, datetime.now(UTC))


def _write_last_day(tables: DeltaTables, keys: Columns, rate: np.ndarray, rng: np.random.Generator) -> None:
    lines = len(rate)
    of_day = {"day": pa.array([DAY] * lines), **keys}
    _write(tables, t.DAILY_DEMAND, [demand(DAY, keys, rate, rng)], [DAY])
    today = features(DAY, keys, rate, rng)
    _write(tables, t.CLEANED_FEATURES, [today], [DAY])
    forecast = forecasts(DAY, keys, rate, rng)
    _write(tables, t.FORECASTS, [forecast], [DAY])
    stock = positions_of(of_day, rate, rng)
    _write(tables, t.INVENTORY_POSITIONS, [stock], [DAY])
    ordered = rng.random(lines) < 0.3
    _write(tables, t.OPEN_ORDERS, [open_orders({name: column.filter(ordered) for name, column in keys.items()})], [DAY])
    policy = Policy(0.95, 1, order_line_cost=1.0)
    orders = orders_of_origin(stock, today, forecast, calibration_of(rng), policy, order_policies())
    _write(tables, t.REORDER_RECOMMENDATIONS, [orders], [DAY])
    _write(tables, t.ORDER_EXCEPTIONS, [order_exceptions(orders)], [DAY])


def demand(day: date, keys: Columns, rate: np.ndarray, rng: np.random.Generator) -> pa.Table:
    """What sold on a day, in no order: as the engine leaves it."""
    n = len(rate)
    units, price = rng.poisson(rate).astype(np.float64), 1 + np.arange(n) % 40 / 4
    told = {
        **_of_product(keys),
        "demand_units": units,
        "returned_units": np.zeros(n),
        "revenue": units * price,
        "sales_lines": units.astype(np.int64),
        "unit_price": price,
        "unit_price_as_of": pa.array([day] * n),
        "is_promotion": rng.random(n) < PROMOTION_SHARE,
        "is_open": np.ones(n, np.bool_),
        "is_open_inferred": np.zeros(n, np.bool_),
        "days_since_sale": np.zeros(n, np.int64),
        "stock_level": np.floor(rate * rng.uniform(0, 12, n)),
        "stock_level_as_of": pa.array([day] * n),
        "is_stockout": rng.random(n) < STOCKOUT_SHARE,
        "is_stockout_assumed": np.zeros(n, np.bool_),
    }
    return _shuffled(t.DAILY_DEMAND, day, keys, told, rng)


def features(day: date, keys: Columns, rate: np.ndarray, rng: np.random.Generator) -> pa.Table:
    of_day = {"day": pa.array([day] * len(rate)), **keys}
    rows = features_of(of_day, rate, rng)
    told = {name: rows[name] for name in rows.column_names if name not in of_day} | _of_product(keys)
    return _shuffled(t.CLEANED_FEATURES, day, keys, told, rng)


def forecasts(day: date, keys: Columns, rate: np.ndarray, rng: np.random.Generator) -> pa.Table:
    """28 days of a noisy mean and quantiles around it, series by series: as the asset writes them."""
    horizon = np.tile(np.arange(1, t.HORIZON_DAYS + 1), len(rate))
    mean = np.repeat(rate, t.HORIZON_DAYS) * rng.uniform(0.8, 1.2, len(horizon))
    of_row = pa.array(np.repeat(np.arange(len(rate)), t.HORIZON_DAYS))
    told = {
        "day": pa.array([day] * len(horizon)),
        **{name: column.take(of_row) for name, column in keys.items()},
        "target_date": pa.array(np.datetime64(day) + horizon.astype("timedelta64[D]")),
        "horizon": horizon,
        "mean": mean.astype(np.float32),
        **{name: (mean * 2 * level).astype(np.float32) for name, level in t.QUANTILES.items()},
        "model_version": pa.array([MODEL] * len(horizon)),
    }
    return rows_of(t.FORECASTS, told, len(horizon))


def open_orders(keys: Columns) -> pa.Table:
    n = len(keys["product_id"])
    told = {
        "day": pa.array([DAY] * n),
        **keys,
        "order_source": pa.array(["inventory"] * n),
        "ordered_as_of": pa.array([DAY] * n),
        "due_date": pa.array([DAY + timedelta(days=2)] * n),
        "order_units": np.full(n, 6.0),
        "is_assumed_received": np.zeros(n, np.bool_),
    }
    return rows_of(t.OPEN_ORDERS, told, n)


def accuracy(day: date) -> pa.Table:
    groups = [(horizon, volume) for horizon in range(1, t.HORIZON_DAYS + 1) for volume in list(t.VOLUME_CLASSES)]
    zero = {c.name: 0 for c in t.FORECAST_ACCURACY.columns}
    told = {"day": day, "model_version": MODEL, "series_days": 100, "demand_units": 100.0, "forecast_units": 101.0}
    rows = [zero | told | {"horizon": horizon, "volume_class": volume} for horizon, volume in groups]
    return pa.Table.from_pylist(rows, schema=t.FORECAST_ACCURACY.arrow_schema)


def suppliers() -> pa.Table:
    at = {"arrived_at": datetime(2026, 1, 1, tzinfo=UTC), "file_key": "suppliers.csv", "effective_date": DAY}
    nothing = dict.fromkeys(t.SUPPLIERS.names)
    rows = [
        nothing | at | {"supplier_id": f"S{n:03}", "supplier_name": f"Supplier {n}", "line_number": n + 2}
        for n in range(SUPPLIERS)
    ]
    return pa.Table.from_pylist(rows, schema=t.SUPPLIERS.arrow_schema)


def _of_product(keys: Columns) -> Columns:
    number = np.array(keys["product_id"].to_pylist()).astype(np.int64)
    return {
        "product_name": pa.array(np.char.mod("Product %06d", number)),
        "category": pa.array(np.char.mod("C%02d", number % 12)),
    }


def _shuffled(table: t.Table, day: date, keys: Columns, told: Columns, rng: np.random.Generator) -> pa.Table:
    n = len(keys["product_id"])
    rows = rows_of(table, {**told, **keys, "day": pa.array([day] * n)}, n)
    return rows.take(pa.array(rng.permutation(n)))


def _chunks(days: int, size: int) -> Iterator[list[date]]:
    """The days before the last, in writes of so many."""
    before = [DAY - timedelta(days=n) for n in range(days, 0, -1)]
    return (before[place : place + size] for place in range(0, days, size))


def _write(tables: DeltaTables, table: t.Table, rows: list[pa.Table], days: list[date]) -> None:
    logger.info("%s: %s to %s", table.name, days[0], days[-1])
    tables.replace_days(table, pa.concat_tables(rows), days[0], days[-1], f"benchmark-{days[0]}-{days[-1]}")
