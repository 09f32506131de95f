"""`nexgen doctor`: is everything there that a run needs, and if not, what to do."""

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.console import Console
from rich.markup import escape

from nexgen_assets.launcher import dagster_home, open_instance
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import is_embedded, open_lake
from nexgen_assets.resources.spark_engine import connect, embedded_engine, spark_remote
from nexgen_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA = 17


class AilmentError(Exception):
    """A check failed; the message says what to do."""


def examine(console: Console) -> bool:
    """Run every check and print one line each; True if all pass."""
    settings: list[Settings] = []
    checks: list[tuple[str, Callable[[], str]]] = [
        ("settings", lambda: _check_settings(settings)),
        ("home folder", lambda: _check_home(settings[0])),
        ("S3", lambda: _check_s3(settings[0])),
        ("Java", _check_java),
        ("Spark", lambda: _check_spark(settings[0])),
        ("decisions", lambda: open_book(settings[0]).database.name),
        ("Dagster", lambda: _check_dagster(settings[0])),
        ("lake", lambda: _check_lake(settings[0])),
    ]
    healthy = True
    for name, check in checks:
        if name != "settings" and not settings:
            console.print(f"[dim]-  {name}: not checked, settings are wrong[/]")
            continue
        try:
            _tell(console, "[green]ok[/]", name, check())
        except Exception as error:  # noqa: BLE001  # whatever is wrong, the doctor reports it and goes on
            healthy = False
            _tell(console, "[red]!![/]", name, str(error))
    return healthy


def _tell(console: Console, mark: str, name: str, found: str) -> None:
    console.print(f"{mark} {name}: {escape(found)}", highlight=False, soft_wrap=True)


def _check_settings(found: list[Settings]) -> str:
    found.append(load_settings())
    return f"deployment {found[0].deployment}, time zone {found[0].timezone}"


def _check_home(settings: Settings) -> str:
    settings.home_path.mkdir(parents=True, exist_ok=True)
    probe = settings.home_path / f".probe-{uuid4().hex}"
    try:
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        raise AilmentError(f"{settings.home_path} cannot be written ({error.strerror}): set NEXGEN_HOME") from error
    free = shutil.disk_usage(settings.home_path).free / 2**30
    if free < 1:
        raise AilmentError(f"{settings.home_path} has {free:.1f} GiB left: free some, or set NEXGEN_HOME")
    return f"{settings.home_path}, {free:.0f} GiB free"


def _check_s3(settings: Settings) -> str:
    import obstore

    access = open_lake(settings)
    store = access.store()
    key = f"doctor/{uuid4().hex}"
    obstore.put(store, key, b"x", mode="create")
    try:
        obstore.put(store, key, b"y", mode="create")
    except obstore.exceptions.AlreadyExistsError:
        pass
    else:
        raise AilmentError(f"{access.endpoint} ignores If-None-Match: two writers could overwrite each other's commit")
    finally:
        obstore.delete(store, key)
    kind = "embedded" if is_embedded(settings) else "configured"
    return f"{kind}, {access.root} at {access.endpoint or 'AWS'}: read, write, conditional write"


def _check_java() -> str:
    remote = spark_remote()
    if remote is None or not remote.startswith("local"):
        return "not needed: no engine on this machine's JVM is asked for"
    java = shutil.which("java") if "JAVA_HOME" not in os.environ else f"{os.environ['JAVA_HOME']}/bin/java"
    if not java:
        raise AilmentError(
            f"SPARK_REMOTE={remote} needs Java {OLDEST_JAVA} or newer: install a JRE, or unset SPARK_REMOTE"
        )
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    version = told.split('"')[1]
    if int(version.split(".")[0]) < OLDEST_JAVA:
        raise AilmentError(
            f"Java {version} is too old for Spark 4: install {OLDEST_JAVA} or newer, or unset SPARK_REMOTE"
        )
    return version


def _check_spark(settings: Settings) -> str:
    remote = spark_remote()
    if remote is None:
        with embedded_engine() as address:
            return f"embedded (Sail): {_counted(connect(address))}"
    return f"{remote}: {_counted(connect(remote, open_lake(settings).spark_conf))}"


def _counted(session: "SparkSession") -> str:
    try:
        if session.range(3).count() != 3:
            raise AilmentError("the engine cannot count to three")
        return f"Spark {session.version}"
    finally:
        session.stop()


def _check_dagster(settings: Settings) -> str:
    from nexgen_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    with open_instance(settings) as instance:
        runs = instance.get_runs_count()
    return f"{len(graph.get_all_asset_keys())} assets load; {runs} runs in {dagster_home(settings)}"


def _check_lake(settings: Settings) -> str:
    from nexgen_assets.upgrade import leftovers

    if problems := leftovers(open_lake(settings)).problems:
        raise AilmentError("; ".join(problems))
    return "tables and champion are of this version"
