"""Which model versions serve, and how it came to that: the content of the registry's alias file, without its storage.

The history is the truth: it only grows, and which version is champion, challenger or rolled back follows from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

CHAMPION, CHALLENGER, ROLLED_BACK = "champion", "challenger", "rolled_back"
Numbers = Mapping[str, float | str]


@dataclass(frozen=True)
class ModelVersion:
    """One registered model: its version, which begins with the last day that its training saw, and that day."""

    version: str
    training_cutoff: date

    @classmethod
    def named(cls, version: str) -> "ModelVersion":
        return cls(version, date.fromisoformat(version[:8]))


@dataclass(frozen=True)
class Move:
    """One entry of the history: a version became `alias`, when (UTC), why, and by which run.

    `numbers` are those that decided. A move older than reasons knows its version only.
    """

    version: str
    alias: str
    at: str | None = None
    why: str = ""
    by: str | None = None
    numbers: Numbers = field(default_factory=dict)


@dataclass(frozen=True)
class Aliases:
    """All moves, oldest first."""

    history: tuple[Move, ...] = ()

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Aliases":
        """The aliases in a file; before moves had reasons, its history was the list of promoted versions."""
        return cls(
            tuple(
                Move(entry, CHAMPION) if isinstance(entry, str) else Move(**entry)
                for entry in content.get("history", [])
            )
        )

    def to_json(self) -> dict[str, Any]:
        """`champion` and `challenger` are there for readers; the history says the same."""
        return {
            CHAMPION: self.champion.version if self.champion else None,
            CHALLENGER: self.challenger.version if self.challenger else None,
            "history": [asdict(move) for move in self.history],
        }

    @property
    def champions(self) -> list[ModelVersion]:
        """Every version that was promoted and not rolled back, in order of its last promotion: each may serve."""
        newest_first = dict.fromkeys(move.version for move in reversed(self.history) if move.alias == CHAMPION)
        serving = [ModelVersion.named(version) for version in newest_first if not self.is_rolled_back(version)]
        return serving[::-1]

    @property
    def champion(self) -> ModelVersion | None:
        """The one that serves the newest origins."""
        return self.champion_for(date.max)

    @property
    def challenger(self) -> ModelVersion | None:
        """The version that was last registered and not promoted."""
        last = next((move for move in reversed(self.history) if move.alias == CHALLENGER), None)
        if last is None or self.is_rolled_back(last.version) or self.is_serving(last.version):
            return None
        return ModelVersion.named(last.version)

    def champion_for(self, origin: date) -> ModelVersion | None:
        """The champion with the newest training cutoff that had not seen anything later than `origin`."""
        return next(iter(self.champions_for(origin)), None)

    def champions_for(self, origin: date) -> list[ModelVersion]:
        """Every champion that had not seen anything later: the newest cutoff first, of equal ones the last promoted."""
        honest = [known for known in reversed(self.champions) if known.training_cutoff <= origin]
        return sorted(honest, key=lambda known: known.training_cutoff, reverse=True)

    def is_serving(self, version: str) -> bool:
        return version in {known.version for known in self.champions}

    def is_rolled_back(self, version: str) -> bool:
        return self.last_move(version, ROLLED_BACK) is not None

    def last_move(self, version: str, alias: str | None = None) -> Move | None:
        """The newest move of a version, if told to one alias; it says why the version is what it is."""
        moves = (move for move in reversed(self.history) if move.version == version and alias in (None, move.alias))
        return next(moves, None)

    def moved(self, move: Move) -> "Aliases":
        return Aliases((*self.history, move))
