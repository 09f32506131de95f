"""`nexgen backtest`: a panel's file in, forecasts from past origins out, and what they scored."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib import import_module
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table as Grid

from nexgen_assets.forecasting.backtest import backtest, refuse_impossible
from nexgen_assets.forecasting.panel import PanelColumns, read_panel
from nexgen_assets.settings import Settings


def run_backtest(  # noqa: PLR0917
    path: Path,
    columns: PanelColumns,
    origins: Sequence[date],
    horizon_days: int,
    intervals: Sequence[int],
    output: Path,
    settings: Settings,
    console: Console,
) -> None:
    """Write the forecasts of all origins to `output`, which appears only when it is whole.

    Raises PanelError, BacktestError and TrainingError with a message for the user.
    """
    from nexgen_assets.resources.spark_engine import connect, embedded_engine

    unfinished = output.with_name(output.name + ".unfinished")
    writer: pq.ParquetWriter | None = None
    grid = Grid(title="Each model on the days before its origin that it had not seen", title_justify="left", box=None)
    for name in ("origin", "series", "WRMSSE", "WAPE of total", "bias"):
        grid.add_column(name, justify="right")
    try:
        with embedded_engine() as remote, console.status("features") as status, ThreadPoolExecutor() as pool:
            # Spark's client and XGBoost take a second each to import: meanwhile the panel is read, features computed
            connecting = pool.submit(connect, remote)
            panel = read_panel(path, columns)
            refuse_impossible(panel, origins, horizon_days, intervals)
            pool.submit(import_module, "xgboost")
            session = connecting.result()
            for rows, model in backtest(session, panel, origins, horizon_days, intervals, settings):
                writer = writer or pq.ParquetWriter(unfinished, rows.schema)
                writer.write_table(rows)
                scores = model.metrics["model"]
                status.update(f"origin {model.training_cutoff} done")
                grid.add_row(
                    str(model.training_cutoff),
                    f"{rows.num_rows // horizon_days:,}",
                    *(f"{scores['wrmsse']:.3f}", f"{scores['wape_total']:.3f}", f"{scores['bias']:+.1%}"),
                )
            session.stop()
        if writer:
            writer.close()
            unfinished.replace(output)
    finally:
        if writer:
            writer.close()
        unfinished.unlink(missing_ok=True)
    console.print(grid)
    console.print(f"wrote [bold]{output}[/]", soft_wrap=True)
