"""`nexgen dashboard`: the dashboard and its API on loopback, until Ctrl-C; where Dagster runs elsewhere."""

from rich.console import Console

from nexgen_assets.commands.listening import bound_socket, server_of
from nexgen_assets.commands.server import say_that_nobody_may_log_in
from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.settings import Settings

HOST = "127.0.0.1"


def serve_dashboard(settings: Settings, port: int, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises RunFailedError if the port is taken."""
    from nexgen_assets.dashboard.app import create_app
    from nexgen_assets.dashboard.read_ahead import reading_ahead

    with bound_socket(HOST, port, "nexgen dashboard --port") as listening:
        door = FrontDoor.of(settings)
        if not door.users.all():
            say_that_nobody_may_log_in(console)
        console.print(f"Dashboard  [bold]http://{HOST}:{port}[/]   (Ctrl-C stops it)", highlight=False)
        with reading_ahead(door):
            server_of(create_app(settings, door), settings).run([listening])
