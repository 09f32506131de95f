"""Logging in, and what ends a login: users, sessions, tokens."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2 as httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nexgen_assets.dashboard.app import create_app
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.sessions import Sessions, session_key
from nexgen_assets.dashboard.tokens import Tokens
from nexgen_assets.dashboard.users import UserError, Users
from nexgen_assets_tests.dashboard.conftest import AS, HOST, PASSWORD


def log_in(client: httpx.Client, name: str = "anna", password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/login", json={"name": name, "password": password})


@pytest.fixture
def anna(door: FrontDoor) -> None:
    door.users.add("anna", Role.PLANNER, PASSWORD, "tests")


@pytest.mark.usefixtures("anna")
def test_the_right_password_opens_a_session(anonymous: TestClient) -> None:
    answer = log_in(anonymous)

    assert answer.json()["role"] == "planner"
    assert answer.json()["permissions"] == ["read", "upload", "decide", "what_if"]
    assert anonymous.get("/api/me").json() == answer.json()
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=lax", "secure"))


@pytest.mark.usefixtures("anna")
def test_behind_a_proxy_with_tls_cookies_go_by_https_only_and_its_address_is_no_other_site(door: FrontDoor) -> None:
    settings = door.settings.model_copy(update={"public_url": "https://orders.example.com"})
    app = create_app(settings, replace(door, settings=settings))
    # what the proxy sends on: not by TLS, and to a host of its own
    with TestClient(app, base_url="http://127.0.0.1:3000") as proxied:
        proxied.headers["Origin"] = "https://orders.example.com"
        assert "secure" in log_in(proxied).headers["set-cookie"].lower()
        proxied.headers["Origin"] = "https://orders.example.com.evil.example"
        assert log_in(proxied).status_code == 403


@pytest.mark.usefixtures("anna")
def test_without_tls_a_cookie_reaches_the_browser_all_the_same(app: FastAPI) -> None:
    with TestClient(app, base_url="http://127.0.0.1:3000", headers={"Origin": "http://127.0.0.1:3000"}) as client:
        assert "secure" not in log_in(client).headers["set-cookie"].lower()
        assert client.get("/api/me").status_code == 200


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("ANNA", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(anonymous: TestClient, name: str, password: str) -> None:
    answer = log_in(anonymous, name, password)

    assert answer.status_code == 401
    assert answer.json() == {"detail": "name or password is wrong"}
    assert anonymous.get("/api/me").status_code == 401


@pytest.mark.usefixtures("anna")
def test_guessing_is_stopped_even_for_the_right_password(anonymous: TestClient, door: FrontDoor) -> None:
    guesses = [log_in(anonymous, password=f"guess number {n}").status_code for n in range(12)]

    assert guesses == [401] * 10 + [429] * 2
    assert log_in(anonymous).status_code == 429
    assert {entry.what for entry in door.audit.entries()} >= {"login failed", "login refused: too many attempts"}


@pytest.mark.usefixtures("anna")
def test_after_logging_out_a_kept_cookie_is_of_no_use(app: FastAPI, anonymous: TestClient) -> None:
    log_in(anonymous)
    kept = anonymous.cookies["nexgen_session"]

    assert anonymous.post("/api/logout").status_code == 204

    thief = TestClient(app, base_url=HOST, cookies={"nexgen_session": kept})
    assert thief.get("/api/me").status_code == 401


@pytest.mark.usefixtures("anna")
def test_disabling_a_user_ends_sessions_and_tokens(app: FastAPI, anonymous: TestClient, door: FrontDoor) -> None:
    log_in(anonymous)
    token = anonymous.post("/api/me/tokens", json={"label": "cron", "role": "viewer"}).json()["token"]
    program = TestClient(app, base_url=HOST, headers={"Authorization": f"Bearer {token}"})
    assert program.get("/api/me").json()["role"] == "viewer"

    door.users.set_disabled("anna", "tests", is_disabled=True)

    assert anonymous.get("/api/me").status_code == program.get("/api/me").status_code == 401
    assert log_in(anonymous).status_code == 401
    door.users.set_disabled("anna", "tests", is_disabled=False)
    # enabled again, what was ended stays ended
    assert anonymous.get("/api/me").status_code == program.get("/api/me").status_code == 401
    assert log_in(anonymous).status_code == 200


@pytest.mark.usefixtures("anna")
def test_a_new_password_ends_the_sessions_of_the_old_one(anonymous: TestClient) -> None:
    log_in(anonymous)

    wrong = anonymous.post("/api/me/password", json={"old": "something else", "new": "another good password"})
    right = anonymous.post("/api/me/password", json={"old": PASSWORD, "new": "another good password"})

    assert (wrong.status_code, right.status_code) == (403, 204)
    assert anonymous.get("/api/me").status_code == 401
    assert log_in(anonymous).status_code == 401
    assert log_in(anonymous, password="another good password").status_code == 200


def test_a_lesser_role_is_at_once_a_lesser_role(as_role: AS, door: FrontDoor) -> None:
    client = as_role(Role.APPROVER)
    token = client.post("/api/me/tokens", json={"label": "cron", "role": "approver"}).json()["token"]

    door.users.set_role("approver", Role.VIEWER, "tests")

    assert client.get("/api/me").json()["role"] == "viewer"
    bearer = door.tokens.bearer(token)
    assert bearer
    assert bearer.role == Role.VIEWER


def test_a_token_is_never_more_than_its_user(as_role: AS) -> None:
    answer = as_role(Role.VIEWER).post("/api/me/tokens", json={"label": "cron", "role": "admin"})

    assert answer.status_code == 422
    assert "cannot be admin" in answer.json()["detail"]


def test_a_token_cannot_make_another_one(app: FastAPI, as_role: AS) -> None:
    token = as_role(Role.ADMIN).post("/api/me/tokens", json={"label": "cron", "role": "admin"}).json()["token"]
    program = TestClient(app, base_url=HOST, headers={"Authorization": f"Bearer {token}"})

    assert program.post("/api/me/tokens", json={"label": "more", "role": "viewer"}).status_code == 403


def test_an_ended_token_is_of_no_use(as_role: AS, door: FrontDoor) -> None:
    client = as_role(Role.VIEWER)
    made = client.post("/api/me/tokens", json={"label": "cron", "role": "viewer"}).json()

    assert client.delete(f"/api/me/tokens/{made['token_id']}").status_code == 204

    assert door.tokens.bearer(made["token"]) is None
    assert client.get("/api/me/tokens").json()[0]["is_ended"] is True


def test_sessions_and_tokens_expire(door: FrontDoor) -> None:
    clock: Callable[[], datetime] = lambda: now[0]  # noqa: E731
    now = [datetime(2026, 3, 11, tzinfo=UTC)]
    user = door.users.add("anna", Role.VIEWER, PASSWORD, "tests")
    sessions, tokens = Sessions(door.book.database, "key", clock), Tokens(door.book.database, clock)
    cookie, (token, _) = sessions.start(user), tokens.make("anna", "cron", Role.VIEWER, 1, "tests")

    now[0] += timedelta(hours=11, minutes=59)
    assert sessions.user_of(cookie)
    assert tokens.bearer(token)
    now[0] += timedelta(minutes=2)
    assert sessions.user_of(cookie) is None
    now[0] += timedelta(hours=12)
    assert tokens.bearer(token) is None


def test_a_cookie_that_was_not_signed_here_is_refused(door: FrontDoor) -> None:
    user = door.users.add("anna", Role.VIEWER, PASSWORD, "tests")
    cookie = door.sessions.start(user)

    assert door.sessions.user_of(cookie)
    assert door.sessions.user_of(f"{cookie}x") is None
    assert Sessions(door.book.database, "another key").user_of(cookie) is None


def test_the_key_of_cookies_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    key = session_key(tmp_path)

    assert session_key(tmp_path) == key
    assert (tmp_path / "session_key").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["session_key"]


def test_the_database_holds_no_secret_in_words(anonymous: TestClient, anna: None, door: FrontDoor) -> None:  # noqa: ARG001
    log_in(anonymous)
    token = anonymous.post("/api/me/tokens", json={"label": "cron", "role": "viewer"}).json()["token"]
    with door.book.database.session() as session:
        tables = ("dashboard_users", "dashboard_sessions", "dashboard_tokens", "dashboard_audit")
        held = str([session.execute(sa.text(f"SELECT * FROM {table}")).all() for table in tables])

    assert "$argon2id$" in held
    _, _, token_secret = token.split("_", 2)  # which may hold a _ itself
    for secret in (PASSWORD, token_secret, anonymous.cookies["nexgen_session"]):
        assert secret not in held


def test_what_was_not_understood_is_not_repeated(anonymous: TestClient) -> None:
    answer = anonymous.post("/api/login", json={"name": "anna", "password": ["hunter2"]})

    assert answer.status_code == 422
    assert "password" in answer.json()["detail"]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("name", ["", "a b", "../x", "<b>", "x" * 65])
def test_names_that_cannot_be_one_are_refused(door: FrontDoor, name: str) -> None:
    with pytest.raises(UserError, match="cannot be a user's name"):
        door.users.add(name, Role.VIEWER, PASSWORD, "tests")


def test_a_name_is_taken_in_whatever_case(door: FrontDoor, anna: None) -> None:  # noqa: ARG001
    with pytest.raises(UserError, match="there is a user anna already"):
        door.users.add("Anna", Role.VIEWER, PASSWORD, "tests")


def test_the_last_admin_stays(as_role: AS, door: FrontDoor) -> None:
    client = as_role(Role.ADMIN)

    for change in ({"is_disabled": True}, {"role": "viewer"}):
        answer = client.patch("/api/users/admin", json=change)
        assert answer.status_code == 422
        assert "last admin" in answer.json()["detail"]
    door.users.add("second", Role.ADMIN, PASSWORD, "tests")
    assert client.patch("/api/users/admin", json={"role": "viewer"}).json()["role"] == "viewer"


def test_an_admin_adds_a_user_who_can_log_in(as_role: AS, anonymous: TestClient) -> None:
    admin = as_role(Role.ADMIN)

    made = admin.post("/api/users", json={"name": "bert", "role": "store", "password": PASSWORD})

    assert made.status_code == 201
    assert "password" not in made.text
    assert log_in(anonymous, "bert").json()["role"] == "store"
    told = [(entry["who"], entry["what"]) for entry in admin.get("/api/audit").json()["entries"]]
    assert ("admin", "user added") in told
    assert ("bert", "login") in told


def test_the_audit_log_is_filtered_and_paged_newest_first(as_role: AS, door: FrontDoor) -> None:
    admin = as_role(Role.ADMIN)
    for who, what in (("ann", "login"), ("bob", "login"), ("ann", "logout"), ("ANNA%", "login"), ("ann_", "logout")):
        door.audit.add(who, what)

    def asked(**query: object) -> dict:
        return admin.get("/api/audit", params=query).json()

    def told(answer: dict) -> list[tuple[str, str]]:
        return [(entry["who"], entry["what"]) for entry in answer["entries"]]

    first = asked(who="ann", last=3)
    # what happens between two pages moves nothing
    door.audit.add("ann", "login")
    second = asked(who="ann", last=3, start=first["older"])
    assert told(first) == [("ann_", "logout"), ("ANNA%", "login"), ("ann", "logout")]
    assert told(second) == [("ann", "login")]
    assert second["older"] is None
    assert told(asked(what="logout")) == [("ann_", "logout"), ("ann", "logout")]
    # a sign that SQL reads as "any" is a sign
    assert [told(asked(who=sign)) for sign in ("%", "_")] == [[("ANNA%", "login")], [("ann_", "logout")]]
    assert {"login", "logout", "user added"} <= set(asked()["actions"])


def test_users_of_one_deployment_are_in_its_database(door: FrontDoor, anna: None) -> None:  # noqa: ARG001
    assert [user.name for user in Users(door.book.database).all()] == ["anna"]
