"""How the front door listens: the port it takes, what it writes to its log, and when it stops by itself.

What belongs here: the web server's configuration. What does not: what is served (`dashboard/app.py`).
"""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from nexgen_assets.launcher import RunFailedError
from nexgen_assets.settings import Settings

# a browser that keeps a websocket open does not keep the server
GRACE_SECONDS = 3


@contextmanager
def bound_socket(host: str, port: int, instead: str) -> Iterator[socket.socket]:
    """The port, taken until the block ends; nobody is answered before a server listens on it.

    Raises RunFailedError if something listens there already; `instead` is how to choose another port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, port))
        except OSError as error:
            raise RunFailedError(f"cannot listen on {host}:{port} ({error.strerror}): try `{instead}`") from None
        yield made


def server_of(app: FastAPI, settings: Settings, goes_on: Callable[[], bool] = lambda: True) -> uvicorn.Server:
    """A server that stops at Ctrl-C, at SIGTERM, or when `goes_on` says no."""

    async def look() -> None:
        server.should_exit |= not goes_on()

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=_logging(settings),
            access_log=False,
            # without a proxy, no client decides by a header which address it comes from, or which scheme it used
            proxy_headers=settings.public_url is not None,
            callback_notify=look,
            timeout_notify=1,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    return server


def _logging(settings: Settings) -> dict[str, Any]:
    """Warnings and errors of the whole process go to a file of the home folder; the terminal is for the person."""
    logs = settings.home_path / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    logging.captureWarnings(capture=True)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "formatter": "line", "filename": str(logs / "front-door.log")}
        },
        "root": {"handlers": ["file"], "level": "WARNING"},
    }
