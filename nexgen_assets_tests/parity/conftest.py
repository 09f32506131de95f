"""Both engines, and one small sample to compare them on."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.spark_engine import connect
from nexgen_assets.sales.csv_records import LandingFile
from nexgen_assets.sales.landing import sales_lines, survey_sales_file
from nexgen_assets.sample_data.generator import generate_sample
from nexgen_assets.tables import RAW_SALES
from nexgen_assets_tests.parity.jvm_engine import OLDEST_JAVA, java_release, jvm_engine

LAST_DAY = date(2024, 3, 10)
CALENDAR_START = date(2023, 1, 1)


@pytest.fixture(scope="session")
def jvm_spark(seaweed: S3Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Apache Spark on the JVM, with Delta and access to the lake; on CI its absence is a failure."""
    release = java_release()
    if release is None or release < OLDEST_JAVA:
        reason = f"needs Java {OLDEST_JAVA} or later, found {release or 'none'}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with jvm_engine(seaweed.spark_conf, tmp_path_factory.mktemp("jvm") / "spark.log") as remote:
        session = connect(remote)
        yield session
        session.stop()


@pytest.fixture(scope="session")
def engines(jvm_spark: SparkSession, spark: SparkSession) -> dict[str, SparkSession]:
    return {"sail": spark, "jvm": jvm_spark}


@pytest.fixture(scope="session")
def raw_sales(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """RAW_SALES of a small shop whose files overlap and hold every fault the sample knows."""
    folder = tmp_path_factory.mktemp("sample")
    generate_sample(folder, last_day=LAST_DAY, days=45, locations=2, products=5)
    return pa.concat_tables(_parsed(path) for path in sorted(folder.glob("sales/*.csv")))


def _parsed(path: Path) -> pa.Table:
    file = LandingFile(f"sales/{path.name}", "1", datetime(2024, 3, 11, 2, tzinfo=UTC))
    with path.open("rb") as stream:
        survey = survey_sales_file(stream, file, (CALENDAR_START, LAST_DAY))
    with path.open("rb") as stream:
        batches = sales_lines(stream, file, survey, (CALENDAR_START, LAST_DAY))
        return pa.Table.from_batches(batches, RAW_SALES.arrow_schema)
