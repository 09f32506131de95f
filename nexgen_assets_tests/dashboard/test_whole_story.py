"""The whole story on the real `nexgen up`: a store's correction of a day becomes an order that somebody answers for.

Nothing is stood in for: S3, the daemon with its sensor, the runs that it starts, the browser. Two runs by the daemon
take minutes.
"""

import os
import signal
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from nexgen_assets.dashboard.roles import Role
from nexgen_assets.landing_zone import LandingZone
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.settings import Settings
from nexgen_assets_tests.conftest import BUCKET, unique_prefix
from nexgen_assets_tests.dashboard.browser import DESKTOP, chromium
from nexgen_assets_tests.dashboard.steps import approve_and_export, change_to, log_in, log_out, read_why
from nexgen_assets_tests.up import add_user, address, free_port, start, wait_until_it_serves

__all__ = ["chromium"]

pytestmark = pytest.mark.slow

HEADER = "product_id,location,date_of_purchase,quantity,unit_price,stock_level"
FIRST, DAYS = date(2026, 2, 1), 35
LAST = FIRST + timedelta(days=DAYS - 1)
PEOPLE = (Role.STORE, Role.PLANNER, Role.APPROVER, Role.ADMIN)
RUN_SECONDS = 300
LINE = "003 at north"
ITEM = "/item?product_id=003&location=north"


def sales() -> str:
    """Six of product 003 and two of 004 a day, of which there is plenty."""
    lines = [
        f"{product},north,{FIRST + timedelta(days=number)},{units},2.50,500"
        for number in range(DAYS)
        for product, units in (("003", 6), ("004", 2))
    ]
    return "\n".join([HEADER, *lines, ""])


def correction(stock: str) -> str:
    """What else sold on the last day, and that hardly any is left."""
    return "\n".join([HEADER, f"003,north,{LAST},5,2.50,{stock}", ""])


@pytest.fixture(scope="module")
def deployment(seaweed: S3Access, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A deployment in which 35 days of sales have landed, and who works with it."""
    made = Settings(
        deployment=unique_prefix(),
        deployment_id="tests",
        home=tmp_path_factory.mktemp("home"),
        bucket=BUCKET,
        s3_endpoint=seaweed.endpoint,
        calendar_start=FIRST,
        origins=2,
    )
    file = made.home_path / "sales.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(sales())
    LandingZone(open_lake(made), made).put("sales", file)
    for role in PEOPLE:
        add_user(made, role)
    return made


@pytest.fixture(scope="module")
def served(deployment: Settings, seaweed: S3Access) -> Iterator[str]:
    """Where `nexgen up` serves that deployment."""
    port = free_port()
    process = start(
        deployment.home_path,
        port,
        NEXGEN_DEPLOYMENT=deployment.deployment,
        NEXGEN_DEPLOYMENT_ID="tests",
        NEXGEN_BUCKET=BUCKET,
        NEXGEN_S3_ENDPOINT=str(seaweed.endpoint),
        AWS_ACCESS_KEY_ID=str(seaweed.access_key),
        AWS_SECRET_ACCESS_KEY=str(seaweed.secret_key),
        NEXGEN_CALENDAR_START=str(FIRST),
        NEXGEN_ORIGINS="2",
        NEXGEN_LANDING_QUIET_SECONDS="1",
    )
    try:
        wait_until_it_serves(process, port)
        yield address(port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def page(chromium: Browser, served: str) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=served, viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, locale="en-GB"
    )
    yield context.new_page()
    context.close()


def order_of(page: Page) -> dict | None:
    """The published order of the line, as the API tells it."""
    found = page.request.get("/api/orders?product_id=003&location=north&no_need=true").json()["lines"]
    return found[0] if found else None


def wait_for_orders(page: Page) -> dict:
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        if order := order_of(page):
            return order
        time.sleep(2)
    raise AssertionError(f"no orders within {RUN_SECONDS} s")


def hand_in(page: Page, folder: Path, content: str) -> None:
    file = folder / "correction.csv"
    file.write_text(content)
    page.get_by_label("Choose a file").set_input_files(file)
    expect(page.get_by_role("heading", name="Sales: correction.csv")).to_be_visible()


def test_a_correction_becomes_an_order_that_somebody_answers_for(page: Page, tmp_path: Path) -> None:
    page.goto("/uploads")
    log_in(page, Role.STORE)
    before = wait_for_orders(page)
    assert before["order_units"] == 0

    # the store hands a file in, reads what is wrong with it, and mends it
    hand_in(page, tmp_path, correction("three"))
    bad = page.get_by_role("table", name="Lines that would not be taken").get_by_role("row").nth(1)
    expect(bad).to_contain_text("stock_level")
    expect(bad).to_contain_text("three")
    page.get_by_role("button", name="Discard").click()
    hand_in(page, tmp_path, correction("3"))
    expect(page.get_by_text("Would be refused", exact=True)).to_be_visible()
    expect(page.get_by_role("table", name="Lines that would not be taken")).to_have_count(0)

    # it commits the file, and is told when the day is built anew
    page.get_by_role("button", name="Commit").click()
    expect(page.get_by_text("landing/sales/store/correction.csv")).to_be_visible()
    expect(page.get_by_text("In", exact=True).first).to_be_visible(timeout=RUN_SECONDS * 1000)
    log_out(page)

    # the planner finds another order than before, and reads why
    log_in(page, Role.PLANNER)
    page.goto("/orders")
    proposed = read_why(page, LINE)
    assert proposed > 0
    expect(page.locator("section").filter(has_text="Why this quantity")).to_contain_text("On hand")

    # changes it with a reason
    change_to(page, proposed + 6, "Local event")
    log_out(page)

    # the approver approves and exports it
    log_in(page, Role.APPROVER)
    page.goto(ITEM)
    approve_and_export(page, proposed + 6)
    log_out(page)

    # whoever asks later finds every step
    log_in(page, Role.ADMIN)
    page.goto(ITEM)
    steps = page.locator("section").filter(has_text="What was decided").get_by_role("listitem")
    expect(steps).to_have_count(3)
    for who in (Role.PLANNER, Role.APPROVER):
        expect(page.locator("section").filter(has_text="What was decided")).to_contain_text(who.value)
    page.goto("/audit")
    log = page.get_by_role("table")
    expect(log).to_contain_text("correction.csv")
    for role in PEOPLE:
        expect(log).to_contain_text(role.value)
