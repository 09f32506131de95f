"""What the audit log tells of a GraphQL document: every mutation that Dagster would carry out, and no secret."""

from typing import Any

import pytest
from dagster_graphql.schema import create_schema

from nexgen_assets.dashboard.dagster_writes import Write, writes

SCHEMA = create_schema().graphql_schema
LAUNCH = """mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}"""
SECRET = "hunter2"


def told(query: str, name: str | None = None, **variables: Any) -> list[tuple[str, tuple[str, ...]]]:
    return [(write.name, write.about) for write in writes(SCHEMA, query, variables, name)]


def test_a_launch_is_told_by_its_job_and_never_by_its_configuration() -> None:
    params = {
        "selector": {"pipelineName": "ingest", "repositoryName": "r", "repositoryLocationName": "nexgen"},
        "runConfigData": {"resources": {"jobName": SECRET, "password": SECRET}},
        "executionMetadata": {"parentRunId": "abc", "tags": [{"key": "runId", "value": SECRET}]},
    }
    assert told(LAUNCH, params=params) == [("launchRun", ("job ingest", "location nexgen", "run abc"))]


def test_names_that_stand_in_the_document_itself_are_told_too() -> None:
    query = 'mutation { terminateRuns(runIds: ["one", "two"]) { __typename } }'
    assert told(query) == [("terminateRuns", ("run one", "run two"))]


def test_mutations_in_fragments_and_under_other_names_are_told() -> None:
    query = """query Harmless { __typename }
    mutation Hidden { ...Inner ... on Mutation { harmless: deleteRun(runId: "two") { __typename } } }
    fragment Inner on Mutation { reloadWorkspace { __typename } }"""
    assert told(query, "Hidden") == [("reloadWorkspace", ()), ("deleteRun", ("run two",))]
    assert told(query, "Harmless") == []


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename }",
        "nonsense {",
        "mutation { noSuchThing }",
        'mutation { logTelemetry(action: "a", clientTime: "1", clientId: "c", metadata: "m") { __typename } }',
        "mutation A { setNuxSeen } mutation B { reloadWorkspace { __typename } }",  # nobody says which
        'mutation { deleteRun(runId: "one") @include(if: false) { __typename } }',
    ],
)
def test_nothing_is_told_of_what_is_not_carried_out(query: str) -> None:
    assert told(query) == []


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"data": {"it": {"__typename": "LaunchRunSuccess", "run": {"runId": "abc"}}}}, "LaunchRunSuccess, run abc"),
        ({"data": {"it": {"__typename": "PythonError", "message": SECRET}}}, "PythonError"),
        ({"data": {"it": {"runId": "abc"}}}, "answered, run abc"),
        ({"data": {"it": True}}, "done"),
        ({"data": None, "errors": [{"message": SECRET}]}, "error"),
        ({}, "error"),
    ],
)
def test_the_outcome_is_the_kind_of_the_answer_and_the_run_that_began(answer: dict[str, Any], outcome: str) -> None:
    assert Write("launchRun", "it", ("job ingest",), None).outcome(answer) == outcome
