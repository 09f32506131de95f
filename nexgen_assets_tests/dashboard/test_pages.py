"""The dashboard in a real browser: what planners see and do, on real tables."""

import re
from dataclasses import replace

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.decisions.book import Published, Request
from nexgen_assets.decisions.rules import Action, LineKey, Person
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.tables import REORDER_RECOMMENDATIONS
from nexgen_assets_tests.dashboard.browser import DESKTOP, PHONE, Visit, address, chromium, visit
from nexgen_assets_tests.dashboard.conftest import PASSWORD
from nexgen_assets_tests.dashboard.shop import DAY

__all__ = ["address", "chromium", "visit"]

BREAD = ("003", "north")
ITEM = "/item?product_id=003&location=north"
LINE = f"{BREAD[0]} at {BREAD[1]}"
PAGES = (
    *("/", "/orders", "/orders?grouped=yes", ITEM, "/trends", "/quality", "/scenarios", "/uploads", "/data"),
    *("/account", "/people", "/audit"),
)


@pytest.fixture
def orders(door: FrontDoor) -> list[dict]:
    """The published order rows, read without the API; the most money at risk first."""
    rows = DeltaTables(open_lake(door.settings)).read(REORDER_RECOMMENDATIONS, DAY, DAY).to_pylist()
    return sorted(rows, key=lambda row: -row["money_at_risk"])


def row_of(page: Page, line: str = LINE):
    return page.locator(f'tr[data-key="{line}"]')


def shown_lines(page: Page) -> list[str]:
    expect(page.locator("tr[data-key]").first).to_be_visible()
    return page.locator("tr[data-key]").evaluate_all("rows => rows.map(row => row.dataset.key)")


# ---- who sees what


def test_without_a_login_there_is_only_the_login_page(visit: Visit) -> None:
    page = visit("/orders")
    expect(page.get_by_role("heading", name="Log in to NexGen")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(0)


def test_a_wrong_password_is_told_and_a_right_one_leads_to_the_page_asked_for(visit: Visit, door: FrontDoor) -> None:
    door.users.add("ann", Role.PLANNER, PASSWORD, "tests")
    page = visit("/orders")
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill("a guess that is wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("name or password is wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Orders", exact=True)).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in to NexGen")).to_be_visible()


def test_a_session_that_was_ended_leads_back_to_the_login(visit: Visit, door: FrontDoor) -> None:
    page = visit("/orders", Role.PLANNER)
    shown_lines(page)
    door.users.set_disabled(Role.PLANNER.value, "tests", is_disabled=True)
    page.get_by_role("link", name="Trends").click()
    expect(page.get_by_role("heading", name="Log in to NexGen")).to_be_visible()


def test_money_bears_the_sign_of_the_currency_if_one_is_told(visit: Visit, app: FastAPI, door: FrontDoor) -> None:
    tile = visit("/", Role.VIEWER).locator("dl > div").filter(has_text="At risk")
    expect(tile).to_contain_text("money")
    app.state.door = replace(door, settings=door.settings.model_copy(update={"currency": "EUR"}))
    tile = visit("/", Role.VIEWER).locator("dl > div").filter(has_text="At risk")
    expect(tile).to_contain_text("€")
    expect(tile).not_to_contain_text("money")


def test_viewers_are_offered_no_decisions(visit: Visit) -> None:
    page = visit("/orders", Role.VIEWER)
    row_of(page).get_by_role("cell").nth(1).click()
    expect(page.get_by_role("button", name="Why?")).to_be_visible()
    for name in ("Accept", "Change", "Export approved"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


# ---- the worklist


def test_the_worklist_begins_with_the_most_money_at_risk(visit: Visit, orders: list[dict]) -> None:
    page = visit("/orders", Role.PLANNER)
    expected = [f"{row['product_id']} at {row['location']}" for row in orders if row["order_units"] > 0]
    assert shown_lines(page) == expected


def test_filters_stand_in_the_address(visit: Visit) -> None:
    page = visit("/orders", Role.PLANNER)
    page.get_by_label("Supplier", exact=True).select_option("S2")
    expect(page).to_have_url(re.compile(r"supplier_id=S2"))
    expect(page.locator("tr[data-key]")).to_have_count(1)
    page.reload()
    assert shown_lines(page) == [LINE]


def test_a_filter_that_nothing_matches_says_so(visit: Visit) -> None:
    page = visit("/orders?q=nothing-is-called-so", Role.PLANNER)
    expect(page.get_by_text("No order line matches these filters.")).to_be_visible()


def test_groups_of_suppliers_have_totals_and_minima(visit: Visit, orders: list[dict]) -> None:
    page = visit("/orders?grouped=yes", Role.PLANNER)
    [of_s2] = [row for row in orders if row["supplier_id"] == "S2"]
    head = page.locator("tr").filter(has_text="minimum of 100")
    expect(head).to_contain_text("S2")
    expect(head).to_contain_text(f"value {of_s2['order_value']:.2f}")
    verdict = "Below" if of_s2["order_value"] < 100 else "Reaches"
    expect(head).to_contain_text(verdict)


def test_keys_move_accept_and_open(visit: Visit, door: FrontDoor) -> None:
    page = visit("/orders", Role.PLANNER)
    first, second, *_ = shown_lines(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row_of(page, second)).to_have_attribute("data-active", "true")
    page.keyboard.press("k")
    page.keyboard.press("a")
    expect(row_of(page, first)).to_contain_text("Accepted")
    [decision] = door.book.decisions([DAY]).values()
    assert (f"{decision.product_id} at {decision.location}", decision.decided_by) == (first, "planner")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/item\?"))


def test_a_change_asks_for_full_packs_and_a_reason(visit: Visit, door: FrontDoor) -> None:
    page = visit("/orders?supplier_id=S2", Role.PLANNER)
    shown_lines(page)
    page.keyboard.press("j")
    page.keyboard.press("e")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Units to order").fill("31")
    expect(dialog.get_by_label("not full packs of 6")).to_be_visible()
    dialog.get_by_label("Units to order").fill("30")
    expect(dialog.get_by_role("button", name="Order 30")).to_be_disabled()
    dialog.get_by_label("Reason", exact=True).select_option("Local event")
    expect(dialog.get_by_role("columnheader", name="Yours 30")).to_be_visible()
    dialog.get_by_role("button", name="Order 30").click()
    expect(dialog).to_have_count(0)
    expect(row_of(page)).to_contain_text("Changed")
    [event] = door.book.history(*BREAD, DAY)
    assert (event.order_units, event.reason, event.is_override) == (30, "Local event", False)


def test_many_lines_are_accepted_then_approved_then_exported(visit: Visit, door: FrontDoor) -> None:
    page = visit("/orders", Role.APPROVER)
    lines = shown_lines(page)
    page.get_by_label("Select all that are shown").check()
    page.get_by_role("button", name=f"Accept {len(lines)}").click()
    expect(page.locator("tr[data-key]").filter(has_text="Accepted")).to_have_count(len(lines))
    page.get_by_label("Select all that are shown").check()
    page.get_by_role("button", name=f"Approve {len(lines)}").click()
    expect(page.locator("tr[data-key]").filter(has_text="Approved")).to_have_count(len(lines))
    page.get_by_role("button", name="Export approved").click()
    page.get_by_role("dialog").get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Exported {len(lines)} lines to 2 suppliers")
    assert {decision.state for decision in door.book.decisions([DAY]).values()} == {"exported"}


def test_what_somebody_else_decided_first_is_told(visit: Visit, door: FrontDoor, orders: list[dict]) -> None:
    page = visit("/orders?supplier_id=S2", Role.PLANNER)
    shown_lines(page)
    rows = {LineKey(row["day"], row["product_id"], row["location"]): row for row in orders}
    door.book.decide(Action.ACCEPT, [Request(LineKey(DAY, *BREAD), 0)], Person("bob"), Published(DAY, rows))
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text("bob made it accepted")
    expect(row_of(page)).to_contain_text("Accepted")


# ---- a product at a location


def test_the_ledger_adds_up_to_the_published_order(visit: Visit, orders: list[dict]) -> None:
    page = visit(ITEM, Role.VIEWER)
    page.get_by_role("button", name=re.compile("Show the .* steps")).click()
    ledger = page.get_by_role("table", name="How the order quantity comes about, in units")
    parts = ledger.locator("tbody td:nth-of-type(1)").all_inner_texts()
    [row] = [row for row in orders if (row["product_id"], row["location"]) == BREAD]
    assert sum(float(part.replace(",", "")) for part in parts) == pytest.approx(row["order_units"], abs=0.01)
    expect(ledger.locator("tfoot")).to_contain_text(f"{row['order_units']:g}")


def test_every_chart_has_its_numbers_as_a_table(visit: Visit) -> None:
    page = visit("/item?product_id=002&location=north", Role.VIEWER)
    figures = page.locator("figure")
    expect(figures).to_have_count(3)
    for index in range(3):
        figures.nth(index).get_by_text("Show the numbers as a table").click()
        expect(figures.nth(index).locator("tbody tr").first).to_be_visible()
    # row 67 of 97: rows out of sight are not in the page
    figures.first.get_by_role("region").evaluate("box => box.scrollTo(0, box.scrollHeight * 66 / 98)")
    stockout = figures.first.get_by_role("row", name="Sun, 8 Mar 2026")
    expect(stockout).to_contain_text("Stockout")


def test_a_decision_is_found_in_the_history_of_the_line(visit: Visit) -> None:
    page = visit(ITEM, Role.APPROVER)
    page.get_by_role("button", name=re.compile("^Accept")).click()
    page.get_by_role("button", name=re.compile("^Approve")).click()
    page.get_by_role("button", name="Cancel the order").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the supplier is closed")
    dialog.get_by_role("button", name="Cancel the order").click()
    decided = page.locator("section").filter(has_text="What was decided")
    expect(decided.get_by_role("listitem")).to_have_count(3)
    expect(decided).to_contain_text("the supplier is closed")


def test_a_product_that_is_not_ordered_says_so(visit: Visit) -> None:
    page = visit("/item?product_id=none&location=north", Role.VIEWER)
    expect(page.get_by_role("alert").first).to_contain_text("no order of this product")


# ---- the other pages


def test_the_overview_leads_to_what_needs_attention(visit: Visit) -> None:
    page = visit("/", Role.VIEWER)
    page.get_by_role("link", name="Orders to decide on").click()
    expect(page.get_by_role("checkbox", name="To decide")).to_be_checked()


def test_more_demand_means_more_orders(visit: Visit) -> None:
    page = visit("/scenarios", Role.PLANNER)
    page.get_by_role("slider", name=re.compile("^Demand")).fill("200")
    page.get_by_role("button", name="Compute").click()
    units = page.get_by_role("row", name=re.compile("^Units ordered")).get_by_role("cell")
    plan, other = (float(units.nth(index).inner_text().replace(",", "")) for index in (0, 1))
    assert other > plan
    expect(page.get_by_role("region", name="Lines that change most").locator("tbody tr").first).to_be_visible()


def test_a_breakdown_by_product_names_products(visit: Visit) -> None:
    page = visit("/trends?of=product", Role.VIEWER)
    row = page.get_by_role("row", name=re.compile(r"Product 003 \(003\)"))
    expect(row).to_be_visible()


def test_refused_lines_are_counted_by_rule_and_never_shown(visit: Visit) -> None:
    page = visit("/data", Role.VIEWER)
    expect(page.get_by_role("row", name=re.compile("^Quantity not a number"))).to_be_visible()
    assert "Secret" not in page.content()


def test_the_choice_of_dark_is_kept(visit: Visit) -> None:
    page = visit("/quality", Role.VIEWER)
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark


# ---- for everybody


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(visit: Visit, scheme: str, size: tuple[int, int]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit("/", scheme=scheme, size=size)
    expect(page.get_by_label("Name")).to_be_visible()
    found = {"login": serious(Axe().run(page).response)}
    page = visit("/", Role.ADMIN, scheme, size)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    for path in PAGES:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        found[path] = serious(Axe().run(page).response)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"
    assert not any(found.values()), found
    assert not problems


def serious(answer: dict) -> list[str]:
    """Axe's serious and critical findings, with where they are."""
    return [
        f"{finding['id']}: {node['target']} {node.get('failureSummary', '')}"
        for finding in answer["violations"]
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]
