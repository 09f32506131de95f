"""A real browser on the real front door: what the tests of the pages start from.

What belongs here: serving the application of a test, and pages in which somebody is logged in. What does not: tests.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect, sync_playwright

from nexgen_assets.dashboard.accounts import User
from nexgen_assets.dashboard.app import PAGES
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets_tests.dashboard.conftest import PASSWORD

CHROMIUM = Path("/usr/bin/chromium")
DESKTOP, PHONE = (1440, 900), (390, 844)
Visit = Callable[..., Page]

# no test fails for a busy machine
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not (PAGES / "index.html").is_file():
        pytest.fail("the pages are not built: `uv run python build_frontend.py ci`, then `... run build`")
    with sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application at an address of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server has ended"
            thread.join(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    with served(app) as found:
        yield found


@pytest.fixture
def visit(chromium: Browser, address: str, door: FrontDoor) -> Iterator[Visit]:
    """Opens a page as a person of that role, who is logged in; as nobody if none is told."""
    opened = []

    def open_page(path: str, role: Role | None = None, scheme: str = "light", size: tuple[int, int] = DESKTOP) -> Page:
        context = chromium.new_context(
            base_url=address,
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": size[0], "height": size[1]},
            locale="en-GB",
        )
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        if role is not None:
            cookie = door.sessions.start(person(door, role))
            context.add_cookies([{"name": "nexgen_session", "value": cookie, "url": address}])
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in opened:
        context.close()


def person(door: FrontDoor, role: Role) -> User:
    """The user of that role, who bears its name."""
    if door.users.find(role.value) is None:
        door.users.add(role.value, role, PASSWORD, "tests")
    found = door.users.find(role.value)
    assert found
    return found
