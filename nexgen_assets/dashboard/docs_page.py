"""The API's description as a page to try it out, behind the login like the rest of the API.

What belongs here: Swagger UI from files of a package, as pages load nothing from other hosts. What does not: the
description itself, which FastAPI makes of the routes.
"""

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

FILES = "/api/docs/files"
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>NexGen API</title>
<link rel="stylesheet" href="{FILES}/swagger-ui.css"></head>
<body><main id="api"></main><script src="{FILES}/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script></body></html>
"""
START = 'SwaggerUIBundle({ url: "/api/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null });\n'


def add_docs(app: FastAPI) -> None:
    @app.get("/api/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(PAGE)

    @app.get("/api/docs/start.js", include_in_schema=False)
    def start() -> Response:
        return Response(START, media_type="text/javascript")

    app.mount(FILES, StaticFiles(packages=[("fastapi_offline", "static")]), name="docs")
