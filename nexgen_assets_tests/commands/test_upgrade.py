"""`nexgen upgrade`: a lake that an older version left, from what is said of it to the day it is whole again."""

import json
import socket
import subprocess
from dataclasses import dataclass, field, replace
from threading import Timer

import obstore
import pyarrow as pa
import pytest

from nexgen_assets.forecasting.model import CODE_VERSION, MANIFEST_FILE
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.registry import Champions, ModelRegistry
from nexgen_assets.tables import CLEANED_FEATURES, DAILY_DEMAND, FORECASTS, REORDER_RECOMMENDATIONS, Table
from nexgen_assets_tests.commands.test_model import LAST, lake_of, write_sales
from nexgen_assets_tests.test_demo import finish, sorted_rows, start

pytestmark = pytest.mark.slow  # whole runs of the graph, minutes of them
KEPT = (DAILY_DEMAND, CLEANED_FEATURES)


@dataclass
class Story:
    """Sales are run, the lake becomes that of an older version, and is mended: what was printed and left."""

    before: dict[str, pa.Table] = field(default_factory=dict)
    after: dict[str, pa.Table] = field(default_factory=dict)
    older_champion: str = ""
    served: str = ""
    day: str = ""
    told: str = ""
    doctor: str = ""
    up: str = ""
    again: str = ""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    home, story = tmp_path_factory.mktemp("upgrade"), Story()

    def nexgen(*arguments: str) -> "subprocess.Popen[str]":
        return start(home, *arguments, NEXGEN_TRAINING_ROWS="1000")

    finish(nexgen("land", str(write_sales(home / "sales.csv"))))
    finish(nexgen("run"))
    with lake_of(home) as access:
        story.before = rows_of(access)
        story.older_champion = make_older(access)
    story.day = fail(nexgen("run", "--start", str(LAST), "--end", str(LAST)))
    story.told = fail(nexgen("upgrade", "--dry-run"))
    story.doctor = fail(nexgen("doctor"))
    story.up = first_lines(nexgen("up", "--port", str(free_port())), until="training")
    finish(nexgen("upgrade"))
    with lake_of(home) as access:
        story.after = rows_of(access)
        found = Champions(access).serving(LAST)
        story.served = found[0] if found else ""
    story.again = finish(nexgen("upgrade"))
    return story


def rows_of(access: S3Access) -> dict[str, pa.Table]:
    return {
        table.name: sorted_rows(DeltaTables(access), table) for table in (*KEPT, FORECASTS, REORDER_RECOMMENDATIONS)
    }


def make_older(access: S3Access) -> str:
    """Take `is_open` from all days of the demand, `q975` from all forecasts; and the models are of older code."""
    write_without(access, DAILY_DEMAND, "is_open")
    write_without(access, FORECASTS, "q975")
    registry = ModelRegistry(access)
    champions = [(known.training_cutoff, registry.load(known.version)) for known in registry.champions()]
    remove(access, "models")
    older = ""
    for cutoff, files in champions:
        manifest = json.loads(files[MANIFEST_FILE]) | {"code_version": "older"}
        older = registry.register(files | {MANIFEST_FILE: json.dumps(manifest).encode()}, cutoff).version
        registry.promote(older)
    return older


def write_without(access: S3Access, table: Table, name: str) -> None:
    """The table as a contract without this column has it."""
    tables = DeltaTables(access)
    rows = tables.read(table)
    known = tuple(column for column in table.columns if column.name != name)
    older = replace(table, columns=known, figures={}, same_series_as=None)
    remove(access, f"tables/{table.name}")
    days = rows["day"].unique().to_pylist()
    tables.replace_days(older, rows.select(older.names), min(days), max(days), "older")


def remove(access: S3Access, path: str) -> None:
    store = access.store(path)
    for batch in obstore.list(store):
        obstore.delete(store, [item["path"] for item in batch])


def fail(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1, output
    return " ".join(output.split())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_lines(process: "subprocess.Popen[str]", until: str, seconds: float = 90) -> str:
    """What a server prints up to a line with these words; then, or when the time is over, it is stopped."""
    too_late = Timer(seconds, process.terminate)
    too_late.start()
    lines: list[str] = []
    with process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if until in line:
                process.terminate()
    too_late.cancel()
    return " ".join(" ".join(lines).split())


DEMAND = "daily_demand: an older version wrote rows without is_open; build its days 2024-01-01..2024-07-17 anew"
QUANTILE = "forecasts: an older version wrote rows without q975; build its days 2024-06-21..2024-07-18 anew"
MODEL = f"the model was made by code version older, this is {CODE_VERSION}: retrain, with the job `training`"


def test_a_day_that_looks_back_on_older_ones_fails_and_says_what_to_run(story: Story) -> None:
    assert f"{DEMAND} by the job `history`: `nexgen upgrade` does so" in story.day


@pytest.mark.parametrize("command", ["told", "doctor", "up"])
def test_an_operator_is_told_what_to_build_anew(command: str, story: Story) -> None:
    told = getattr(story, command)
    assert DEMAND in told
    assert QUANTILE in told
    assert f"champion {story.older_champion} does not serve: {MODEL}" in told


def test_a_dry_run_names_the_runs_and_makes_none(story: Story) -> None:
    assert (
        "would run history 2024-01-01..2024-06-20 would run daily 2024-06-21..2024-07-18 "
        "would run training as_of 2024-07-18 would run daily 2024-07-18"
    ) in story.told


def test_what_was_sold_and_known_is_as_before(story: Story) -> None:
    for table in KEPT:
        assert story.after[table.name].equals(story.before[table.name])


def test_the_newest_day_is_forecast_by_a_model_of_this_version(story: Story) -> None:
    forecasts = story.after[FORECASTS.name]
    newest = forecasts.filter(pa.compute.equal(forecasts["day"], pa.scalar(LAST)))
    assert story.served != story.older_champion
    assert newest["model_version"].unique().to_pylist() == [story.served]
    assert newest["q975"].null_count == 0


def test_then_nothing_is_left_to_do(story: Story) -> None:
    assert "All tables, and the model that serves, are of this version." in story.again
