"""The demo: land sales to try the product with, run the graph, show what to order and how to log in."""

import json
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import obstore
from rich.console import Console

from nexgen_assets.commands.pipeline import run_pipeline
from nexgen_assets.commands.report import print_report
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.dashboard.users import Users
from nexgen_assets.landing_zone import KINDS, LandingZone
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import S3Access, open_lake
from nexgen_assets.settings import Settings

MARKER = "demo.json"
USER = "demo"
PASSWORD_BYTES = 12


@dataclass(frozen=True)
class SampleSize:
    """How large the invented retailer is; decided when it is first landed."""

    days: int = 730
    products: int = 40
    locations: int = 5


def run_demo(settings: Settings, data: str, size: SampleSize, console: Console) -> None:
    """Land the data once, run everything, print the summary.

    The data's last day is fixed when it is first made, and kept: a demo of the next day changes nothing.
    """
    access = open_lake(settings)
    console.print(f"[bold]NexGen demo[/] · {data} · {access.root} at {access.endpoint or 'AWS'}")
    if not _landed(access, data):
        with console.status("Landing sales files"):
            _land(settings, access, data, size)
    result = run_pipeline(settings, console)
    print_report(result, console)
    say_how_to_log_in(Users(open_book(settings).database), console)


def say_how_to_log_in(users: Users, console: Console) -> None:
    """Where there is nobody yet, makes a user and shows the password: this once, as only its hash is kept."""
    if users.find(USER):
        console.print(f"Log in as [bold]{USER}[/]; for another password: [bold]nexgen users password {USER}[/]")
    elif not users.all():
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        users.add(USER, Role.ADMIN, password, "nexgen demo")
        console.print(f"Log in as [bold]{USER}[/] with the password {password}", highlight=False, soft_wrap=True)
        console.print("      It is shown this once. The user has the role admin: it may do everything.")


def _landed(access: S3Access, data: str) -> dict[str, Any] | None:
    """What an earlier demo landed; raises if it was other data."""
    try:
        marker = json.loads(bytes(obstore.get(access.store(), MARKER).bytes()))
    except FileNotFoundError:
        return None
    if marker["data"] != data:
        raise ValueError(
            f"{access.root} already holds the demo {marker['data']}: set NEXGEN_DEPLOYMENT to another name"
        )
    return marker


def _land(settings: Settings, access: S3Access, data: str, size: SampleSize) -> None:
    """Write the files and the marker; the marker comes last, so that a killed demo lands them again, unchanged."""
    last_day = _agreed_last_day(access, settings.last_complete_day())
    zone = LandingZone(access, settings)
    with tempfile.TemporaryDirectory() as folder:
        _generators(size)[data](Path(folder), last_day)
        for kind in KINDS:
            for path in sorted((Path(folder) / kind).glob("*.csv")):
                zone.put(kind, path)
    obstore.put(access.store(), MARKER, json.dumps({"data": data, "last_day": last_day.isoformat()}).encode())


def _agreed_last_day(access: S3Access, proposed: date) -> date:
    """The last day of the sample: whoever asks first decides, also for a demo that is killed while it lands."""
    key = "demo_last_day.txt"
    try:
        obstore.put(access.store(), key, proposed.isoformat().encode(), mode="create")
    except obstore.exceptions.AlreadyExistsError:
        return date.fromisoformat(bytes(obstore.get(access.store(), key).bytes()).decode())
    return proposed


def _generators(size: SampleSize) -> dict[str, Callable[[Path, date], object]]:
    from nexgen_assets.sample_data.complete_journey import land_complete_journey
    from nexgen_assets.sample_data.generator import generate_sample

    return {
        "sample": lambda folder, last_day: generate_sample(folder, last_day=last_day, **asdict(size)),
        "complete-journey": lambda folder, _: land_complete_journey(folder),
    }
