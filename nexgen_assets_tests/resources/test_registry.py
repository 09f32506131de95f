"""The model registry on real S3: versions never change, promotions are atomic, no model serves a past it has seen."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import obstore
import pytest

from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.registry import ModelRegistry, RegistryError

JANUARY, MARCH = date(2024, 1, 31), date(2024, 3, 31)
FILES = {"model.ubj": b"\x00trees", "manifest.json": b"{}"}


@pytest.fixture
def registry(access: S3Access) -> ModelRegistry:
    return ModelRegistry(access)


def test_a_version_loads_as_registered(registry: ModelRegistry) -> None:
    known = registry.register(FILES, JANUARY)
    assert registry.load(known.version) == FILES
    assert registry.versions() == [known]


def test_the_same_model_is_one_version_and_another_content_another(registry: ModelRegistry) -> None:
    first = registry.register(FILES, JANUARY)
    assert registry.register(dict(reversed(FILES.items())), JANUARY) == first
    other = registry.register(FILES | {"model.ubj": b"other"}, JANUARY)
    assert other != first
    assert registry.load(first.version) == FILES


def test_a_damaged_file_is_refused(registry: ModelRegistry, access: S3Access) -> None:
    known = registry.register(FILES, JANUARY)
    obstore.put(access.store("models/demand"), f"versions/{known.version}/model.ubj", b"\x00treez")
    with pytest.raises(RegistryError, match=r"model\.ubj is damaged"):
        registry.load(known.version)


def test_an_unknown_version_is_neither_loaded_nor_promoted(registry: ModelRegistry) -> None:
    with pytest.raises(RegistryError, match="20240131-none is not in s3://"):
        registry.load("20240131-none")
    with pytest.raises(RegistryError, match="20240131-none is not in s3://"):
        registry.promote("20240131-none")


def test_registered_is_not_promoted(registry: ModelRegistry) -> None:
    registry.register(FILES, JANUARY)
    assert registry.champions() == []
    assert registry.champion_for(MARCH) is None


def test_an_origin_is_served_by_the_newest_champion_that_saw_nothing_later(registry: ModelRegistry) -> None:
    new, old = registry.register(FILES, MARCH), registry.register(FILES, JANUARY)
    registry.promote(new.version)
    registry.promote(old.version)
    assert registry.champion_for(date(2024, 1, 30)) is None
    assert registry.champion_for(JANUARY) == old
    assert registry.champion_for(date(2024, 3, 30)) == old
    assert registry.champion_for(MARCH) == new


def test_concurrent_promotions_lose_none(registry: ModelRegistry, access: S3Access) -> None:
    versions = [registry.register({"model.ubj": bytes([n])}, JANUARY).version for n in range(4)]
    with ThreadPoolExecutor(4) as people:
        list(people.map(lambda version: ModelRegistry(access).promote(version), versions))
    assert sorted(known.version for known in registry.champions()) == sorted(versions)
