"""Forgetting uploads that nobody committed, and what transfers and checks that were killed left on S3."""

from datetime import datetime

from nexgen_assets.dashboard.uploads.records import UploadBook
from nexgen_assets.dashboard.uploads.storing import UploadStore


def sweep_uploads(book: UploadBook, store: UploadStore, before: datetime) -> int:
    """Everything from before that moment, but files whose commit was begun. Returns how many were found."""
    old = [upload_id for upload_id in book.open_before(before) if book.discard(upload_id, "housekeeping")]
    for upload_id in old:
        store.delete(upload_id)
    return len(old) + store.sweep(before, keep=book.not_committed())
