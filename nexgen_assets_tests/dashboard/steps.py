"""What people do in the browser with one order, step by step: what the stories are made of.

What belongs here: the clicks, and that the page answers them. What does not: who does them when, and what must have
become of it.
"""

import re

from playwright.sync_api import Page, expect

from nexgen_assets_tests.dashboard.conftest import PASSWORD


def log_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("banner")).to_contain_text(name)


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in to NexGen")).to_be_visible()


def read_why(page: Page, line: str) -> int:
    """Open an order from the list, and read the quantity that its ledger comes to."""
    page.locator(f'tr[data-key="{line}"]').get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/item\?.*product_id="))
    why = page.locator("section").filter(has_text="Why this quantity")
    [number] = re.findall(r"\d+", why.get_by_role("table").locator("tfoot").inner_text().replace(",", ""))
    return int(number)


def change_to(page: Page, units: int, reason: str) -> None:
    page.get_by_role("button", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Units to order").fill(f"{units}")
    dialog.get_by_label("Reason", exact=True).select_option(reason)
    dialog.get_by_role("button", name=f"Order {units}").click()
    expect(page.get_by_text("Changed", exact=True)).to_be_visible()


def approve_and_export(page: Page, units: int) -> None:
    page.get_by_role("button", name=f"Approve {units}").click()
    expect(page.get_by_text("Approved", exact=True)).to_be_visible()
    page.get_by_role("link", name="← Orders").click()
    page.get_by_role("button", name="Export approved").click()
    page.get_by_role("dialog").get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Exported 1 line to 1 supplier")
    page.keyboard.press("Escape")
