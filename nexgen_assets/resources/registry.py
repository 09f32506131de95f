"""The model registry on S3: immutable versions, and an alias `champion` that points to one of them.

A version is a folder of files that is written once and never changed; its name is the hash of its content, so that
registering the same model twice gives one version. Aliases and their history live in one small JSON that is moved by
compare-and-swap: a promotion is atomic.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nexgen_assets.resources.lake import S3Access

if TYPE_CHECKING:
    from nexgen_assets.forecasting.model import TrainedModel
    from nexgen_assets.forecasting.quantiles import Calibration

CHAMPION = "champion"
_ALIASES = "aliases.json"


@dataclass(frozen=True)
class ModelVersion:
    """One registered model: its version and the last day its training saw."""

    version: str
    training_cutoff: date


class RegistryError(RuntimeError):
    """A model version is missing or damaged."""


class ModelRegistry:
    """Versions of one model below `models/<name>/` of the lake."""

    def __init__(self, access: S3Access, name: str = "demand") -> None:
        self._store = access.store(f"models/{name}")
        self.uri = f"{access.root}/models/{name}"

    def register(self, files: dict[str, bytes], training_cutoff: date) -> ModelVersion:
        """Store the files as a version named by cutoff and content; a version that exists is left as it is.

        The manifest of the version is written last: a version without it does not exist.
        """
        import obstore

        version = f"{training_cutoff:%Y%m%d}-{_content_hash(files)}"
        if not self._exists(f"versions/{version}/version.json"):
            for name, content in files.items():
                obstore.put(self._store, f"versions/{version}/{name}", content)
            entry = {
                "training_cutoff": training_cutoff.isoformat(),
                "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
            }
            obstore.put(self._store, f"versions/{version}/version.json", json.dumps(entry, indent=1).encode())
        return ModelVersion(version, training_cutoff)

    def load(self, version: str) -> dict[str, bytes]:
        """The files of a version; raises RegistryError if it is unknown or its content does not match its hash."""
        if not self._exists(f"versions/{version}/version.json"):
            raise RegistryError(f"model version {version} is not in {self.uri}")
        hashes = json.loads(self._read(f"versions/{version}/version.json"))["sha256"]
        files = {name: self._read(f"versions/{version}/{name}") for name in hashes}
        for name, content in files.items():
            if hashlib.sha256(content).hexdigest() != hashes[name]:
                raise RegistryError(f"{self.uri}/versions/{version}/{name} is damaged: its hash does not match")
        return files

    def versions(self) -> list[ModelVersion]:
        """All versions, oldest training cutoff first."""
        import obstore

        keys = [item["path"] for batch in obstore.list(self._store, "versions/") for item in batch]
        found = (key.split("/")[1] for key in keys if key.endswith("/version.json"))
        return sorted((self._describe(version) for version in found), key=lambda v: (v.training_cutoff, v.version))

    def champions(self) -> list[ModelVersion]:
        """Every version that is or was champion and was not rolled back, in order of promotion."""
        return [self._describe(version) for version in self._aliases()[0].get("history", [])]

    def champion_for(self, origin: date) -> ModelVersion | None:
        """The champion with the newest training cutoff that had not seen anything later than `origin`."""
        honest = [version for version in self.champions() if version.training_cutoff <= origin]
        return max(honest, key=lambda version: version.training_cutoff, default=None)

    @retry(
        retry=retry_if_exception_type(ConnectionAbortedError),
        stop=stop_after_attempt(10),
        wait=wait_random_exponential(0.05, 2),
        reraise=True,
    )
    def promote(self, version: str) -> None:
        """Make a version champion: compare-and-swap of the alias file, repeated if another promotion came first."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        if not self._exists(f"versions/{version}/version.json"):
            raise RegistryError(f"model version {version} is not in {self.uri}")
        aliases, mark = self._aliases()
        if aliases.get(CHAMPION) == version:
            return
        history = [known for known in aliases.get("history", []) if known != version]
        content = json.dumps({CHAMPION: version, "history": [*history, version]}, indent=1).encode()
        try:
            obstore.put(self._store, _ALIASES, content, mode=mark or "create")
        except (AlreadyExistsError, PreconditionError) as error:
            raise ConnectionAbortedError(f"another promotion in {self.uri} came first") from error

    def _describe(self, version: str) -> ModelVersion:
        entry = json.loads(self._read(f"versions/{version}/version.json"))
        return ModelVersion(version, date.fromisoformat(entry["training_cutoff"]))

    def _aliases(self) -> tuple[dict[str, Any], Any]:
        import obstore

        if not self._exists(_ALIASES):
            return {}, None
        answer = obstore.get(self._store, _ALIASES)
        mark = {key: answer.meta.get(key) for key in ("e_tag", "version")}
        return json.loads(bytes(answer.bytes())), {key: value for key, value in mark.items() if value}

    def _read(self, key: str) -> bytes:
        import obstore

        return bytes(obstore.get(self._store, key).bytes())

    def _exists(self, key: str) -> bool:
        import obstore

        try:
            obstore.head(self._store, key)
        except FileNotFoundError:
            return False
        return True


class Champions:
    """Champions as models: who serves an origin, and what a forecast's model knew of its errors."""

    def __init__(self, access: S3Access) -> None:
        self._registry = ModelRegistry(access)
        self._load = lru_cache(maxsize=2)(self._read)

    def serving(self, origin: date) -> "tuple[str, TrainedModel] | None":
        """Version and content of the newest champion that had not seen anything later; None without one."""
        champion = self._registry.champion_for(origin)
        return None if champion is None else (champion.version, self._load(champion.version))

    def calibration_of(self, versions: Sequence[str]) -> "Calibration | None":
        """The calibration of the one model that made a day's forecasts, None for the seasonal naive.

        Raises ValueError if several made them.
        """
        from nexgen_assets.forecasting.baselines import SEASONAL_NAIVE

        if len(versions) > 1:
            raise ValueError(f"forecasts of one day by several models ({', '.join(versions)}): rebuild that day")
        return self._load(versions[0]).calibration if versions and versions[0] != SEASONAL_NAIVE else None

    def _read(self, version: str) -> "TrainedModel":
        from nexgen_assets.forecasting.model import TrainedModel

        return TrainedModel.from_files(self._registry.load(version))


def _content_hash(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()[:12]
