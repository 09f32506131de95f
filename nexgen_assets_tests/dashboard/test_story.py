"""An order from a planner's doubt to the supplier's file, in one browser: who changed, approved and sent it."""

import re

import pytest
from playwright.sync_api import Page, expect

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets_tests.dashboard.browser import Visit, address, chromium, visit
from nexgen_assets_tests.dashboard.conftest import PASSWORD
from nexgen_assets_tests.dashboard.shop import DAY

__all__ = ["address", "chromium", "visit"]

PAULA, ANTON, ADA = "paula", "anton", "ada"
BREAD = ("003", "north")
LINE = f"{BREAD[0]} at {BREAD[1]}"
ITEM = "/item?product_id=003&location=north"


@pytest.fixture
def people(door: FrontDoor) -> None:
    for name, role in ((PAULA, Role.PLANNER), (ANTON, Role.APPROVER), (ADA, Role.ADMIN)):
        door.users.add(name, role, PASSWORD, "tests")


def log_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("banner")).to_contain_text(name)


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in to NexGen")).to_be_visible()


@pytest.mark.usefixtures("people")
def test_an_order_is_doubted_changed_approved_exported_and_found_again(visit: Visit) -> None:
    page = visit("/orders")
    log_in(page, PAULA)

    # she finds the order, and reads why it is as it is
    page.locator(f'tr[data-key="{LINE}"]').get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/item\?.*product_id=003"))
    why = page.locator("section").filter(has_text="Why this quantity")
    proposed = units(why.get_by_role("table").locator("tfoot").inner_text())
    assert proposed > 0

    # she orders a pack more, and says why; she may not approve it
    page.get_by_role("button", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Units to order").fill(f"{proposed + 6}")
    dialog.get_by_label("Reason", exact=True).select_option("Local event")
    dialog.get_by_role("button", name=f"Order {proposed + 6}").click()
    expect(page.get_by_text("Changed", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    log_out(page)

    # he approves what she changed, and sends it
    log_in(page, ANTON)
    expect(page.locator("section").filter(has_text="What was decided")).to_contain_text(PAULA)
    page.get_by_role("button", name=f"Approve {proposed + 6}").click()
    expect(page.get_by_text("Approved", exact=True)).to_be_visible()
    page.get_by_role("link", name="← Orders").click()
    page.get_by_role("button", name="Export approved").click()
    page.get_by_role("dialog").get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Exported 1 line to 1 supplier")
    page.keyboard.press("Escape")
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


def units(text: str) -> int:
    """The number in a line of figures."""
    [number] = re.findall(r"\d+", text.replace(",", ""))
    return int(number)
