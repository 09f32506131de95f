"""The model versions of the registry, as the dashboard tells them."""

from math import isfinite
from typing import Any

from nexgen_assets.dashboard.answers.forecasts import ModelMove, Models, ModelVersion
from nexgen_assets.resources.aliases import CHALLENGER, CHAMPION, Aliases
from nexgen_assets.resources.registry import ModelRegistry

LAST_VERSIONS = 20
LAST_MOVES = 100
# of an entry, what is no fact about the model
_STORAGE = ("sha256", "plots", "training_cutoff")


def models(registry: ModelRegistry) -> Models:
    """The last versions, and every move between them."""
    aliases = registry.aliases()
    newest = list(reversed(registry.versions()))[:LAST_VERSIONS]
    return Models(
        champion=aliases.champion.version if aliases.champion else None,
        challenger=aliases.challenger.version if aliases.challenger else None,
        versions=[
            ModelVersion(
                version=known.version,
                training_cutoff=known.training_cutoff,
                alias=_alias(aliases, known.version),
                facts=_facts(registry.entry(known.version)),
            )
            for known in newest
        ],
        history=[
            ModelMove(version=move.version, alias=move.alias, at=move.at, why=move.why, numbers=_plain(move.numbers))
            for move in reversed(aliases.history[-LAST_MOVES:])
        ],
    )


def _alias(aliases: Aliases, version: str) -> str | None:
    """What the version became last; an alias that another one took since is no longer its own."""
    last = next((move.alias for move in reversed(aliases.history) if move.version == version), None)
    holders = {CHAMPION: aliases.champion, CHALLENGER: aliases.challenger}
    if last not in holders:
        return last
    holder = holders[last]
    return last if holder is not None and holder.version == version else f"former_{last}"


def _facts(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in entry.items() if name not in _STORAGE}


def _plain(value: Any) -> Any:
    """JSON has no infinite number, nor one that is none."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
