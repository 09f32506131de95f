"""Orders over HTTP: what the worklist and one line tell, and what becomes of a decision."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import pyarrow as pa
import pytest

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.tables import ORDER_EXCEPTIONS, REORDER_RECOMMENDATIONS
from nexgen_assets_tests.dashboard.conftest import AS
from nexgen_assets_tests.dashboard.shop import DAY

BREAD = {"product_id": "003", "location": "north"}


@pytest.fixture
def planner(as_role: AS) -> httpx.Client:
    return as_role(Role.PLANNER)


@pytest.fixture
def approver(as_role: AS) -> httpx.Client:
    return as_role(Role.APPROVER)


@pytest.fixture
def published(door: FrontDoor) -> list[dict[str, Any]]:
    """The rows of the newest day, read another way."""
    return DeltaTables(door.lake.access).read(REORDER_RECOMMENDATIONS, DAY, DAY).to_pylist()


def lines(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    return client.get("/api/orders", params=query).json()["lines"]


def line(client: httpx.Client, **key: Any) -> dict[str, Any]:
    [found] = lines(client, **key or BREAD, no_need=True)
    return found


def seen(of: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {name: of[name] for name in ("day", "product_id", "location", "seen", "revision")} | more


def decided(of: dict[str, Any]) -> dict[str, Any]:
    return {name: of[name] for name in ("day", "product_id", "location", "seen")}


# ---- looking


def test_the_worklist_is_the_newest_day_the_most_money_at_risk_first(
    planner: httpx.Client, published: list[dict[str, Any]]
) -> None:
    answer = planner.get("/api/orders", params={"no_need": True}).json()

    at_risk = sorted((row["money_at_risk"] for row in published), reverse=True)
    assert answer["day"] == str(DAY)
    assert [told["money_at_risk"] for told in answer["lines"]] == at_risk
    assert answer["total"] == len(published)


def test_pages_add_up_to_the_whole_list(planner: httpx.Client) -> None:
    query = {"sort": "product_id", "descending": True, "no_need": True}
    whole = lines(planner, **query)

    pages = [told for offset in range(4) for told in lines(planner, **query, limit=1, offset=offset)]

    assert pages == whole
    assert [told["product_id"] for told in whole] == ["003", "002", "001", "001"]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({"location": "south"}, {("001", "south")}),
        ({"category": "bread"}, {("003", "north")}),
        ({"supplier_id": "S1", "location": "north"}, {("001", "north"), ("002", "north")}),
        ({"q": "PRODUCT 002 nor"}, {("002", "north")}),
        ({"q": "no such thing"}, set()),
        ({"product_id": "' OR 1=1 --"}, set()),
        ({"standing": "approved"}, set()),
    ],
)
def test_filters_leave_the_lines_that_match_everything(
    planner: httpx.Client, query: dict[str, str], keys: set[tuple[str, str]]
) -> None:
    assert {(told["product_id"], told["location"]) for told in lines(planner, no_need=True, **query)} == keys


def test_totals_are_of_all_lines_not_of_the_page(planner: httpx.Client, published: list[dict[str, Any]]) -> None:
    totals = planner.get("/api/orders", params={"limit": 1, "no_need": True}).json()["totals"]

    assert totals["order_units"] == sum(row["order_units"] for row in published)
    assert totals["order_value"] == sum(row["order_units"] * 1.0 for row in published)
    assert totals["money_at_risk"] == pytest.approx(sum(row["money_at_risk"] for row in published))
    assert totals["to_decide"] == totals["to_order"] == sum(row["order_units"] > 0 for row in published)


def test_supplier_totals_say_who_is_below_the_smallest_order(planner: httpx.Client) -> None:
    suppliers = {told["supplier_id"]: told for told in planner.get("/api/orders/suppliers").json()["suppliers"]}

    assert set(suppliers) == {"S1", "S2"}
    assert suppliers["S1"]["min_order_value"] is None
    assert suppliers["S1"]["is_below_minimum"] is None
    assert suppliers["S2"]["is_below_minimum"] == (suppliers["S2"]["order_value"] < 100)


def test_the_ledger_adds_up_to_the_proposal(planner: httpx.Client) -> None:
    detail = planner.get("/api/orders/line", params=BREAD).json()

    assert sum(entry["units"] for entry in detail["ledger"]) == pytest.approx(detail["line"]["proposed_units"])
    assert detail["ledger"][-1]["running_units"] == detail["line"]["proposed_units"]
    assert detail["explanation"] == detail["terms"]["explanation"]
    assert detail["history"] == []


def test_a_line_that_is_not_there_is_not_found(planner: httpx.Client) -> None:
    answer = planner.get("/api/orders/line", params={"product_id": "009", "location": "north"})

    assert answer.status_code == 404
    assert "no order of this product" in answer.json()["detail"]


def test_the_outcome_of_the_proposal_is_what_its_row_promises(
    planner: httpx.Client, published: list[dict[str, Any]]
) -> None:
    [row] = [row for row in published if row["product_id"] == "003"]
    query = {**BREAD, "order_units": [row["order_units"] + 6, 7]}

    outcomes = planner.get("/api/orders/outcomes", params=query).json()["outcomes"]

    [proposal] = [told for told in outcomes if told["is_proposal"]]
    nothing, odd, more = outcomes[0], outcomes[1], outcomes[-1]
    assert proposal["promised_fill_rate"] == row["promised_fill_rate"]
    assert proposal["stockout_probability"] == row["stockout_probability_with_order"]
    assert proposal["expected_lost_units"] == row["expected_lost_units_with_order"]
    assert nothing["expected_lost_units"] == row["expected_lost_units"]
    assert more["promised_fill_rate"] >= proposal["promised_fill_rate"]
    assert (odd["order_units"], odd["has_full_packs"], odd["reaches_minimum"]) == (7, False, False)


@pytest.fixture
def hub(door: FrontDoor, published: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """A centre among the newest day's orders, that sells nothing itself."""
    tables, schema = DeltaTables(door.lake.access), REORDER_RECOMMENDATIONS.arrow_schema
    own = next(row for row in published if row["product_id"] == "003") | {"location": "hub", "supplied_locations": 2}
    supplied = [row | {"supplied_by": "hub" if row["product_id"] == "003" else None} for row in published]
    with_hub = pa.Table.from_pylist([*supplied, own], schema=schema)
    tables.replace_days(REORDER_RECOMMENDATIONS, with_hub, DAY, DAY, f"hub-{uuid4()}")
    yield {"product_id": "003", "location": "hub"}
    without = pa.Table.from_pylist(published, schema=schema)
    tables.replace_days(REORDER_RECOMMENDATIONS, without, DAY, DAY, f"no-hub-{uuid4()}")


def test_a_centres_order_is_told_and_decided_like_any_other(planner: httpx.Client, hub: dict[str, str]) -> None:
    told = line(planner, **hub)
    assert (told["location"], told["order_units"] > 0) == ("hub", True)

    detail = planner.get("/api/orders/line", params=hub).json()
    assert detail["ledger"][-1]["running_units"] == told["order_units"]
    assert detail["terms"]["supplied_locations"] == 2
    for page in ("demand", "forecast", "past-forecasts"):
        answer = planner.get(f"/api/series/{page}", params={**hub, "horizon": 1})
        assert (answer.status_code, answer.json()["days"]) == (200, [])
    assert planner.post("/api/decisions/accept", json={"lines": [seen(told)]}).status_code == 200
    assert line(planner, **hub)["standing"] == "accepted"


def test_totals_count_a_purchase_and_a_customer_once(
    planner: httpx.Client, hub: dict[str, str], published: list[dict[str, Any]]
) -> None:
    """What the centre sends it has bought, and what it lacks its locations lose."""
    bought = [row for row in published if row["product_id"] != "003"]
    own = line(planner, **hub)
    totals = planner.get("/api/orders", params={"no_need": True}).json()["totals"]
    value = sum(row["order_units"] * row["unit_cost"] for row in bought if row["unit_cost"])
    assert totals["order_value"] == pytest.approx(value + own["order_value"])
    assert totals["money_at_risk"] == pytest.approx(sum(row["money_at_risk"] or 0 for row in published))


def test_money_by_exception_counts_a_purchase_and_a_customer_once(
    planner: httpx.Client, door: FrontDoor, hub: dict[str, str]
) -> None:
    """The centre's lost sales are its locations', what it sends was paid before; its stock is its own."""
    tables, schema = DeltaTables(door.lake.access), ORDER_EXCEPTIONS.arrow_schema
    published = tables.read(ORDER_EXCEPTIONS, DAY, DAY).to_pylist()
    told = dict.fromkeys(schema.names) | {"day": DAY, "product_id": "003", "money_at_risk": 10.0}
    told |= {"threshold": 0.0, "number_unit": "units", "action": "look", "revision": "r1"}
    kinds = ("stocked_out", "excess_stock", "data_assumed")
    both = [
        told | {"exception": kind, "location": location, "exception_rank": rank}
        for rank, (kind, location) in enumerate(product(kinds, ("hub", "north")), 1)
    ]
    tables.replace_days(ORDER_EXCEPTIONS, pa.Table.from_pylist(both, schema=schema), DAY, DAY, f"hub-{uuid4()}")
    answer = planner.get("/api/exceptions").json()
    alone = planner.get("/api/exceptions", params={"location": hub["location"]}).json()
    before = pa.Table.from_pylist(published, schema=schema)
    tables.replace_days(ORDER_EXCEPTIONS, before, DAY, DAY, f"no-hub-{uuid4()}")

    assert answer["counts"] == dict.fromkeys(kinds, 2)
    assert answer["money_at_risk"] == {"stocked_out": 10, "excess_stock": 20, "data_assumed": 10}
    assert alone["money_at_risk"] == {"stocked_out": 0, "excess_stock": 10, "data_assumed": 10}


def test_what_other_quantities_do_is_told_of_locations_that_sell(planner: httpx.Client, hub: dict[str, str]) -> None:
    answer = planner.get("/api/orders/outcomes", params=hub)
    assert answer.status_code == 422
    assert "depends on all its locations" in answer.json()["detail"]


# ---- deciding


def test_from_a_proposal_to_an_export(planner: httpx.Client, approver: httpx.Client) -> None:
    accepted = planner.post("/api/decisions/accept", json={"lines": [seen(line(planner))]})
    assert accepted.json()["lines"][0]["standing"] == "accepted"
    assert line(planner)["is_to_decide"] is False

    approved = approver.post("/api/decisions/approve", json={"lines": [decided(line(planner))]})
    assert approved.status_code == 200
    exported = approver.post("/api/exports", json={"key": "the-first-one"})

    assert exported.status_code == 201
    assert exported.json()["order_units"] == line(planner)["order_units"]
    assert line(planner)["standing"] == "exported"
    history = planner.get("/api/decisions", params=BREAD).json()["events"]
    assert [(event["action"], event["decided_by"]) for event in history] == [
        ("accept", "planner"),
        ("approve", "approver"),
        ("export", "approver"),
    ]
    again = approver.post("/api/exports", json={"key": "the-first-one"})
    assert again.json()["export_id"] == exported.json()["export_id"]
    assert [told["export_id"] for told in planner.get("/api/exports").json()["exports"]] == [
        exported.json()["export_id"]
    ]


def test_a_change_is_told_with_its_reason_and_counted_in_the_totals(planner: httpx.Client) -> None:
    before = planner.get("/api/orders").json()["totals"]
    of = line(planner)

    answer = planner.post(
        "/api/decisions/change", json={"line": seen(of), "order_units": "120", "reason": "market day"}
    )

    assert answer.status_code == 200
    changed = line(planner)
    assert (changed["standing"], changed["order_units"], changed["reason"]) == ("changed", 120, "market day")
    assert changed["proposed_units"] == of["proposed_units"]
    after = planner.get("/api/orders").json()["totals"]
    assert after["order_units"] - before["order_units"] == 120 - of["order_units"]
    assert after["to_decide"] == before["to_decide"] - 1


def test_units_that_are_no_full_packs_are_refused_in_words(planner: httpx.Client) -> None:
    asked = {"line": seen(line(planner)), "order_units": "13", "reason": "because"}

    refused = planner.post("/api/decisions/change", json=asked)
    overridden = planner.post("/api/decisions/change", json=asked | {"is_override": True})

    assert refused.status_code == 422
    assert "no full packs of 6" in refused.json()["detail"]
    assert overridden.status_code == 200
    assert line(planner)["is_override"] is True


def test_who_decides_second_is_told_to_look_again(planner: httpx.Client, approver: httpx.Client) -> None:
    of = line(planner)
    planner.post("/api/decisions/accept", json={"lines": [seen(of)]})

    late = approver.post("/api/decisions/change", json={"line": seen(of), "order_units": "24", "reason": "mine"})

    assert late.status_code == 409
    assert "planner made it accepted" in late.json()["detail"]
    assert line(planner)["standing"] == "accepted"


def test_a_proposal_that_was_not_on_the_screen_cannot_be_accepted(planner: httpx.Client) -> None:
    stale = seen(line(planner), revision="of yesterday")

    answer = planner.post("/api/decisions/accept", json={"lines": [stale]})

    assert answer.status_code == 409
    assert "has changed since you looked" in answer.json()["detail"]
    assert line(planner)["standing"] == "proposed"


def test_one_line_that_cannot_be_accepted_leaves_all_undecided(planner: httpx.Client) -> None:
    good, bad = seen(line(planner)), seen(line(planner), product_id="009")

    answer = planner.post("/api/decisions/accept", json={"lines": [good, bad]})

    assert answer.status_code == 422
    assert "no such order is proposed" in answer.json()["detail"]
    assert line(planner)["standing"] == "proposed"


def test_an_order_of_an_earlier_day_is_too_late(planner: httpx.Client) -> None:
    yesterday = seen(line(planner), day=str(DAY - timedelta(days=1)))

    answer = planner.post("/api/decisions/accept", json={"lines": [yesterday]})

    assert answer.status_code == 422
    assert "too late" in answer.json()["detail"]


def test_a_cancelled_order_says_why(planner: httpx.Client, approver: httpx.Client) -> None:
    approver.post("/api/decisions/accept", json={"lines": [seen(line(planner))]})
    approver.post("/api/decisions/approve", json={"lines": [decided(line(planner))]})

    missing = approver.post("/api/decisions/cancel", json={"lines": [decided(line(planner))]})
    done = approver.post("/api/decisions/cancel", json={"lines": [decided(line(planner))], "reason": "strike"})

    assert missing.status_code == 422
    assert done.json()["lines"][0]["standing"] == "cancelled"
    assert line(planner)["reason"] == "strike"


# ---- what if


def test_without_another_assumption_the_plan_is_the_published_one(
    planner: httpx.Client, published: list[dict[str, Any]]
) -> None:
    answer = planner.post("/api/what-if", json={}).json()

    assert answer["plan"] == answer["what_if"]
    assert answer["plan"]["order_units"] == sum(row["order_units"] for row in published)
    assert answer["is_plan_as_published"] is True
    assert answer["lines"] == []


def test_more_demand_orders_more_and_changes_nothing(planner: httpx.Client) -> None:
    before = lines(planner)

    answer = planner.post("/api/what-if", json={"demand_factor": 2}).json()

    told = {(of["product_id"], of["location"]): of for of in answer["lines"]}
    more = answer["what_if"]["order_units"] - answer["plan"]["order_units"]
    assert more == pytest.approx(sum(of["what_if_units"] - of["plan_units"] for of in told.values()))
    assert more > 0
    assert lines(planner) == before


def test_exceptions_come_ranked_with_counts_by_kind(planner: httpx.Client) -> None:
    answer = planner.get("/api/exceptions", params={"limit": 3}).json()

    assert [told["rank"] for told in answer["exceptions"]] == [1, 2, 3]
    assert sum(answer["counts"].values()) == answer["total"]
    kind = answer["exceptions"][0]["exception"]
    of_kind = planner.get("/api/exceptions", params={"exception": kind}).json()
    assert of_kind["total"] == answer["counts"][kind]
    on_list = lines(planner, exception=kind, no_need=True)
    assert len(on_list) == of_kind["total"]
    assert all(kind in told["exceptions"] for told in on_list)


def test_dates_of_a_line_are_those_of_the_calendar(planner: httpx.Client) -> None:
    of = line(planner)

    assert date.fromisoformat(of["order_date"]) == DAY + timedelta(days=1)
    assert date.fromisoformat(of["receipt_date"]) == DAY + timedelta(days=4)
