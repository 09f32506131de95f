"""Housekeeping of uploads: old ones that nobody committed go, whatever state they are in; nothing else does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import pytest

from nexgen_assets.dashboard.uploads.records import UploadBook, UploadRow
from nexgen_assets.dashboard.uploads.storing import UploadStore
from nexgen_assets.dashboard.uploads.sweeping import sweep_uploads
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=8)


@pytest.fixture
def book(tmp_path: Path) -> UploadBook:
    return UploadBook(open_book(Settings(home=tmp_path, deployment="shop", deployment_id="tests")).database)


def hand_in(book: UploadBook, access: S3Access, upload_id: str) -> None:
    obstore.put(access.store("uploads"), f"{upload_id}/content", b"x")
    row = UploadRow(upload_id=upload_id, kind="sales", name="a.csv", uploaded_by="anna", bytes=1, content_hash="0")
    book.add(row, None)


def files(access: S3Access) -> set[str]:
    return {item["path"] for batch in obstore.list(access.store("uploads")) for item in batch}


def test_old_uploads_go_with_their_files(book: UploadBook, moto_access: S3Access) -> None:
    hand_in(book, moto_access, "old")

    assert sweep_uploads(book, UploadStore(moto_access), LATER) == 1
    assert (book.find("old"), files(moto_access)) == (None, set())


def test_new_uploads_stay(book: UploadBook, moto_access: S3Access) -> None:
    hand_in(book, moto_access, "new")

    assert sweep_uploads(book, UploadStore(moto_access), NOW - timedelta(days=7)) == 0
    assert (book.find("new") is not None, files(moto_access)) == (True, {"new/content"})


def test_a_file_whose_commit_was_begun_stays(book: UploadBook, moto_access: S3Access) -> None:
    hand_in(book, moto_access, "begun")
    book.checked("begun", {"problem": None})
    book.claim("begun", "sales/anna/a.csv")

    assert sweep_uploads(book, UploadStore(moto_access), LATER) == 0
    assert files(moto_access) == {"begun/content"}


def test_what_a_killed_check_or_transfer_left_goes(book: UploadBook, moto_access: S3Access) -> None:
    obstore.put(moto_access.store("uploads"), "nobody/scratch/lines/part.parquet", b"x")
    client = moto_access.s3_resource().get_client()
    client.create_multipart_upload(Bucket=moto_access.bucket, Key=f"{moto_access.prefix}/uploads/broken/content")

    assert sweep_uploads(book, UploadStore(moto_access), LATER) == 2
    assert files(moto_access) == set()
    assert "Uploads" not in client.list_multipart_uploads(Bucket=moto_access.bucket, Prefix=f"{moto_access.prefix}/")


def test_the_record_of_a_committed_file_stays(book: UploadBook, moto_access: S3Access) -> None:
    hand_in(book, moto_access, "landed")
    book.checked("landed", {"problem": None})
    book.claim("landed", "sales/anna/a.csv")
    book.committed("landed", "anna", "as sales/anna/a.csv", None)

    sweep_uploads(book, UploadStore(moto_access), LATER)
    assert (book.find("landed") is not None, files(moto_access)) == (True, set())
