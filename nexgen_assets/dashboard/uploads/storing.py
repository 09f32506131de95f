"""Uploaded files on S3: taken in part by part, below `uploads/`, which no sensor sees, and copied to `landing/`.

What belongs here: bytes. What does not: what they mean (`checking.py`), and who may (`routes/uploads.py`).
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, BinaryIO, cast

from nexgen_assets.resources.lake import S3Access

PREFIX = "uploads"
LANDING = "landing"
PART_BYTES = 8_000_000  # S3 takes no part below 5 MB but the last, and 10,000 of them
_IN_MEMORY_BYTES = 8_000_000
_OWNER = "nexgen-upload"  # metadata of an object: the upload it came from


class TooLargeError(ValueError):
    """A file is larger than this dashboard takes; the message says what to do."""


@dataclass(frozen=True)
class Received:
    """What came in: its size, and the hash of its content (SHA-256)."""

    bytes: int
    content_hash: str


@dataclass(frozen=True)
class Landed:
    """A file below `landing/`: the store's mark of its content, and the upload it came from, if any."""

    etag: str
    upload_id: str | None


class UploadStore:
    """The uploads of one deployment."""

    def __init__(self, access: S3Access) -> None:
        self.access = access

    async def receive(self, upload_id: str, chunks: AsyncIterator[bytes], most_bytes: int) -> Received:
        """Write a stream to S3, never holding more than a part of it; nothing is left if it breaks off.

        Raises TooLargeError as soon as it is larger than `most_bytes`.
        """
        from anyio import CancelScope, to_thread

        parts = _Parts(self._client, self.access.bucket, self._key(upload_id), upload_id)
        try:
            buffer, size, digest = bytearray(), 0, sha256()
            async for chunk in chunks:
                size += len(chunk)
                require_size(size, most_bytes)
                digest.update(chunk)
                buffer += chunk
                while len(buffer) >= PART_BYTES:
                    await to_thread.run_sync(parts.write, bytes(buffer[:PART_BYTES]))
                    del buffer[:PART_BYTES]
            await to_thread.run_sync(parts.finish, bytes(buffer))
        except BaseException:
            # whoever sent it may be gone, and this request cancelled
            with CancelScope(shield=True):
                await to_thread.run_sync(parts.abort)
            raise
        return Received(size, digest.hexdigest())

    @contextmanager
    def open(self, upload_id: str) -> Iterator[BinaryIO]:
        """The content; a large one goes through a temporary file, never through memory."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
            self._client.download_fileobj(self.access.bucket, self._key(upload_id), file)
            file.seek(0)
            yield cast("BinaryIO", file)

    def landed(self, landing_key: str) -> Landed | None:
        """What is at that key of `landing/`, None if nothing is."""
        from botocore.exceptions import ClientError

        try:
            found = self._client.head_object(Bucket=self.access.bucket, Key=self._below(LANDING, landing_key))
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                return None
            raise
        return Landed(found["ETag"].strip('"'), found["Metadata"].get(_OWNER))

    def land(self, upload_id: str, landing_key: str) -> None:
        """Copy the upload to that key of `landing/`, in the store itself, in place of what is there."""
        source = {"Bucket": self.access.bucket, "Key": self._key(upload_id)}
        # one request up to 5 GB, so that nobody sees half a file
        self._client.copy_object(Bucket=self.access.bucket, Key=self._below(LANDING, landing_key), CopySource=source)

    def scratch_uri(self, upload_id: str, name: str) -> str:
        """Where a check may put what it needs for a while."""
        return f"{self.access.root}/{PREFIX}/{upload_id}/{name}"

    def delete(self, folder: str) -> None:
        """Everything of an upload, or of a folder of it; nothing there is no error."""
        import obstore

        store = self.access.store(PREFIX)
        for batch in obstore.list(store, f"{folder}/"):
            if paths := [item["path"] for item in batch]:
                obstore.delete(store, paths)

    def sweep(self, before: datetime, keep: set[str]) -> int:
        """Delete what came in before that moment, but of those uploads; parts of broken ones too. Returns how many."""
        import obstore

        old = {
            item["path"].split("/")[0]
            for batch in obstore.list(self.access.store(PREFIX))
            for item in batch
            if item["last_modified"] < before
        } - keep
        for upload_id in old:
            self.delete(upload_id)
        bucket = self.access.bucket
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, Prefix=self._below(PREFIX, "")
        )
        broken = [part for page in pages for part in page.get("Uploads", []) if part["Initiated"] < before]
        for part in broken:
            self._client.abort_multipart_upload(Bucket=bucket, Key=part["Key"], UploadId=part["UploadId"])
        return len(old) + len(broken)

    @cached_property
    def _client(self) -> Any:
        return self.access.s3_resource().get_client()

    def _key(self, upload_id: str) -> str:
        return self._below(PREFIX, f"{upload_id}/content")

    def _below(self, *parts: str) -> str:
        return "/".join((self.access.prefix, *parts))


def require_size(size: int, most_bytes: int) -> None:
    """Raises TooLargeError."""
    if size > most_bytes:
        raise TooLargeError(
            f"the file is larger than {most_bytes / 1e6:,.10g} MB, the most that is taken here: upload it in parts or "
            "compressed, or land it with `nexgen land`"
        )


class _Parts:
    """One object, written part by part; a small one at once."""

    def __init__(self, client: Any, bucket: str, key: str, upload_id: str) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "Key": key}
        self._metadata = {_OWNER: upload_id}
        self._multipart: str | None = None
        self._written: list[dict[str, Any]] = []

    def write(self, content: bytes) -> None:
        if self._multipart is None:
            begun = self._client.create_multipart_upload(**self._place, Metadata=self._metadata)
            self._multipart = begun["UploadId"]
        number = len(self._written) + 1
        part = self._client.upload_part(**self._place, UploadId=self._multipart, PartNumber=number, Body=content)
        self._written.append({"PartNumber": number, "ETag": part["ETag"]})

    def finish(self, rest: bytes) -> None:
        if self._multipart is None:
            self._client.put_object(**self._place, Body=rest, Metadata=self._metadata)
            return
        if rest:
            self.write(rest)
        self._client.complete_multipart_upload(
            **self._place, UploadId=self._multipart, MultipartUpload={"Parts": self._written}
        )

    def abort(self) -> None:
        if self._multipart is not None:
            self._client.abort_multipart_upload(**self._place, UploadId=self._multipart)
