"""A file that unpacks without end is refused before it fills anything, whichever door it came through."""

import gzip
import io
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nexgen_assets.sales import csv_records
from nexgen_assets.sales.csv_records import LandingFile, LandingFileError
from nexgen_assets.sales.landing import survey_sales_file

USABLE = date(2026, 1, 1), date(2026, 12, 31)
HEADER = "product_id,location,date_of_purchase,quantity\n"
LINE = "001,north,2026-03-01,2\n"


def survey(name: str, content: bytes) -> int:
    file = LandingFile(name, "1", datetime(2026, 12, 31, tzinfo=UTC))
    return survey_sales_file(io.BytesIO(content), file, USABLE).lines


def parquet(lines: int) -> bytes:
    columns = dict(zip(HEADER.strip().split(","), ([text] * lines for text in LINE.strip().split(",")), strict=True))
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.fixture
def nothing_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "HARMLESS_BYTES", 0)


@pytest.mark.usefixtures("nothing_is_harmless")
@pytest.mark.parametrize(
    ("name", "bomb"),
    [("bomb.csv.gz", gzip.compress((HEADER + LINE * 200_000).encode())), ("bomb.parquet", parquet(200_000))],
    ids=["gzip", "parquet"],
)
def test_a_file_that_unpacks_beyond_all_measure_is_refused(name: str, bomb: bytes) -> None:
    with pytest.raises(LandingFileError, match=r"unpacks to more than .* MB, which no sales file"):
        survey(name, bomb)


@pytest.mark.usefixtures("nothing_is_harmless")
def test_sales_as_they_compress_are_read() -> None:
    lines = [f"{n % 997:03},store {n % 7},2026-03-{1 + n % 28:02},{n % 13 + 1}\n" for n in range(5_000)]
    assert survey("sales.csv.gz", gzip.compress((HEADER + "".join(lines)).encode())) == 5_000


@pytest.mark.parametrize("name", ["small.csv.gz", "small.parquet"])
def test_a_small_file_may_repeat_itself(name: str) -> None:
    content = parquet(200_000) if name.endswith("parquet") else gzip.compress((HEADER + LINE * 200_000).encode())
    assert survey(name, content) == 200_000
