"""What people do with uploads: hand one in, have it checked, commit it, discard it.

What belongs here: the steps of each, in an order that leaves nothing half done. What does not: bytes (`storing.py`),
records (`records.py`), and what a check finds (`checking.py`).
"""

import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from datetime import UTC, datetime
from itertools import count
from threading import Event, Lock
from typing import Any, Literal
from uuid import uuid4

from anyio import to_thread

from nexgen_assets.dashboard.uploads.checking import Candidate, check
from nexgen_assets.dashboard.uploads.names import numbered, safe_name
from nexgen_assets.dashboard.uploads.records import State, UploadBook, UploadRow
from nexgen_assets.dashboard.uploads.storing import UploadStore, require_size
from nexgen_assets.dashboard.worker import WorkDroppedError, Worker, WorkerDiedError, for_worker
from nexgen_assets.decisions.rules import ConflictError, DecisionError
from nexgen_assets.io_managers.evolution import OutdatedTableError
from nexgen_assets.landing_zone import LandingZoneError
from nexgen_assets.resources.lake import LakeError
from nexgen_assets.resources.spark_engine import SparkEngineError
from nexgen_assets.settings import Settings

# the parser of master data holds a file in memory; the largest chain's lists are far smaller
MASTER_DATA_BYTES = 100_000_000
IfPresent = Literal["replace", "additional"]

# errors that tell a person what to do
_TOLD = (LandingZoneError, WorkerDiedError, LakeError, SparkEngineError, OutdatedTableError)
_log = logging.getLogger(__name__)


class AlreadyLandedError(ConflictError):
    """A file of this name has landed, and nobody said what is to become of it."""


class UploadDesk:
    def __init__(self, settings: Settings, store: UploadStore, book: UploadBook, worker: Worker) -> None:
        self.book = book
        self._settings = settings
        self._store = store
        self._worker = worker
        # what runs or waits, and how to drop it
        self._checks: dict[str, Event] = {}
        self._lock = Lock()
        # one commit at a time: whoever finds a commit that was begun finishes it
        self._commits = Lock()

    def most_bytes(self, kind: str) -> int:
        most = self._settings.upload_max_bytes
        return most if kind == "sales" else min(most, MASTER_DATA_BYTES)

    async def receive(
        self, kind: str, name: str, by: str, chunks: AsyncIterator[bytes], address: str | None
    ) -> UploadRow:
        """Take a file in and begin its check.

        Raises DecisionError if it cannot be one of ours, TooLargeError as soon as it is.
        """
        row = UploadRow(upload_id=uuid4().hex, kind=kind, name=safe_name(name), uploaded_by=by)
        got = await self._store.receive(row.upload_id, chunks, self.most_bytes(kind))
        row.bytes, row.content_hash = got.bytes, got.content_hash
        try:
            if not got.bytes:
                raise DecisionError("the file is empty: choose another")
            await to_thread.run_sync(self.book.add, row, address)
        except BaseException:
            await to_thread.run_sync(self._store.delete, row.upload_id)
            raise
        self.begin_check(row)
        return row

    def require_size(self, kind: str, told: int) -> None:
        """Raises TooLargeError for a size that was told before the file came."""
        require_size(told, self.most_bytes(kind))

    def begin_check(self, row: UploadRow) -> None:
        """Have an upload checked that waits for it, unless it is being checked."""
        if row.state != State.RECEIVED:
            return
        with self._lock:
            if row.upload_id in self._checks:
                return
            dropped = self._checks[row.upload_id] = Event()
        candidate = Candidate(row.upload_id, row.kind, self._landing_key(row), row.content_hash, datetime.now(UTC))
        self._worker.submit_until(dropped, check, for_worker(self._settings), candidate).add_done_callback(
            lambda done: self._keep(row.upload_id, done)
        )

    def check_again(self, row: UploadRow) -> UploadRow:
        """Raises ConflictError for what is committed."""
        if not self.book.check_again(row.upload_id):
            raise ConflictError("this upload is committed: it cannot be checked again")
        again = self._found(row.upload_id)
        self.begin_check(again)
        return again

    def commit(self, upload_id: str, choice: IfPresent | None, who: str, address: str | None) -> UploadRow:
        """Let the file land, once, however often it is asked for.

        Raises AlreadyLandedError if a file of its name is there and no choice was made, ConflictError if what was
        checked is not what would happen now, DecisionError if there is no such upload.
        """
        with self._commits:
            row = self._found(upload_id)
            if row.state != State.COMMITTED:
                if row.state != State.COMMITTING:
                    self._claim(row, choice)
                    row = self._found(upload_id)
                key = str(row.landing_key)
                try:
                    self._land(row, key, choice)
                except ConflictError:
                    self.book.release(upload_id)
                    raise
                self.book.committed(upload_id, who, f"as {key}", address)
            self._store.delete(upload_id)
            return self._found(upload_id)

    def discard(self, upload_id: str, who: str, address: str | None = None) -> None:
        """Forget an upload; a check of it that runs is ended. Raises ConflictError for what is committed."""
        if not self.book.discard(upload_id, who, address):
            raise ConflictError("this upload is committed, or gone already: nothing is left to discard")
        with self._lock:
            dropped = self._checks.get(upload_id)
        if dropped is not None:
            dropped.set()
        self._store.delete(upload_id)

    def _claim(self, row: UploadRow, choice: IfPresent | None) -> None:
        _require_checked(row)
        key = self._landing_key(row)
        if choice == "additional" and self._store.landed(key) is not None:
            key = next(free for free in _numbered(key) if self._store.landed(free) is None)
        self.book.claim(row.upload_id, key)

    def _land(self, row: UploadRow, key: str, choice: IfPresent | None) -> None:
        """Copy the file to its key. Looks at the key once it is claimed, so that nobody else's file is lost."""
        there = self._store.landed(key)
        if there is not None and there.upload_id == row.upload_id:
            return  # a commit that was killed had copied it
        if there is not None and choice is None:
            raise AlreadyLandedError(
                f"{key} has landed before: say whether this file is to replace it or to be an additional one"
            )
        is_known = there is None or (row.report or {}).get("present_etag") == there.etag
        if not is_known or (choice == "additional" and there is not None):
            raise ConflictError(f"{key} has changed since the check: check the file again, and look at the report")
        self._store.land(row.upload_id, key)

    def _keep(self, upload_id: str, done: "Future[dict[str, Any]]") -> None:
        """Keep what a check came to; one that was dropped at the end of this process begins again in the next."""
        try:
            self.book.checked(upload_id, done.result())
        except CancelledError:
            pass
        except WorkDroppedError:
            self._store.delete(upload_id)  # what it wrote until it ended
        except _TOLD as error:
            self.book.check_failed(upload_id, str(error))
        except Exception:  # noqa: BLE001  # nobody else would tell
            _log.exception("the check of upload %s failed", upload_id)
            self.book.check_failed(upload_id, "the check itself failed; the server's log says more. Check again")
        finally:
            with self._lock:
                self._checks.pop(upload_id, None)

    def _landing_key(self, row: UploadRow) -> str:
        return f"{row.kind}/{row.uploaded_by}/{row.name}"

    def _found(self, upload_id: str) -> UploadRow:
        row = self.book.find(upload_id)
        if row is None:
            raise DecisionError("there is no such upload any more")
        return row


def _require_checked(row: UploadRow) -> None:
    if row.state == State.RECEIVED:
        raise ConflictError("the file is still being checked: wait for its report")
    if row.state != State.CHECKED:
        raise ConflictError(f"the file cannot be committed: {row.problem}")


def _numbered(key: str) -> Iterator[str]:
    return (numbered(key, number) for number in count(2))
