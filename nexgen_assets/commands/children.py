"""The processes that one command starts: each with a log, watched, and stopped with all that they started themselves.

What belongs here: processes, whatever they do. What does not: which ones there are (`server.py`).
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import psutil

from nexgen_assets.launcher import RunFailedError, dagster_home
from nexgen_assets.settings import Settings

GRACE_SECONDS = 15


class Children:
    def __init__(self, home: Path, lock: TextIO) -> None:
        """`lock` is held until the last of them has ended, also if this process is killed."""
        self._home = home
        self._lock = lock
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str]) -> None:
        """`python -m COMMAND`, its output appended to the log of that name."""
        logs = self._home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "NEXGEN_HOME": str(self._home),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        with (logs / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=[self._lock.fileno()],
            )
        self._running[name] = started
        print(started.pid, file=self._lock, flush=True)

    def is_complete(self) -> bool:
        return all(process.poll() is None for process in self._running.values())

    def require_all(self) -> None:
        """Raises RunFailedError if one has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise RunFailedError(f"the {name} ended with code {process.returncode}: see its log")

    def stop(self) -> None:
        # runs too, for which a code server would wait
        family = [member for process in self._running.values() for member in _with_descendants(process.pid)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(family, GRACE_SECONDS)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self._running.values():
            process.wait()


@contextmanager
def children(settings: Settings) -> Iterator[Children]:
    """None yet; all that were started in the block are stopped when it ends.

    Raises RunFailedError where a deployment has some already: two daemons would do everything twice.
    """
    with (dagster_home(settings) / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            alive = " ".join(pid for pid in lock.read().split() if psutil.pid_exists(int(pid)))
            raise RunFailedError(
                f"`nexgen up` serves the deployment {settings.deployment} already: stop it first (processes {alive})"
            ) from None
        lock.truncate(0)
        print(os.getpid(), file=lock, flush=True)
        found = Children(settings.home_path, lock)
        try:
            yield found
        finally:
            found.stop()


def _with_descendants(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
