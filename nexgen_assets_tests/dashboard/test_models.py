"""Which role a model version is told to have."""

from datetime import date

from nexgen_assets.dashboard.queries.models import models
from nexgen_assets.resources.registry import ModelRegistry

JANUARY, MARCH = date(2024, 1, 31), date(2024, 3, 31)
FILES = {"model.ubj": b"\x00trees", "manifest.json": b"{}"}


def roles(registry: ModelRegistry) -> dict[str, str | None]:
    return {known.version: known.alias for known in models(registry).versions}


def test_one_version_is_champion_and_those_before_it_were(registry: ModelRegistry) -> None:
    old, new = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    registry.promote(old.version)
    assert roles(registry) == {old.version: "champion", new.version: None}
    registry.promote(new.version)
    assert roles(registry) == {old.version: "former_champion", new.version: "champion"}


def test_after_a_rollback_the_version_before_is_champion_again(registry: ModelRegistry) -> None:
    old, new = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    registry.promote(old.version)
    registry.promote(new.version)
    registry.roll_back(new.version, "worse")
    assert roles(registry) == {old.version: "champion", new.version: "rolled_back"}


def test_a_challenger_whose_place_another_took_was_one(registry: ModelRegistry) -> None:
    first, second = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    registry.challenge(first.version, "not better")
    registry.challenge(second.version, "not better")
    assert roles(registry) == {first.version: "former_challenger", second.version: "challenger"}
