"""`nexgen upgrade`: mend what an older version left in the lake, or only say what that is."""

from rich.console import Console
from rich.markup import escape

from nexgen_assets.commands.pipeline import Timings, run_all
from nexgen_assets.launcher import fail_dead_runs, open_instance
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.settings import Settings
from nexgen_assets.upgrade import Leftovers, leftovers


def upgrade(settings: Settings, console: Console, *, dry_run: bool) -> bool:
    """Say what is outdated, and unless `dry_run` make the runs that mend it; True if nothing is left to do.

    Raises RunFailedError with the asset and its error.
    """
    access = open_lake(settings)
    found = leftovers(access)
    print_problems(found, console)
    if found.problems and not dry_run:
        with open_instance(settings) as instance:
            fail_dead_runs(instance)
            run_all(instance, found.runs(), console, Timings())
        found = leftovers(access)
        print_problems(found, console)
    elif found.problems:
        for run in found.runs():
            console.print(f"would run [bold]{run.job}[/] {run.label}", soft_wrap=True)
    if not found.problems:
        console.print("All tables, and the model that serves, are of this version.")
    return not found.problems


def print_problems(found: Leftovers, console: Console) -> None:
    for problem in found.problems:
        console.print(f"[yellow]{escape(problem)}[/]", highlight=False, soft_wrap=True)
