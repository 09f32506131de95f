"""Uploads over the API: a file is checked as the pipeline would, lands once, and never does harm."""

import gzip
import io
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg
import httpx2 as httpx
import obstore
import psutil
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nexgen_assets.dashboard.app import create_app
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.uploads.names import safe_name
from nexgen_assets.dashboard.uploads.storing import UploadStore
from nexgen_assets.dashboard.worker import Workers
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.landing_zone import KINDS, LandingZone
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.settings import Settings
from nexgen_assets.tables import DAILY_DEMAND, LANDING_FILES, REJECTED_SALES
from nexgen_assets_tests.conftest import BUCKET, materialize, unique_prefix
from nexgen_assets_tests.dashboard.browser import served
from nexgen_assets_tests.dashboard.conftest import AS, HOST, PASSWORD

HEADER = "product_id,location,date_of_purchase,quantity,amount"
GOOD = "001,north,2026-03-01,2,8.00"
# what needs no engine to be checked
LIST = b"supplier_id,supplier_name\nS1,Meadow\n"
OTHER_LIST = b"supplier_id,supplier_name\nS2,Hill\n"
KEY = "suppliers/store/list.csv"


@pytest.fixture
def door(deployment: Settings, instance: dg.DagsterInstance, workers: Workers) -> FrontDoor:
    """The front door of an empty deployment that takes small files."""
    return FrontDoor.of(deployment.model_copy(update={"upload_max_bytes": 20_000_000}), instance, workers)


@pytest.fixture
def app(door: FrontDoor) -> FastAPI:
    return create_app(door.settings, door)


@pytest.fixture
def store(as_role: AS) -> httpx.Client:
    return as_role(Role.STORE)


@pytest.fixture(scope="module")
def anybody(seaweed: S3Access, tmp_path_factory: pytest.TempPathFactory, workers: Workers) -> Iterator[TestClient]:
    """A store's browser at one front door for all tests that look at nothing but their own upload."""
    settings = Settings(
        deployment=unique_prefix(),
        deployment_id="tests",
        home=tmp_path_factory.mktemp("uploads"),
        bucket=BUCKET,
        s3_endpoint=seaweed.endpoint,
        upload_max_bytes=20_000_000,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        door = FrontDoor.of(settings, instance, workers)
        user = door.users.add("anybody", Role.STORE, PASSWORD, "tests")
        client = TestClient(create_app(settings, door), base_url=HOST, headers={"Origin": HOST})
        client.cookies.set("nexgen_session", door.sessions.start(user))
        yield client


@pytest.fixture
def landing(access: S3Access) -> Callable[[], dict[str, bytes]]:
    """What stands below `landing/`."""

    def found() -> dict[str, bytes]:
        store = access.store("landing")
        keys = [item["path"] for batch in obstore.list(store) for item in batch]
        return {key: bytes(obstore.get(store, key).bytes()) for key in keys}

    return found


def text(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def send(client: httpx.Client, content: Any, name: str = "march.csv", kind: str = "sales") -> httpx.Response:
    return client.post("/api/uploads", params={"kind": kind, "name": name}, content=content)


def checked(client: httpx.Client, upload_id: str) -> dict[str, Any]:
    """The upload, once its check has ended."""
    until = time.monotonic() + 120
    while (found := client.get(f"/api/uploads/{upload_id}").json())["state"] == "received":
        assert time.monotonic() < until, "the check does not end"
        time.sleep(0.05)
    return found


def upload(client: httpx.Client, *lines: str, **options: str) -> dict[str, Any]:
    answer = send(client, text(*lines), **options)
    assert answer.status_code == 201, answer.text
    return checked(client, answer.json()["upload_id"])


def hand_in(client: httpx.Client, content: bytes = LIST) -> dict[str, Any]:
    return checked(client, send(client, content, "list.csv", "suppliers").json()["upload_id"])


def commit(client: httpx.Client, upload_id: str, choice: str | None = None) -> httpx.Response:
    return client.post(f"/api/uploads/{upload_id}/commit", json={"if_present": choice})


def register(access: S3Access, settings: Settings) -> None:
    DeltaTables(access).replace_all(LANDING_FILES, LandingZone(access, settings).register().manifest)


# ---- the report


def test_the_report_tells_each_line_that_would_be_refused_and_why(store: httpx.Client) -> None:
    found = upload(store, GOOD, "001,north,2026-03-02,two,8.00", ",north,2026-03-02,1,4.00", "ragged")
    report = found["report"]

    assert found["state"] == "checked"
    assert [(row["line_number"], row["column"], row["value"], row["rule"]) for row in report["refused"]] == [
        (3, "quantity", "two", "quantity_not_a_number"),
        (4, "product_id", None, "missing_product_id"),
        (5, None, None, "ragged_line"),
    ]
    assert "write plain digits" in report["refused"][0]["reason"]
    outcome = report["as_additional"]
    assert (report["lines"], outcome["accepted"], outcome["rejected"], outcome["duplicates"]) == (4, 1, 3, 0)
    assert [(day["day"], day["units_before"], day["units_after"]) for day in outcome["days"]] == [
        ("2026-03-01", 0, 2),
        ("2026-03-02", 0, 0),
    ]


def test_the_report_tells_how_the_file_is_written_and_what_it_leaves_out(anybody: TestClient) -> None:
    content = text("001;north;24.03.2026;1,5;x", header="product_id;location;date_of_purchase;quantity;colour")
    report = checked(anybody, send(anybody, content).json()["upload_id"])["report"]

    assert report["dialect"] == {"separator": ";", "decimal_mark": ",", "date_order": "day_first"}
    assert report["unknown_columns"] == ["colour"]
    assert report["as_additional"]["units_after"] == 1.5


def test_the_report_is_what_the_pipeline_then_does_line_for_line(
    store: httpx.Client, graph: dg.Definitions, access: S3Access, deployment: Settings
) -> None:
    header = f"{HEADER},line_id"
    day = date(2026, 3, 1)
    earlier = text(f"001,north,{day},2,8.00,a1", f"002,north,{day},5,20.00,", f"003,south,{day},7,7.00,", header=header)
    obstore.put(access.store("landing"), "sales/earlier.csv", earlier)
    register(access, deployment)
    lines = [
        f"001,north,{day},2,8.00,a1",  # told by its id
        f"002,north,{day},5,20.00,",  # told by the other file
        f"003,south,{day},-1,-1.00,",
        f"003,south,{day},-1,1.00,",
        f"004,south,{day},0,0,",
        f"004,south,{day},nine,0,",
        f"004,south,{day},9,9.00,b1",
        f"004,south,{day},9,9.00,b1",
        "005,south,1999-01-01,1,1.00,",
        "005,south,someday,1,1.00,",
        "ragged",
    ]
    found = checked(store, send(store, text(*lines, header=header)).json()["upload_id"])
    assert commit(store, found["upload_id"]).status_code == 200
    materialize(graph, "landing_files", "products", "item_locations", "calendar")
    materialize(graph, "raw_sales", "rejected_sales", "cleaned_sales", "daily_demand", day=day)

    columns = ("line_number", "column_name", "value", "rule", "reason", "is_duplicate")
    table = DeltaTables(access).read(REJECTED_SALES, day, day).to_pylist()
    refused = {tuple(row[name] for name in columns) for row in table if row["file_key"] == "sales/store/march.csv"}
    report = found["report"]
    told = {
        tuple(row[name] for name in ("line_number", "column", "value", "rule", "reason", "is_duplicate"))
        for row in report["refused"]
    }
    assert told == refused
    assert report["refused_lines"] == len(refused) == len(lines) - report["as_additional"]["accepted"]
    demand = DeltaTables(access).read(DAILY_DEMAND, day, day)["demand_units"].to_pylist()
    assert report["as_additional"]["days"][0]["units_after"] == float(sum(demand)) == 23
    assert report["as_additional"]["days"][0]["units_before"] == 14


def test_no_value_of_a_customer_and_no_text_of_a_line_leaves_the_check(anybody: TestClient) -> None:
    header = f"{HEADER},customer_id,customer_income"
    send_lines = text("001,north,2026-03-01,two,8,Ms. Secret,much", "Ms. Secret,12 Hidden Lane", header=header)
    upload_id = send(anybody, send_lines).json()["upload_id"]
    checked(anybody, upload_id)

    for path in ("", "/refused"):
        assert "Secret" not in anybody.get(f"/api/uploads/{upload_id}{path}").text


def test_master_data_tells_lines_columns_and_what_to_do(anybody: TestClient) -> None:
    answer = send(anybody, text("2024-03-10,A,S,many", header="date,product_id,location,on_hand"), kind="inventory")
    found = checked(anybody, answer.json()["upload_id"])

    assert found["state"] == "refused"
    [row] = found["report"]["refused"]
    assert (row["line_number"], row["column"], row["value"]) == (2, "on_hand", "many")
    assert "write plain digits" in row["reason"]
    assert commit(anybody, found["upload_id"]).status_code == 409


def test_master_data_tells_what_would_change(store: httpx.Client, access: S3Access, deployment: Settings) -> None:
    header = "product_id,product_name"
    obstore.put(
        access.store("landing"), "products/store/list.csv", text("A,Apple", "B,Bread", "C,Cheese", header=header)
    )
    register(access, deployment)

    answer = send(store, text("A,Apple", "B,Rye bread", "D,Dates", header=header), "list.csv", "products")
    report = checked(store, answer.json()["upload_id"])["report"]

    assert report["changes"] == {"new": 1, "changed": 1, "same": 1, "dropped": 1}
    assert report["is_present"]


# ---- commit and discard


def test_a_committed_file_lands_once_under_its_user(store: httpx.Client, landing: Callable, access: S3Access) -> None:
    found = hand_in(store)
    assert landing() == {}

    first, again = commit(store, found["upload_id"]), commit(store, found["upload_id"])

    assert first.json()["landing_key"] == again.json()["landing_key"] == KEY
    assert landing() == {KEY: LIST}
    assert list(obstore.list(access.store("uploads"))) == []
    assert store.get("/api/uploads").json()["uploads"][0]["state"] == "committed"


def test_the_audit_log_says_who_committed_once(store: httpx.Client, door: FrontDoor) -> None:
    found = hand_in(store)
    commit(store, found["upload_id"])
    commit(store, found["upload_id"])

    told = [entry.what for entry in door.audit.entries() if entry.about and found["upload_id"] in entry.about]
    assert told == ["upload committed", "file uploaded"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("replace", {"sales/store/march.csv": text("001,north,2026-03-01,3,12.00")}),
        (
            "additional",
            {"sales/store/march.csv": text(GOOD), "sales/store/march-2.csv": text("001,north,2026-03-01,3,12.00")},
        ),
    ],
)
def test_a_name_that_has_landed_asks_for_a_choice(
    store: httpx.Client, landing: Callable, access: S3Access, choice: str, expected: dict
) -> None:
    obstore.put(access.store("landing"), "sales/store/march.csv", text(GOOD))
    register(access, Settings())
    found = upload(store, "001,north,2026-03-01,3,12.00")

    refused = commit(store, found["upload_id"])
    assert refused.status_code == 409
    told = {way: refused.json()[way]["days"] for way in ("as_additional", "as_replacement")}
    assert {way: [(day["units_before"], day["units_after"]) for day in days] for way, days in told.items()} == {
        "as_additional": [(2, 5)],
        "as_replacement": [(2, 3)],
    }

    assert commit(store, found["upload_id"], choice).status_code == 200
    assert landing() == expected


def test_a_replacement_takes_back_the_days_that_only_the_old_file_told(store: httpx.Client, access: S3Access) -> None:
    content = text(GOOD, "001,north,2026-03-02,4,16.00")
    obstore.put(access.store("landing"), "sales/store/march.csv", content)
    register(access, Settings())

    report = upload(store, GOOD)["report"]

    days = report["as_replacement"]["days"]
    assert [(day["day"], day["units_before"], day["units_after"]) for day in days] == [
        ("2026-03-01", 2, 2),
        ("2026-03-02", 4, 0),
    ]


def test_what_landed_after_the_check_is_not_overwritten(
    store: httpx.Client, access: S3Access, landing: Callable
) -> None:
    found = hand_in(store)
    obstore.put(access.store("landing"), KEY, b"somebody else's")

    assert commit(store, found["upload_id"]).status_code == 409
    assert commit(store, found["upload_id"], "replace").json()["detail"].endswith("look at the report")
    assert landing() == {KEY: b"somebody else's"}


def test_of_two_uploads_of_one_name_the_second_is_asked(store: httpx.Client, landing: Callable) -> None:
    first, second = hand_in(store), hand_in(store, OTHER_LIST)

    assert [commit(store, one["upload_id"]).status_code for one in (first, second)] == [200, 409]
    assert landing() == {KEY: LIST}


def test_a_commit_that_was_killed_half_way_is_finished_by_the_next(
    store: httpx.Client, door: FrontDoor, access: S3Access, landing: Callable
) -> None:
    found = hand_in(store)
    door.uploads.book.claim(found["upload_id"], KEY)
    UploadStore(access).land(found["upload_id"], KEY)

    assert commit(store, found["upload_id"]).status_code == 200
    assert landing() == {KEY: LIST}


def test_a_discarded_file_is_gone(store: httpx.Client, access: S3Access) -> None:
    found = hand_in(store)

    assert store.delete(f"/api/uploads/{found['upload_id']}").status_code == 204
    assert store.get(f"/api/uploads/{found['upload_id']}").status_code == 404
    assert list(obstore.list(access.store("uploads"))) == []


def test_a_committed_file_cannot_be_discarded(store: httpx.Client) -> None:
    found = hand_in(store)
    commit(store, found["upload_id"])

    assert store.delete(f"/api/uploads/{found['upload_id']}").status_code == 409


def test_who_discards_a_file_ends_its_check_and_nothing_is_left_of_it(store: httpx.Client, access: S3Access) -> None:
    many = text(*[GOOD] * 500_000)
    large, small = (send(store, content).json()["upload_id"] for content in (many, text(GOOD)))
    until = time.monotonic() + 60
    while not any("/scratch/" in item["path"] for batch in obstore.list(access.store("uploads")) for item in batch):
        assert time.monotonic() < until, "the check does not begin"
        time.sleep(0.02)
    assert store.delete(f"/api/uploads/{large}").status_code == 204

    assert checked(store, small)["state"] == "checked"
    assert kept(access) == {small}


def test_a_check_that_was_killed_does_not_hinder_the_next(store: httpx.Client, access: S3Access) -> None:
    found = upload(store, GOOD)
    options = access.storage_options
    uri = f"{access.root}/uploads/{found['upload_id']}/scratch/lines"
    write_deltalake(uri, pa.table({"of": ["a check that was killed"]}), storage_options=options)

    assert store.post(f"/api/uploads/{found['upload_id']}/check").status_code == 200
    assert checked(store, found["upload_id"])["state"] == "checked"


def test_stores_see_their_own_uploads_and_planners_all(store: httpx.Client, as_role: AS) -> None:
    planner = as_role(Role.PLANNER)
    mine, theirs = hand_in(store), hand_in(planner)

    assert [one["upload_id"] for one in store.get("/api/uploads").json()["uploads"]] == [mine["upload_id"]]
    assert {one["upload_id"] for one in planner.get("/api/uploads").json()["uploads"]} == {
        mine["upload_id"],
        theirs["upload_id"],
    }
    for action in ("GET ", "GET /refused", "POST /check", "POST /commit", "DELETE "):
        method, path = action.split(" ")
        answer = store.request(method, f"/api/uploads/{theirs['upload_id']}{path}", json={})
        assert answer.status_code == 404, action


# ---- hostile files

LINES = text(*[GOOD] * 1_000)


def endless() -> Iterator[bytes]:
    """More than is taken, from somebody who does not say so."""
    for _ in range(30):
        yield b"x" * 1_000_000


@pytest.mark.parametrize(
    ("name", "content", "status", "words"),
    [
        ("endless.csv", endless, 413, "larger than 20 MB"),
        ("large.csv", b"x" * 20_000_001, 413, "larger than 20 MB"),
        ("empty.csv", b"", 422, "the file is empty"),
        ("virus.exe", LINES, 422, "ends in .csv.gz, .csv, .parquet"),
        ("book.xlsx", b"PK\x03\x04", 422, "ends in .csv.gz, .csv, .parquet"),
        ("march.csv\x00.exe", LINES, 422, "ends in .csv.gz, .csv, .parquet"),
    ],
)
def test_what_is_no_file_of_ours_is_not_taken(
    anybody: TestClient, name: str, content: Any, status: int, words: str
) -> None:
    access = open_lake(anybody.app.state.door.settings)  # pyright: ignore[reportFunctionMemberAccess]
    before = kept(access)
    answer = send(anybody, content() if callable(content) else content, name)

    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert kept(access) == before


def kept(access: S3Access) -> set[str]:
    """Files of uploads on S3, and multipart transfers that nobody has ended."""
    files = {item["path"].split("/")[0] for batch in obstore.list(access.store("uploads")) for item in batch}
    client = access.s3_resource().get_client()
    begun = client.list_multipart_uploads(Bucket=access.bucket, Prefix=f"{access.prefix}/").get("Uploads", [])
    return files | {part["Key"] for part in begun}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("truncated.csv.gz", gzip.compress(LINES)[:-20], "the compressed file is damaged"),
        ("no.csv.gz", LINES, "the compressed file is damaged"),
        ("no.parquet", LINES, "no readable Parquet file"),
        ("head.parquet", b"PAR1" + b"\xff" * 500 + b"PAR1", "no readable Parquet file"),
        ("bomb.csv.gz", None, "unpacks to more than"),
        ("utf16.csv", LINES.decode().encode("utf-16"), "header is not UTF-8"),
        ("nul.csv", b"\0" * 100_000, "header is not UTF-8"),
        ("line.csv", text("a" * 3_000_000), "more than 1,000,000 characters"),
        ("header.csv", b"a,b,c\n1,2,3\n", "lacks the required column"),
        ("twice.csv", text(header=f"{HEADER},quantity"), "names 'quantity' more than once"),
        ("dates.csv", text("001,north,02/03/2026,1,1"), "may have the day or the month first"),
        ("quote.csv", b'"product_id,location', "a quote in the header is not closed"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(anybody: TestClient, name: str, content: bytes | None, words: str) -> None:
    answer = send(anybody, zip_bomb() if content is None else content, name)
    found = checked(anybody, answer.json()["upload_id"])

    assert (found["state"], words in found["problem"]) == ("refused", True), found["problem"]
    assert commit(anybody, found["upload_id"]).status_code == 409


def zip_bomb() -> bytes:
    """80 MB of one line, in a tenth of a megabyte."""
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=9) as packed:
        packed.write(f"{HEADER}\n".encode())
        for _ in range(80):
            packed.write(f"{GOOD}\n".encode() * (1_000_000 // (len(GOOD) + 1)))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../tables/raw_sales/march.csv", "march.csv"),
        ("C:\\Users\\anna\\march.csv", "march.csv"),
        ("march\r\nSet-Cookie: x.csv", "march-Set-Cookie-x.csv"),
        ("<img src=x onerror=alert(1)>.csv", "img-src-x-onerror-alert-1.csv"),
        ("=cmd|' /C calc'!A0.csv", "C-calc-A0.csv"),
        ("März 2026.csv", "Marz-2026.csv"),
        (f"{'m' * 300}.csv.gz", None),
        ("销售.csv", None),
        ("....csv", None),
    ],
)
def test_a_name_becomes_a_plain_one(name: str, expected: str | None) -> None:
    made = safe_name(name)

    assert made == expected or (expected is None and 8 <= len(made) <= 100)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", made)


@pytest.mark.parametrize("names", [("销售.csv", "库存.csv"), (f"{'m' * 300}1.csv", f"{'m' * 300}2.csv")])
def test_names_that_lose_letters_stay_apart(names: tuple[str, str]) -> None:
    assert safe_name(names[0]) != safe_name(names[1])


def test_formulas_and_markup_in_cells_are_escaped_in_the_table_of_refused_lines(anybody: TestClient) -> None:
    formula = '=HYPERLINK(""http://evil.example"",""x"")'
    found = upload(
        anybody, f'001,north,2026-03-01,"{formula}",8', "001,north,2026-03-01,<script>alert(1)</script>\x00,8"
    )
    table = anybody.get(f"/api/uploads/{found['upload_id']}/refused")

    assert table.headers["content-type"].startswith("text/csv")
    assert table.headers["x-content-type-options"] == "nosniff"
    assert "'=HYPERLINK" in table.text
    assert found["report"]["refused"][1]["value"] == "<script>alert(1)</script>\\x00"


def test_a_worker_that_dies_is_an_error_of_that_upload_which_can_be_checked_again(
    anybody: TestClient, workers: Workers
) -> None:
    pid = workers.checks.call(os.getpid)
    upload_id = send(anybody, zip_bomb(), "bomb.csv.gz").json()["upload_id"]
    psutil.Process(pid).kill()

    found = checked(anybody, upload_id)
    assert (found["state"], "has ended (exit code -9)" in found["problem"]) == ("check_failed", True)

    assert anybody.post(f"/api/uploads/{upload_id}/check").status_code == 200
    assert "unpacks to more than" in checked(anybody, upload_id)["problem"]


def test_nothing_is_left_of_a_transfer_that_breaks_off(anybody: TestClient) -> None:
    app: Any = anybody.app
    access = open_lake(app.state.door.settings)
    before, listed = kept(access), anybody.get("/api/uploads").json()
    with served(app) as address:
        host = address.removeprefix("http://")
        head = (
            f"POST /api/uploads?kind=sales&name=broken.csv HTTP/1.1\r\nHost: {host}\r\nOrigin: {address}\r\n"
            f"Cookie: nexgen_session={anybody.cookies['nexgen_session']}\r\nContent-Length: 18000000\r\n\r\n"
        )
        name, port = host.split(":")
        with socket.create_connection((name, int(port))) as connection:
            connection.sendall(head.encode() + b"x" * 9_000_000)
            until = time.monotonic() + 30
            while kept(access) == before:
                assert time.monotonic() < until, "the first part is not stored"
                time.sleep(0.02)
    # the server has ended, and with it every request
    assert kept(access) == before
    assert anybody.get("/api/uploads").json() == listed


# ---- around


@pytest.mark.parametrize("kind", KINDS)
def test_the_template_of_each_kind_passes_its_own_check(anybody: TestClient, kind: str) -> None:
    template = anybody.get(f"/api/uploads/templates/{kind}")
    found = checked(anybody, send(anybody, template.content, "template.csv", kind).json()["upload_id"])

    assert (found["state"], found["report"]["refused"]) == ("checked", [])
    assert anybody.get("/api/uploads").json()["most_bytes"].keys() == set(KINDS)
