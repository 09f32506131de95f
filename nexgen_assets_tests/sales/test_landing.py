"""A landing sales file becomes rows of raw_sales: every record once, with its line, its day and its text."""

import csv
import io
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.sales.csv_records import MAX_RECORD_LINES, LandingFile
from nexgen_assets.sales.landing import SalesSurvey, sales_lines, survey_sales_file
from nexgen_assets.tables import RAW_SALES, SALES_FILE_COLUMNS

FILE = LandingFile("sales/week.csv", "etag-1", datetime(2024, 3, 11, 5, tzinfo=UTC))
CALENDAR_START, LAST_DAY = date(2020, 1, 1), date(2024, 3, 10)
HEADER = "product_id,location,date_of_purchase,quantity"
GOOD = "A,S,2024-03-01,1"


@dataclass(frozen=True)
class Parsed:
    """Both passes over a file."""

    survey: SalesSurvey
    lines: pa.Table

    @property
    def days(self) -> list[date]:
        return self.survey.days

    @property
    def unknown_columns(self) -> list[str]:
        return self.survey.unknown_columns


def parse(content: str | bytes, key: str = FILE.key, usable: tuple[date, date] = (CALENDAR_START, LAST_DAY)) -> Parsed:
    data, file = content if isinstance(content, bytes) else content.encode(), replace(FILE, key=key)
    survey = survey_sales_file(io.BytesIO(data), file, usable)
    batches = sales_lines(io.BytesIO(data), file, survey, usable)
    lines = pa.Table.from_batches(batches, RAW_SALES.arrow_schema)
    assert survey.lines == lines.num_rows
    assert survey.days == sorted(set(lines["day"].to_pylist()))
    return Parsed(survey, lines)


def rows(content: str | bytes) -> list[dict]:
    return parse(content).lines.to_pylist()


def csv_of(*lines: str) -> str:
    return "\n".join((HEADER, *lines)) + "\n"


def test_a_line_becomes_a_row_of_the_contract() -> None:
    lines = parse(csv_of("007,S, 2024-03-01 ,1.50")).lines
    assert lines.schema == RAW_SALES.arrow_schema
    [row] = lines.to_pylist()
    told = {name: value for name, value in row.items() if value is not None}
    assert told == {
        "day": date(2024, 3, 1),
        "file_key": "sales/week.csv",
        "file_version": "etag-1",
        "line_number": 2,
        "arrived_at": FILE.arrived_at,
        "sales_date": date(2024, 3, 1),
        "product_id": "007",
        "location": "S",
        "date_of_purchase": " 2024-03-01 ",
        "quantity": "1.50",
        "raw_text": "007,S, 2024-03-01 ,1.50",
    }


def test_columns_come_in_any_order_and_case_and_year_and_month_are_ignored() -> None:
    file = parse(
        "\ufeffYear, Quantity ,LOCATION,month,Product_ID,date_of_purchase,line_id\n2024,2,S,3,A,2024-03-01,L1\n"
    )
    [row] = file.lines.to_pylist()
    assert (row["quantity"], row["location"], row["product_id"], row["line_id"]) == ("2", "S", "A", "L1")
    assert file.unknown_columns == []


def test_unknown_columns_are_reported_and_cost_no_line() -> None:
    file = parse("till,product_id,location,date_of_purchase,quantity,\n7,A,S,2024-03-01,1,\n")
    assert file.unknown_columns == ["till", "(unnamed)"]
    assert file.lines.num_rows == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"product_id,location,date_of_purchase\nA,S,2024-03-01\n", "lacks the required column 'quantity'"),
        (b"product_id:location:date_of_purchase:quantity\n", "separated by comma, semicolon"),
        (f"{HEADER},Quantity\n".encode(), "names 'quantity' more than once"),
        (f"{HEADER}\n".encode("utf-16"), "not UTF-8"),
        (b'product_id,location,date_of_purchase,"quantity\nA,S,2024-03-01,1\n', "quote in the header is not closed"),
    ],
)
def test_a_header_that_cannot_be_used_refuses_the_file_by_name(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        parse(content)
    assert str(refusal.value).startswith("sales/week.csv: ")


def test_a_file_of_a_header_alone_has_no_lines_and_no_days() -> None:
    file = parse(HEADER)
    assert (file.lines.num_rows, file.days) == (0, [])
    assert file.lines.schema == RAW_SALES.arrow_schema


def test_blank_lines_are_skipped_and_still_counted() -> None:
    assert [row["line_number"] for row in rows(csv_of("", GOOD, "   ", GOOD))] == [3, 5]


@pytest.mark.parametrize("bad", ["A,S,2024-03-01", "A,S,2024-03-01,1,9", 'A,"S"x,2024-03-01,1', "A"])
def test_a_ragged_line_is_kept_as_text_alone(bad: str) -> None:
    before, ragged, after = rows(csv_of(GOOD, bad, GOOD))
    assert before["product_id"] == after["product_id"] == "A"
    assert (ragged["parse_error"], ragged["raw_text"], ragged["line_number"]) == ("ragged_line", bad, 3)
    assert all(ragged[name] is None for name in SALES_FILE_COLUMNS)


def test_a_quoted_field_may_hold_commas_quotes_and_line_breaks() -> None:
    first, second = rows(csv_of('"A, ""large""\nwith lid",S,2024-03-01,1', GOOD))
    assert first["product_id"] == 'A, "large"\nwith lid'
    assert first["raw_text"] == '"A, ""large""\nwith lid",S,2024-03-01,1'
    assert (first["line_number"], second["line_number"]) == (2, 4)


@pytest.mark.parametrize("bad", ['"A,S,2024-03-01,1', 'A,S,2024-03-01,"1', 'A,"S,2024-03-01,1'])
@pytest.mark.parametrize("good", [GOOD, '"A","S","2024-03-01","1"', 'A,"S",2024-03-01,1'])
@pytest.mark.parametrize("count", [1, 3, 2 * MAX_RECORD_LINES, 1000])
def test_a_quote_that_nobody_closed_costs_its_own_line_only(bad: str, good: str, count: int) -> None:
    parsed = rows(csv_of(good, bad, *[good] * count))
    assert [row["line_number"] for row in parsed if row["parse_error"]] == [3]
    assert [row["line_number"] for row in parsed] == list(range(2, count + 4))
    assert {row["product_id"] for row in parsed if not row["parse_error"]} == {"A"}


def test_two_quotes_that_nobody_closed_do_not_swallow_what_stands_between_them() -> None:
    parsed = rows(csv_of('A,S,2024-03-01,"1', GOOD, 'A,S,2024-03-01,1"'))
    assert [(row["line_number"], row["parse_error"]) for row in parsed] == [(2, "ragged_line"), (3, None), (4, None)]


def test_a_byte_that_is_not_utf8_is_shown_and_the_line_keeps_its_day() -> None:
    content = f"{HEADER}\n".encode() + b"Caf\xe9,S,2024-03-01,1\n" + "Café,S,2024-03-02,1\n".encode()
    bad, good = rows(content)
    assert (bad["parse_error"], bad["raw_text"]) == ("not_utf8", r"Caf\xe9,S,2024-03-01,1")
    assert (bad["product_id"], bad["day"]) == (r"Caf\xe9", date(2024, 3, 1))
    assert (good["parse_error"], good["product_id"]) == (None, "Café")


def test_nul_bytes_and_every_line_end_are_read() -> None:
    content = f"{HEADER}\r\n".encode() + b"A\0B,S,2024-03-01,1\r\nC,S,2024-03-01,1\rD,S,2024-03-01,1"
    assert [row["product_id"] for row in rows(content)] == ["A\0B", "C", "D"]


def test_an_empty_value_is_unknown() -> None:
    [row] = rows(csv_of(',"",2024-03-01,1'))
    assert (row["product_id"], row["location"]) == (None, None)


@pytest.mark.parametrize(
    "written",
    ["2024-03-01", "2024-03-01T10:30:00", "2024-03-01 23:59", "2024-03-01T10:30:00.5+02:00", "2024-03-01T10:30Z"],
)
def test_the_date_part_of_a_date_time_counts_as_written(written: str) -> None:
    assert rows(csv_of(f"A,S,{written},1"))[0]["sales_date"] == date(2024, 3, 1)


@pytest.mark.parametrize(
    "written", ["2024-02-30", "01.03.2024", "2024-3-1", "2024-03-01x", "", "2024-03-11", "2019-12-31", "٢٠٢٤-03-01"]
)
def test_a_line_without_a_usable_date_belongs_to_the_latest_day_of_its_file(written: str) -> None:
    file = parse(csv_of(f"A,S,{written},1", "A,S,2024-03-01,1", "A,S,2024-03-05,1"))
    undated = file.lines.to_pylist()[0]
    assert (undated["sales_date"], undated["day"]) == (None, date(2024, 3, 5))
    assert file.days == [date(2024, 3, 1), date(2024, 3, 5)]


def test_without_any_usable_date_it_is_the_last_complete_day_before_arrival() -> None:
    file = parse(csv_of("A,S,soon,1", "A"))
    assert file.days == [LAST_DAY]


def test_the_first_and_the_last_day_of_the_calendar_are_usable() -> None:
    assert parse(csv_of("A,S,2020-01-01,1", "A,S,2024-03-10,1")).days == [CALENDAR_START, LAST_DAY]


@given(st.binary(max_size=400))
def test_every_physical_line_is_in_exactly_one_row(noise: bytes) -> None:
    content = f"{HEADER}\n{GOOD}\n".encode() + noise
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="backslashreplace", newline="")
    physical = [line.rstrip("\r\n") for line in text]
    parsed = rows(content)
    covered: list[int] = []
    for row in parsed:
        spanned = row["raw_text"].count("\n") + row["raw_text"].replace("\r\n", "").count("\r") + 1
        covered.extend(range(row["line_number"], row["line_number"] + spanned))
    expected = [number for number, line in enumerate(physical, start=1) if number > 1 and line.strip()]
    assert set(expected) <= set(covered)
    assert len(covered) == len(set(covered))


# without commas: a line inside a quoted field that is as wide as a record counts as a record of its own
simple = st.text(st.characters(codec="utf-8", exclude_characters="\0,"), max_size=6)


@given(st.lists(st.tuples(simple, simple), min_size=1, max_size=20))
def test_what_a_csv_writer_wrote_is_read_back(values: list[tuple[str, str]]) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER.split(","), *((product, location, "2024-03-01", "1") for product, location in values)])
    read = [(row["product_id"] or "", row["location"] or "") for row in rows(written.getvalue())]
    assert read == values


def test_the_table_of_a_long_file_has_few_chunks() -> None:
    lines = 60_000
    content = csv_of(*[f"A{number % 999},Store {number % 9},2024-03-0{1 + number % 9},2" for number in range(lines)])
    table: pa.Table = parse(content).lines
    assert (table.num_rows, table["raw_text"].num_chunks <= 4) == (lines, True)
