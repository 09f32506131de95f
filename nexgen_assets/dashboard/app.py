"""The front door as one ASGI application: the API below `/api`, the Dagster UI below `/dagster`, the pages at `/`.

What belongs here: putting routes, wall and error handlers together. What does not: any of them, and serving
(`commands/server.py`, `commands/dashboard.py`). `/api/docs` describes the API to whoever is logged in.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from nexgen_assets.dashboard.dagster_ui import DagsterPath
from nexgen_assets.dashboard.docs_page import add_docs
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.headers import SecurityHeaders
from nexgen_assets.dashboard.pages import add_pages
from nexgen_assets.dashboard.routes import decisions, forecasts, login, orders, overview, people, sales, system, uploads
from nexgen_assets.dashboard.uploads.storing import TooLargeError
from nexgen_assets.dashboard.users import UserError
from nexgen_assets.dashboard.wall import Wall
from nexgen_assets.dashboard.worker import WorkerDiedError
from nexgen_assets.decisions.database import DatabaseError
from nexgen_assets.decisions.exports import DeliveryError
from nexgen_assets.decisions.rules import ConflictError, DecisionError
from nexgen_assets.io_managers.evolution import OutdatedTableError
from nexgen_assets.resources.lake import LakeError
from nexgen_assets.resources.registry import RegistryError
from nexgen_assets.settings import Settings

PAGES = Path(__file__).with_name("static")
# an error that tells a person what to do -> the status that goes with it
STATUS: Mapping[type[Exception], int] = {
    ConflictError: 409,
    DecisionError: 422,
    UserError: 422,
    TooLargeError: 413,
    DatabaseError: 503,
    DeliveryError: 503,
    LakeError: 503,
    OutdatedTableError: 503,
    RegistryError: 503,
    WorkerDiedError: 503,
}


def create_app(
    settings: Settings, door: FrontDoor | None = None, pages: Path = PAGES, dagster: ASGIApp | None = None
) -> FastAPI:
    """The application of a deployment, `dagster` (`dagster_ui.py`) included if told.

    Raises LakeError or DatabaseError with what to do.
    """
    found = door or FrontDoor.of(settings)

    @asynccontextmanager
    async def open_for_business(_: FastAPI) -> AsyncIterator[None]:
        yield
        found.close()

    app = FastAPI(
        title="NexGen",
        version=version("nexgen-assets"),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        lifespan=open_for_business,
    )
    app.state.door = found
    app.include_router(login.open_routes)
    for part in (login, system, overview, orders, decisions, sales, forecasts, uploads, people):
        app.include_router(part.routes)
    for kind, status in STATUS.items():
        app.add_exception_handler(kind, _words(status))
    app.add_exception_handler(RequestValidationError, _not_understood)
    add_docs(app)
    add_pages(app, pages)
    # the last one added is the outermost
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(DagsterPath, ui=dagster)
    app.add_middleware(Wall, door=found)
    app.add_middleware(SecurityHeaders)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _words(status: int) -> Any:
    def answer(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status)

    return answer


def _not_understood(_: Request, error: Exception) -> JSONResponse:
    """Where and why; never what was sent, which may be a password."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    told = (f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in problems)
    return JSONResponse({"detail": "; ".join(told)}, 422)
