"""The process beside the web server: one for much work, and whatever ends it is told."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from nexgen_assets.dashboard.worker import WorkDroppedError, Worker, WorkerDiedError
from nexgen_assets.decisions.rules import DecisionError


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker("tests", idle_seconds=30, longest_seconds=20)
    yield made
    made.stop()


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it does not come to this")


def refuse() -> None:
    raise DecisionError("say which")


def unportable() -> None:
    error = ValueError("words")
    error.lock = threading.Lock()  # pyright: ignore[reportAttributeAccessIssue]
    raise error


def test_all_work_is_done_by_one_other_process(worker: Worker) -> None:
    assert worker.pid is None
    first, second = worker.call(os.getpid), worker.call(os.getpid)
    assert first == second == worker.pid != os.getpid()


def test_an_error_of_the_work_is_raised_here_and_the_process_goes_on(worker: Worker) -> None:
    before = worker.call(os.getpid)
    with pytest.raises(DecisionError, match="say which"):
        worker.call(refuse)
    with pytest.raises(RuntimeError, match="ValueError: words"):
        worker.call(unportable)
    assert worker.call(os.getpid) == before


def test_a_process_that_is_killed_at_work_is_an_error_and_not_a_hang(worker: Worker) -> None:
    killed = worker.call(os.getpid)
    waiting = worker.submit(time.sleep, 60)
    psutil.Process(killed).kill()
    with pytest.raises(WorkerDiedError, match=r"has ended \(exit code -9\)"):
        waiting.result(30)
    assert worker.call(os.getpid) != killed


def test_work_that_takes_too_long_is_stopped() -> None:
    worker = Worker("tests", longest_seconds=0.5)
    with pytest.raises(WorkerDiedError, match="took more than"):
        worker.call(time.sleep, 60)
    assert worker.pid is None


def test_work_that_nobody_wants_any_more_ends_and_what_waits_behind_it_goes_on(worker: Worker) -> None:
    dropped, dropped_too = threading.Event(), threading.Event()
    first = worker.submit_until(dropped, time.sleep, 60)
    second = worker.submit_until(dropped_too, time.sleep, 60)
    third = worker.submit(os.getpid)
    until(lambda: worker.pid is not None)
    dropped.set()
    dropped_too.set()
    for work in (first, second):
        with pytest.raises(WorkDroppedError):
            work.result(20)
    assert third.result(20) == worker.pid


def test_an_idle_process_ends() -> None:
    worker = Worker("tests", idle_seconds=0.1)
    worker.call(os.getpid)
    until(lambda: worker.pid is None)


def test_a_stopped_worker_starts_anew(worker: Worker) -> None:
    before = worker.call(os.getpid)
    worker.stop()
    assert not psutil.pid_exists(before)
    assert worker.call(os.getpid) != before


def test_the_process_does_not_outlive_one_that_was_killed() -> None:
    program = (
        "import os, time\n"
        "from nexgen_assets.dashboard.worker import Worker\n"
        "if __name__ == '__main__':\n"
        "    print(Worker('tests').call(os.getpid), flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert psutil.pid_exists(child)
        parent.kill()
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
