"""`nexgen model`: which versions there are, what each is and why, and how one is taken out of service."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from nexgen_assets.io_managers.models import alias_of
from nexgen_assets.launcher import execute, fail_dead_runs, open_instance, rollback_run
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.settings import Settings

SCORES = {"WRMSSE": "wrmsse", "WAPE of total": "wape_total", "bias": "bias"}
WIDTH = 140


def list_models(settings: Settings, console: Console) -> None:
    """A row per version, the newest cutoff first: its recipe, its scores on its hold-out, what it is and why."""
    registry = ModelRegistry(open_lake(settings))
    versions, aliases = registry.versions(), registry.aliases()
    if not versions:
        console.print("There is no model yet: [bold]nexgen run[/] trains the first.")
        return
    grid = Grid(box=None)
    for name in ("version", "trained up to", "recipe", "alias"):
        grid.add_column(name, no_wrap=True)
    for name in SCORES:
        grid.add_column(name, justify="right")
    grid.add_column("why", overflow="fold")
    for known in reversed(versions):
        entry, move = registry.entry(known.version), aliases.last_move(known.version)
        scores = entry.get("scores", {}).get("model", {})
        grid.add_row(
            known.version,
            str(known.training_cutoff),
            entry.get("recipe", ""),
            alias_of(known.version, aliases),
            *(f"{scores[name]:.3f}" if name in scores else "" for name in SCORES.values()),
            f"[dim]{escape(move.why) if move else 'registered by a training that did not end'}[/]",
        )
    # on a narrow terminal rich would leave out the scores and the reason: longer lines are for the terminal to wrap
    console.width = max(console.width, WIDTH)
    console.print(grid)


def roll_back(settings: Settings, version: str | None, reason: str, console: Console) -> None:
    """Run the job `rollback_model` here and now, and say what serves after it. Raises RunFailedError."""
    registry = ModelRegistry(open_lake(settings))
    with open_instance(settings) as instance:
        fail_dead_runs(instance)
        run = execute(instance, rollback_run(version, reason))
    aliases = registry.aliases()
    taken = next(move for move in reversed(aliases.history) if move.by == run.run_id)
    console.print(f"[bold]{taken.version}[/] serves no more.")
    serving = f"[bold]{aliases.champion.version}[/]" if aliases.champion else "none: the seasonal naive serves"
    console.print(f"Champion: {serving}")
    console.print("Days that it forecast keep its forecasts until they are built again: [bold]nexgen run[/]")
