"""The pages about people in a real browser: accounts, passwords, tokens and the audit log."""

import re

import pytest
from playwright.sync_api import Page, expect

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets_tests.dashboard.browser import Visit, address, chromium, visit
from nexgen_assets_tests.dashboard.conftest import PASSWORD

__all__ = ["address", "chromium", "visit"]


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_a_user_is_added_with_a_generated_password_that_opens_the_door(visit: Visit, door: FrontDoor) -> None:
    page = visit("/people", Role.ADMIN)
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("bert")
    dialog.get_by_label("Role").select_option("store")
    dialog.get_by_role("button", name="Generate").click()
    dialog.get_by_role("button", name="Add", exact=True).click()
    password = dialog.get_by_label("Password", exact=True).input_value()
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row", name=re.compile("^bert Store May log in Never"))).to_be_visible()

    assert re.fullmatch(r"[A-Za-z2-9]{20}", password)
    other = visit("/account")
    log_in(other, "bert", password)
    expect(other.get_by_text("bert, store")).to_be_visible()
    assert door.users.find("bert")


def test_a_name_that_is_taken_is_told(visit: Visit) -> None:
    page = visit("/people", Role.ADMIN)
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Admin")
    dialog.get_by_label(re.compile("^First password")).fill(PASSWORD)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("there is a user admin already")


def test_the_last_admin_is_told_why_they_stay(visit: Visit, door: FrontDoor) -> None:
    door.users.add("other", Role.VIEWER, PASSWORD, "tests")
    page = visit("/people", Role.ADMIN)
    for question, deed in (("Role", "Change the role"), ("Disable", "Disable")):
        page.get_by_role("button", name=f"{question}: admin").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("admin is the last admin")
        expect(dialog.get_by_role("button", name=deed, exact=True)).to_be_disabled()
        dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Role: other").click()
    page.get_by_role("dialog").get_by_label("Role").select_option("admin")
    page.get_by_role("button", name="Change the role").click()
    expect(page.get_by_role("row", name=re.compile("^other Admin"))).to_be_visible()
    page.get_by_role("button", name="Disable: admin").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable", exact=True).click()
    # the admin has just locked themselves out, which is now possible
    expect(page.get_by_role("heading", name="Log in to NexGen")).to_be_visible()
    admin, other = door.users.find("admin"), door.users.find("other")
    assert admin
    assert other
    assert (admin.is_disabled, other.role) == (True, "admin")


def test_an_admin_gives_somebody_another_password(visit: Visit, door: FrontDoor) -> None:
    door.users.add("carl", Role.PLANNER, PASSWORD, "tests")
    page = visit("/people", Role.ADMIN)
    page.get_by_role("button", name="Password: carl").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("^New password")).fill("quite another password")
    dialog.get_by_role("button", name="Change the password").click()
    expect(dialog.get_by_label("Password", exact=True)).to_have_value("quite another password")
    assert door.users.with_password("carl", "quite another password")
    assert door.users.with_password("carl", PASSWORD) is None


def test_whoever_is_no_admin_sees_nobody_else(visit: Visit) -> None:
    page = visit("/account", Role.APPROVER)
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    for path, what in (("/people", "people"), ("/audit", "audit log")):
        page.goto(path)
        expect(page.get_by_role("alert")).to_contain_text(f"You may not see {what}")


def test_a_new_password_of_ones_own_logs_out_everywhere(visit: Visit) -> None:
    page = visit("/account", Role.VIEWER)
    page.get_by_label("Old password").fill("not the old one")
    page.get_by_label("New password", exact=True).fill("quite another password")
    page.get_by_label("New password again").fill("quite another passwort")
    expect(page.get_by_role("button", name="Change the password")).to_be_disabled()
    page.get_by_label("New password again").fill("quite another password")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("alert")).to_contain_text("the old password is wrong")
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    page.get_by_role("button", name="Log in again").click()
    log_in(page, "viewer", "quite another password")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_a_token_is_shown_once_works_and_is_ended(visit: Visit, door: FrontDoor) -> None:
    page = visit("/account", Role.PLANNER)
    role = page.get_by_label("Role, no more than yours")
    expect(role.locator("option")).to_have_text(["viewer", "store", "planner"])
    page.get_by_label("What it is for").fill("nightly report")
    role.select_option("store")
    page.get_by_label("Days").fill("7")
    page.get_by_role("button", name="Make a token").click()
    token = page.get_by_label("Token “nightly report”").input_value()
    bearer = door.tokens.bearer(token)
    assert bearer
    assert (bearer.name, bearer.role) == ("planner", Role.STORE)

    page.reload()
    page.get_by_role("button", name="End nightly report").click()
    expect(page.get_by_role("row", name=re.compile("nightly report"))).to_contain_text("Ended")
    assert token not in page.content()
    assert door.tokens.bearer(token) is None


def test_the_audit_log_is_searched_and_read_to_its_end(visit: Visit, door: FrontDoor) -> None:
    for number in range(230):
        door.audit.add("robot", "orders exported", f"export {number:03}")
    page = visit("/audit", Role.ADMIN)
    rows = page.get_by_role("region", name="Audit log, newest first").locator("tr[data-key]")
    expect(rows.first).to_contain_text("Login")
    page.get_by_label("What").select_option("Orders exported")
    page.get_by_label("Who").fill("ROB")
    expect(page).to_have_url(re.compile(r"/audit\?what=orders\+exported&who=ROB"))
    expect(rows.first).to_contain_text("export 229")
    region = page.get_by_role("region", name="Audit log, newest first")
    expect(table := region.get_by_role("table")).to_have_attribute("aria-rowcount", "101")
    region.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(table).to_have_attribute("aria-rowcount", "201")
    region.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(table).to_have_attribute("aria-rowcount", "231")
    region.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(rows.last).to_contain_text("export 000")
    page.get_by_label("Who").fill("nobody")
    expect(page.get_by_text("No entry matches these filters.")).to_be_visible()


@pytest.mark.parametrize("path", ["/account", "/people", "/audit"])
def test_pages_of_people_are_reached_by_links(visit: Visit, path: str) -> None:
    page = visit("/", Role.ADMIN)
    page.get_by_role("link", name="admin (admin)").click()
    page.get_by_role("navigation", name="Accounts").locator(f'a[href="{path}"]').click()
    expect(page).to_have_url(re.compile(f"{path}$"))
    expect(page.get_by_role("navigation", name="Accounts").locator("a[aria-current=page]")).to_have_count(1)
