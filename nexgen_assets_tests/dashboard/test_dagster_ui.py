"""The Dagster UI below `/dagster` of the real `nexgen up`: who reads, who writes, and who gets nothing."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import httpx2 as httpx
import psutil
import pytest
from dagster_graphql.schema import create_schema
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from nexgen_assets.dashboard.audit import AuditLog
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.users import Users
from nexgen_assets.launcher import open_instance
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings
from nexgen_assets_tests.conftest import BUCKET, unique_prefix
from nexgen_assets_tests.dashboard.browser import DESKTOP, chromium
from nexgen_assets_tests.dashboard.conftest import PASSWORD
from nexgen_assets_tests.up import add_user, address, browser, descendants, free_port, start, wait_until_it_serves

__all__ = ["chromium"]

Log = Callable[[], list[tuple[str, str, str | None]]]

GRAPHQL = "/dagster/graphql"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "nexgen"}
ASSETS = "{ assetNodes { assetKey { path } } }"
READERS = [role for role in Role if role is not Role.ADMIN]
SCHEMA = create_schema().graphql_schema
MUTATIONS: dict[str, Any] = SCHEMA.mutation_type.fields if SCHEMA.mutation_type else {}
WRITING_PATHS = [
    "/dagster/report_asset_materialization/raw_sales",
    "/dagster/report_asset_observation/raw_sales",
    "/dagster/report_asset_check/raw_sales?check_name=schema&passed=true",
]
LAUNCH = """mutation ($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: "{}"}) {
    __typename ... on LaunchRunSuccess { run { runId } }
  }
}"""
RUN = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status jobName repositoryOrigin { id } } } }"
STOP_SENSOR = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"
SENSOR = """query ($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) { ... on Sensor { sensorState { id status } } }
}"""
RELOAD = 'mutation { reloadRepositoryLocation(repositoryLocationName: "nexgen") { __typename } }'
LOADED_AT = "{ locationStatusesOrError { ... on WorkspaceLocationStatusEntries { entries { versionKey } } } }"
# asks a sensor what it would do now, which runs its code
RUN_SENSOR = """query ($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) {
    ... on Sensor { nextTick { evaluationResult { skipReason } } }
  }
}"""
LANDING_SENSOR = {"selector": REPOSITORY | {"sensorName": "landing_zone"}}
INGEST = {"selector": REPOSITORY | {"pipelineName": "ingest"}}


@pytest.fixture(scope="module")
def settings(seaweed: S3Access, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A deployment in which nothing has landed."""
    found = Settings(
        deployment=unique_prefix(),
        home=tmp_path_factory.mktemp("up"),
        bucket=BUCKET,
        s3_endpoint=seaweed.endpoint,
    )
    for role in Role:
        add_user(found, role)
    return found


@pytest.fixture(scope="module")
def port(settings: Settings, seaweed: S3Access) -> Iterator[int]:
    """Where the one `nexgen up` of these tests listens; at its end, Ctrl-C leaves no process."""
    found = free_port()
    variables = {
        "NEXGEN_DEPLOYMENT": settings.deployment,
        "NEXGEN_BUCKET": settings.bucket,
        "NEXGEN_S3_ENDPOINT": str(settings.s3_endpoint),
        "NEXGEN_LANDING_QUIET_SECONDS": "0",
    }
    process = start(settings.home_path, found, **seaweed.environment, **variables)
    try:
        wait_until_it_serves(process, found)
        yield found
        family = descendants(process)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert psutil.wait_procs(family, timeout=10)[1] == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def users(settings: Settings) -> Users:
    return Users(open_book(settings).database)


@pytest.fixture
def log(settings: Settings) -> Log:
    """Who wrote what in Dagster, and of what, newest first."""
    audit = AuditLog(open_book(settings).database)
    return lambda: [(row.who, row.what, row.about) for row in audit.entries() if row.what.startswith("Dagster")]


@pytest.fixture
def records(settings: Settings, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:  # noqa: ARG001
    """What Dagster has recorded, read without the UI."""
    monkeypatch.setenv("DAGSTER_HOME", "")  # which opening it sets
    with open_instance(settings) as instance:
        yield instance


@pytest.fixture
def anonymous(port: int) -> Iterator[httpx.Client]:
    with browser(port) as client:
        yield client


@pytest.fixture
def viewer(port: int, settings: Settings) -> Iterator[httpx.Client]:
    with browser(port, settings, Role.VIEWER) as client:
        yield client


@pytest.fixture
def admin(port: int, settings: Settings) -> Iterator[httpx.Client]:
    with browser(port, settings, Role.ADMIN) as client:
        yield client


def ask(client: httpx.Client, query: str, **variables: Any) -> httpx.Response:
    return client.post(GRAPHQL, json={"query": query, "variables": variables})


def answer(client: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    found = ask(client, query, **variables)
    assert found.status_code == 200, found.text
    return found.json()["data"]


def words(refused: httpx.Response) -> list[str]:
    return [error["message"] for error in refused.json()["errors"]]


@contextmanager
def websocket(client: httpx.Client, origin: str | None = None) -> Iterator[ClientConnection]:
    """A websocket of that browser to GraphQL."""
    base = str(client.base_url).rstrip("/")
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    headers = {"Cookie": cookies} if cookies else {}
    url = base.replace("http", "ws", 1) + GRAPHQL
    with connect(url, origin=origin or base, additional_headers=headers, subprotocols=["graphql-ws"]) as opened:  # pyright: ignore[reportArgumentType]
        yield opened


def tell(opened: ClientConnection, kind: str, query: str | None = None, **variables: Any) -> dict[str, Any]:
    """Send one message and return the next one."""
    payload = {"id": "1", "payload": {"query": query, "variables": variables}} if query else {}
    opened.send(json.dumps({"type": kind, **payload}))
    return json.loads(opened.recv(timeout=30))


def until(holds: Any, what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


# ---- without a login


@pytest.mark.parametrize(
    "path",
    [
        "/dagster",
        "/dagster/",
        "/dagster/runs",
        "/dagster/asset-groups",
        GRAPHQL,
        f"{GRAPHQL}?query=%7B__typename%7D",
        "/dagster/%67raphql?query=%7B__typename%7D",
        "/dagster/server_info",
        "/dagster/dagit_info",
        "/dagster/robots.txt",
        "/dagster/logs/any/compute_logs/any.out",
        "/dagster/download_debug/any",
        "/dagster/notebook?path=/any.ipynb&repoLocName=nexgen",
        *WRITING_PATHS,
    ],
)
def test_nobody_gets_anything_of_dagster_without_a_login(anonymous: httpx.Client, path: str) -> None:
    methods = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE")
    assert [anonymous.request(method, path).status_code for method in methods] == [401] * len(methods)


def test_a_person_without_a_login_is_led_to_it_and_back(anonymous: httpx.Client) -> None:
    found = anonymous.get("/dagster/runs", headers={"Accept": "text/html"})
    assert (found.status_code, found.headers["location"]) == (303, "/?next=%2Fdagster%2Fruns")


def test_a_websocket_needs_a_login(anonymous: httpx.Client) -> None:
    with pytest.raises(InvalidStatus), websocket(anonymous):
        pass


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
def test_a_websocket_of_another_site_is_refused(admin: httpx.Client, origin: str) -> None:
    with pytest.raises(InvalidStatus), websocket(admin, origin):
        pass


def test_graphql_of_another_site_is_refused(admin: httpx.Client) -> None:
    body = {"query": ASSETS}
    assert admin.post(GRAPHQL, json=body, headers={"Origin": "https://evil.example"}).status_code == 403
    # what a form of another site could send
    assert admin.post(GRAPHQL, params=body, headers={"Origin": "null"}).status_code == 403


def test_a_session_that_has_ended_opens_nothing(admin: httpx.Client) -> None:
    kept = dict(admin.cookies)
    assert ask(admin, ASSETS).status_code == 200
    assert admin.post("/api/logout").status_code == 204
    admin.cookies.update(kept)
    assert ask(admin, ASSETS).status_code == 401
    with pytest.raises(InvalidStatus), websocket(admin):
        pass


# ---- GraphQL by GET


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_graphql_by_get_is_refused_with_words(port: int, settings: Settings, role: Role, accept: str) -> None:
    with browser(port, settings, role) as client:
        refused = client.get(GRAPHQL, params={"query": RELOAD}, headers={"Accept": accept})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert "by POST" in refused.json()["detail"]


# ---- those who read


@pytest.mark.parametrize("role", READERS)
def test_everybody_who_can_log_in_reads_and_none_of_them_may_write(port: int, settings: Settings, role: Role) -> None:
    with browser(port, settings, role) as client:
        permissions = answer(client, "{ permissions { permission value } }")["permissions"]
        assert len(answer(client, ASSETS)["assetNodes"]) > 20
        assert {found["permission"] for found in permissions if found["value"]} == set()
        assert words(ask(client, RELOAD)) == ["writing in Dagster needs the role admin"]


@pytest.mark.parametrize("name", MUTATIONS)
def test_no_mutation_of_dagster_passes_for_a_reader(viewer: httpx.Client, name: str) -> None:
    document = mutation(name)
    assert validate(SCHEMA, parse(document)) == []  # nothing else is wrong with it

    for asked in (document, f"query Harmless {{ __typename }} {document}"):
        refused = ask(viewer, asked)
        assert (refused.status_code, words(refused)) == (400, ["writing in Dagster needs the role admin"])


def mutation(name: str) -> str:
    """A valid document that asks for it, with values made up by their types."""
    arguments = [
        f"{key}: {made_up(argument.type)}"
        for key, argument in MUTATIONS[name].args.items()
        if isinstance(argument.type, GraphQLNonNull)
    ]
    told = f"({', '.join(arguments)})" if arguments else ""
    found = get_named_type(MUTATIONS[name].type)
    return f"mutation Writes {{ {name}{told}{'' if is_leaf_type(found) else ' { __typename }'} }}"


def made_up(kind: GraphQLInputType) -> str:
    if isinstance(kind, GraphQLNonNull):
        return made_up(kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{made_up(kind.of_type)}]"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        required = {key: field.type for key, field in kind.fields.items() if isinstance(field.type, GraphQLNonNull)}
        return f"{{{', '.join(f'{key}: {made_up(inner)}' for key, inner in required.items())}}}"
    return {"Int": "1", "Float": "1.0", "Boolean": "true"}.get(kind.name, '"any"')


def test_a_reader_changes_nothing(viewer: httpx.Client, records: dg.DagsterInstance) -> None:
    def state() -> tuple[Any, ...]:
        sensor = answer(viewer, SENSOR, **LANDING_SENSOR)["sensorOrError"]["sensorState"]["status"]
        loaded = answer(viewer, LOADED_AT)
        events = records.get_latest_materialization_event(dg.AssetKey("raw_sales"))
        return sensor, loaded, events, {run.run_id for run in records.get_runs()}

    before = state()
    sensor = answer(viewer, SENSOR, **LANDING_SENSOR)["sensorOrError"]["sensorState"]["id"]
    assert ask(viewer, LAUNCH, **INGEST).status_code == 400
    assert ask(viewer, STOP_SENSOR, id=sensor).status_code == 400
    assert ask(viewer, RELOAD).status_code == 400
    assert ask(viewer, RUN_SENSOR, **LANDING_SENSOR).status_code == 400
    assert [viewer.post(path).status_code for path in WRITING_PATHS] == [403, 403, 403]
    assert viewer.post("/dagster/anything").status_code == 403
    assert viewer.get("/dagster/notebook", params={"path": "/any.ipynb", "repoLocName": "nexgen"}).status_code == 403

    assert state() == before


def test_a_reader_gets_no_file_outside_the_logs(viewer: httpx.Client, settings: Settings) -> None:
    assert (settings.home_path / "dashboard" / "session_key").exists()
    paths = ("..%2f..%2f..%2fdashboard%2fsession_key", "%2e%2e/%2e%2e/%2e%2e/dashboard/session_key", "any.out")
    assert [viewer.get(f"/dagster/logs/{path}").status_code for path in paths] == [404, 404, 404]


# ---- those who write


def test_an_admin_reports_events(admin: httpx.Client, records: dg.DagsterInstance, log: Log) -> None:
    assert [admin.post(path).status_code for path in WRITING_PATHS] == [200, 200, 200]
    assert records.get_latest_materialization_event(dg.AssetKey("raw_sales")) is not None
    assert ("admin", "Dagster: report_asset_materialization", "raw_sales: 200") in log()


def test_an_admin_launches_a_run_that_the_daemon_starts_on_the_one_code_server(admin: httpx.Client, log: Log) -> None:
    launched = answer(admin, LAUNCH, **INGEST)["launchRun"]
    run = launched["run"]["runId"]
    told = f"location nexgen, job ingest: LaunchRunSuccess, run {run}"
    assert log()[0] == ("admin", "Dagster: launchRun", told)

    def status() -> str:
        return answer(admin, RUN, run=run)["runOrError"]["status"]

    until(lambda: status() in ("SUCCESS", "FAILURE", "CANCELED"), "the run ends")
    assert status() == "SUCCESS"
    # what the dashboard links to
    assert run in [found["run_id"] for found in admin.get("/api/runs").json()["runs"]]
    assert admin.get(f"/dagster/runs/{run}").status_code == 200


def test_an_admin_switches_a_sensor_off_and_on(admin: httpx.Client, viewer: httpx.Client, log: Log) -> None:
    def sensor() -> dict[str, str]:
        return answer(viewer, SENSOR, **LANDING_SENSOR)["sensorOrError"]["sensorState"]

    answer(admin, STOP_SENSOR, id=sensor()["id"])
    assert sensor()["status"] == "STOPPED"
    selector = "mutation ($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { __typename } }"
    answer(admin, selector, **LANDING_SENSOR)
    assert sensor()["status"] == "RUNNING"
    assert log()[:2] == [
        ("admin", "Dagster: startSensor", "location nexgen, sensor landing_zone: Sensor"),
        ("admin", "Dagster: stopSensor", "landing_zone: StopSensorMutationResult"),
    ]


def test_what_a_reader_is_refused_and_what_anybody_reads_is_no_line_of_the_log(
    admin: httpx.Client, viewer: httpx.Client, log: Log
) -> None:
    before = log()
    assert ask(viewer, RELOAD).status_code == 400
    assert viewer.post(WRITING_PATHS[0]).status_code == 403
    answer(admin, ASSETS)
    assert log() == before


def test_an_admin_loads_the_code_anew_for_everybody(admin: httpx.Client, viewer: httpx.Client) -> None:
    before = answer(viewer, LOADED_AT)
    assert answer(admin, RELOAD)["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    until(lambda: answer(viewer, LOADED_AT) != before, "readers see the code that was loaded anew")
    assert len(answer(viewer, ASSETS)["assetNodes"]) > 20


# ---- websockets

SUBSCRIPTION = "subscription { locationStateChangeEvents { event { eventType } } }"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
def test_a_websocket_carries_subscriptions_and_nothing_else(port: int, settings: Settings, role: Role) -> None:
    with browser(port, settings, role) as client, websocket(client) as opened:
        assert tell(opened, "connection_init")["type"] == "connection_ack"
        for document in (RELOAD, ASSETS, "nonsense"):
            assert tell(opened, "start", document)["type"] == "error"


def test_a_subscription_of_a_reader_runs_no_code(viewer: httpx.Client) -> None:
    query = """subscription { pipelineRunLogs(runId: "any") {
      ... on PipelineRunLogsSubscriptionSuccess { run { pipeline { ... on PipelineSnapshot { schedules {
        futureTick(tickTimestamp: 1) { evaluationResult { skipReason } } } } } } } } }"""
    with websocket(viewer) as opened:
        refused = tell(opened, "start", query)
    assert refused["type"] == "error"
    assert "needs the role admin" in refused["payload"]["message"]


@pytest.mark.parametrize("end", ["logout", "role", "disabled"])
def test_a_websocket_ends_with_the_session_that_opened_it(
    port: int, settings: Settings, users: Users, end: str
) -> None:
    name = f"guest-{end}"
    users.add(name, Role.ADMIN, PASSWORD, "tests")
    with browser(port, settings, name) as client, websocket(client) as opened:
        assert tell(opened, "connection_init")["type"] == "connection_ack"
        if end == "logout":
            client.post("/api/logout")
        elif end == "role":
            users.set_role(name, Role.VIEWER, "tests")
        else:
            users.set_disabled(name, "tests", is_disabled=True)
        with pytest.raises(ConnectionClosed) as closed:
            tell(opened, "start", SUBSCRIPTION)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4401


# ---- in a browser


@pytest.fixture
def page(chromium: Browser, port: int) -> Iterator[Page]:
    context = chromium.new_context(base_url=address(port), viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    yield context.new_page()
    context.close()


def log_in(page: Page) -> None:
    page.get_by_label("Name").fill(Role.VIEWER.value)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_a_viewer_logs_in_and_sees_lineage_and_runs(page: Page, port: int) -> None:
    page.goto("/")
    log_in(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Dagster").click()
    dagster = opened.value
    dagster.get_by_role("link", name="Lineage").click()
    expect(dagster.get_by_role("button", name="Reload definitions")).to_be_disabled()
    dagster.goto("/dagster/assets/reorder_recommendations?view=lineage&lineageScope=neighbors")
    for name in ("cleaned_features", "centre_stock", "order_exceptions"):  # longer names are cut
        expect(dagster.locator("foreignObject").get_by_text(name, exact=True).first).to_be_visible()
    dagster.get_by_role("link", name="Runs").click()
    expect(dagster).to_have_url(f"{address(port)}/dagster/runs")
    expect(dagster.get_by_text("ingest").first).to_be_visible()


def test_a_run_on_the_data_page_leads_to_it_in_dagster(page: Page, viewer: httpx.Client) -> None:
    run = viewer.get("/api/runs").json()["runs"][0]["run_id"]
    page.goto("/dagster/runs")
    log_in(page)
    page.wait_for_url("**/dagster/runs")  # where they wanted to go
    page.goto("/data")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="ingest").first.click()
    expect(opened.value).to_have_url(re.compile(f"/dagster/runs/{run}"))
    expect(opened.value.get_by_text(run[:8]).first).to_be_visible()


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/dagster", "/dagster.evil.example"])
def test_a_login_leads_to_no_other_site(page: Page, port: int, elsewhere: str) -> None:
    page.goto(f"/?next={elsewhere}")
    log_in(page)
    expect(page.get_by_role("link", name="Overview")).to_be_visible()
    assert page.url.startswith(f"{address(port)}/")
