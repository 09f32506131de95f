"""The model registry on S3: immutable versions, and aliases that say which of them serve.

A version is a folder of files that is written once and never changed; its name is the hash of its content, so that
registering the same model twice gives one version. The aliases and their history live in one small JSON that is moved
by compare-and-swap: a promotion or a rollback is atomic. A version's files come first, then its entry, then the alias:
whoever is killed in between leaves the champion as it was.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache, cached_property, lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nexgen_assets.jobs import DAILY
from nexgen_assets.resources.aliases import CHALLENGER, CHAMPION, ROLLED_BACK, Aliases, ModelVersion, Move, Numbers
from nexgen_assets.resources.lake import S3Access

if TYPE_CHECKING:
    from nexgen_assets.forecasting.model import TrainedModel
    from nexgen_assets.forecasting.quantiles import Calibration

_ALIASES = "aliases.json"
_ENTRY = "version.json"
_PLOT = "plots/{}.png"


class RegistryError(RuntimeError):
    """A model version is missing, damaged, or cannot be what is asked of it."""


class ModelRegistry:
    """Versions of one model below `models/<name>/` of the lake."""

    def __init__(self, access: S3Access, name: str = "demand") -> None:
        self._store = access.store(f"models/{name}")
        self.uri = f"{access.root}/models/{name}"

    def register(
        self,
        files: dict[str, bytes],
        training_cutoff: date,
        facts: Mapping[str, Any] | None = None,
        plots: Mapping[str, bytes] | None = None,
    ) -> ModelVersion:
        """Store the files as a version named by cutoff and content; a version that exists is left as it is.

        `facts` (what it was made of, when, by which run) stand in the entry of the version, `plots` (PNG by name) below
        `plots/` beside it: neither is part of its name. The entry is written last: a version without it does not exist.
        """
        import obstore

        version = version_name(files, training_cutoff)
        if not self._exists(f"versions/{version}/{_ENTRY}"):
            for name, content in files.items():
                obstore.put(self._store, f"versions/{version}/{name}", content)
            for name, png in (plots or {}).items():
                obstore.put(self._store, f"versions/{version}/{_PLOT.format(name)}", png)
            entry = {
                "training_cutoff": training_cutoff.isoformat(),
                "plots": sorted(plots or {}),
                "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
                **(facts or {}),
            }
            obstore.put(self._store, f"versions/{version}/{_ENTRY}", json.dumps(entry, indent=1).encode())
        return ModelVersion(version, training_cutoff)

    def load(self, version: str, only: Sequence[str] | None = None) -> dict[str, bytes]:
        """The files of a version, or those of them that are named.

        Raises RegistryError if the version is unknown or its content does not match its hash.
        """
        hashes = self.entry(version)["sha256"]
        names = [name for name in hashes if only is None or name in only]
        files = {name: self._read(f"versions/{version}/{name}") for name in names}
        for name, content in files.items():
            if hashlib.sha256(content).hexdigest() != hashes[name]:
                raise RegistryError(f"{self.uri}/versions/{version}/{name} is damaged: its hash does not match")
        return files

    def entry(self, version: str) -> dict[str, Any]:
        """What is told of a version: its cutoff, the hashes of its files, and the facts it was registered with."""
        self._require(version)
        return json.loads(self._read(f"versions/{version}/{_ENTRY}"))

    def plot(self, version: str, name: str) -> bytes:
        """One of the plots (PNG) that the entry of a version names."""
        return self._read(f"versions/{version}/{_PLOT.format(name)}")

    def versions(self) -> list[ModelVersion]:
        """All versions, oldest training cutoff first."""
        import obstore

        keys = [item["path"] for batch in obstore.list(self._store, "versions/") for item in batch]
        found = (ModelVersion.named(key.split("/")[1]) for key in keys if key.endswith(f"/{_ENTRY}"))
        return sorted(found, key=lambda v: (v.training_cutoff, v.version))

    # ---- aliases

    def aliases(self) -> Aliases:
        """Champion, challenger and the history of both, as of now."""
        return self._read_aliases()[0]

    def champions(self) -> list[ModelVersion]:
        """Every version that is or was champion and was not rolled back, in order of promotion."""
        return self.aliases().champions

    def champion_for(self, origin: date) -> ModelVersion | None:
        """The champion with the newest training cutoff that had not seen anything later than `origin`."""
        return self.aliases().champion_for(origin)

    def promote(self, version: str, why: str = "", by: str | None = None, numbers: Numbers | None = None) -> None:
        """Make a version champion: it serves the origins from its cutoff on, up to that of a newer champion.

        Changes nothing where it does so already. Raises RegistryError for a version that is unknown or was rolled back.
        """
        self._require(version)
        known = ModelVersion.named(version)
        move = Move(version, CHAMPION, _now(), why, by, numbers or {})

        def promoted(aliases: Aliases) -> Aliases:
            if aliases.is_rolled_back(version):
                raise RegistryError(f"model version {version} was rolled back: it serves no more")
            return aliases if aliases.champion_for(known.training_cutoff) == known else aliases.moved(move)

        self._change(promoted)

    def challenge(self, version: str, why: str, by: str | None = None, numbers: Numbers | None = None) -> None:
        """Make a version challenger: registered, and kept from serving for the reason told.

        One that is or was champion, or was rolled back, stays what it is.
        """
        self._require(version)
        move = Move(version, CHALLENGER, _now(), why, by, numbers or {})

        def challenged(aliases: Aliases) -> Aliases:
            if aliases.is_serving(version) or aliases.is_rolled_back(version):
                return aliases
            last = aliases.history[-1] if aliases.history else None
            is_told = last is not None and (last.version, last.alias, last.why) == (version, CHALLENGER, why)
            return aliases if is_told else aliases.moved(move)

        self._change(challenged)

    def roll_back(self, version: str | None, why: str, by: str | None = None) -> tuple[str, ModelVersion | None]:
        """Take a version out of service for good (the champion if not told); returns it and the champion after.

        Its origins are served by the champion before it, or by the seasonal naive. Raises RegistryError if the version
        does not serve.
        """
        taken: list[str] = []

        def rolled_back(aliases: Aliases) -> Aliases:
            wanted = version or (aliases.champion.version if aliases.champion else None)
            if wanted is None or not aliases.is_serving(wanted):
                raise RegistryError(
                    f"model version {wanted} does not serve in {self.uri}" if wanted else f"no champion in {self.uri}"
                )
            taken.append(wanted)
            return aliases.moved(Move(wanted, ROLLED_BACK, _now(), why, by))

        after = self._change(rolled_back)
        return taken[-1], after.champion

    @retry(
        retry=retry_if_exception_type(ConnectionAbortedError),
        stop=stop_after_attempt(10),
        wait=wait_random_exponential(0.05, 2),
        reraise=True,
    )
    def _change(self, change: Callable[[Aliases], Aliases]) -> Aliases:
        """Compare-and-swap of the alias file, repeated on its new content if another change came first."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        before, mark = self._read_aliases()
        after = change(before)
        if after == before:
            return before
        try:
            obstore.put(self._store, _ALIASES, json.dumps(after.to_json(), indent=1).encode(), mode=mark or "create")
        except (AlreadyExistsError, PreconditionError) as error:
            raise ConnectionAbortedError(f"another change of the aliases in {self.uri} came first") from error
        return after

    def _read_aliases(self) -> tuple[Aliases, Any]:
        import obstore

        if not self._exists(_ALIASES):
            return Aliases(), None
        answer = obstore.get(self._store, _ALIASES)
        mark = {key: answer.meta.get(key) for key in ("e_tag", "version")}
        return Aliases.from_json(json.loads(bytes(answer.bytes()))), {
            key: value for key, value in mark.items() if value
        }

    # ---- objects

    def _require(self, version: str) -> None:
        if not self._exists(f"versions/{version}/{_ENTRY}"):
            raise RegistryError(f"model version {version} is not in {self.uri}")

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
    """Champions as models: who serves an origin, and what a forecast's model knew of its errors.

    A version that other code made may be one that this code cannot load: it serves nothing.
    """

    def __init__(self, access: S3Access) -> None:
        self._registry = ModelRegistry(access)
        self._load = lru_cache(maxsize=2)(self._read)
        self.objection_to = cache(self._objection_to)

    def serving(self, origin: date) -> "tuple[str, TrainedModel] | None":
        """Version and content of the newest champion that had not seen anything later and that this code can load.

        None without one.
        """
        versions = (known.version for known in self._aliases.champions_for(origin))
        usable = next((version for version in versions if self.objection_to(version) is None), None)
        return None if usable is None else (usable, self._load(usable))

    def passed_over(self, origin: date) -> dict[str, str]:
        """Champions that would serve the origin before the one that does, and why this code cannot load them."""
        versions = [known.version for known in self._aliases.champions_for(origin)]
        return {
            version: why for version in takewhile(self.objection_to, versions) if (why := self.objection_to(version))
        }

    def calibration_of(self, versions: Sequence[str]) -> "Calibration | None":
        """The calibration of the one model that made a day's forecasts, None for the seasonal naive.

        Raises ValueError if several made them, or one that this code cannot load.
        """
        from nexgen_assets.forecasting.baselines import SEASONAL_NAIVE

        if len(versions) > 1:
            raise ValueError(f"forecasts of one day by several models ({', '.join(versions)}): rebuild that day")
        if not versions or versions[0] == SEASONAL_NAIVE:
            return None
        if objection := self.objection_to(versions[0]):
            raise ValueError(
                f"forecasts of this day are by model {versions[0]}, and {objection}, and forecast the day anew, "
                f"with the job `{DAILY}`"
            )
        return self._load(versions[0]).calibration

    @cached_property
    def _aliases(self) -> Aliases:
        """The aliases as they were when first asked for: a run serves by one state of them."""
        return self._registry.aliases()

    def _objection_to(self, version: str) -> str | None:
        """Why this code cannot load a version, None if it can."""
        from nexgen_assets.forecasting.model import MANIFEST_FILE, TrainedModel

        return TrainedModel.objection_to(self._registry.load(version, only=[MANIFEST_FILE]))

    def _read(self, version: str) -> "TrainedModel":
        from nexgen_assets.forecasting.model import TrainedModel

        return TrainedModel.from_files(self._registry.load(version))


def version_name(files: dict[str, bytes], training_cutoff: date) -> str:
    """The name of a version: its cutoff and the hash of its content."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return f"{training_cutoff:%Y%m%d}-{digest.hexdigest()[:12]}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
