"""Each rule refuses what it names and nothing else; overlapping files count once; no line is lost."""

import io
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from nexgen_assets.sales.cleaning import cleaned, rejected, rules
from nexgen_assets.sales.csv_records import LandingFile
from nexgen_assets.sales.landing import sales_lines, survey_sales_file
from nexgen_assets.sales.overlaps import OverlappingFiles
from nexgen_assets.tables import CLEANED_SALES, PRODUCTS, RAW_SALES, REJECTED_SALES

CALENDAR_START, LAST_DAY = date(2020, 1, 1), date(2024, 3, 10)
GOOD = {"product_id": "A", "location": "S", "date_of_purchase": "2024-03-01", "quantity": "2"}


def landed(content: str | bytes, key: str = "a.csv", arrival_hour: int = 5) -> pa.Table:
    data = content if isinstance(content, bytes) else content.encode()
    file = LandingFile(key, "1", datetime(2024, 3, 11, arrival_hour, tzinfo=UTC))
    usable = CALENDAR_START, LAST_DAY
    survey = survey_sales_file(io.BytesIO(data), file, usable)
    return pa.Table.from_batches(sales_lines(io.BytesIO(data), file, survey, usable), RAW_SALES.arrow_schema)


def csv_of(*lines: dict[str, str]) -> str:
    names = list(dict.fromkeys(name for line in (GOOD, *lines) for name in line))
    return "\n".join([",".join(names), *(",".join(line.get(name, "") for name in names) for line in lines)])


def products_of(*lines: dict) -> pa.Table:
    told = {"effective_date": CALENDAR_START, "arrived_at": datetime(2024, 1, 1, tzinfo=UTC), "file_key": "p.csv"}
    rows = [told | {"line_number": number} | line for number, line in enumerate(lines, start=2)]
    return pa.Table.from_pylist(rows, PRODUCTS.arrow_schema)


def clean(
    spark: SparkSession,
    *files: pa.Table,
    overlapping_files: OverlappingFiles = "merge",
    products: pa.Table | None = None,
) -> tuple[list[dict], list[dict]]:
    """Cleaned and rejected rows of some parsed files, each in the files' order."""
    raw = spark.createDataFrame(pa.concat_tables(files))
    known = spark.createDataFrame(products_of() if products is None else products, PRODUCTS.spark_ddl)
    order = ("file_key", "line_number")
    refused = rejected(raw, known, CALENDAR_START, overlapping_files)
    kept = cleaned(raw, refused, overlapping_files)
    return tuple(lines.orderBy(*order).toArrow().to_pylist() for lines in (kept, refused))


def test_the_tables_keep_the_contract(spark: SparkSession) -> None:
    raw = spark.createDataFrame(landed(csv_of(GOOD)))
    refused = rejected(raw, spark.createDataFrame(products_of(), PRODUCTS.spark_ddl), CALENDAR_START)
    for lines, contract in ((cleaned(raw, refused), CLEANED_SALES), (refused, REJECTED_SALES)):
        table = lines.toArrow()
        assert table.schema.names == contract.names
        assert table.schema.types == contract.arrow_schema.types


def test_a_dirty_file_loses_no_good_line_and_each_bad_one_is_explained(spark: SparkSession) -> None:
    dirty = (
        b"product_id,location,date_of_purchase,quantity,amount,till\n"
        b"A,S,2024-03-01,1,2.50,7\n"
        b"A,S,2024-03-02\n"  # 3: ragged
        b"A,S,2024-03-02,two,5,7\n"  # 4: not a number
        b"A,S,2nd of March,1,2.50,7\n"  # 5: a wrong date
        b"A,S,2024-04-02,1,2.50,7\n"  # 6: the future
        b"A,S,2024-03-02,0,0,7\n"  # 7: nothing sold
        b"Caf\xe9,S,2024-03-02,1,2.50,7\n"  # 8: not UTF-8
        b"A,S,2024-03-02,3,7.50,7\n"  # 9: in the other file, too
        b"B,S,2024-03-03,1,2.50,7\n"
    )
    other = b"product_id,location,date_of_purchase,quantity,amount\nA,S,2024-03-02,3,7.50\n"

    kept, refused = clean(spark, landed(dirty, "week.csv", 9), landed(other, "day.csv", 5))

    assert [(row["file_key"], row["line_number"], row["product_id"], row["quantity"]) for row in kept] == [
        ("day.csv", 2, "A", 3),
        ("week.csv", 2, "A", 1),
        ("week.csv", 10, "B", 1),
    ]
    told = [(row["file_key"], row["line_number"], row["rule"], row["column_name"], row["value"]) for row in refused]
    assert told == [
        ("week.csv", 3, "ragged_line", None, None),
        ("week.csv", 4, "quantity_not_a_number", "quantity", "two"),
        ("week.csv", 5, "date_unreadable", "date_of_purchase", "2nd of March"),
        ("week.csv", 6, "date_in_future", "date_of_purchase", "2024-04-02"),
        ("week.csv", 7, "quantity_zero", "quantity", "0"),
        ("week.csv", 8, "not_utf8", None, None),
        ("week.csv", 9, "duplicate_of_other_file", None, None),
    ]
    assert all(row["reason"] and row["raw_text"] for row in refused)
    assert [row["is_duplicate"] for row in refused] == [False] * 6 + [True]
    assert "day.csv line 2" in refused[-1]["reason"]


NUMBERS = ("quantity", "amount", "unit_price", "competitor_price", "marketing_spend", "stock_level", "lead_time")
NOT_NUMBERS = (
    "1e3",
    "0x10",
    "٣",
    "NaN",
    "Infinity",
    "-inf",
    "1_000",
    "5d",
    "1.2.3",
    "--1",
    ".",
    "1 000",
    "9" * 16,
    "€5",
)

BROKEN: list[tuple[str, str, str]] = [
    ("missing_product_id", "product_id", ""),
    ("missing_product_id", "product_id", "  "),
    ("missing_location", "location", ""),
    ("date_unreadable", "date_of_purchase", ""),
    ("date_unreadable", "date_of_purchase", "2024-02-30"),
    ("date_unreadable", "date_of_purchase", "03/01/2024"),
    ("date_in_future", "date_of_purchase", "2024-03-11"),
    ("date_in_future", "date_of_purchase", "2024-03-11T00:00:00"),
    ("date_before_calendar", "date_of_purchase", "2019-12-31"),
    ("missing_quantity", "quantity", ""),
    *((f"{column}_not_a_number", column, text) for column in NUMBERS for text in ("x", "1e3", "9" * 16)),
    *(("quantity_not_a_number", "quantity", text) for text in NOT_NUMBERS),
    ("supplier_delay_not_a_number", "supplier_delay", "late"),
    ("shelf_life_not_a_number", "shelf_life", "long"),
    ("is_promotion_not_a_boolean", "is_promotion", "maybe"),
    ("is_promotion_not_a_boolean", "is_promotion", "2"),
    ("quantity_zero", "quantity", "0"),
    ("quantity_zero", "quantity", "-0.00"),
    ("negative_unit_price", "unit_price", "-1"),
    ("negative_competitor_price", "competitor_price", "-1"),
    ("negative_marketing_spend", "marketing_spend", "-1"),
    ("negative_lead_time", "lead_time", "-1"),
    ("negative_supplier_delay", "supplier_delay", "-1"),
    ("negative_shelf_life", "shelf_life", "-0.5"),
]


def test_each_rule_refuses_what_it_names(spark: SparkSession) -> None:
    lines = [GOOD | {column: text} for _, column, text in BROKEN]
    kept, refused = clean(spark, landed(csv_of(*lines)))
    assert kept == []
    told = [(row["rule"], row["column_name"], row["value"]) for row in refused]
    assert told == [(rule, column, text or None) for rule, column, text in BROKEN]


def test_every_rule_is_put_to_the_test_above_or_below(spark: SparkSession) -> None:  # noqa: ARG001  # rules need a session
    elsewhere = {"not_utf8", "ragged_line", "negative_quantity_with_positive_amount", "quantity_not_in_steps"}
    assert {rule.name for rule in rules(CALENDAR_START)} == {rule for rule, _, _ in BROKEN} | elsewhere


def test_the_first_broken_rule_is_the_one_told(spark: SparkSession) -> None:
    _, [row] = clean(spark, landed(csv_of(GOOD | {"location": "", "quantity": "none", "amount": "some"})))
    assert row["rule"] == "missing_location"


@pytest.mark.parametrize(
    ("quantity", "amount", "verdict"),
    [
        ("-1", "-2.5", "return"),
        ("-1", "0", "return"),
        ("-1", "", "return"),
        ("-1", "2.5", "negative_quantity_with_positive_amount"),
        ("1", "2.5", "sale"),
        ("0.5", "", "sale"),
    ],
)
def test_goods_that_came_back_are_a_return_unless_money_was_taken(
    spark: SparkSession, quantity: str, amount: str, verdict: str
) -> None:
    kept, refused = clean(spark, landed(csv_of(GOOD | {"quantity": quantity, "amount": amount})))
    told = [("return" if row["is_return"] else "sale") for row in kept] + [row["rule"] for row in refused]
    assert told == [verdict]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("5", "5.0000"),
        (" +5. ", "5.0000"),
        (".5", "0.5000"),
        ("007.10", "7.1000"),
        ("1.00005", "1.0001"),
        ("1.00004999", "1.0000"),
        ("99999999999999.9999", "99999999999999.9999"),
    ],
)
def test_numbers_are_exact_decimals_rounded_half_up(spark: SparkSession, written: str, read: str) -> None:
    [row], _ = clean(spark, landed(csv_of(GOOD | {"amount": written})))
    assert row["amount"] == Decimal(read)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (["true", "TRUE", " t ", "1", "yes", "Y"], True),
        (["false", "False", "f", "0", "NO", "n"], False),
        (["", "  "], None),
    ],
)
def test_booleans_are_read_in_the_usual_spellings(spark: SparkSession, words: list[str], meaning: bool | None) -> None:
    kept, _ = clean(spark, landed(csv_of(*(GOOD | {"is_promotion": word} for word in words))))
    assert [row["is_promotion"] for row in kept] == [meaning] * len(words)


def test_columns_get_their_own_names_units_and_trimmed_text(spark: SparkSession) -> None:
    line = GOOD | {
        "product_id": " 007 ",
        "lead_time": "7.5",
        "supplier_delay": "1",
        "shelf_life": "30",
        "category": " ",
    }
    [row], _ = clean(spark, landed(csv_of(line)))
    assert (row["product_id"], row["category"]) == ("007", None)
    assert (row["lead_time_days"], row["supplier_delay_days"], row["shelf_life_days"]) == (7.5, 1.0, 30.0)


def test_a_file_of_the_required_columns_alone_is_clean(spark: SparkSession) -> None:
    kept, refused = clean(spark, landed(csv_of(GOOD)))
    assert refused == []
    assert [kept[0][name] for name in ("unit_price", "amount", "stock_level", "is_promotion")] == [None] * 4


def test_a_stock_below_zero_is_an_unknown_stock_of_a_good_sale(spark: SparkSession) -> None:
    kept, refused = clean(spark, landed(csv_of(GOOD | {"stock_level": "-1"}, GOOD | {"stock_level": "0"})))
    assert refused == []
    assert [row["stock_level"] for row in kept] == [None, 0]


def test_no_value_of_a_customer_is_told_as_the_value_at_fault(spark: SparkSession) -> None:  # noqa: ARG001
    assert not [rule.name for rule in rules(CALENDAR_START) if (rule.column or "").startswith("customer")]


def test_identical_lines_of_one_file_are_sales(spark: SparkSession) -> None:
    kept, refused = clean(spark, landed(csv_of(GOOD, GOOD, GOOD)))
    assert (len(kept), refused) == (3, [])


def test_an_overlap_counts_the_most_copies_that_one_file_has(spark: SparkSession) -> None:
    early = landed(csv_of(GOOD, GOOD), "late_name.csv", 5)
    late = landed(csv_of(GOOD, GOOD, GOOD), "early_name.csv", 6)
    kept, refused = clean(spark, late, early)
    assert [(row["file_key"], row["line_number"]) for row in kept] == [
        ("early_name.csv", 4),
        ("late_name.csv", 2),
        ("late_name.csv", 3),
    ]
    assert [(row["file_key"], row["line_number"], row["rule"]) for row in refused] == [
        ("early_name.csv", 2, "duplicate_of_other_file"),
        ("early_name.csv", 3, "duplicate_of_other_file"),
    ]


def test_files_are_added_up_where_the_setting_says_so(spark: SparkSession) -> None:
    kept, refused = clean(spark, landed(csv_of(GOOD), "a.csv"), landed(csv_of(GOOD), "b.csv"), overlapping_files="add")
    assert ([row["is_near_duplicate"] for row in kept], refused) == ([False, False], [])


def test_units_are_held_to_the_step_of_the_product_as_known_on_the_day(spark: SparkSession) -> None:
    products = products_of(
        {"product_id": "A", "quantity_step": 1.0},
        {"product_id": "A", "quantity_step": 0.25, "effective_date": date(2024, 3, 2)},
        {"product_id": "B", "quantity_step": 0.0001},
        {"product_id": "C"},
    )
    lines = [
        GOOD | {"product_id": product, "quantity": quantity, "date_of_purchase": day}
        for product, quantity, day in [
            (" A ", "2", "2024-03-01"),
            ("A", "2.5", "2024-03-01"),
            ("A", "2.5", "2024-03-02"),
            ("A", "2.6", "2024-03-02"),
            ("A", "-0.3", "2024-03-02"),
            ("B", "0.123", "2024-03-02"),
            ("C", "0.123", "2024-03-02"),
            ("D", "0.123", "2024-03-02"),
        ]
    ]
    kept, refused = clean(spark, landed(csv_of(*lines)), products=products)
    assert [row["line_number"] for row in kept] == [2, 4, 7, 8, 9]
    assert [(row["line_number"], row["rule"], row["value"]) for row in refused] == [
        (3, "quantity_not_in_steps", "2.5"),
        (5, "quantity_not_in_steps", "2.6"),
        (6, "quantity_not_in_steps", "-0.3"),
    ]


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "is_implausible"),
    [
        ("2", "3.50", "7", False),
        ("2", "3.50", "700", True),  # cents
        ("2", "3.50", "0.7", True),  # a decimal point lost
        ("2", "3.50", "3.5", False),  # two for one
        ("-2", "3.50", "-700", True),
        ("2", "3.50", "0", None),  # given away
        ("2", "0", "7", None),
        ("2", "", "7", None),
        ("2", "3.50", "", None),
    ],
)
def test_an_amount_in_another_unit_than_the_price_is_kept_and_flagged(
    spark: SparkSession, quantity: str, price: str, amount: str, is_implausible: bool | None
) -> None:
    [row], _ = clean(spark, landed(csv_of(GOOD | {"quantity": quantity, "unit_price": price, "amount": amount})))
    assert row["is_amount_implausible"] is is_implausible


def test_a_sale_told_again_in_other_words_is_kept_and_flagged(spark: SparkSession) -> None:
    sale = GOOD | {"customer_id": "7", "amount": "5", "product_name": "Milk"}
    renamed = sale | {"product_name": "Fresh milk"}
    other_customer = renamed | {"customer_id": "8"}
    kept, refused = clean(
        spark,
        landed(csv_of(sale), "early.csv", 5),
        landed(csv_of(renamed, renamed, other_customer), "late.csv", 6),
    )
    assert refused == []
    assert [(row["file_key"], row["line_number"], row["is_near_duplicate"]) for row in kept] == [
        ("early.csv", 2, False),
        ("late.csv", 2, True),
        ("late.csv", 3, False),
        ("late.csv", 4, False),
    ]


def test_a_line_that_is_already_counted_is_no_near_duplicate_as_well(spark: SparkSession) -> None:
    sale, renamed = GOOD | {"product_name": "Milk"}, GOOD | {"product_name": "Fresh milk"}
    kept, refused = clean(spark, landed(csv_of(sale), "a.csv", 5), landed(csv_of(sale, renamed), "b.csv", 6))
    assert [(row["line_number"], row["rule"]) for row in refused] == [(2, "duplicate_of_other_file")]
    assert [(row["file_key"], row["is_near_duplicate"]) for row in kept] == [("a.csv", False), ("b.csv", True)]


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("quantity", "2", "2.000"),
        ("amount", "12.5", "+12.50"),
        ("is_promotion", "true", "Y"),
        ("date_of_purchase", "2024-03-01", "2024-03-01T00:00:00"),
        ("date_of_purchase", "2024-03-01 09:30", "2024-03-01T09:30"),
    ],
)
def test_one_value_in_two_spellings_is_one_value(spark: SparkSession, column: str, one: str, other: str) -> None:
    kept, refused = clean(
        spark, landed(csv_of(GOOD | {column: one}), "a.csv"), landed(csv_of(GOOD | {column: other}), "b.csv", 6)
    )
    assert (len(kept), len(refused)) == (1, 1)


def test_the_time_of_day_tells_lines_apart(spark: SparkSession) -> None:
    one, two = (GOOD | {"date_of_purchase": f"2024-03-01T{time}"} for time in ("09:00", "10:00"))
    kept, _ = clean(spark, landed(csv_of(one), "a.csv"), landed(csv_of(two), "b.csv"))
    assert len(kept) == 2


def test_absent_and_empty_columns_and_blanks_make_no_difference_to_identity(spark: SparkSession) -> None:
    same = GOOD | {"product_id": " A", "category": "", "amount": " "}
    kept, refused = clean(spark, landed(csv_of(GOOD), "a.csv"), landed(csv_of(same), "b.csv"))
    assert (len(kept), len(refused)) == (1, 1)


def test_values_in_neighbouring_columns_are_not_confused(spark: SparkSession) -> None:
    one = GOOD | {"holiday_name": "ab", "weather_condition": "c"}
    two = GOOD | {"holiday_name": "a", "weather_condition": "bc"}
    three = GOOD | {"holiday_name": "", "weather_condition": "abc"}
    kept, _ = clean(spark, *(landed(csv_of(line), f"{n}.csv") for n, line in enumerate((one, two, three))))
    assert len(kept) == 3


def test_customers_tell_lines_apart(spark: SparkSession) -> None:
    one, two = GOOD | {"customer_id": "1"}, GOOD | {"customer_id": "2"}
    kept, _ = clean(spark, landed(csv_of(one), "a.csv"), landed(csv_of(two), "b.csv"))
    assert len(kept) == 2


@pytest.mark.parametrize("overlapping_files", ["merge", "add"])
def test_a_line_id_counts_once_wherever_it_stands(spark: SparkSession, overlapping_files: OverlappingFiles) -> None:
    first, again, other = GOOD | {"line_id": "7"}, GOOD | {"line_id": "7", "quantity": "9"}, GOOD | {"line_id": "8"}
    kept, refused = clean(
        spark,
        landed(csv_of(first, again, other), "a.csv"),
        landed(csv_of(again), "b.csv", 6),
        overlapping_files=overlapping_files,
    )
    assert [(row["line_number"], row["quantity"]) for row in kept] == [(2, 2), (4, 2)]
    assert [(row["file_key"], row["rule"], row["is_duplicate"]) for row in refused] == [
        ("a.csv", "duplicate_line_id", True),
        ("b.csv", "duplicate_line_id", True),
    ]


def test_a_refused_line_removes_no_other(spark: SparkSession) -> None:
    bad = GOOD | {"quantity": "0"}
    _, refused = clean(spark, landed(csv_of(bad), "a.csv"), landed(csv_of(bad), "b.csv"))
    assert [row["rule"] for row in refused] == ["quantity_zero"] * 2


some_lines = st.fixed_dictionaries(
    {
        "product_id": st.sampled_from(["A", "A", "B", ""]),
        "location": st.just("S"),
        "date_of_purchase": st.sampled_from(["2024-03-01", "2024-03-02", "2025-01-01", "?"]),
        "quantity": st.sampled_from(["1", "1", "2", "-1", "0", "x"]),
    },
    optional={"line_id": st.sampled_from(["7", "8", ""])},
)
some_files = st.lists(st.lists(some_lines, min_size=1, max_size=8), min_size=1, max_size=3)
some_examples = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@some_examples
@given(files=some_files, overlapping_files=st.sampled_from(["merge", "add"]))
def test_every_line_is_either_cleaned_or_rejected(
    spark: SparkSession, files: list[list[dict]], overlapping_files: OverlappingFiles
) -> None:
    tables = [landed(csv_of(*lines), f"{number}.csv", number) for number, lines in enumerate(files)]
    kept, refused = clean(spark, *tables, overlapping_files=overlapping_files)
    grain = CLEANED_SALES.grain
    came_in = Counter(tuple(row[name] for name in grain) for table in tables for row in table.to_pylist())
    came_out = Counter(tuple(row[name] for name in grain) for row in (*kept, *refused))
    assert came_in == came_out


@some_examples
@given(files=some_files)
def test_a_line_is_kept_as_often_as_the_file_with_the_most_copies_has_it(
    spark: SparkSession, files: list[list[dict]]
) -> None:
    files = [[line | {"line_id": ""} for line in lines] for lines in files]
    kept, refused = clean(spark, *(landed(csv_of(*lines), f"{n}.csv", n) for n, lines in enumerate(files)))
    identity = ("product_id", "day", "quantity")
    duplicates = {(row["file_key"], row["line_number"]) for row in refused if row["is_duplicate"]}
    valid = {(row["file_key"], row["line_number"]) for row in kept} | duplicates

    most: Counter[tuple] = Counter()
    for number, lines in enumerate(files):
        most |= Counter(
            (line["product_id"], date.fromisoformat(line["date_of_purchase"]), Decimal(line["quantity"]))
            for place, line in enumerate(lines, start=2)
            if (f"{number}.csv", place) in valid
        )
    assert Counter(tuple(row[name] for name in identity) for row in kept) == most
