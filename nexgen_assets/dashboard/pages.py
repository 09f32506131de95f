"""The front end's built files, if they are there.

What belongs here: serving files of one folder, and `index.html` for every page that the front end draws by itself. What
does not: building them, and anything below `/api`.
"""

from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from nexgen_assets.dashboard.wall import GUARDED, is_below

INDEX = "index.html"
HASHED = "assets"  # names of files there change with their content
NOT_BUILT = "NexGen's API serves below /api. The pages of the dashboard are not built in this installation.\n"


class Pages(StaticFiles):
    """Files of the folder; `index.html` in place of what is none, as the front end finds its way by the address."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            found = await super().get_response(path, scope)
        except HTTPException as error:
            # a missing script is an error, not a page
            if error.status_code != 404 or is_below(path, HASHED) or is_below(scope["path"], *GUARDED):
                raise
            found = await super().get_response(INDEX, scope)
        is_hashed = is_below(path, HASHED)
        found.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_hashed else "no-cache"
        return found


def add_pages(app: FastAPI, folder: Path) -> None:
    if (folder / INDEX).is_file():
        app.mount("/", Pages(directory=folder, html=True), name="pages")
        return

    @app.get("/", include_in_schema=False)
    def not_built(_: Request) -> PlainTextResponse:
        return PlainTextResponse(NOT_BUILT)
