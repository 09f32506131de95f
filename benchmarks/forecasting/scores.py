"""How forecasts are judged: one row of measures per method and panel, from files of forecasts and the panel's facts.

Daily measures leave out days with a stockout: the demand of such a day is unknown. Totals and the WRMSSE take all days
(`total` is the horizon's total per series). Quantiles are judged on days without a stockout.
"""

from typing import Any

import duckdb
import numpy as np
import pandas as pd

from benchmarks.forecasting.panels import BenchmarkPanel

SHARES = {"q10": 0.1, "q50": 0.5, "q90": 0.9, "q95": 0.95, "q99": 0.99}
JUDGED = """
    select f.*, p.quantity as actual, {stockout} as is_stockout
    from read_parquet($forecasts) as f
    join read_parquet($panel) as p on p.product_id::varchar = f.product_id and p.location::varchar = f.location
        and p.date::date = f.target_date
    where p.quantity is not null
"""
PAST = """
    with past as (select product_id::varchar as product_id, location::varchar as location, date::date as date, quantity,
            min(case when quantity > 0 then date::date end) over (partition by product_id, location) as first_sale
        from read_parquet($panel) where date::date <= $origin and quantity is not null),
    stepped as (select *, quantity - lag(quantity) over (partition by product_id, location order by date) as step
        from past where date >= first_sale)
    select product_id, location, avg(step * step) as scale,
        sum(quantity) filter (date > $origin - 28) as weight, avg(quantity) filter (date > $origin - 91) as level
    from stepped group by product_id, location
"""


def judged(panel: BenchmarkPanel, forecasts: str) -> pd.DataFrame:
    """One row per forecast whose actual is known, with `actual`, `is_stockout`, and the series' `scale`, `weight`."""
    stockout = f"coalesce(p.{panel.stockout}::double, 0) > 0" if panel.stockout else "false"
    with duckdb.connect() as connection:
        values = {"forecasts": forecasts, "panel": str(panel.path)}
        rows = connection.sql(JUDGED.format(stockout=stockout), params=values).df()
        rows["origin_date"] = pd.to_datetime(rows["origin_date"]).dt.date
        facts = []
        for origin in panel.origins:
            known = connection.sql(PAST, params={"panel": str(panel.path), "origin": origin}).df()
            facts.append(known.assign(origin_date=origin))
    return rows.merge(pd.concat(facts), on=["origin_date", "product_id", "location"], how="left")


def scores(rows: pd.DataFrame) -> dict[str, float]:
    """The measures by name; quantile measures only for methods that have quantiles."""
    series = rows.groupby(["origin_date", "product_id", "location"], sort=False)
    error = rows["mean"] - rows["actual"]
    mse = (error**2).groupby([rows["origin_date"], rows["product_id"], rows["location"]], sort=False).mean().to_numpy()
    first = series[["scale", "weight"]].first()
    scale, weight = first["scale"].to_numpy(), np.nan_to_num(first["weight"].to_numpy())
    fine = (scale > 0) & np.isfinite(scale)
    rmsse = np.sqrt(mse[fine] / scale[fine])
    total = series[["mean", "actual"]].sum()
    open_days = rows[~rows["is_stockout"]]
    found: dict[str, Any] = {
        "wrmsse": np.sum(rmsse * weight[fine]) / np.sum(weight[fine]),
        "wape_total": np.abs(total["mean"] - total["actual"]).sum() / total["actual"].sum(),
        "wape": np.abs(open_days["mean"] - open_days["actual"]).sum() / open_days["actual"].sum(),
        "bias": error.sum() / rows["actual"].sum(),
        "bias_open": (open_days["mean"] - open_days["actual"]).sum() / open_days["actual"].sum(),
    }
    if "q95" in rows:
        losses = {name: _wql(open_days, name, share) for name, share in SHARES.items()}
        found |= {f"wql_{name}": loss for name, loss in losses.items()}
        found["wql"] = np.mean([losses[name] for name in ("q10", "q50", "q90")])
        found |= {f"cov_{name}": np.mean(open_days["actual"] <= open_days[name]) for name in ("q90", "q95", "q99")}
    return {name: float(value) for name, value in found.items()}


def _wql(rows: pd.DataFrame, name: str, share: float) -> float:
    error = rows["actual"] - rows[name]
    return 2 * np.maximum(share * error, (share - 1) * error).sum() / rows["actual"].sum()
