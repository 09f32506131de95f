"""What people write in Dagster, in the words of the audit log: which mutation, of what, and what came of it.

What belongs here: reading GraphQL documents and answers. What does not: who may write (`dagster_ui.py`), and the log.
Of what was sent, names and ids are told and nothing else: run configurations, tags and cursors may hold secrets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    get_operation_ast,
    parse,
    validate,
    value_from_ast_untyped,
)
from graphql.execution.collect_fields import collect_fields

# argument or field of an answer, at any depth -> the word for it
NAMES = {
    "backfillId": "backfill",
    "concurrencyKey": "pool",
    "checkName": "check",
    "jobName": "job",
    "parentRunId": "run",
    "partitionKey": "partition",
    "partitionKeys": "partition",
    "partitionNames": "partition",
    "path": "asset",
    "pipelineName": "job",
    "repositoryLocationName": "location",
    "runId": "run",
    "runIds": "run",
    "scheduleName": "schedule",
    "sensorName": "sensor",
}
# what holds whatever somebody put there, under any name
_FREE = frozenset({"runConfigData", "tags", "metadata", "cursor"})
# what the UI's pages send by themselves
_NOT_BY_PEOPLE = frozenset({"logTelemetry", "setNuxSeen"})


@dataclass(frozen=True)
class Write:
    """One mutation of a document: its name, the key of its answer, what it is about, and the id that it is sent."""

    name: str
    key: str
    about: tuple[str, ...]
    sent_id: str | None

    def outcome(self, answer: Any) -> str:
        """What came of it, by the answer's kind where the document asks for it, and the runs that it began."""
        found = (answer.get("data") or {}).get(self.key)
        if found is None:
            return "error"
        if not isinstance(found, Mapping):
            return "done"
        made = [name for name in dict.fromkeys(_names(found)) if name not in self.about]
        return ", ".join([found.get("__typename", "answered"), *made])


def writes(
    schema: GraphQLSchema, query: str, variables: Mapping[str, Any] | None, operation_name: str | None
) -> list[Write]:
    """The mutations that Dagster carries out if it is sent this; none for what it refuses unread."""
    try:
        found = _carried_out(schema, query, dict(variables or {}), operation_name)
    except GraphQLError:  # whoever sent it is told
        return []
    return [write for write in found if write.name not in _NOT_BY_PEOPLE]


def _carried_out(schema: GraphQLSchema, query: str, values: dict[str, Any], operation_name: str | None) -> list[Write]:
    document = parse(query)
    operation = None if validate(schema, document) else get_operation_ast(document, operation_name)
    if operation is None or operation.operation is not OperationType.MUTATION or schema.mutation_type is None:
        return []
    fragments = {part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)}
    fields = collect_fields(schema, fragments, values, schema.mutation_type, operation.selection_set)
    return [_write(key, nodes[0], values) for key, nodes in fields.items()]


def _write(key: str, node: FieldNode, values: dict[str, Any]) -> Write:
    sent = {argument.name.value: value_from_ast_untyped(argument.value, values) for argument in node.arguments}
    return Write(node.name.value, key, tuple(dict.fromkeys(_names(sent))), sent.get("id"))


def _names(sent: Any, name: str = "") -> Iterator[str]:
    if isinstance(sent, Mapping):
        for inner, value in sent.items():
            if inner not in _FREE:
                yield from _names(value, inner)
    elif isinstance(sent, list):
        for value in sent:
            yield from _names(value, name)
    elif name in NAMES and isinstance(sent, str):
        yield f"{NAMES[name]} {sent}"
