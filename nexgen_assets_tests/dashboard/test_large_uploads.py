"""A gigabyte at the door that `nexgen up` serves: streamed to S3, checked in bounded memory, refused if it is more.

What belongs here: size. What does not: what a check finds (`test_uploads.py`).
"""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2 as httpx
import obstore
import psutil
import pytest

from nexgen_assets.dashboard.roles import Role
from nexgen_assets.resources.lake import open_lake
from nexgen_assets.settings import Settings
from nexgen_assets_tests import up

MOST_BYTES = 1_000_000_000  # as the setting has it
HEADER = b"product_id,location,date_of_purchase,quantity,amount,product_name,category\n"
FIRST_DAY, LINES_A_DAY = date(2020, 1, 1), 20_000
# what a part of the file and its copies take, whatever the file's size
MOST_MORE_WEB_BYTES, MOST_WORKER_BYTES = 150_000_000, 1_500_000_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, up.Up, httpx.Client]]:
    """A front door with the settings that it comes with, and a store's browser."""
    home, port = tmp_path_factory.mktemp("home"), up.free_port()
    process = up.start(home, port)
    try:
        up.wait_until_it_serves(process, port)
        settings = Settings(home=home)
        up.add_user(settings, Role.STORE)
        with up.browser(port, settings, Role.STORE) as client:
            client.timeout = 600
            yield settings, process, client
    finally:
        process.terminate()
        process.communicate()


def sales(size: int, good: int) -> Iterator[bytes]:
    """A file of nearly so many bytes, in chunks of a day; of ten lines the first `good` can be used, two units each."""
    yield HEADER
    sent = len(HEADER)
    for number in count():
        day = str(FIRST_DAY + timedelta(number)).encode()
        line = b"%06d,Store %02d," + day + b",%s,8.00,A product with a name that is not short,Category\n"
        chunk = b"".join(
            line % (item % 4_000, item % 40, b"2" if item % 10 < good else b"two") for item in range(LINES_A_DAY)
        )
        if sent + len(chunk) > size:
            return
        sent += len(chunk)
        yield chunk


def send(client: httpx.Client, name: str, content: Iterator[bytes], told: int | None = None) -> httpx.Response:
    headers = {} if told is None else {"Content-Length": str(told)}
    return client.post("/api/uploads", params={"kind": "sales", "name": name}, content=content, headers=headers)


def peak_bytes(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def worker_of(process: up.Up) -> int | None:
    """The process that checks files: of those that this one started itself, the one that Python spawned."""
    spawned = (p for p in psutil.Process(process.pid).children() if "spawn_main" in " ".join(p.cmdline()))
    return next((p.pid for p in spawned), None)


@pytest.mark.parametrize("is_told", [True, False])
def test_more_than_a_gigabyte_is_refused_and_nothing_is_kept(
    served: tuple[Settings, up.Up, httpx.Client], *, is_told: bool
) -> None:
    settings, process, client = served
    before = peak_bytes(process.pid)
    more = (b"x" * 1_000_000 for _ in range(1_001))
    answer = send(client, "more.csv", more, 1_001_000_000 if is_told else None)

    assert (answer.status_code, "larger than 1,000 MB" in answer.json()["detail"]) == (413, True)
    assert peak_bytes(process.pid) - before < MOST_MORE_WEB_BYTES
    access = open_lake(settings)
    assert list(obstore.list(access.store("uploads"))) == []
    begun = access.s3_resource().get_client().list_multipart_uploads(Bucket=access.bucket)
    assert "Uploads" not in begun


@pytest.mark.parametrize("good", [10, 1])
def test_nearly_a_gigabyte_is_checked_to_the_last_line_in_bounded_memory(
    served: tuple[Settings, up.Up, httpx.Client], good: int
) -> None:
    _, process, client = served
    before, peak = peak_bytes(process.pid), 0
    answer = send(client, f"good-{good}.csv", sales(MOST_BYTES, good))
    assert answer.status_code == 201, answer.text
    sent, upload_id = answer.json()["bytes"], answer.json()["upload_id"]
    assert MOST_BYTES * 0.99 < sent <= MOST_BYTES

    found: dict[str, Any] = {"state": "received"}
    while found["state"] == "received":
        time.sleep(1)
        found = client.get(f"/api/uploads/{upload_id}").json()  # the door answers meanwhile
        peak = max(peak, peak_bytes(worker) if (worker := worker_of(process)) else 0)

    assert found["state"] == "checked", found["problem"]
    lines, outcome = found["report"]["lines"], found["report"]["as_additional"]
    assert lines % LINES_A_DAY == 0
    kept = lines * good // 10
    assert (outcome["accepted"], outcome["rejected"]) == (kept, lines - kept)
    assert sum(day["lines_after"] for day in outcome["days"]) == kept
    assert outcome["units_after"] == 2 * kept
    assert len(found["report"]["refused"]) == (0 if good == 10 else 1_000)
    assert peak_bytes(process.pid) - before < MOST_MORE_WEB_BYTES
    assert 0 < peak < MOST_WORKER_BYTES
    assert client.delete(f"/api/uploads/{upload_id}").status_code == 204
