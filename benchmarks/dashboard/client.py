"""What one planner's browser asks: the requests of each page, with changing filters and products.

What belongs here: which requests make a page, and their times. What does not: the lake, and the server.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2 as httpx
import numpy as np

from benchmarks.dashboard.lake import PRODUCTS
from benchmarks.orders import keys_of

Query = tuple[str, Mapping[str, Any]]
WORKLISTS: tuple[dict[str, Any], ...] = (
    {},
    {"sort": "money_at_risk", "descending": True, "to_decide": True},
    {"sort": "days_of_cover"},
    {"supplier_id": "S007"},
    {"category": "C03", "sort": "order_value", "descending": True},
    {"location": "L0004", "sort": "product_name"},
    {"exception": "potential_stockout"},
    {"q": "product 0012"},
    {"q": "l0003 c05", "no_need": True},
    {"standing": "proposed", "sort": "order_units", "descending": True},
)
ROUND = 15  # requests of a round of every page
OF_ONE_SERIES = ("product x location", "two years of history")
PERIODS = (("2025-12-10", "2026-03-10"), ("2025-09-10", "2026-03-10"), ("2024-03-11", "2026-03-10"))


def pages(series: int, seed: int) -> Iterator[tuple[str, list[Query]]]:
    """Pages without end, each with its requests: a round of every kind, then the next."""
    rng = np.random.default_rng(seed)
    names = {name: column.to_pylist() for name, column in keys_of(series, PRODUCTS).items() if name != "day"}
    number = 0
    while True:
        for _ in range(3):
            yield "worklist, first page", [("/api/orders", {"limit": 200, **WORKLISTS[number % len(WORKLISTS)]})]
            number += 1
        yield "worklist by supplier", [("/api/orders/suppliers", WORKLISTS[number % len(WORKLISTS)])]
        item = {name: values[int(rng.integers(series))] for name, values in names.items()}
        yield (
            "product x location",
            [
                ("/api/orders/line", item),
                ("/api/series/demand", {**item, "days": 91}),
                ("/api/series/forecast", item),
                ("/api/series/past-forecasts", {**item, "horizon": 7, "days": 56}),
            ],
        )
        item = {name: values[int(rng.integers(series))] for name, values in names.items()}
        yield "two years of history", [("/api/series/demand", {**item, "days": 730})]
        yield (
            "overview",
            [
                ("/api/kpis", {"days": 28}),
                ("/api/exceptions", {"limit": 8}),
                ("/api/orders", {"limit": 200, **WORKLISTS[1]}),
                ("/api/forecasts", {"days": 56}),
            ],
        )
        start, end = PERIODS[number % len(PERIODS)]
        by = ("category", "location", "product")[number % 3]
        yield (
            "trends",
            [
                ("/api/sales/trend", {"by": "week", "start": start, "end": end}),
                ("/api/sales/breakdown", {"by": by, "start": start, "end": end}),
            ],
        )


def ask(client: httpx.Client, series: int, requests: int, seed: int) -> tuple[dict[str, list[float]], int]:
    """Milliseconds of each page by kind, its requests one after the other; and how many requests there were."""
    found, sent = defaultdict[str, list[float]](list), 0
    for kind, queries in pages(series, seed):
        began = time.perf_counter()
        for path, query in queries:
            client.get(path, params=dict(query)).raise_for_status()
        found[kind].append((time.perf_counter() - began) * 1000)
        sent += len(queries)
        if sent >= requests:
            return dict(found), sent
    raise AssertionError("pages have no end")


def seconds_to_first_rows(address: str, cookie: str, times: int) -> list[float]:
    """From navigation to the first rows in Chromium, each time as a browser that has never been here."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for _ in range(times):
            context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
            context.add_cookies([{"name": "nexgen_session", "value": cookie, "url": address}])
            page = context.new_page()
            began = time.perf_counter()
            page.goto("/orders")
            page.locator("tr[data-key]").first.wait_for()
            found.append(time.perf_counter() - began)
            context.close()
        browser.close()
    return found
