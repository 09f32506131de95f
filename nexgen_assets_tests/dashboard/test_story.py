"""An order from a planner's doubt to the supplier's file, in one browser: who changed, approved and sent it."""

import re

import pytest
from playwright.sync_api import expect

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets_tests.dashboard.browser import Visit, address, chromium, visit
from nexgen_assets_tests.dashboard.conftest import PASSWORD
from nexgen_assets_tests.dashboard.shop import DAY
from nexgen_assets_tests.dashboard.steps import approve_and_export, change_to, log_in, log_out, read_why

__all__ = ["address", "chromium", "visit"]

PAULA, ANTON, ADA = "paula", "anton", "ada"
BREAD = ("003", "north")
LINE = f"{BREAD[0]} at {BREAD[1]}"
ITEM = "/item?product_id=003&location=north"


@pytest.fixture
def people(door: FrontDoor) -> None:
    for name, role in ((PAULA, Role.PLANNER), (ANTON, Role.APPROVER), (ADA, Role.ADMIN)):
        door.users.add(name, role, PASSWORD, "tests")


@pytest.mark.usefixtures("people")
def test_an_order_is_doubted_changed_approved_exported_and_found_again(visit: Visit) -> None:
    page = visit("/orders")
    log_in(page, PAULA)

    # she finds the order, and reads why it is as it is
    proposed = read_why(page, LINE)
    assert proposed > 0

    # she orders a pack more, and says why; she may not approve it
    change_to(page, proposed + 6, "Local event")
    expect(page.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    log_out(page)

    # he approves what she changed, and sends it
    log_in(page, ANTON)
    expect(page.locator("section").filter(has_text="What was decided")).to_contain_text(PAULA)
    approve_and_export(page, proposed + 6)
    log_out(page)

    # whoever asks later finds every step: on the page, in the decisions, and who was there in the audit log
    log_in(page, ADA)
    page.goto(ITEM)
    steps = page.locator("section").filter(has_text="What was decided").get_by_role("listitem")
    expect(steps).to_have_count(3)
    told = page.request.get(f"/api/decisions?product_id=003&location=north&day={DAY}").json()["events"]
    assert [(event["action"], event["decided_by"]) for event in told] == [
        ("change", PAULA),
        ("approve", ANTON),
        ("export", ANTON),
    ]
    assert [event["order_units"] for event in told] == [proposed + 6] * 3
    assert told[0]["reason"] == "Local event"
    logins = [entry["who"] for entry in page.request.get("/api/audit").json()["entries"] if entry["what"] == "login"]
    assert logins == [ADA, ANTON, PAULA]
