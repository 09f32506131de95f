"""The API keeps its own description: whatever is sent, no answer is a crash, and each is of the type that is told."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from nexgen_assets.dashboard.answers.orders import WhatIf
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets_tests.dashboard.conftest import HOST, PASSWORD

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# they end the session that asks, or the attempts that are left
LEFT_OUT = {"/api/logout", "/api/login", "/api/me/password"}
EXAMPLES = 12


@pytest.fixture
def warm_door(door: FrontDoor) -> Iterator[FrontDoor]:
    """A front door whose worker has started: no request waits for that. What is uploaded here is checked for nobody."""
    door.scenarios.what_if(door.lake.view(), WhatIf())
    yield door
    door.close()


def test_no_request_makes_the_api_crash_or_break_its_types(app: FastAPI, warm_door: FrontDoor) -> None:
    user = warm_door.users.add("admin", Role.ADMIN, PASSWORD, "tests")
    headers = {
        "Cookie": f"nexgen_session={warm_door.sessions.start(user)}",
        "Origin": HOST,
        "Host": HOST.removeprefix("https://"),
    }
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=headers)
    tried, answered = 0, Counter[int]()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in LEFT_OUT:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def keeps_its_word(case: Any) -> None:
            answered[case.call_and_validate(headers=headers, checks=CHECKS).status_code] += 1

        keeps_its_word()
        tried += 1

    assert answered[200] > EXAMPLES
    assert answered[401] == 0
    assert tried == len(app.openapi()["paths"]) - len(LEFT_OUT) + 5  # five paths have two methods
