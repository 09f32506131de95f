"""What a day costs: features and forecasts of one origin, by a model that is already trained.

    uv run --group benchmarks python -m benchmarks.forecasting.daily WORK [--series 10000] [--days 730] [--repeat 3]

Times, on a warm engine: the features of the day from the demand of its lookback, as the asset `cleaned_features`
computes them, and from these 28 days of means and quantiles, as `forecasts` does. Reading and writing tables is not in
it. Prints the best of several repetitions.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F  # noqa: N812
from rich.console import Console
from rich.table import Table

from benchmarks.forecasting.speed import make_panel, panel_of_size
from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.panel import PanelColumns, read_panel
from nexgen_assets.forecasting.training import train
from nexgen_assets.resources.spark_engine import connect, embedded_engine
from nexgen_assets.settings import load_settings
from nexgen_assets.tables import DAY, HORIZON_DAYS


def main() -> None:
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    found = panel_of_size(options.work, options.series, options.days)
    if not found.path.exists():
        make_panel(found)
    panel, settings, [day] = (
        read_panel(found.path, PanelColumns(found.known, found.static)),
        load_settings(),
        found.origins,
    )
    with tempfile.TemporaryDirectory() as folder, embedded_engine() as remote:
        session = connect(remote)
        pq.write_table(panel.demand(day), Path(folder) / "demand.parquet")
        demand = session.read.parquet(str(Path(folder) / "demand.parquet"))
        history = str(Path(folder) / "history")
        promotions = panel.covariates.promotions()
        made = cleaned_features(demand, panel.first_day, day, settings.lookback_days, promotions)
        made.write.parquet(history)
        model = train(
            session.read.parquet(history),
            demand,
            day,
            panel.covariates,
            settings.training_rows,
            settings.country,
            settings.threads,
        )
        recent = demand.where(F.col(DAY) > F.date_sub(F.lit(day), settings.lookback_days))

        def features() -> pa.Table:
            return cleaned_features(recent, day, day, settings.lookback_days, promotions).toArrow()

        rows = features()

        def forecasts() -> pa.Table:
            return model.predict(rows, panel.covariates, model_version="1", threads=settings.threads)

        grid = Table(
            title=f"a day of {rows.num_rows:,} series, {HORIZON_DAYS} days ahead, the best of {options.repeat}"
        )
        for name in ("what", "seconds"):
            grid.add_column(name, justify="left" if name == "what" else "right")
        for what, function in (("features", features), ("forecasts", forecasts)):
            grid.add_row(what, f"{_best(function, options.repeat):.1f}")
        Console(width=120).print(grid)
        session.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("work", type=Path, help="folder for the panel")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--repeat", type=int, default=3)
    return parser.parse_args()


def _best(function: Callable[[], pa.Table], times: int) -> float:
    taken: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return min(taken)


if __name__ == "__main__":
    main()
