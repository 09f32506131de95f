"""The optional uploads are taken whole, with visible defaults, or refused whole with every problem told."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from time import process_time
from zoneinfo import ZoneInfo

import pytest

from nexgen_assets.sales.csv_records import LandingFileError
from nexgen_assets.sales.landing import LandingFile
from nexgen_assets.sales.masterdata import PROBLEMS_SHOWN, read_calendar_file, read_inventory_file
from nexgen_assets.tables import CALENDAR, INVENTORY_COUNTS

FILE = LandingFile("inventory/stock.csv", "1", datetime(2024, 3, 11, 5, tzinfo=UTC))
COUNTS = "date,product_id,location,on_hand"


def counts(*lines: str, header: str = COUNTS) -> list[dict]:
    return read_inventory_file(io.BytesIO("\n".join((header, *lines)).encode()), FILE).to_pylist()


def events(*lines: str, header: str, file: LandingFile = FILE) -> list[dict]:
    return read_calendar_file(io.BytesIO("\n".join((header, *lines)).encode()), file).to_pylist()


def problems(*lines: str, header: str = COUNTS) -> list[str]:
    with pytest.raises(LandingFileError) as refusal:
        counts(*lines, header=header)
    summary, *told = str(refusal.value).splitlines()
    assert summary.startswith("inventory/stock.csv: nothing was loaded")
    return told


def test_a_count_of_the_required_columns_alone_gets_visible_defaults() -> None:
    assert counts("2024-03-10, 007 ,S,12.5") == [
        {
            "product_id": "007",
            "location": "S",
            "count_date": date(2024, 3, 10),
            "on_hand": 12.5,
            "on_order_units": 0.0,
            "on_order_due_date": None,
            "lead_time_days": None,
            "unit_cost": None,
            "pack_size": None,
            "min_order_quantity": None,
            "source": "count",
            "file_key": "inventory/stock.csv",
            "line_number": 2,
        }
    ]


def test_a_count_may_tell_all_there_is_to_know() -> None:
    header = f"{COUNTS},on_order,on_order_due_date,lead_time,unit_cost,pack_size,min_order_quantity,source"
    [row] = counts("2024-03-10,A,S,-3,24,2024-03-15,7,1.23456,12,24,simulated", header=header)
    assert [row[name] for name in INVENTORY_COUNTS.names[3:11]] == [
        -3.0,
        24.0,
        date(2024, 3, 15),
        7.0,
        Decimal("1.2346"),
        12.0,
        24.0,
        "simulated",
    ]


def test_both_tables_keep_the_contract() -> None:
    assert read_inventory_file(io.BytesIO(COUNTS.encode()), FILE).schema == INVENTORY_COUNTS.arrow_schema
    assert read_calendar_file(io.BytesIO(b"date\n2024-03-10"), FILE).schema == CALENDAR.arrow_schema


@pytest.mark.parametrize(
    ("line", "column", "advice"),
    [
        (",A,S,1", "date", "is empty"),
        ("2024-02-30,A,S,1", "date", "YYYY-MM-DD"),
        ("2024-03-10,,S,1", "product_id", "is empty"),
        ("2024-03-10,A, ,1", "location", "is empty"),
        ("2024-03-10,A,S,", "on_hand", "is empty"),
        ("2024-03-10,A,S,1e3", "on_hand", "plain digits"),
        ("2024-03-10,A,S," + "9" * 400, "on_hand", "plain digits"),
    ],
)
def test_a_wrong_value_is_told_with_line_column_and_advice(line: str, column: str, advice: str) -> None:
    [problem] = problems("2024-03-10,Z,S,1", line)
    assert problem.startswith(f"line 3: column '{column}'")
    assert advice in problem


@pytest.mark.parametrize(
    ("column", "value"),
    [("on_order", "-1"), ("lead_time", "-1"), ("unit_cost", "-0.01"), ("pack_size", "0"), ("min_order_quantity", "-1")],
)
def test_numbers_below_their_bounds_are_refused(column: str, value: str) -> None:
    [problem] = problems(f"2024-03-10,A,S,1,{value}", header=f"{COUNTS},{column}")
    assert f"column '{column}', value '{value}'" in problem


def test_a_second_count_of_the_same_day_is_refused() -> None:
    [problem] = problems("2024-03-10,A,S,1", "2024-03-10,A,T,1", "2024-03-10,A,S,2")
    assert problem.startswith("line 4: column 'product_id', value 'A': counted on line 2 already")


def test_ragged_lines_and_foreign_bytes_refuse_the_upload() -> None:
    with pytest.raises(LandingFileError, match=r"line 2: does not split.*\n.*line 3: holds bytes that are not UTF-8"):
        read_inventory_file(io.BytesIO(f"{COUNTS}\nA\n".encode() + b"2024-03-10,\xe9,S,1"), FILE)


def test_the_first_problems_are_listed_in_the_order_of_lines_and_the_rest_counted() -> None:
    told = problems(*[f"2024-03-10,P{number},S,x" for number in range(PROBLEMS_SHOWN + 5)])
    assert [problem.split(":")[0] for problem in told[:-1]] == [f"line {n}" for n in range(2, PROBLEMS_SHOWN + 2)]
    assert told[-1] == "and 5 more"


def test_a_missing_required_column_refuses_the_upload() -> None:
    with pytest.raises(LandingFileError, match="lacks the required column 'on_hand'"):
        counts("2024-03-10,A,S", header="date,product_id,location")


def test_an_event_of_a_date_alone_holds_for_everything_that_day() -> None:
    assert events("2024-12-24", header="date") == [
        {
            "product_id": "",
            "location": "",
            "start_date": date(2024, 12, 24),
            "end_date": date(2024, 12, 24),
            "promotion_share": 0.0,
            "effective_date": date(2024, 3, 11),
            "file_key": "inventory/stock.csv",
            "line_number": 2,
        }
    ]


@pytest.mark.parametrize(
    ("is_promotion", "share", "expected"), [("yes", "", 1.0), ("no", "", 0.0), ("", "0.25", 0.25), ("true", "0.5", 0.5)]
)
def test_a_promotion_runs_everywhere_unless_a_share_is_told(is_promotion: str, share: str, expected: float) -> None:
    [row] = events(f"2024-12-24,{is_promotion},{share}", header="date,is_promotion,promotion_share")
    assert row["promotion_share"] == expected


def test_a_plan_is_known_from_the_local_day_of_its_arrival_unless_told() -> None:
    late = LandingFile("calendar/x.csv", "1", datetime(2024, 3, 11, 1, tzinfo=ZoneInfo("Asia/Tokyo")))
    rows = events("2024-12-24,", "2024-12-25,2024-01-01", header="date,effective_date", file=late)
    assert [row["effective_date"] for row in rows] == [date(2024, 3, 11), date(2024, 1, 1)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2024-12-24,2024-12-23,,", "column 'end_date', value '2024-12-23': is before"),
        ("2024-12-24,,maybe,", "column 'is_promotion', value 'maybe'"),
        ("2024-12-24,,,1.5", "column 'promotion_share', value '1.5': is not a share"),
        ("2024-12-24,,no,0.5", "column 'promotion_share', value '0.5': contradicts"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(line: str, problem: str) -> None:
    with pytest.raises(LandingFileError) as refusal:
        events(line, header="date,end_date,is_promotion,promotion_share")
    assert problem in str(refusal.value)


def test_a_large_count_is_read_in_seconds() -> None:
    lines = [f"2024-03-10,P{number},S,{number % 50}" for number in range(30_000)]
    started = process_time()
    assert len(counts(*lines)) == 30_000
    assert process_time() - started < 2
