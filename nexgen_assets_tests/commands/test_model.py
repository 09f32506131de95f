"""`nexgen model`: the versions and why they are what they are, and a rollback that holds through the next run."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pyarrow.compute as pc
import pytest

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.jobs import ROLLBACK
from nexgen_assets.resources.aliases import ROLLED_BACK, Aliases
from nexgen_assets.resources.embedded_s3 import embedded_s3
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.tables import FORECASTS
from nexgen_assets_tests.forecasting.trends import trending_panel
from nexgen_assets_tests.test_demo import finish, instance_of, start

FIRST = date(2024, 1, 1)
DAYS = 200
LAST = FIRST + timedelta(days=DAYS - 1)


@dataclass(frozen=True)
class Story:
    """Sales are run, the champion is then rolled back, and the last day run again: what was printed and left."""

    home: Path
    before: Aliases
    rolled_back: str
    after: Aliases
    listed: str
    run: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    home = tmp_path_factory.mktemp("models")

    def nexgen(*arguments: str) -> str:
        return finish(start(home, *arguments))

    nexgen("land", str(write_sales(home / "sales.csv")))
    nexgen("run")
    return Story(
        home=home,
        before=aliases_of(home),
        rolled_back=nexgen("model", "rollback", "--reason", "orders doubled"),
        after=aliases_of(home),
        listed=nexgen("model", "list"),
        run=nexgen("run", "--start", str(LAST), "--end", str(LAST)),
    )


def write_sales(path: Path) -> Path:
    """Sales that a model learns more of than the seasonal naive."""
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["product_id", "location", "date_of_purchase", "quantity", "amount"])
        for row in trending_panel(FIRST, DAYS).to_pylist():
            lines.writerow([row["product_id"], row["location"], row["day"], row["demand_units"], row["revenue"]])
    return path


@contextmanager
def lake_of(home: Path) -> Iterator[S3Access]:
    with embedded_s3(home) as server:
        yield S3Access("nexgen", "local", "us-east-1", server.endpoint, server.access_key, server.secret_key)


def aliases_of(home: Path) -> Aliases:
    with lake_of(home) as access:
        return ModelRegistry(access).aliases()


def champion_of(aliases: Aliases) -> str:
    assert aliases.champion is not None
    return aliases.champion.version


def test_a_rollback_says_what_serves_after_it(story: Story) -> None:
    earlier, champion = (known.version for known in story.before.champions)
    assert f"{champion} serves no more." in story.rolled_back
    assert f"Champion: {earlier}" in story.rolled_back
    assert champion_of(story.after) == earlier


def test_the_history_names_the_run_of_the_rollback(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    move = story.after.history[-1]
    assert (move.version, move.alias, move.why) == (champion_of(story.before), ROLLED_BACK, "orders doubled")
    with instance_of(story.home) as instance:
        [run] = instance.get_runs(dg.RunsFilter(job_name=ROLLBACK))
    assert (run.run_id, run.is_success) == (move.by, True)


def test_the_list_shows_every_version_the_newest_first_with_its_alias_and_the_reason(story: Story) -> None:
    lines = [line for line in story.listed.splitlines() if line.split()]
    earlier, latest = (known.version for known in story.before.champions)
    rows = [line for line in lines if line.split()[0] in (earlier, latest)]
    assert [row.split()[0] for row in rows] == [latest, earlier]
    assert "rolled_back" in rows[0]
    assert "orders doubled" in rows[0]
    assert "champion" in rows[1]
    assert "promoted: it beats the seasonal naive" in rows[1]


def test_a_training_that_may_not_serve_stops_no_run(story: Story) -> None:
    assert "fit_to_serve not promoted: it was rolled back on" in " ".join(story.run.split())
    assert "done reorder_recommendations" in story.run


def test_forecasts_name_the_version_that_made_them_and_never_the_rolled_back_one(story: Story) -> None:
    with lake_of(story.home) as access:
        tables = DeltaTables(access)
        last = tables.last_day(FORECASTS)
        versions = pc.unique(tables.read(FORECASTS, last, last)["model_version"]).to_pylist()
    assert versions == [champion_of(story.after)]


def test_an_unknown_version_is_refused_in_one_line(story: Story) -> None:
    process = start(story.home, "model", "rollback", "20240101-000000000000")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "model version 20240101-000000000000 does not serve" in " ".join(output.split())
    assert aliases_of(story.home).history[-1] == story.after.history[-1]
