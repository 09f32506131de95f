"""Uploads in a real browser: a file with bad lines, its report, its correction, and both ways to commit."""

from pathlib import Path

import dagster as dg
import obstore
import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from nexgen_assets.dashboard.app import create_app
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.worker import Workers
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings
from nexgen_assets_tests.dashboard.browser import DESKTOP, PHONE, Visit, address, chromium, visit
from nexgen_assets_tests.dashboard.test_pages import serious

__all__ = ["address", "chromium", "visit"]

HEADER = "product_id,location,date_of_purchase,quantity,product_name,colour\n"
BAD = f"{HEADER}001,north,2026-03-01,two,Milk,red\n002,north,2026-03-01,5,<b id='evil'>Bread</b>,red\n"
GOOD = f"{HEADER}001,north,2026-03-01,2,Milk,red\n002,north,2026-03-01,5,Bread,red\n"


@pytest.fixture
def door(deployment: Settings, instance: dg.DagsterInstance, workers: Workers) -> FrontDoor:
    """The front door of an empty deployment."""
    return FrontDoor.of(deployment, instance, workers)


@pytest.fixture
def app(door: FrontDoor) -> FastAPI:
    return create_app(door.settings, door)


def choose(page: Page, folder: Path, content: str, name: str = "march.csv") -> None:
    file = folder / name
    file.write_text(content)
    page.get_by_label("Choose a file").set_input_files(file)
    expect(page.get_by_role("heading", name=f"Sales: {name}")).to_be_visible()


def test_a_file_is_checked_corrected_and_committed(visit: Visit, tmp_path: Path, access: S3Access) -> None:
    page = visit("/uploads", Role.STORE)
    choose(page, tmp_path, BAD)
    line = page.get_by_role("table", name="Lines that would not be taken").get_by_role("row").nth(1)
    expect(line).to_contain_text("two")
    expect(line).to_contain_text("not a number")
    expect(page.get_by_text("Columns that are left out: colour")).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="Sales: march.csv")).to_have_count(0)

    choose(page, tmp_path, GOOD)
    expect(page.get_by_text("Would be refused")).to_be_visible()
    expect(page.get_by_role("table", name="Lines that would not be taken")).to_have_count(0)
    page.get_by_role("button", name="Commit").click()
    expect(page.get_by_text("landing/sales/store/march.csv")).to_be_visible()
    landed = obstore.get(access.store("landing"), "sales/store/march.csv").bytes()
    assert bytes(landed).decode() == GOOD


def test_a_name_that_has_landed_is_a_choice(visit: Visit, tmp_path: Path, access: S3Access) -> None:
    obstore.put(access.store("landing"), "sales/store/march.csv", GOOD.encode())
    page = visit("/uploads", Role.STORE)
    choose(page, tmp_path, GOOD.replace("2026-03-01", "2026-03-02"))
    commit = page.get_by_role("button", name="Commit")
    expect(commit).to_be_disabled()
    page.get_by_role("radio", name="Keep both").check()
    commit.click()
    expect(page.get_by_text("landing/sales/store/march-2.csv")).to_be_visible()


def test_an_example_of_each_kind_can_be_downloaded(visit: Visit) -> None:
    page = visit("/uploads", Role.STORE)
    page.get_by_label("What is in it?").select_option("Stock counts")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download an example").click()
    assert download.value.suggested_filename == "inventory.csv"
    assert download.value.path().read_text().startswith("date,product_id,location,on_hand")


def test_a_file_that_cannot_be_used_says_what_to_do(visit: Visit, tmp_path: Path) -> None:
    page = visit("/uploads", Role.STORE)
    choose(page, tmp_path, "a,b\n1,2\n")
    expect(page.get_by_role("alert")).to_contain_text("lacks the required column")
    expect(page.get_by_role("button", name="Commit")).to_have_count(0)


def test_what_is_no_file_of_ours_is_told(visit: Visit, tmp_path: Path) -> None:
    page = visit("/uploads", Role.STORE)
    (tmp_path / "march.xlsx").write_text("PK")
    page.get_by_label("Choose a file").set_input_files(tmp_path / "march.xlsx")
    expect(page.get_by_role("alert")).to_contain_text("export it as one of these")


def test_viewers_find_no_uploads(visit: Visit) -> None:
    page = visit("/uploads", Role.VIEWER)
    expect(page.get_by_text("Ask an administrator for the role store")).to_be_visible()
    expect(page.get_by_role("link", name="Uploads")).to_have_count(0)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_accessible_and_shows_markup_as_text(
    visit: Visit, tmp_path: Path, access: S3Access, scheme: str, size: tuple[int, int]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    obstore.put(access.store("landing"), "sales/admin/march.csv", GOOD.encode())
    page = visit("/uploads", Role.ADMIN, scheme, size)
    markup = "<b id='evil'>x</b>"
    choose(page, tmp_path, BAD + f"003,north,2026-03-01,{markup},Cheese,red\n")
    expect(page.get_by_text(markup)).to_be_visible()
    assert serious(Axe().run(page).response) == []
    assert page.locator("#evil").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
