"""`nexgen dashboard`: the dashboard and its API on loopback, until Ctrl-C."""

from rich.console import Console

from nexgen_assets.commands.server import require_free
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.settings import Settings

HOST = "127.0.0.1"


def serve_dashboard(settings: Settings, port: int, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises RunFailedError if the port is taken."""
    import uvicorn

    from nexgen_assets.dashboard.app import create_app

    require_free(HOST, port, "nexgen dashboard --port")
    door = FrontDoor.of(settings)
    if not door.users.all():
        console.print("[yellow]Nobody may log in yet:[/] [bold]nexgen users add NAME --role admin[/]", highlight=False)
    console.print(f"Dashboard  [bold]http://{HOST}:{port}[/]   (Ctrl-C stops it)", highlight=False)
    # no client decides by a header which address it comes from, or which scheme it used
    uvicorn.run(create_app(settings, door), host=HOST, port=port, log_level="warning", proxy_headers=False)
