"""`nexgen orders`: a planner's day on the command line, from the list to the files."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from nexgen_assets.cli import app
from nexgen_assets.decisions.rules import DecisionError
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import DAILY_DEMAND, ORDER_EXCEPTIONS, REORDER_RECOMMENDATIONS
from nexgen_assets_tests.decisions.proposals import DAY, proposal

Nexgen = Callable[..., str]
NEEDED_36 = {"expected_demand_until_receipt": 36.0}
ROWS = [
    proposal("007", 24.0, money_at_risk=9.0, product_name="Oat [red]milk"),
    proposal("008", 18.0, supplier_id="S2", money_at_risk=50.0, unit_cost=None),
    proposal("009", 0.0),
]


def publish(access: S3Access, rows: list[dict[str, Any]]) -> None:
    tables, day = DeltaTables(access), rows[0]["day"]
    zero = {"decimal128(18, 3)": Decimal(0), "decimal128(18, 4)": Decimal(0), "bool": False}
    demand = {c.name: None if c.nullable else zero.get(str(c.type), 0) for c in DAILY_DEMAND.columns}
    sold = [demand | {name: row[name] for name in DAILY_DEMAND.grain} for row in rows]
    for table, found in ((DAILY_DEMAND, sold), (REORDER_RECOMMENDATIONS, rows)):
        token = f"{table.name}-{day}-{rows[0]['revision']}"
        tables.replace_days(table, pa.Table.from_pylist(found, schema=table.arrow_schema), day, day, token)


def exception(product_id: str, kind: str, rank: int, **more: Any) -> dict[str, Any]:
    told = {"day": DAY, "location": "north", "product_name": None, "supplier_id": "S1", "number": 0.0, "threshold": 0.0}
    told |= {"number_unit": "units", "money_at_risk": 9.0, "action": "expedite", "revision": "r1"}
    return told | {"product_id": product_id, "exception": kind, "exception_rank": rank, "blocked_reason": None} | more


EXCEPTIONS = [
    exception("008", "excess_stock", 2, number=None, threshold=56.0, number_unit="days", supplier_id="S2"),
    exception("007", "stocked_out", 1, money_at_risk=1234.5, product_name="Oat [red]milk"),
    exception("007", "forecast_break", 3, number=40.0, threshold=31.25, money_at_risk=None, action="find out why"),
]


def publish_exceptions(access: S3Access, *rows: dict[str, Any]) -> None:
    found = pa.Table.from_pylist(list(rows), schema=ORDER_EXCEPTIONS.arrow_schema)
    DeltaTables(access).replace_days(ORDER_EXCEPTIONS, found, DAY, DAY, f"exceptions-{len(rows)}")


@pytest.fixture
def nexgen(deployed: S3Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nexgen:
    """Runs `nexgen orders ...` as Anna and returns what it prints; raises what it raises."""
    monkeypatch.setenv("LOGNAME", "Anna")
    monkeypatch.chdir(tmp_path)
    publish(deployed, ROWS)

    def run(*arguments: str, answer: str | None = None) -> str:
        result = CliRunner().invoke(app, ["orders", *arguments], input=answer)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return run


def test_the_list_shows_the_most_money_at_risk_first_and_no_line_without_need(nexgen: Nexgen) -> None:
    printed = nexgen("list")

    assert f"Orders proposed at the close of {DAY}" in printed
    assert printed.index("008 Product 008") < printed.index("007 Oat [red]milk")
    assert "009" not in printed
    assert "2 of 2 lines shown (2 proposed)" in printed


def test_the_list_can_be_narrowed_and_says_how_much_it_leaves_out(nexgen: Nexgen) -> None:
    assert "1 of 2 lines shown" in nexgen("list", "--limit", "1")
    assert "1 of 1 lines shown" in nexgen("list", "--supplier", "S2")
    assert "3 of 3 lines shown" in nexgen("list", "--no-need")
    nexgen("accept", "--product", "007")
    assert "1 of 1 lines shown (1 accepted)" in nexgen("list", "--state", "accepted")


def test_the_list_shows_blocked_lines_with_their_reason(nexgen: Nexgen, moto_access: S3Access) -> None:
    publish(moto_access, [*ROWS[:2], proposal("009", 0.0, blocked_reason="stock_unknown", revision="r2")])

    printed = nexgen("list")

    [line] = [line for line in printed.splitlines() if "009" in line]
    assert line.split()[0] == "blocked"
    assert "stock_unknown: Order 0." in line
    assert "3 of 3 lines shown (2 proposed, 1 blocked)" in printed
    assert "1 of 1 lines shown (1 blocked)" in nexgen("list", "--state", "blocked")


def test_a_blocked_line_is_not_accepted_with_all_others(nexgen: Nexgen, moto_access: S3Access) -> None:
    publish(moto_access, [*ROWS[:2], proposal("009", 0.0, blocked_reason="stock_unknown", revision="r2")])

    assert "2 accepted" in nexgen("accept", "--all")


def test_the_list_can_tell_what_is_unusual_about_each_line(nexgen: Nexgen, moto_access: S3Access) -> None:
    publish_exceptions(moto_access, *EXCEPTIONS)

    printed = nexgen("list", "--exceptions")

    assert "stocked_out 0 units (threshold 0)" in printed
    assert "forecast_break 40 units (threshold 31.25)" in printed
    assert "stocked_out" not in nexgen("list")


def test_exceptions_are_listed_by_the_money_at_risk_with_their_numbers(nexgen: Nexgen, moto_access: S3Access) -> None:
    publish_exceptions(moto_access, *EXCEPTIONS)

    printed = nexgen("exceptions")

    lines = [line.split() for line in printed.splitlines() if " north " in line]
    assert [line[:2] for line in lines] == [["1", "stocked_out"], ["2", "excess_stock"], ["3", "forecast_break"]]
    assert lines[0][2:] == ["007", "Oat", "[red]milk", "north", "S1", "0", "units", "0", "1,234.50", "expedite"]
    assert lines[1][2:] == ["008", "north", "S2", "∞", "days", "56", "9.00", "expedite"]
    assert lines[2][2:] == ["007", "north", "S1", "40", "units", "31.25", "find", "out", "why"]
    assert "3 of 3 exceptions shown (1 stocked_out, 1 excess_stock, 1 forecast_break)" in printed


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--limit", "2"), "2 of 3 exceptions shown"),
        (("--kind", "excess_stock"), "1 of 1 exceptions shown (1 excess_stock)"),
        (("--product", "007"), "2 of 2 exceptions shown"),
        (("--supplier", "S2"), "1 of 1 exceptions shown"),
        (("--kind", "order_cut"), "0 of 0 exceptions shown (none match)"),
    ],
)
def test_exceptions_can_be_narrowed(
    nexgen: Nexgen, moto_access: S3Access, arguments: tuple[str, ...], shown: str
) -> None:
    publish_exceptions(moto_access, *EXCEPTIONS)

    assert shown in nexgen("exceptions", *arguments)


def test_exceptions_of_orders_that_have_changed_since_are_marked(nexgen: Nexgen, moto_access: S3Access) -> None:
    publish_exceptions(moto_access, *EXCEPTIONS)
    assert "changed since" not in nexgen("exceptions")

    publish(moto_access, [ROWS[0] | {"revision": "r2", "order_units": 36.0, **NEEDED_36}, *ROWS[1:]])

    assert "2 are of orders that have changed since" in nexgen("exceptions")


def test_a_blocked_order_says_in_its_exception_what_is_missing(nexgen: Nexgen, moto_access: S3Access) -> None:
    publish_exceptions(moto_access, exception("009", "order_blocked", 1, blocked_reason="stock_unknown", action="tell"))

    assert "stock_unknown: tell" in nexgen("exceptions")


def test_what_a_centre_sends_is_no_purchase(nexgen: Nexgen, moto_access: S3Access) -> None:
    bought = proposal("007", 24.0, location="hub", supplied_locations=1, revision="r2")
    sent = proposal("007", 12.0, supplier_id="hub", supplied_by="hub", revision="r2")
    publish(moto_access, [bought, sent])
    nexgen("accept", "--all")

    approved = nexgen("approve", "--all", answer="y\n")

    assert "2 orders, 30.00 in all, 1 from centres" in approved


def test_a_day_from_proposals_to_files_on_the_lake(nexgen: Nexgen, moto_access: S3Access) -> None:
    assert "2 accepted" in nexgen("accept", "--all")
    assert "30 units instead of 24" in nexgen("change", "007", "north", "30", "--reason", "fair")
    approved = nexgen("approve", "--all", answer="y\n")
    exported = nexgen("export")

    assert "2 orders, 37.50 in all, 1 without a cost" in approved
    assert f"2 approved: on order from {DAY + timedelta(days=1)} on" in approved
    assert "2 orders, 48 units, 2 suppliers" in exported
    store = moto_access.store("exports/orders")
    [document] = [item["path"] for batch in obstore.list(store) for item in batch if item["path"].endswith(".json")]
    told = json.loads(bytes(obstore.get(store, document).bytes()))
    assert (told["exported_by"], [line["order_units"] for line in told["lines"]]) == ("Anna", ["30", "18"])
    assert f"{moto_access.root}/exports/orders/{told['export_id']}" in nexgen("exports")


def test_history_tells_who_did_what_and_why(nexgen: Nexgen) -> None:
    nexgen("change", "007", "north", "13", "--override", "--reason", "half a pallet [x]", "--user", "Bert")

    [line] = [line for line in nexgen("history").splitlines() if "→" in line]

    assert [word in line for word in ("Bert", "proposed → changed", "13 (override)", "half a pallet [x]")] == [True] * 4


def test_approving_asks_first_and_a_no_changes_nothing(nexgen: Nexgen) -> None:
    nexgen("accept", "--all")

    assert "Approve them?" in nexgen("approve", "--all", answer="n\n")

    assert "2 accepted" in nexgen("list")


def test_what_changed_since_it_was_accepted_is_left_out_of_an_approval(nexgen: Nexgen, moto_access: S3Access) -> None:
    nexgen("accept", "--all")
    publish(moto_access, [ROWS[0] | {"revision": "r2", "order_units": 36.0, **NEEDED_36}, *ROWS[1:]])

    listed, approved = nexgen("list"), nexgen("approve", "--all", "--yes")

    assert "review again" in listed
    assert "It was 24 when Anna decided" in listed
    assert "1 left out: their proposal has changed" in approved
    assert "1 approved" in approved


def test_a_firm_order_shows_how_the_proposal_differs_now(nexgen: Nexgen, moto_access: S3Access) -> None:
    nexgen("accept", "--product", "007")
    nexgen("approve", "--product", "007", "--yes")
    publish(moto_access, [ROWS[0] | {"revision": "r2", "order_units": 36.0, **NEEDED_36}, *ROWS[1:]])

    assert "The proposal has changed since: +12 units against this order." in nexgen("list")


def test_approved_orders_of_an_earlier_day_are_not_forgotten(nexgen: Nexgen, moto_access: S3Access) -> None:
    nexgen("accept", "--all")
    nexgen("approve", "--all", "--yes")
    later = DAY + timedelta(days=1)
    publish(moto_access, [proposal("007", 12.0, day=later)])

    assert "2 approved orders of earlier days wait to be exported." in nexgen("list")
    cancelled = nexgen("cancel", "007", "north", "--day", str(DAY), "--reason", "no truck")
    assert f"the job daily of {later} to {later}" in cancelled
    assert "1 orders, 18 units" in nexgen("export")


def test_an_export_into_a_folder_and_once_more_as_a_copy(nexgen: Nexgen, tmp_path: Path) -> None:
    nexgen("accept", "--all")
    nexgen("approve", "--all", "--yes")
    nexgen("export", "--to", str(tmp_path / "out"))
    [first] = (tmp_path / "out").iterdir()
    with pytest.raises(DecisionError, match=f"--again {first.name}"):
        nexgen("export", "--to", str(tmp_path / "out"))

    assert f"{first.name}-copy-1, a copy of {first.name}" in nexgen(
        "export", "--to", str(tmp_path / "out"), "--again", first.name
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [first.name, f"{first.name}-copy-1"]


def test_who_is_not_named_an_approver_is_told_whom_to_ask(nexgen: Nexgen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXGEN_APPROVERS", "Boss, Bert")
    nexgen("accept", "--all")
    with pytest.raises(DecisionError, match="Anna may not approve orders: ask an approver"):
        nexgen("approve", "--all", "--yes")

    assert "2 approved" in nexgen("approve", "--all", "--yes", "--user", "Bert")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("accept",), "which orders"),
        (("accept", "--product", "999"), "none of these orders waits for a decision"),
        (("approve", "--all"), "none of these orders is accepted or changed"),
        (("change", "999", "north", "6", "--reason", "x"), "no order of product 999 at north is proposed"),
        (("change", "007", "north", "six", "--reason", "x"), "'six' is no number of units"),
        (("change", "007", "north", "13", "--reason", "x"), "no full packs of 6"),
        (("change", "007", "north", "36", "--reason", " "), "needs a reason"),
        (("cancel", "007", "north", "--reason", "x"), "it is proposed; only these can be: approved, exported"),
        (("export",), "no approved orders wait to be exported"),
        (
            ("exceptions", "--kind", "odd"),
            "'odd' is no kind of exception; the kinds are stocked_out, potential_stockout",
        ),
        (("exceptions",), "no exceptions are published yet"),
    ],
)
def test_what_cannot_be_done_is_explained(nexgen: Nexgen, arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(DecisionError, match=problem):
        nexgen(*arguments)
