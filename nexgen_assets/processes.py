"""Which process works on a run: told by tags of the run, so that anyone can see later whether it still lives.

Dagster's own launcher does not notice that a run was killed: without this, such a run counts as running for hours.
"""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import psutil

HOST_TAG, PID_TAG, BOOT_TAG = "nexgen/host", "nexgen/pid", "nexgen/boot"


def process_tags() -> dict[str, str]:
    """Tags that name this process, for the run it works on."""
    return {
        HOST_TAG: platform.node(),
        PID_TAG: f"{os.getpid()}@{_seconds_after_boot(psutil.Process()):.2f}",
        BOOT_TAG: _boot(),
    }


def is_dead(tags: Mapping[str, str]) -> bool:
    """Whether the process of those tags ran on this machine and is gone; False for what cannot be seen from here."""
    if PID_TAG not in tags or tags.get(HOST_TAG) != platform.node():
        return False
    pid, _, started = tags[PID_TAG].partition("@")
    if tags.get(BOOT_TAG) != _boot():
        return True
    try:
        return abs(_seconds_after_boot(psutil.Process(int(pid))) - float(started)) >= 1
    except psutil.NoSuchProcess:
        return True


def _boot() -> str:
    """Which start of the machine this is; on Linux an id, because there a clock that is set moves the boot time."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    return linux.read_text().strip() if linux.exists() else f"{psutil.boot_time():.0f}"


def _seconds_after_boot(process: psutil.Process) -> float:
    """When it started, on a clock that nobody sets."""
    return process.create_time() - psutil.boot_time()
