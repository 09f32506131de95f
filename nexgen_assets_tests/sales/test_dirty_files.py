"""What a user is told about each shape of a dirty sales file, word for word."""

import gzip
import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.sales.cleaning import cleaned, rejected
from nexgen_assets.sales.csv_records import LONGEST_LINE, LandingFile, LandingFileError
from nexgen_assets.sales.landing import SalesSurvey, sales_lines, survey_sales_file
from nexgen_assets.tables import PRODUCTS, RAW_SALES

CALENDAR_START, LAST_DAY = date(2020, 1, 1), date(2024, 12, 31)
USABLE = CALENDAR_START, LAST_DAY
HEADER = b"product_id,location,date_of_purchase,quantity\n"
OTHER_HEADER = b"product_id;location;date_of_purchase;quantity\n"
GOOD = b"A,S,2024-03-01,1\n"


def landing_file(key: str) -> LandingFile:
    return LandingFile(key, "v1", datetime(2025, 1, 1, 5, tzinfo=UTC))


def survey(key: str, content: bytes) -> SalesSurvey:
    return survey_sales_file(io.BytesIO(content), landing_file(key), USABLE)


def parse(key: str, content: bytes) -> pa.Table:
    batches = sales_lines(io.BytesIO(content), landing_file(key), survey(key, content), USABLE)
    return pa.Table.from_batches(batches, RAW_SALES.arrow_schema)


def parquet_of(**columns: list) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


# ---- refused as a whole

EVERY_COLUMN = "'product_id', 'location', 'date_of_purchase', 'quantity'"
NUMBERS_ADVICE = "write all numbers with a decimal point and without thousands separators, and upload the file again"
DATES_ADVICE = "write all dates as YYYY-MM-DD and upload the file again"
SEPARATORS_ADVICE = (
    "add it to the export (first line; its columns are separated by comma, semicolon, tab or |) and upload the file "
    "again"
)

# shape -> key, content, message behind the key
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "an empty file": ("a.csv", b"", "the file is empty; upload a CSV file whose first line names its columns"),
    "an empty compressed file": (
        "a.csv.gz",
        gzip.compress(b""),
        "the file is empty; upload a CSV file whose first line names its columns",
    ),
    "a required column is missing": (
        "a.csv",
        b"product_id,location,date_of_purchase\nA,S,2024-03-01\n",
        f"the header lacks the required column 'quantity'; {SEPARATORS_ADVICE}",
    ),
    "a separator that nobody knows": (
        "a.csv",
        b"product_id:location:date_of_purchase:quantity\nA:S:2024-03-01:1\n",
        f"the header lacks the required column {EVERY_COLUMN}; {SEPARATORS_ADVICE}",
    ),
    "a column named twice": (
        "a.csv",
        b"product_id,location,date_of_purchase,quantity,Quantity\n",
        "the header names 'quantity' more than once; keep one and upload the file again",
    ),
    "an unclosed quote in the header": (
        "a.csv",
        b'product_id,location,date_of_purchase,"quantity\nA,S,2024-03-01,1\n',
        "a quote in the header is not closed; correct the header and upload it again",
    ),
    "a header that is not UTF-8": (
        "a.csv",
        HEADER.decode().encode("utf-16"),
        "the header is not UTF-8 text; export the file as UTF-8 and upload it again",
    ),
    "no line ends": (
        "a.csv",
        HEADER + b"A" * (LONGEST_LINE + 1),
        "line 2 has more than 1,000,000 characters; end each line with a line break and upload the file again",
    ),
    "mixed decimals": (
        "a.csv",
        OTHER_HEADER + b"A;S;2024-03-01;12,5\nA;S;2024-03-01;3\nA;S;2024-03-01;12.5\n",
        "line 2, column 'quantity', value '12,5' has a decimal comma, but line 4, column 'quantity', value '12.5' a "
        f"point; {NUMBERS_ADVICE}",
    ),
    "ambiguous decimals": (
        "a.csv",
        OTHER_HEADER + b"A;S;2024-03-01;3\nA;S;2024-03-01;1,234\n",
        "line 3, column 'quantity', value '1,234' may be decimals or thousands, and no number of the file tells which; "
        f"{NUMBERS_ADVICE}",
    ),
    "mixed dates": (
        "a.csv",
        HEADER + b"A,S,31/12/2023,1\nA,S,12/31/2023,1\n",
        "line 2, column 'date_of_purchase', value '31/12/2023' has the day first, but line 3, column "
        f"'date_of_purchase', value '12/31/2023' the month; {DATES_ADVICE}",
    ),
    "ambiguous dates": (
        "a.csv",
        HEADER + b"A,S,05/05/2024,1\nA,S,03/04/2024,1\n",
        "line 3, column 'date_of_purchase', value '03/04/2024' may have the day or the month first, and no date of "
        f"the file tells which; {DATES_ADVICE}",
    ),
    "a compressed file cut short": (
        "a.csv.gz",
        gzip.compress(HEADER + GOOD)[:-9],
        "the compressed file is damaged (Compressed file ended before the end-of-stream marker was reached); upload it "
        "again",
    ),
    "a compressed file that is none": (
        "a.csv.gz",
        HEADER + GOOD,
        "the compressed file is damaged (Not a gzipped file (b'pr')); upload it again",
    ),
    "a Parquet file that is none": (
        "a.parquet",
        HEADER + GOOD,
        "this is no readable Parquet file; upload it again",
    ),
    "a Parquet file cut short": (
        "a.parquet",
        parquet_of(product_id=["A"])[:-20],
        "this is no readable Parquet file; upload it again",
    ),
    "a required column is missing in a Parquet file": (
        "a.parquet",
        parquet_of(product_id=["A"], location=["S"], quantity=[1]),
        "the header lacks the required column 'date_of_purchase'; add it to the export and upload the file again",
    ),
    "a Parquet column that no CSV could hold": (
        "a.parquet",
        parquet_of(product_id=["A"], location=["S"], date_of_purchase=["2024-03-01"], quantity=[{"units": 1}]),
        "column 'quantity' holds struct<units: int64>; write texts, numbers, dates or booleans and upload the file "
        "again",
    ),
    "a kind of file that nobody reads": (
        "a.xlsx",
        b"PK",
        "only .csv, .csv.gz and .parquet are read; export the file as one of these",
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_in_these_words(shape: str) -> None:
    name, content, message = REFUSED[shape]
    with pytest.raises(LandingFileError) as refusal:
        survey(f"sales/{name}", content)
    assert str(refusal.value) == f"sales/{name}: {message}"


# ---- read, with the exact lines that are rejected

RAGGED = ("ragged_line", "the line does not split into the header's columns; check its separators and quotes")
NOT_UTF8 = ("not_utf8", "bytes are not UTF-8; export the file as UTF-8")
NO_DATE = ("date_unreadable", "not a date; write it as YYYY-MM-DD, a time may follow")
FUTURE = ("date_in_future", "the date was in the future when the file arrived; correct it")
NO_NUMBER = ("quantity_not_a_number", "not a number; write plain digits with a decimal point, such as 12.5")


@dataclass(frozen=True)
class Shape:
    """A dirty file, its sales (line, day, units) and its rejected lines (line, column, value, (rule, reason))."""

    name: str
    content: bytes
    sold: list[tuple[int, date, float]]
    rejected: list[tuple[int, str | None, str | None, tuple[str, str]]] = field(default_factory=list)


MARCH_1, DECEMBER_31 = date(2024, 3, 1), date(2023, 12, 31)

READ: dict[str, Shape] = {
    "a header alone": Shape("a.csv", HEADER, []),
    "a ragged line": Shape("a.csv", HEADER + b"A,S\n" + GOOD, [(3, MARCH_1, 1)], [(2, None, None, RAGGED)]),
    "a ragged line of a file with semicolons": Shape(
        "a.csv",
        OTHER_HEADER + b"A;S;2024-03-01;1\nA,S,2024-03-01,1\n",
        [(2, MARCH_1, 1)],
        [(3, None, None, RAGGED)],
    ),
    "an unclosed quote": Shape(
        "a.csv",
        HEADER + b'A,"S,2024-03-01,1\n' + GOOD * 2,
        [(3, MARCH_1, 1), (4, MARCH_1, 1)],
        [(2, None, None, RAGGED)],
    ),
    "a byte that is not UTF-8": Shape(
        "a.csv", HEADER + b"Caf\xe9,S,2024-03-01,1\n" + GOOD, [(3, MARCH_1, 1)], [(2, None, None, NOT_UTF8)]
    ),
    "the header once more": Shape(
        "a.csv",
        HEADER + GOOD + HEADER + GOOD,
        [(2, MARCH_1, 1), (4, MARCH_1, 1)],
        [(3, "date_of_purchase", "date_of_purchase", NO_DATE)],
    ),
    "decimal commas": Shape("a.csv", OTHER_HEADER + b"A;S;2024-03-01;1.234,5\n", [(2, MARCH_1, 1234.5)]),
    "a decimal comma beside separating commas": Shape(
        "a.csv", HEADER + b'A,S,2024-03-01,"1,5"\n', [], [(2, "quantity", "1,5", NO_NUMBER)]
    ),
    "no number in a file with decimal commas": Shape(
        "a.csv",
        OTHER_HEADER + b"A;S;2024-03-01;1,5\nA;S;2024-03-01;1.2.3\n",
        [(2, MARCH_1, 1.5)],
        [(3, "quantity", "1.2.3", NO_NUMBER)],
    ),
    "the day first": Shape(
        "a.csv", HEADER + b"A,S,01.03.2024,1\nA,S,31.12.2023,1\n", [(2, MARCH_1, 1), (3, DECEMBER_31, 1)]
    ),
    "the month first": Shape(
        "a.csv", HEADER + b"A,S,3/1/2024,1\nA,S,12/31/2023,1\n", [(2, MARCH_1, 1), (3, DECEMBER_31, 1)]
    ),
    "another date beside ISO dates": Shape(
        "a.csv",
        HEADER + GOOD + b"A,S,31.12.2023,1\n",
        [(2, MARCH_1, 1)],
        [(3, "date_of_purchase", "31.12.2023", NO_DATE)],
    ),
    "a date that no calendar has": Shape(
        "a.csv",
        HEADER + b"A,S,31.12.2023,1\nA,S,31.31.2023,1\n",
        [(2, DECEMBER_31, 1)],
        [(3, "date_of_purchase", "31.31.2023", NO_DATE)],
    ),
    "two digits of a year": Shape(
        "a.csv", HEADER + b"A,S,31.12.23,1\n", [], [(2, "date_of_purchase", "31.12.23", NO_DATE)]
    ),
    "a future date": Shape(
        "a.csv",
        HEADER + b"A,S,2025-01-01,1\n" + GOOD,
        [(3, MARCH_1, 1)],
        [(2, "date_of_purchase", "2025-01-01", FUTURE)],
    ),
    "a future date, day first": Shape(
        "a.csv", HEADER + b"A,S,31.12.2025,1\n", [], [(2, "date_of_purchase", "2025-12-31", FUTURE)]
    ),
    "a Parquet file with a text that is no date": Shape(
        "a.parquet",
        parquet_of(
            product_id=["A", "A"], location=["S", "S"], date_of_purchase=["soon", "2024-03-01"], quantity=[1, 2]
        ),
        [(3, MARCH_1, 2)],
        [(2, "date_of_purchase", "soon", NO_DATE)],
    ),
}


def test_each_bad_line_is_rejected_in_these_words_and_no_good_one_is_lost(spark: SparkSession) -> None:
    keys = {shape: f"sales/{place}/{file.name}" for place, (shape, file) in enumerate(READ.items())}
    raw = spark.createDataFrame(pa.concat_tables(parse(keys[shape], file.content) for shape, file in READ.items()))
    # the same sale in several shapes is no duplicate here
    no_products = spark.createDataFrame(PRODUCTS.arrow_schema.empty_table(), PRODUCTS.spark_ddl)
    lines = rejected(raw, no_products, CALENDAR_START, "add")
    kept = cleaned(raw, lines, "add").orderBy("file_key", "line_number").toArrow().to_pylist()
    refused = lines.orderBy("file_key", "line_number").toArrow().to_pylist()

    for shape, file in READ.items():
        sold = [(row["line_number"], row["day"], row["quantity"]) for row in kept if row["file_key"] == keys[shape]]
        told = [
            (row["line_number"], row["column_name"], row["value"], (row["rule"], row["reason"]))
            for row in refused
            if row["file_key"] == keys[shape]
        ]
        assert (sold, told) == (file.sold, file.rejected), shape
