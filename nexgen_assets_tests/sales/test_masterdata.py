"""The optional uploads are taken whole, with visible defaults, or refused whole with every problem told."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from nexgen_assets.sales.csv_records import LandingFileError
from nexgen_assets.sales.landing import LandingFile
from nexgen_assets.sales.masterdata import PROBLEMS_SHOWN, UPLOADS, Upload, UploadKind, read_upload
from nexgen_assets.tables import INVENTORY_COUNTS, PRODUCTS

FILE = LandingFile("inventory/stock.csv", "1", datetime(2024, 3, 11, 5, tzinfo=UTC))
COUNTS = "date,product_id,location,on_hand"


def upload(kind: str, *lines: str, header: str, file: LandingFile = FILE) -> Upload:
    return read_upload(UPLOADS[kind], io.BytesIO("\n".join((header, *lines)).encode()), file)


def counts(*lines: str, header: str = COUNTS) -> list[dict]:
    return upload("inventory", *lines, header=header).lines.to_pylist()


def events(*lines: str, header: str, file: LandingFile = FILE) -> list[dict]:
    return upload("calendar", *lines, header=header, file=file).lines.to_pylist()


def problems(*lines: str, header: str = COUNTS, kind: str = "inventory") -> list[str]:
    with pytest.raises(LandingFileError) as refusal:
        upload(kind, *lines, header=header)
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
            "on_order_units": None,
            "on_order_due_date": None,
            "committed_units": None,
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
    header = f"{COUNTS},on_order,on_order_due_date,committed,lead_time,unit_cost,pack_size,min_order_quantity,source"
    [row] = counts("2024-03-10,A,S,-3,24,2024-03-15,2.5,7,1.23456,12,24,simulated", header=header)
    assert [row[name] for name in INVENTORY_COUNTS.names[3:12]] == [
        -3.0,
        24.0,
        date(2024, 3, 15),
        2.5,
        7.0,
        Decimal("1.2346"),
        12.0,
        24.0,
        "simulated",
    ]


@pytest.mark.parametrize("kind", UPLOADS.values(), ids=UPLOADS)
def test_an_upload_keeps_the_contract_of_its_table(kind: UploadKind) -> None:
    empty = io.BytesIO(",".join(kind.required or kind.columns[:1]).encode())
    assert read_upload(kind, empty, FILE).lines.schema == kind.table.arrow_schema


@pytest.mark.parametrize("kind", UPLOADS)
def test_columns_that_nobody_knows_are_left_out_and_told(kind: str) -> None:
    header = ",".join([*UPLOADS[kind].required, "colour", "shelf"])
    assert upload(kind, header=header).unknown_columns == ["colour", "shelf"]


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
    [
        ("on_order", "-1"),
        ("committed", "-1"),
        ("lead_time", "-1"),
        ("unit_cost", "-0.01"),
        ("pack_size", "0"),
        ("min_order_quantity", "-1"),
    ],
)
def test_numbers_below_their_bounds_are_refused(column: str, value: str) -> None:
    [problem] = problems(f"2024-03-10,A,S,1,{value}", header=f"{COUNTS},{column}")
    assert f"column '{column}', value '{value}'" in problem


def test_a_second_count_of_the_same_day_is_refused() -> None:
    [problem] = problems("2024-03-10,A,S,1", "2024-03-10,A,T,1", "2024-03-10,A,S,2")
    assert problem.startswith(
        "line 4: column 'product_id', value 'A': stands on line 2 already with the same location and date"
    )


def test_ragged_lines_and_foreign_bytes_refuse_the_upload() -> None:
    with pytest.raises(LandingFileError, match=r"line 2: does not split.*\n.*line 3: holds bytes that are not UTF-8"):
        read_upload(UPLOADS["inventory"], io.BytesIO(f"{COUNTS}\nA\n".encode() + b"2024-03-10,\xe9,S,1"), FILE)


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
            "is_open": None,
            "holiday_name": None,
            "unit_price": None,
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


def test_opening_is_told_of_a_whole_location() -> None:
    with pytest.raises(LandingFileError) as refusal:
        events("2024-12-25,01,north,false", header="date,product_id,location,is_open")
    assert "line 2: column 'is_open', value 'false': speaks of the whole location" in str(refusal.value)


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


def test_an_event_may_tell_a_closed_day_a_holiday_and_a_price() -> None:
    [row] = events("2024-12-25,no,Christmas Day,3.494949", header="date,is_open,holiday_name,unit_price")
    assert (row["is_open"], row["holiday_name"], row["unit_price"]) == (False, "Christmas Day", Decimal("3.4949"))


def test_a_product_of_an_id_alone_says_nothing_else() -> None:
    [row] = upload("products", " 007 ", header="product_id").lines.to_pylist()
    told = {
        "product_id": "007",
        "effective_date": date(2024, 3, 11),
        "arrived_at": FILE.arrived_at,
        "file_key": FILE.key,
        "line_number": 2,
    }
    assert row == dict.fromkeys(PRODUCTS.names) | told


def test_a_product_may_tell_all_there_is_to_know() -> None:
    header = ",".join(UPLOADS["products"].columns)
    [row] = upload("products", "007,Oat milk,dairy,2.5,14,6,12,1,0042,2024-01-01", header=header).lines.to_pylist()
    assert list(row.values())[:10] == [
        "007",
        "Oat milk",
        "dairy",
        Decimal("2.5000"),
        14.0,
        6.0,
        12.0,
        1.0,
        "0042",
        date(2024, 1, 1),
    ]


def test_a_supplier_may_tell_all_there_is_to_know() -> None:
    header = ",".join(UPLOADS["suppliers"].columns)
    [row] = upload("suppliers", '0042,Mill,3,0.8,"Thu, MON",250,2024-01-01', header=header).lines.to_pylist()
    assert list(row.values())[:7] == ["0042", "Mill", 3.0, 0.8, "mon thu", Decimal("250.0000"), date(2024, 1, 1)]


def test_an_item_location_may_tell_all_there_is_to_know() -> None:
    header = ",".join(UPLOADS["item_locations"].columns)
    [row] = upload("item_locations", "007,north,no,120,6,0042,2.5,2024-01-01", header=header).lines.to_pylist()
    assert list(row.values())[:8] == ["007", "north", False, 120.0, 6.0, "0042", 2.5, date(2024, 1, 1)]


def test_an_order_policy_may_tell_all_there_is_to_know() -> None:
    header = ",".join(UPLOADS["order_policies"].columns)
    line = "007,north,S1,dairy,Lumpy,x,a,min_max,,0.98,7,14,,2024-01-01"
    [row] = upload("order_policies", line, header=header).lines.to_pylist()
    assert list(row.values())[:14] == [
        *("007", "north", "S1", "dairy", "lumpy", "X", "A", "min_max"),
        *(None, 0.98, 7, 14.0, None, date(2024, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ("order_up_to,0.9,0.9,,", "column 'fill_rate', value '0.9': is a second target beside service_level"),
        ("newsvendor,,0.9,,", "column 'fill_rate', value '0.9': is no target of newsvendor"),
        ("newsvendor,,,3,", "column 'lot_days', value '3': means nothing to newsvendor"),
        ("order_up_to,,,3,", "column 'lot_days', value '3': means nothing to order_up_to"),
        ("min_max,,,3,0.5", "column 'salvage_share', value '0.5': means nothing to min_max"),
        ("weekly,,,,", "column 'policy', value 'weekly': is none of order_up_to, min_max, reorder_quantity"),
        ("min_max,95,,,", "column 'service_level', value '95': is not a service level"),
    ],
)
def test_an_order_policy_that_contradicts_itself_is_refused(told: str, problem: str) -> None:
    header = "policy,service_level,fill_rate,lot_days,salvage_share"
    [found] = problems(told, header=header, kind="order_policies")
    assert found.startswith(f"line 2: {problem}")


def test_a_policy_stands_once_for_the_same_lines() -> None:
    [found] = problems("A,0.9", "A,0.8", header="abc_class,service_level", kind="order_policies")
    assert found.startswith("line 3: column 'product_id'")


def test_a_network_line_tells_who_supplies_a_location_and_may_leave_it_to_suppliers() -> None:
    header = "location,supplied_by,category,lead_time_days,minimum_transfer_value,effective_date"
    told = upload(
        "network", "north,hub,,2,40,2024-01-01", "north,depot,Dairy,,,2024-01-01", "south,,,,,2024-01-01", header=header
    )
    assert [list(row.values())[:6] for row in told.lines.to_pylist()] == [
        ["north", "", "hub", 2.0, Decimal("40.0000"), date(2024, 1, 1)],
        ["north", "Dairy", "depot", None, None, date(2024, 1, 1)],
        ["south", "", None, None, None, date(2024, 1, 1)],
    ]


SUPPLIED = "is itself supplied by {!r} on line {}; of two levels the upper one has no supplied_by"


@pytest.mark.parametrize(
    ("links", "found"),
    [
        (
            ["north,hub", "north2,north2"],
            ["line 3: column 'supplied_by', value 'north2': is the location itself; name the one that supplies it"],
        ),
        (
            ["north,hub", "hub,north"],
            [
                f"line 2: column 'supplied_by', value 'hub': {SUPPLIED.format('north', 3)}",
                f"line 3: column 'supplied_by', value 'north': {SUPPLIED.format('hub', 2)}",
            ],
        ),
        (
            ["hub,port", "north,hub"],
            [f"line 3: column 'supplied_by', value 'hub': {SUPPLIED.format('port', 2)}"],
        ),
        (
            ["a,b", "b,c", "c,a"],
            [
                f"line 2: column 'supplied_by', value 'b': {SUPPLIED.format('c', 3)}",
                f"line 3: column 'supplied_by', value 'c': {SUPPLIED.format('a', 4)}",
                f"line 4: column 'supplied_by', value 'a': {SUPPLIED.format('b', 2)}",
            ],
        ),
    ],
    ids=["itself", "each other", "three levels", "a circle"],
)
def test_a_network_of_other_than_two_levels_is_refused(links: list[str], found: list[str]) -> None:
    assert problems(*links, header="location,supplied_by", kind="network") == found


def test_a_location_may_have_suppliers_now_and_supply_others() -> None:
    told = upload("network", "hub,", "north,hub", header="location,supplied_by")
    assert told.lines["supplied_by"].to_pylist() == [None, "hub"]


@pytest.mark.parametrize("kind", ["calendar", "products", "suppliers", "item_locations"])
def test_a_line_holds_from_the_local_day_of_its_arrival_unless_told(kind: str) -> None:
    required = UPLOADS[kind].required
    late = LandingFile("x.csv", "1", datetime(2024, 3, 11, 1, tzinfo=ZoneInfo("Asia/Tokyo")))
    line = ",".join("2024-12-24" for _ in required)
    told = upload(kind, f"{line},", f"{line},2024-01-01", header=",".join([*required, "effective_date"]), file=late)
    assert told.lines["effective_date"].to_pylist() == [date(2024, 3, 11), date(2024, 1, 1)]


BELOW_ZERO = "is below zero; correct it or leave it empty"
NOT_ABOVE_ZERO = "is not above zero; correct it or leave it empty"
NOT_A_NUMBER = "is not a number; write plain digits with a decimal point, such as 12.5"
NOT_A_DATE = "is not a date; write it as YYYY-MM-DD"
NOT_WEEKDAYS = "is not a list of weekdays; write them as in `mon thu`"
NOT_BOOLEAN = "is neither true nor false; write true or false, or leave it empty"


@pytest.mark.parametrize(
    ("kind", "column", "value", "advice"),
    [
        ("calendar", "is_open", "closed", NOT_BOOLEAN),
        ("calendar", "unit_price", "-1", BELOW_ZERO),
        ("products", "unit_cost", "2.5 EUR", NOT_A_NUMBER),
        ("products", "unit_cost", "-0.01", BELOW_ZERO),
        ("products", "shelf_life_days", "-1", BELOW_ZERO),
        ("products", "pack_size", "0", NOT_ABOVE_ZERO),
        ("products", "min_order_quantity", "-6", BELOW_ZERO),
        ("products", "quantity_step", "0", NOT_ABOVE_ZERO),
        ("products", "effective_date", "2024-02-30", NOT_A_DATE),
        ("suppliers", "lead_time_days", "3 days", NOT_A_NUMBER),
        ("suppliers", "lead_time_days", "-3", BELOW_ZERO),
        ("suppliers", "lead_time_sd_days", "-0.5", BELOW_ZERO),
        ("suppliers", "lead_time_sd_days", "90.5", "is above 90 days; correct it or leave it empty"),
        ("suppliers", "order_days", "mon funday", NOT_WEEKDAYS),
        ("suppliers", "order_days", ";", NOT_WEEKDAYS),
        ("suppliers", "min_order_value", "-250", BELOW_ZERO),
        ("item_locations", "is_active", "2", NOT_BOOLEAN),
        ("item_locations", "max_stock", "-1", BELOW_ZERO),
        ("item_locations", "display_minimum", "-1", BELOW_ZERO),
        ("item_locations", "lead_time_days", "-1", BELOW_ZERO),
        ("item_locations", "effective_date", "tomorrow", NOT_A_DATE),
        ("network", "lead_time_days", "-1", BELOW_ZERO),
        ("network", "minimum_transfer_value", "much", NOT_A_NUMBER),
    ],
)
def test_a_wrong_value_is_told_in_these_words(kind: str, column: str, value: str, advice: str) -> None:
    required = UPLOADS[kind].required
    keys = ",".join("2024-12-24" for _ in required)
    told = problems(f"{keys},", f"{keys},{value}", header=",".join([*required, column]), kind=kind)
    assert f"line 3: column '{column}', value '{value}': {advice}" in told


@pytest.mark.parametrize(
    ("kind", "column"), [(name, column) for name, kind in UPLOADS.items() for column in kind.required]
)
def test_an_empty_key_is_refused(kind: str, column: str) -> None:
    header = UPLOADS[kind].required
    line = ",".join("" if name == column else "2024" if name == "on_hand" else "2024-12-24" for name in header)
    assert problems(line + ",x", header=",".join((*header, "note")), kind=kind) == [
        f"line 2: column '{column}', value '': is empty; fill it in"
    ]


@pytest.mark.parametrize(
    ("kind", "line", "problem"),
    [
        ("products", "A", "column 'product_id', value 'A': stands on line 2 already with the same effective_date"),
        ("suppliers", "A", "column 'supplier_id', value 'A': stands on line 2 already with the same effective_date"),
        (
            "item_locations",
            "A,S",
            "column 'product_id', value 'A': stands on line 2 already with the same location and effective_date",
        ),
    ],
)
def test_a_key_stands_once_per_effective_date(kind: str, line: str, problem: str) -> None:
    header = ",".join([*UPLOADS[kind].required, "effective_date"])
    assert problems(f"{line},", f"{line},2024-01-01", f"{line},2024-03-11", header=header, kind=kind) == [
        f"line 4: {problem}; keep one"
    ]
