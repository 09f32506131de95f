"""A process beside the web server's, for work that takes seconds, memory or an engine of its own.

What belongs here: starting that process, handing it work, and noticing its end. What does not: the work. A function
and its arguments travel by pickle: the function is one of a module, and what it returns is plain data.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Event, Lock, Timer
from typing import Any, ParamSpec, TypeVar

from nexgen_assets.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

IDLE_SECONDS = 600.0
LONGEST_SECONDS = 3600.0
ENDING_SECONDS = 10.0
DROPPED_SECONDS = 0.2  # until work ends that nobody wants any more


class WorkerDiedError(RuntimeError):
    """The process has ended, or was ended, before it had an answer; the next work gets a new one."""


class WorkDroppedError(RuntimeError):
    """Nobody wants the work any more: it was not begun, or its process was ended."""


class Worker:
    """One process, started at the first work and ended when there was none for a while; one piece of work at a time.

    The process ends by itself if this one is killed.
    """

    def __init__(self, name: str, idle_seconds: float = IDLE_SECONDS, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._name = name
        self._idle_seconds = idle_seconds
        self._longest_seconds = longest_seconds
        self._turns = self._new_turns()
        self._lock = Lock()  # held while the process works, starts or ends
        self._process: SpawnProcess | None = None
        self._pipe: Any = None
        self._idle: Timer | None = None

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Work to be done when it is its turn; an error that it raises is the future's."""
        return self.submit_until(Event(), function, *args, **kwargs)

    def submit_until(self, dropped: Event, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """The same, but once `dropped` is set the work ends with WorkDroppedError, wherever it is."""
        return self._turns.submit(self._work, dropped, function, args, kwargs)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same, waited for."""
        return self.submit(function, *args, **kwargs).result()

    def stop(self) -> None:
        """End the process now, whatever it does; what waits for its turn is dropped. The next work starts anew."""
        turns, self._turns = self._turns, self._new_turns()
        turns.shutdown(wait=False, cancel_futures=True)
        process = self._process
        if process is not None:
            process.kill()
        self._end_if_idle()

    @property
    def pid(self) -> int | None:
        """Of the process, None if none runs."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def _new_turns(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix=f"worker {self._name}")

    def _work(self, dropped: Event, function: Callable[..., T], args: Any, kwargs: Any) -> T:
        with self._lock:
            if dropped.is_set():
                raise WorkDroppedError
            if self._idle is not None:
                self._idle.cancel()
            pipe = self._running()
            try:
                pipe.send((function, args, kwargs))
                is_done, answer = self._answer(pipe, dropped)
            except (EOFError, OSError):
                raise WorkerDiedError(self._end_told()) from None
            self._idle = Timer(self._idle_seconds, self._end_if_idle)
            self._idle.daemon = True
            self._idle.start()
        if not is_done:
            raise answer
        return answer

    def _answer(self, pipe: Any, dropped: Event) -> tuple[bool, Any]:
        until = time.monotonic() + self._longest_seconds
        while not pipe.poll(DROPPED_SECONDS):
            if dropped.is_set():
                self._end(seconds=0)
                raise WorkDroppedError
            if time.monotonic() > until:
                self._end(seconds=0)
                raise WorkerDiedError(
                    f"this took more than {self._longest_seconds / 60:,.3g} minutes and was stopped: try a smaller file"
                )
        return pipe.recv()

    def _running(self) -> Any:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._end()
        here, there = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=_serve, args=(there,), name=f"nexgen {self._name}", daemon=True)
        process.start()
        there.close()  # so that its end is seen here
        self._pipe, self._process = here, process
        return here

    def _end_told(self) -> str:
        process = self._process
        if process is not None:
            process.join(ENDING_SECONDS)
        code = process.exitcode if process is not None else None
        self._end()
        return (
            f"the process that worked on this has ended (exit code {code}), perhaps for want of memory: try again, or "
            "with a smaller file"
        )

    def _end_if_idle(self) -> None:
        with self._lock:
            self._end()

    def _end(self, seconds: float = ENDING_SECONDS) -> None:
        """End the process: it has so many seconds to do it by itself."""
        if self._idle is not None:
            self._idle.cancel()
        if self._pipe is not None:
            self._pipe.close()  # it sees that, and ends
        if self._process is not None:
            self._process.join(seconds if self._process.exitcode is None else 0)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._pipe = self._process = self._idle = None


@dataclass(frozen=True)
class Workers:
    """Those of a front door: a what-if does not wait for the check of a large file."""

    checks: Worker = field(default_factory=lambda: Worker("checks"))
    scenarios: Worker = field(default_factory=lambda: Worker("scenarios"))

    def stop(self) -> None:
        self.checks.stop()
        self.scenarios.stop()


def for_worker(settings: Settings) -> Settings:
    """The settings without the database's password, which no work needs."""
    return settings.model_copy(update={"database_url": None})


def _serve(pipe: Any) -> None:
    """What the process does until nobody is at the other end."""
    _die_first()
    while True:
        try:
            function, args, kwargs = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # whoever asked gets it
            answer = False, _portable(error)
        pipe.send(answer)


def _portable(error: Exception) -> Exception:
    """The error, if it can travel; its words, if not."""
    import pickle

    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # our own error
    except Exception:  # noqa: BLE001  # whatever hinders it
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _die_first() -> None:
    """Where memory runs out, Linux ends this process and not the web server."""
    score = Path(f"/proc/{os.getpid()}/oom_score_adj")
    if score.exists():
        score.write_text("1000")
