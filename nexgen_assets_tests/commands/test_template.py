"""`nexgen template NAME`: an example of each landing file that the parser takes as it stands."""

import csv
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from nexgen_assets.cli import Kind, app
from nexgen_assets.commands.template import SALES_EXAMPLES, example_csv
from nexgen_assets.landing_zone import CURRENT, KINDS, LandingZone
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.sales.cleaning import rejected
from nexgen_assets.sales.landing import LINE_COLUMNS
from nexgen_assets.sales.masterdata import UPLOADS
from nexgen_assets.settings import Settings
from nexgen_assets.tables import PRODUCTS, RAW_SALES

EXAMPLE_LINES = 3


def test_the_commands_know_every_kind_of_landing_file() -> None:
    assert [kind.value for kind in Kind] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_has_every_column_that_the_parser_knows(kind: str) -> None:
    header, *lines = csv.reader(example_csv(kind).splitlines())
    assert tuple(header) == (LINE_COLUMNS if kind == "sales" else UPLOADS[kind].columns)
    assert len(lines) == EXAMPLE_LINES


def test_every_example_of_a_sales_line_has_a_column() -> None:
    assert set(SALES_EXAMPLES) == set(LINE_COLUMNS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_lands_without_a_problem_or_an_unknown_column(
    kind: str, access: S3Access, deployment: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "example.csv"
    path.write_text(example_csv(kind))
    zone = LandingZone(access, deployment)
    zone.put(kind, path)

    [row] = zone.register().manifest.to_pylist()

    assert (row["status"], row["problem"]) == (CURRENT, None)
    assert row["unknown_columns"] == []
    assert row["lines"] == EXAMPLE_LINES


def test_cleaning_accepts_every_line_of_the_sales_template(
    access: S3Access, deployment: Settings, tmp_path: Path, spark: SparkSession
) -> None:
    path = tmp_path / "example.csv"
    path.write_text(example_csv("sales"))
    zone = LandingZone(access, deployment)
    zone.put("sales", path)
    manifest = zone.register().manifest.to_pylist()
    days = manifest[0]["days"]

    raw = zone.sales(DayRange(min(days), max(days)), manifest).read_all()

    assert raw.num_rows == EXAMPLE_LINES
    frame = spark.createDataFrame(raw, RAW_SALES.spark_ddl)
    no_products = spark.createDataFrame(PRODUCTS.arrow_schema.empty_table(), PRODUCTS.spark_ddl)
    refused = rejected(frame, no_products, deployment.calendar_start, deployment.overlapping_files)
    assert refused.toArrow().num_rows == 0


@pytest.mark.parametrize("kind", list(UPLOADS))
def test_a_template_shows_a_value_of_every_column(kind: str) -> None:
    rows = pa.Table.from_pylist(list(csv.DictReader(example_csv(kind).splitlines())))
    assert [name for name in rows.column_names if not any(rows[name].to_pylist())] == []


def test_the_command_writes_the_example_to_the_screen() -> None:
    done = CliRunner().invoke(app, ["template", "suppliers"])
    assert (done.exit_code, done.output) == (0, example_csv("suppliers"))


def test_the_command_writes_the_example_to_a_file_and_says_what_comes_next(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    done = CliRunner().invoke(app, ["template", "products", "--output", str(path)])
    assert done.exit_code == 0
    assert path.read_text() == example_csv("products")
    assert f"nexgen land {path} --kind products" in done.output


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("mine")

    refused = CliRunner().invoke(app, ["template", "products", "--output", str(path)])
    assert refused.exit_code == 2
    assert "--force" in refused.output
    assert path.read_text() == "mine"

    assert CliRunner().invoke(app, ["template", "products", "--output", str(path), "--force"]).exit_code == 0
    assert path.read_text() == example_csv("products")


def test_a_folder_that_is_not_there_is_a_plain_message(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["template", "sales", "--output", str(tmp_path / "nowhere" / "p.csv")])
    assert done.exit_code == 2
    assert "cannot be written" in done.output
