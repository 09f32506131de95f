"""Uploads: hand a file in, read its report, commit or discard it."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request, Response
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from nexgen_assets.commands.template import example_csv
from nexgen_assets.dashboard.answers.common import Problem
from nexgen_assets.dashboard.answers.uploads import (
    AlreadyLanded,
    Commit,
    Kind,
    Report,
    UploadAnswer,
    UploadDetail,
    Uploads,
    UploadState,
)
from nexgen_assets.dashboard.roles import Permission, is_allowed
from nexgen_assets.dashboard.routes.access import CONFLICT, NOT_FOUND, Address, Door, Who, router
from nexgen_assets.dashboard.uploads.desk import AlreadyLandedError
from nexgen_assets.dashboard.uploads.progress import Standing
from nexgen_assets.dashboard.uploads.records import State, UploadRow
from nexgen_assets.dashboard.uploads.refused_csv import refused_csv
from nexgen_assets.dashboard.wall import Identity

routes = router(Permission.UPLOAD, "uploads")

TOO_LARGE: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The file is larger than is taken here"},
    400: {"model": Problem, "description": "The transfer broke off"},
}
LANDED: dict[int | str, dict[str, Any]] = {
    409: {"model": AlreadyLanded | Problem, "description": "A file of this name has landed, or somebody was first"}
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Last = Annotated[int, Query(ge=1, le=500)]


CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def upload(upload_id: str, door: Door, who: Who) -> UploadRow:
    """An upload that this person may see: their own, and every one for planners."""
    row = door.uploads.book.find(upload_id)
    if row is None or not (row.uploaded_by == who.name or _sees_all(who)):
        raise HTTPException(404, "there is no such upload of yours")
    return row


Chosen = Annotated[UploadRow, Depends(upload)]


@routes.post("/uploads", status_code=201, responses=TOO_LARGE, openapi_extra=BODY)
async def add_upload(  # noqa: PLR0917
    request: Request,
    kind: Kind,
    name: Annotated[str, Query(min_length=1, max_length=500, description="Of the file, with its ending")],
    door: Door,
    who: Who,
    origin: Address,
) -> UploadAnswer:
    """Hand a file in, as the body itself; its check begins at once."""
    told = request.headers.get("content-length", "")
    if told.isdigit():
        door.uploads.require_size(kind, int(told))
    row = await door.uploads.receive(kind, name, who.name, _chunks(request), origin)
    return _answer(row)


@routes.get("/uploads")
def uploads(door: Door, who: Who, last: Last = 50) -> Uploads:
    """The last uploads: one's own, and everybody's for planners."""
    rows = door.uploads.book.last(last, None if _sees_all(who) else who.name)
    for row in rows:
        door.uploads.begin_check(row)  # a server that was stopped left it waiting
    most_bytes = {kind: door.uploads.most_bytes(kind) for kind in Kind}
    standings = door.progress.standings(rows)
    return Uploads(uploads=[_answer(row, standings.get(row.upload_id)) for row in rows], most_bytes=most_bytes)


@routes.get("/uploads/templates/{kind}", response_class=Response, responses=CSV)
def upload_template(kind: Kind) -> Response:
    """An example of a kind of file, to fill in."""
    return _file(f"{kind}.csv", example_csv(kind))


@routes.get("/uploads/{upload_id}", responses=NOT_FOUND)
def upload_detail(row: Chosen, door: Door) -> UploadDetail:
    """One upload with the report of its check."""
    door.uploads.begin_check(row)
    standing = door.progress.standings([row]).get(row.upload_id)
    return UploadDetail(**_answer(row, standing).model_dump(), report=_report(row))


@routes.get("/uploads/{upload_id}/refused", response_class=Response, responses=NOT_FOUND | CSV)
def upload_refused_lines(row: Chosen) -> Response:
    """The report's refused lines as a table for spreadsheets."""
    report = _report(row)
    return _file(f"refused-{row.name}.csv", refused_csv(report.refused if report else []))


@routes.post("/uploads/{upload_id}/check", responses=NOT_FOUND | CONFLICT)
def check_upload(row: Chosen, door: Door) -> UploadAnswer:
    """Check the file again: after a failed check, or when other files have landed since."""
    return _answer(door.uploads.check_again(row))


@routes.post("/uploads/{upload_id}/commit", responses=NOT_FOUND | LANDED)
def commit_upload(row: Chosen, asked: Commit, door: Door, who: Who, origin: Address) -> UploadAnswer:
    """Let the file land; the same again is no change."""
    try:
        return _answer(door.uploads.commit(row.upload_id, asked.if_present, who.name, origin))
    except AlreadyLandedError as error:
        report = _report(row)
        ways = {"as_additional": report.as_additional, "as_replacement": report.as_replacement} if report else {}
        return JSONResponse(AlreadyLanded(detail=str(error), **ways).model_dump(mode="json"), 409)  # pyright: ignore[reportReturnType]


@routes.delete("/uploads/{upload_id}", status_code=204, responses=NOT_FOUND | CONFLICT)
def discard_upload(row: Chosen, door: Door, who: Who, origin: Address) -> None:
    """Forget a file that is not committed."""
    door.uploads.discard(row.upload_id, who.name, origin)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise HTTPException(400, "the transfer broke off: nothing was kept") from None


def _sees_all(who: Identity) -> bool:
    return is_allowed(who.role, Permission.DECIDE)


def _report(row: UploadRow) -> Report | None:
    if row.report is None:
        return None
    told = {name: value for name, value in row.report.items() if name in Report.model_fields}
    return Report(**told, is_present=row.report["present_etag"] is not None)


STATES = {
    State.RECEIVED: UploadState.RECEIVED,
    State.CHECKED: UploadState.CHECKED,
    State.REFUSED: UploadState.REFUSED,
    State.FAILED: UploadState.CHECK_FAILED,
    State.COMMITTING: UploadState.CHECKED,
    State.COMMITTED: UploadState.COMMITTED,
}


def _answer(row: UploadRow, standing: Standing | None = None) -> UploadAnswer:
    return UploadAnswer(
        upload_id=row.upload_id,
        kind=Kind(row.kind),
        name=row.name,
        uploaded_by=row.uploaded_by,
        uploaded_at=row.uploaded_at,
        bytes=row.bytes,
        state=standing.state if standing else STATES[State(row.state)],
        problem=standing.problem if standing else row.problem,
        checked_at=row.checked_at,
        landing_key=row.landing_key if row.state == State.COMMITTED else None,
        committed_at=row.committed_at,
        run_id=standing.run_id if standing else None,
        hint=standing.hint if standing else None,
    )


def _file(name: str, content: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, media_type="text/csv")
