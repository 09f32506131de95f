"""Files that are written in their own way: understood as a whole, or refused with what to do, never guessed."""

import csv
import gzip
import io
import itertools
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.sales.csv_records import LandingFile, LandingFileError
from nexgen_assets.sales.dialects import NUMBER_PATTERN, Dialect
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
        (("12,5", '"1.234\n"'), ["12.5", "1234\n"]),
    ],
    ids=[
        "commas",
        "points",
        "whole numbers",
        "thousands alone",
        "what is no number stays as written",
        "blanks that cleaning trims",
    ],
)
def test_numbers_of_a_file_with_semicolons(written: tuple[str, ...], canonical: list[str]) -> None:
    assert values(parse(lines(*written)), "amount") == canonical


def test_in_a_file_with_commas_a_decimal_comma_is_no_number() -> None:
    table = parse('product_id,location,date_of_purchase,quantity\nA,S,2024-03-01,"1,5"\n')
    assert values(table, "quantity") == ["1,5"]


@given(st.lists(st.text("0123456789.,+- \t\r\n", max_size=9), min_size=1, max_size=4))
def test_no_number_of_a_file_with_decimal_commas_is_read_as_another(texts: list[str]) -> None:
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=";", quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER.split(";"), *(["A", "S", "2024-03-01", "1", text] for text in ("0,5", *texts))])
    try:
        amounts = values(parse(content.getvalue()), "amount")[1:]
    except LandingFileError:
        return  # some text is a number with a decimal point
    for text, amount in zip(texts, amounts, strict=True):
        if re.fullmatch(NUMBER_PATTERN, (amount or "").strip(" \t\r\n")):
            assert Decimal(amount.strip(" \t\r\n")) == Decimal(text.strip(" \t\r\n").replace(".", "").replace(",", "."))


def test_incomes_are_translated_and_never_shown() -> None:
    content = "product_id;location;date_of_purchase;quantity;customer_income\n" + "A;S;2024-03-01;1,5;52.000,00"
    assert values(parse(content), "customer_income") == ["52000.00"]
    parse(content.replace("1,5", "1.5"))  # a refusal would name the income


def test_the_line_itself_is_kept_as_received() -> None:
    assert values(parse(lines("12,5")), "raw_text") == ["A;S;2024-03-01;1;12,5"]


# ---- dates


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        (("31.12.2023", "1.2.2024"), ["2023-12-31", "2024-02-01"]),
        (("31/12/2023", "01/02/2024 9:05"), ["2023-12-31", "2024-02-01 09:05"]),
        (("12/31/2023", "01/02/2024"), ["2023-12-31", "2024-01-02"]),
        (("31-12-2023T23:59:59", "29.2.2023", "32.13.2023"), ["2023-12-31T23:59:59", "29.2.2023", "32.13.2023"]),
    ],
    ids=["day first, points", "day first, slashes", "month first", "dates that no calendar has"],
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


def test_a_day_that_equals_its_month_is_the_same_in_either_order() -> None:
    assert values(parse(lines("05/05/2024", column="date")), "sales_date") == [date(2024, 5, 5)]


def test_dates_that_no_calendar_has_are_no_evidence() -> None:
    assert dialect_of(lines("31/31/2024", "31/04/2024", column="date")).date_order == "year_first"


# ---- headers


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_header_tells_the_separator_quoted_names_with_line_breaks_included(separator: str) -> None:
    names = ["product_id", "location", "date_of_purchase", '"QUANTITY"', '"a, note;\non two lines"']
    content = separator.join(names) + "\n" + separator.join(["A", "S", "2024-03-01", "2", "x"])
    assert dialect_of(content).separator == separator
    assert values(parse(content), "quantity") == ["2"]
    assert values(parse(content), "line_number") == [3]


# ---- compressed files and Parquet


PLAIN = "product_id,location,date_of_purchase,quantity,is_promotion\n007,S,2024-03-01,1.5,true\nB,,2024-03-02,2,false\n"


def test_a_compressed_csv_is_the_same_as_its_content() -> None:
    packed = parse(gzip.compress(PLAIN.encode()), "sales/week.CSV.gz")
    assert packed.drop_columns(["file_key"]).equals(parse(PLAIN).drop_columns(["file_key"]))


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
    ("quantities", "texts"),
    [
        (pa.array([Decimal(0), Decimal("2.5")], pa.decimal128(38, 18)), ["0." + 18 * "0", "2.5" + 17 * "0"]),
        (pa.array([1e10, 0.00000025]), ["10000000000", "0.00000025"]),
        (pa.array([19.99, 0.1], pa.float32()), ["19.99", "0.1"]),
        (pa.array([3, None], pa.int16()), ["3", None]),
        (pa.array(["1", "x"]).dictionary_encode(), ["1", "x"]),
    ],
)
def test_numbers_of_a_parquet_file_are_plain_digits(quantities: pa.Array, texts: list[str]) -> None:
    assert values(parse(sold_in_parquet(quantity=quantities), "sales/week.parquet"), "quantity") == texts


def test_a_text_of_a_parquet_file_that_is_not_utf8_costs_its_own_line_only() -> None:
    content = sold_in_parquet(product_id=pa.array([b"Caf\xe9", "Café".encode()]))
    bad, good = parse(content, "sales/week.parquet").to_pylist()
    assert (bad["parse_error"], bad["product_id"]) == ("not_utf8", r"Caf\xe9")
    assert (good["parse_error"], good["product_id"]) == (None, "Café")


def test_a_column_that_nobody_knows_may_hold_anything() -> None:
    content = sold_in_parquet(basket=pa.array([[1], [2, 3]]))
    assert values(parse(content, "sales/week.parquet"), "product_id") == ["A", "B"]


def sold_in_parquet(**columns: pa.Array) -> bytes:
    two_sales = {
        "product_id": pa.array(["A", "B"]),
        "location": pa.array(["S", "S"]),
        "date_of_purchase": pa.array([date(2024, 3, 1)] * 2),
        "quantity": pa.array([1, 2]),
    }
    return parquet_of(**two_sales | columns)


GZIPPED, PARQUET = gzip.compress(PLAIN.encode() * 9, mtime=0), sold_in_parquet()


@given(
    file=st.sampled_from([("sales/a.csv.gz", GZIPPED), ("sales/a.parquet", PARQUET), ("sales/a.csv", PLAIN.encode())]),
    wounds=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3)), min_size=1, max_size=3),
    end=st.floats(0, 1),
)
def test_whatever_is_damaged_is_read_or_refused_by_name(
    file: tuple[str, bytes], wounds: list[tuple[float, bytes]], end: float
) -> None:
    key, content = file
    for place, other in wounds:
        at = int(place * len(content))
        content = content[:at] + other + content[at + len(other) :]
    for damaged in (content, content[: int(end * len(content))]):
        try:
            parse(damaged, key)
        except LandingFileError as refusal:
            assert str(refusal).startswith(f"{key}: ")  # noqa: PT017  # most damage is refused, not all


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
    separator_and_mark=st.sampled_from([(",", "."), *itertools.product((";", "\t", "|"), (".", ","))]),
    date_format=st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    grouped=st.booleans(),
    order=st.permutations(["product_id", "location", "date_of_purchase", "quantity", "amount"]),
    case=st.sampled_from([str.lower, str.upper, str.title]),
)
def test_any_rows_in_any_dialect_are_those_of_a_plain_file(
    written: list[tuple[str, date, Decimal]], order: list[str], **style: Any
) -> None:
    # a last row without doubt: its day is above twelve, its amount has two decimals
    told = [*written, ("last", date(2024, 12, 31), Decimal("1.25"))]

    def csv_of(separator: str, mark: str, date_format: str, *, grouped: bool, names: list[str], line_end: str) -> str:
        sink = io.StringIO()
        writer = csv.writer(sink, delimiter=separator, lineterminator=line_end)
        writer.writerow([style["case"](name) for name in names])
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
        *style["separator_and_mark"],
        style["date_format"],
        # a comma cannot be more than a separator beside separating commas
        grouped=style["grouped"] and style["separator_and_mark"][0] != ",",
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
    assert pa.concat_tables([before, after]).sort_by("line_number").equals(every)
    assert all(day <= cut for day in values(before, "day"))
    assert all(day > cut for day in values(after, "day"))
