"""Who may do what: every route, as every role, by one table."""

import re

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from nexgen_assets.dashboard.roles import Role
from nexgen_assets_tests.dashboard.conftest import AS, HOST

LINE = "product_id=001&location=north"
# route, as docs/api.md lists them -> the least role, None for everybody; and a request of it
ROUTES: dict[str, tuple[Role | None, str]] = {
    "GET /api/health": (None, ""),
    "POST /api/login": (None, ""),
    "POST /api/logout": (Role.VIEWER, ""),
    "GET /api/me": (Role.VIEWER, ""),
    "POST /api/me/password": (Role.VIEWER, ""),
    "GET /api/me/tokens": (Role.VIEWER, ""),
    "POST /api/me/tokens": (Role.VIEWER, ""),
    "DELETE /api/me/tokens/{token_id}": (Role.VIEWER, ""),
    "GET /api/snapshot": (Role.VIEWER, ""),
    "GET /api/choices": (Role.VIEWER, ""),
    "GET /api/products": (Role.VIEWER, "q=prod"),
    "GET /api/kpis": (Role.VIEWER, ""),
    "GET /api/orders": (Role.VIEWER, ""),
    "GET /api/orders/suppliers": (Role.VIEWER, ""),
    "GET /api/orders/line": (Role.VIEWER, LINE),
    "GET /api/orders/outcomes": (Role.PLANNER, LINE),
    "GET /api/exceptions": (Role.VIEWER, ""),
    "GET /api/series/demand": (Role.VIEWER, LINE),
    "GET /api/series/forecast": (Role.VIEWER, LINE),
    "GET /api/series/past-forecasts": (Role.VIEWER, f"{LINE}&horizon=1"),
    "POST /api/decisions/accept": (Role.PLANNER, ""),
    "POST /api/decisions/change": (Role.PLANNER, ""),
    "POST /api/decisions/approve": (Role.APPROVER, ""),
    "POST /api/decisions/cancel": (Role.APPROVER, ""),
    "GET /api/decisions": (Role.VIEWER, ""),
    "GET /api/exports": (Role.VIEWER, ""),
    "POST /api/exports": (Role.APPROVER, ""),
    "POST /api/exports/{export_id}/copies": (Role.APPROVER, ""),
    "POST /api/what-if": (Role.PLANNER, ""),
    "GET /api/sales/trend": (Role.VIEWER, ""),
    "GET /api/sales/breakdown": (Role.VIEWER, ""),
    "GET /api/forecasts": (Role.VIEWER, ""),
    "GET /api/forecasts/accuracy": (Role.VIEWER, ""),
    "GET /api/forecasts/backtest": (Role.VIEWER, ""),
    "GET /api/models": (Role.VIEWER, ""),
    "GET /api/policies/frontier": (Role.VIEWER, ""),
    "GET /api/quality": (Role.VIEWER, ""),
    "GET /api/runs": (Role.VIEWER, ""),
    "POST /api/uploads": (Role.STORE, ""),
    "GET /api/uploads": (Role.STORE, ""),
    "GET /api/uploads/templates/{kind}": (Role.STORE, ""),
    "GET /api/uploads/{upload_id}": (Role.STORE, ""),
    "GET /api/uploads/{upload_id}/refused": (Role.STORE, ""),
    "POST /api/uploads/{upload_id}/check": (Role.STORE, ""),
    "POST /api/uploads/{upload_id}/commit": (Role.STORE, ""),
    "DELETE /api/uploads/{upload_id}": (Role.STORE, ""),
    "GET /api/users": (Role.ADMIN, ""),
    "POST /api/users": (Role.ADMIN, ""),
    "PATCH /api/users/{name}": (Role.ADMIN, ""),
    "GET /api/audit": (Role.ADMIN, ""),
}


def send(client: httpx.Client, route: str, query: str, **more: object) -> httpx.Response:
    method, path = route.split()
    # a body that no route understands: it is the permission that is tested, not the deed
    body = {} if method == "GET" else {"json": ["nonsense"]}
    for name in ("{token_id}", "{export_id}", "{upload_id}", "{kind}", "{name}"):
        path = path.replace(name, "none")
    return client.request(method, f"{path}?{query}", **body, **more)  # pyright: ignore[reportArgumentType]


def test_every_route_stands_in_the_table(app: FastAPI) -> None:
    found = {
        f"{method} {path}"
        for path, operations in app.openapi()["paths"].items()
        for method in map(str.upper, operations)
    }
    served = {route.path for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema}

    assert found == set(ROUTES)
    assert served <= set(app.openapi()["paths"])


@pytest.mark.parametrize(
    "path",
    ["/api/openapi.json", "/api/docs", "/api/docs/files/swagger-ui.css", "/api", "/api/nothing", "/dagster/graphql"],
)
def test_what_is_no_route_is_refused_without_a_login_too(anonymous: TestClient, path: str) -> None:
    assert anonymous.get(path).status_code == 401
    assert anonymous.post(path).status_code == 401


def test_the_description_is_a_page_made_of_our_own_files(as_role: AS) -> None:
    client = as_role(Role.VIEWER)
    page = client.get("/api/docs")

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    assert {path: client.get(path).status_code for path in loaded} == dict.fromkeys(loaded, 200)
    assert all(path.startswith("/api/docs/") for path in loaded)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
def test_where_dagster_runs_elsewhere_its_path_says_so(as_role: AS, role: Role) -> None:
    found = as_role(role).get("/dagster/runs")
    assert found.status_code == 404
    assert "`nexgen up` serves it" in found.json()["detail"]


def test_nobody_gets_anything_without_a_login(anonymous: TestClient) -> None:
    answers = {route: send(anonymous, route, query).status_code for route, (_, query) in ROUTES.items()}

    closed = {route: 401 for route, (least, _) in ROUTES.items() if least is not None}
    assert answers == closed | {"GET /api/health": 200, "POST /api/login": 422}


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_the_table_says_and_no_more(as_role: AS, role: Role) -> None:
    client, wrong = as_role(role), {}
    for route, (least, query) in ROUTES.items():
        if route in ("POST /api/login", "POST /api/logout"):  # they change who is logged in
            continue
        status = send(client, route, query).status_code
        is_allowed = least is None or role.rank >= least.rank
        # a body that is nonsense, and things that are not there, are told only to whoever may
        expected = (200, 404, 422) if is_allowed else (403,)
        if status not in expected:
            wrong[route] = status

    assert wrong == {}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "https://nexgen.example.evil.example"])
def test_a_request_of_another_site_changes_nothing(as_role: AS, origin: str) -> None:
    client = as_role(Role.ADMIN)
    unsafe = [route for route in ROUTES if not route.startswith("GET")]

    answers = {route: send(client, route, "", headers={"Origin": origin}).status_code for route in unsafe}

    assert answers == dict.fromkeys(unsafe, 403)


def test_a_request_without_an_origin_changes_nothing_either(app: FastAPI, as_role: AS) -> None:
    cookie = as_role(Role.ADMIN).cookies["nexgen_session"]
    client = TestClient(app, base_url=HOST, cookies={"nexgen_session": cookie})

    assert client.post("/api/exports", json={}).status_code == 403
    assert client.get("/api/me").status_code == 200


def test_a_token_needs_no_origin(app: FastAPI, as_role: AS) -> None:
    made = as_role(Role.APPROVER).post("/api/me/tokens", json={"label": "cron", "role": "approver"}).json()
    client = TestClient(app, base_url=HOST, headers={"Authorization": f"Bearer {made['token']}"})

    assert client.post("/api/exports", json={}).json() == {"detail": "no approved orders wait to be exported"}
