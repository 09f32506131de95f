"""The Dagster UI below `/dagster`: as it is for whoever administers, only to look at for everybody else.

What belongs here: the two web servers over one instance and one code server, who gets which, what neither does, and
telling the audit log what is written. What does not: who asks (`wall.py` has recognised them), the words of the log
(`dagster_writes.py`), and starting the code server (`commands/server.py`).

Reading is held three times: Dagster's own permissions (`read_only`), no document with a mutation, and no unsafe method
but the `POST` that asks a question.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import __version__
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver import cli
from dagster_webserver.webserver import DagsterWebserver
from graphql import (
    ASTValidationRule,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from nexgen_assets.dashboard.audit import AuditLog
from nexgen_assets.dashboard.dagster_writes import Write, writes
from nexgen_assets.dashboard.roles import LEAST_ROLE, Permission, is_allowed
from nexgen_assets.dashboard.wall import DAGSTER, SAFE_METHODS, Identity, is_below

GRAPHQL = f"{DAGSTER}/graphql"
POLL_MILLISECONDS = 2000
NEEDS_ADMIN = f"writing in Dagster needs the role {LEAST_ROLE[Permission.ADMINISTER]}"
ONLY_BY_POST = "ask GraphQL by POST: Dagster carries out a mutation that is sent by GET too, and a link could hold one"
NOT_HERE = "the Dagster UI is not served here: `nexgen up` serves it"
# a field of queries that runs a sensor or a schedule, which may write
RUNS_CODE = "evaluationResult"


class DagsterPath:
    """Sends what is asked below `/dagster` to the Dagster UI, and everything else on."""

    def __init__(self, app: ASGIApp, ui: ASGIApp | None) -> None:
        self._app = app
        self._ui = ui or _not_here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_asked = scope["type"] in ("http", "websocket") and is_below(scope["path"], DAGSTER)
        await (self._ui if is_asked else self._app)(scope, receive, send)


class DagsterUI:
    """The web server that writes for whoever may, the one that reads for everybody else."""

    def __init__(self, writing: ASGIApp, reading: ASGIApp, audit: AuditLog) -> None:
        self._writing = writing
        self._reading = reading
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who: Identity = scope["state"]["identity"]
        is_report = scope["type"] == "http" and scope["method"] not in SAFE_METHODS and scope["path"] != GRAPHQL
        if is_allowed(who.role, Permission.ADMINISTER):
            await (self._report if is_report else self._writing)(scope, receive, send)
        elif is_report:
            await JSONResponse({"detail": f"{NEEDS_ADMIN}; you are {who.role}"}, 403)(scope, receive, send)
        else:
            await self._reading(scope, receive, send)

    async def _report(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is written by an address of its own, such as an asset's materialization: told with its status."""
        statuses = list[int]()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        try:
            await self._writing(scope, receive, watched)
        finally:
            name, _, about = scope["path"].removeprefix(f"{DAGSTER}/").partition("/")
            told = f"{about}: {statuses[0] if statuses else 'error'}"
            await run_in_threadpool(_tell, self._audit, HTTPConnection(scope), name, told)


class _Webserver(DagsterWebserver[Any, Any]):
    """Dagster's own, but no GraphQL by GET, and what comes by websocket is validated like what comes by POST."""

    async def graphql_http_endpoint(self, request: Request) -> HTMLResponse | PlainTextResponse | JSONResponse:
        if request.method != "POST":
            return JSONResponse({"detail": ONLY_BY_POST}, 405, {"Allow": "POST"})
        return await super().graphql_http_endpoint(request)

    async def download_captured_logs_endpoint(self, request: Request) -> FileResponse:
        try:
            return await super().download_captured_logs_endpoint(request)
        except ValueError:  # a path that is none of a log, one that leads out of their folder included
            raise HTTPException(404, "there is no such log") from None

    async def execute_graphql_subscription(
        self,
        websocket: WebSocket,
        operation_id: str,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
    ) -> Any:
        try:
            errors = validate(self._graphene_schema.graphql_schema, parse(query), self._graphql_validation_rules)
        except GraphQLError as error:
            errors = [error]
        if errors:
            return None, errors[0].formatted
        return await super().execute_graphql_subscription(websocket, operation_id, query, variables, operation_name)


class _WritingWebserver(_Webserver):
    """Every mutation that it carries out becomes a line of the audit log."""

    def __init__(self, context: Any, audit: AuditLog) -> None:
        super().__init__(context, DAGSTER, POLL_MILLISECONDS)
        self._audit = audit

    async def execute_graphql_request(
        self, request: Request, query: str, variables: dict[str, Any] | None, operation_name: str | None
    ) -> JSONResponse:
        asked = await run_in_threadpool(writes, self._graphene_schema.graphql_schema, query, variables, operation_name)
        # of what is stopped by its id, the name may be gone afterwards
        about = [await run_in_threadpool(self._about, write) for write in asked]
        answer: dict[str, Any] = {}
        try:
            answered = await super().execute_graphql_request(request, query, variables, operation_name)
            answer = json.loads(bytes(answered.body)) if asked else {}
        finally:
            for write, names in zip(asked, about, strict=True):
                told = f"{names}: {write.outcome(answer)}" if names else write.outcome(answer)
                await run_in_threadpool(_tell, self._audit, request, write.name, told)
        return answered

    def _about(self, write: Write) -> str:
        if write.about or not write.sent_id:
            return ", ".join(write.about)
        # an id holds that of a schedule's or sensor's selector
        known = self._process_context.instance.all_instigator_state()
        names = (state.instigator_name for state in known if state.selector_id in write.sent_id)
        return next(names, write.sent_id)


class _ReadingWebserver(_Webserver):
    def __init__(self, context: Any) -> None:
        super().__init__(context, DAGSTER, POLL_MILLISECONDS)

    def build_graphql_validation_rules(self) -> list[type[ASTValidationRule]]:
        return [*specified_rules, _OnlyReads]

    async def download_notebook(self, request: Request) -> HTMLResponse | PlainTextResponse:  # noqa: ARG002
        # it reads any file of that kind on the machine of the code server
        return PlainTextResponse(NEEDS_ADMIN, 403)


class _OnlyReads(ASTValidationRule):
    """A document without mutations, and without queries that run code of a sensor or a schedule."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        if node.operation is OperationType.MUTATION:
            self.report_error(GraphQLError(NEEDS_ADMIN, node))

    def enter_field(self, node: FieldNode, *_: object) -> None:
        if node.name.value == RUNS_CODE:
            self.report_error(GraphQLError(NEEDS_ADMIN, node))


@contextmanager
def dagster_ui(instance: dg.DagsterInstance, workspace: Path, audit: AuditLog) -> Iterator[DagsterUI]:
    """The UI of the code servers that the workspace file names; what is written in it is told to the audit log."""
    # as the server that Dagster ships does: a pool of connections to the database, where there is one
    instance.optimize_for_webserver(
        cli.DEFAULT_DB_STATEMENT_TIMEOUT, cli.DEFAULT_POOL_RECYCLE, cli.DEFAULT_POOL_MAX_OVERFLOW
    )
    with ExitStack() as contexts:

        def context(*, is_read_only: bool) -> Any:
            target = WorkspaceFileTarget([str(workspace)])
            made = WorkspaceProcessContext(instance, target, version=__version__, read_only=is_read_only)
            return contexts.enter_context(made)

        writing = _WritingWebserver(context(is_read_only=False), audit)
        reading = _ReadingWebserver(context(is_read_only=True))
        yield DagsterUI(writing.create_asgi_app(), reading.create_asgi_app(), audit)


def _tell(audit: AuditLog, asked: HTTPConnection[Any], name: str, about: str) -> None:
    who: Identity = asked.scope["state"]["identity"]
    audit.add(who.name, f"Dagster: {name}", about, asked.client.host if asked.client else None)


async def _not_here(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    await JSONResponse({"detail": NOT_HERE}, 404)(scope, receive, send)
