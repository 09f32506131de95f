"""Where the files of an export go: below a prefix of an object store, or into a folder.

What belongs here: writing files so that nobody takes half of an export for all of it. What does not: their content.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nexgen_assets.decisions.order_files import OrderFile

PREFIX = "exports/orders"


class StoreFolder:
    """`<store>/<export>/...`: every object is written at once, and the last one, which names the others, at the end."""

    def __init__(self, store: Any, uri: str) -> None:
        """`store` is an obstore store rooted at `uri`."""
        self._store = store
        self._uri = uri

    def write(self, export_id: str, files: Sequence[OrderFile]) -> str:
        import obstore

        for file in files:
            obstore.put(self._store, f"{export_id}/{file.name}", file.content)
        return f"{self._uri}/{export_id}"


class LocalFolder:
    """`<folder>/<export>/...`: the folder of an export appears with all its files, or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, export_id: str, files: Sequence[OrderFile]) -> str:
        target, partial = self._path / export_id, self._path / f".{export_id}.partial"
        if target.exists():
            _require_same(target, files)
            return str(target)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for file in files:
            (partial / file.name).write_bytes(file.content)
        partial.rename(target)
        return str(target)


def _require_same(folder: Path, files: Sequence[OrderFile]) -> None:
    if {path.name: path.read_bytes() for path in folder.iterdir()} != {file.name: file.content for file in files}:
        raise FileExistsError(f"{folder} is there already with other files: name another folder")
