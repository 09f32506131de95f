"""Files that are written in their own way: understood as a whole, or refused with what to do, never guessed."""

import csv
import gzip
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.sales.csv_records import LandingFile, LandingFileError
from nexgen_assets.sales.dialects import Dialect
from nexgen_assets.sales.landing import sales_lines, survey_sales_file
from nexgen_assets.tables import RAW_SALES

USABLE = date(2020, 1, 1), date(2024, 12, 31)
HEADER = "product_id;location;date_of_purchase;quantity;amount"


def parse(content: str | bytes, key: str = "sales/week.csv", days: tuple[date, date] | None = None) -> pa.Table:
    data = content if isinstance(content, bytes) else content.encode()
    file = LandingFile(key, "v1", datetime(2025, 1, 1, 5, tzinfo=UTC))
    survey = survey_sales_file(io.BytesIO(data), file, USABLE)
    batches = sales_lines(io.BytesIO(data), file, survey, USABLE, days)
    return pa.Table.from_batches(batches, RAW_SALES.arrow_schema)


def dialect_of(content: str) -> Dialect:
    file = LandingFile("sales/week.csv", "v1", datetime(2025, 1, 1, 5, tzinfo=UTC))
    return survey_sales_file(io.BytesIO(content.encode()), file, USABLE).dialect


def lines(*amounts_or_dates: str, column: str = "amount") -> str:
    """A file with semicolons: each line an amount, or a date."""
    if column == "amount":
        return "\n".join([HEADER, *(f"A;S;2024-03-01;1;{value}" for value in amounts_or_dates)])
    return "\n".join([HEADER, *(f"A;S;{value};1;2" for value in amounts_or_dates)])


def values(table: pa.Table, column: str) -> list[Any]:
    return table[column].to_pylist()


# ---- numbers


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        (
            ("12,5", "1.234,56", "-3", "7,", ",5", "0,125", "1.234"),
            ["12.5", "1234.56", "-3", "7.", ".5", "0.125", "1234"],
        ),
        (("12.5", "1,234.56", "1.234", "+4", "1,234"), ["12.5", "1234.56", "1.234", "+4", "1234"]),
        (("1", "20"), ["1", "20"]),
        (("1.234.567",), ["1234567"]),
        (("12,5", "n/a", "1,2,3", "12.34,5"), ["12.5", "n/a", "1,2,3", "12.34,5"]),
    ],
    ids=["commas", "points", "whole numbers", "thousands alone", "what is no number stays as written"],
)
def test_numbers_of_a_file_with_semicolons(written: tuple[str, ...], canonical: list[str]) -> None:
    assert values(parse(lines(*written)), "amount") == canonical


def test_in_a_file_with_commas_a_decimal_comma_is_no_number() -> None:
    table = parse('product_id,location,date_of_purchase,quantity\nA,S,2024-03-01,"1,5"\n')
    assert values(table, "quantity") == ["1,5"]


def test_the_line_itself_is_kept_as_received() -> None:
    assert values(parse(lines("12,5")), "raw_text") == ["A;S;2024-03-01;1;12,5"]


# ---- dates


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        (("31.12.2023", "1.2.2024"), ["2023-12-31", "2024-02-01"]),
        (("31/12/2023", "01/02/2024 9:05"), ["2023-12-31", "2024-02-01T09:05"]),
        (("12/31/2023", "01/02/2024"), ["2023-12-31", "2024-01-02"]),
        (("31-12-2023 23:59:59", "29.2.2023"), ["2023-12-31T23:59:59", "29.2.2023"]),
    ],
    ids=["day first, points", "day first, slashes", "month first", "a date that no calendar has"],
)
def test_dates_of_a_file_without_iso_dates(written: tuple[str, ...], iso: list[str]) -> None:
    table = parse(lines(*written, column="date"))
    assert values(table, "date_of_purchase") == iso
    expected = [date.fromisoformat(text[:10]) if text[4] == "-" else None for text in iso]
    assert values(table, "sales_date") == expected


def test_beside_iso_dates_other_dates_are_unreadable() -> None:
    table = parse(lines("2024-03-01", "31.12.2023", column="date"))
    assert values(table, "sales_date") == [date(2024, 3, 1), None]
    assert values(table, "date_of_purchase") == ["2024-03-01", "31.12.2023"]


# ---- refused


REFUSED = {
    "mixed decimals": (
        lines("12,5", "3", "12.5"),
        "sales/week.csv: line 2, column 'amount', value '12,5' has a decimal comma, but line 4, column 'amount', value "
        "'12.5' a point; write all numbers with a decimal point and without thousands separators, and upload the file "
        "again",
    ),
    "decimals or thousands": (
        lines("3", "1,234"),
        "sales/week.csv: line 3, column 'amount', value '1,234' may be decimals or thousands, and no number of the "
        "file tells which; write all numbers with a decimal point and without thousands separators, and upload the "
        "file again",
    ),
    "mixed dates": (
        lines("31/12/2023", "12/31/2023", column="date"),
        "sales/week.csv: line 2, column 'date_of_purchase', value '31/12/2023' has the day first, but line 3, column "
        "'date_of_purchase', value '12/31/2023' the month; write all dates as YYYY-MM-DD and upload the file again",
    ),
    "ambiguous dates": (
        lines("03/04/2024", "05/06/2024", column="date"),
        "sales/week.csv: line 2, column 'date_of_purchase', value '03/04/2024' may have the day or the month first, "
        "and no date of the file tells which; write all dates as YYYY-MM-DD and upload the file again",
    ),
    "columns without a known separator": (
        "product_id:location:date_of_purchase:quantity\nA:S:2024-03-01:1\n",
        "sales/week.csv: the header lacks the required column 'product_id', 'location', 'date_of_purchase', "
        "'quantity'; add it to the export (first line, separated by commas) and upload the file again",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_could_be_read_in_two_ways_is_refused_in_these_words(case: str) -> None:
    content, message = REFUSED[case]
    with pytest.raises(LandingFileError) as refusal:
        parse(content)
    assert str(refusal.value) == message


# ---- compressed files and Parquet


PLAIN = "product_id,location,date_of_purchase,quantity,is_promotion\n007,S,2024-03-01,1.5,true\nB,,2024-03-02,2,false\n"


def test_a_compressed_csv_is_the_same_as_its_content() -> None:
    packed = parse(gzip.compress(PLAIN.encode()), "sales/week.CSV.gz")
    assert packed.drop_columns(["file_key"]).equals(parse(PLAIN).drop_columns(["file_key"]))


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda _: b"no gzip", lambda data: data[:20] + b"\0\0\0\0" + data[24:]]
)
def test_a_damaged_compressed_file_is_refused(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(
        LandingFileError, match=r"sales/week\.csv\.gz: the compressed file is damaged .*upload it again"
    ):
        parse(damage(gzip.compress(PLAIN.encode() * 3)), "sales/week.csv.gz")


def parquet_of(**columns: pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_a_parquet_file_is_the_same_as_its_rows_in_a_csv() -> None:
    content = parquet_of(
        Product_ID=pa.array(["007", "B"]).dictionary_encode(),
        location=pa.array(["S", None]),
        date_of_purchase=pa.array([date(2024, 3, 1), date(2024, 3, 2)]),
        quantity=pa.array([Decimal("1.5"), Decimal("2.0")]).cast(pa.float64()),
        is_promotion=pa.array([True, False]),
    )
    found = parse(content, "sales/week.parquet").drop_columns(["file_key"]).to_pylist()
    assert found == parse(PLAIN).drop_columns(["file_key"]).to_pylist()


def test_instants_decimals_and_whole_numbers_of_a_parquet_file_are_read() -> None:
    content = parquet_of(
        product_id=pa.array([7]),
        location=pa.array(["S"]),
        date_of_purchase=pa.array([datetime(2024, 3, 1, 10, 30)]),  # noqa: DTZ001  # a till's clock
        quantity=pa.array([Decimal("1.25")]),
    )
    [row] = parse(content, "sales/week.parquet").to_pylist()
    assert (row["product_id"], row["quantity"], row["sales_date"]) == ("7", "1.25", date(2024, 3, 1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1 and nothing else", r"sales/week\.parquet: this is no readable Parquet file; upload it again"),
        (parquet_of(product_id=pa.array(["A"])), r"lacks the required column 'location', 'date_of_purchase'"),
        (
            parquet_of(
                product_id=pa.array(["A"]),
                location=pa.array([["S"]]),
                date_of_purchase=pa.array([date(2024, 3, 1)]),
                quantity=pa.array([1]),
            ),
            r"column 'location' holds list<.*>; write texts, numbers, dates or booleans",
        ),
    ],
    ids=["damaged", "a column too few", "a type that no CSV has"],
)
def test_a_parquet_file_that_cannot_be_used_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(LandingFileError, match=message):
        parse(content, "sales/week.parquet")


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(LandingFileError, match=r"sales/week\.xlsx: only \.csv, \.csv\.gz and \.parquet are read"):
        parse(PLAIN, "sales/week.xlsx")


# ---- any rows in any dialect


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\ufeff", exclude_categories=["C"]), max_size=6)
rows = st.lists(
    st.tuples(
        texts,
        st.dates(date(2024, 1, 1), date(2024, 12, 28)),
        st.decimals(-9999, 99999, places=2),
    ),
    max_size=8,
)


def amount_in(amount: Decimal, mark: str, *, grouped: bool) -> str:
    text = f"{amount:,.2f}" if grouped else f"{amount:.2f}"
    return text.translate({ord(","): ".", ord("."): ","}) if mark == "," else text


@given(
    written=rows,
    separator=st.sampled_from([";", "\t", "|"]),
    mark=st.sampled_from([".", ","]),
    date_format=st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    grouped=st.booleans(),
    order=st.permutations(["product_id", "location", "date_of_purchase", "quantity", "amount"]),
    upper=st.booleans(),
)
def test_any_rows_in_any_dialect_are_those_of_a_plain_file(
    written: list[tuple[str, date, Decimal]], order: list[str], **style: Any
) -> None:
    # a last row without doubt: its day is above twelve, its amount has two decimals
    told = [*written, ("last", date(2024, 12, 31), Decimal("1.25"))]

    def csv_of(separator: str, mark: str, date_format: str, *, grouped: bool, names: list[str], line_end: str) -> str:
        sink = io.StringIO()
        writer = csv.writer(sink, delimiter=separator, lineterminator=line_end)
        writer.writerow([name.upper() if style["upper"] else name for name in names])
        for product, day, amount in told:
            row = {
                "product_id": product,
                "location": "S",
                "date_of_purchase": f"{day:{date_format}}",
                "quantity": "1",
                "amount": amount_in(amount, mark, grouped=grouped),
            }
            writer.writerow([row[name] for name in names])
        return sink.getvalue()

    plain = csv_of(",", ".", "%Y-%m-%d", grouped=False, names=order, line_end="\n")
    own = csv_of(
        style["separator"],
        style["mark"],
        style["date_format"],
        grouped=style["grouped"],
        names=order,
        line_end=style["line_end"],
    )
    found = parse(("\ufeff" if style["bom"] else "") + own)
    assert found.drop_columns(["raw_text"]).equals(parse(plain).drop_columns(["raw_text"]))


@given(
    dates=st.lists(st.sampled_from(["2024-03-01", "2024-03-02", "2024-03-05", "never", "2031-01-01", ""]), max_size=9),
    cut=st.dates(date(2024, 2, 27), date(2024, 3, 7)),
)
def test_rows_of_two_ranges_are_all_rows_once(dates: list[str], cut: date) -> None:
    content = lines(*dates, column="date")
    before = parse(content, days=(date(2000, 1, 1), cut))
    after = parse(content, days=(date.fromordinal(cut.toordinal() + 1), date(2100, 1, 1)))
    every = parse(content)
    assert sorted(values(before, "line_number") + values(after, "line_number")) == values(every, "line_number")
    assert all(day <= cut for day in values(before, "day"))
    assert all(day > cut for day in values(after, "day"))
