"""The model registry on real S3: versions never change, promotions are atomic, no model serves a past it has seen."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier

import obstore
import pytest

from nexgen_assets.resources.aliases import CHALLENGER, CHAMPION, ROLLED_BACK, Aliases, Move
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.resources.registry import ModelRegistry, RegistryError

JANUARY, MARCH = date(2024, 1, 31), date(2024, 3, 31)
FILES = {"model.ubj": b"\x00trees", "manifest.json": b"{}"}


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


def test_plots_stand_beside_a_version_and_change_neither_its_name_nor_its_content(registry: ModelRegistry) -> None:
    plain, drawn = registry.register(FILES, JANUARY), registry.register(FILES, MARCH, plots={"errors": b"png"})
    assert drawn.version.split("-")[1] == plain.version.split("-")[1]
    assert registry.load(drawn.version) == FILES
    assert registry.versions() == [plain, drawn]
    assert (registry.entry(plain.version)["plots"], registry.entry(drawn.version)["plots"]) == ([], ["errors"])
    assert registry.plot(drawn.version, "errors") == b"png"


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


def test_of_two_champions_with_one_cutoff_the_one_promoted_last_serves(registry: ModelRegistry) -> None:
    first, second = (registry.register({"model.ubj": name}, JANUARY) for name in (b"1", b"2"))
    registry.promote(first.version)
    registry.promote(second.version)
    assert registry.champion_for(MARCH) == second
    registry.promote(first.version)
    assert registry.champion_for(MARCH) == first


def test_a_promotion_tells_when_why_and_by_which_run(registry: ModelRegistry) -> None:
    known = registry.register(FILES, JANUARY)
    registry.promote(known.version, "it is better", "run-1", {"wrmsse": 0.7})
    [move] = registry.aliases().history
    assert (move.version, move.alias, move.why, move.by) == (known.version, CHAMPION, "it is better", "run-1")
    assert move.numbers == {"wrmsse": 0.7}
    assert move.at is not None
    assert datetime.fromisoformat(move.at).tzinfo == UTC


def test_promoted_again_a_champion_has_no_second_entry(registry: ModelRegistry) -> None:
    old, new = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    for known in (old, new, old, new):
        registry.promote(known.version)
    assert [move.version for move in registry.aliases().history] == [old.version, new.version]


def test_facts_of_a_version_are_no_part_of_its_name(registry: ModelRegistry) -> None:
    first = registry.register(FILES, JANUARY, {"run_id": "run-1"})
    assert registry.register(FILES, JANUARY, {"run_id": "run-2"}) == first
    assert registry.entry(first.version)["run_id"] == "run-1"


# ---- challengers


def test_a_challenger_serves_nothing_and_says_why(registry: ModelRegistry) -> None:
    champion, other = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    registry.promote(champion.version)
    registry.challenge(other.version, "it is worse", "run-2")
    aliases = registry.aliases()
    assert (aliases.champion, aliases.challenger) == (champion, other)
    assert registry.champion_for(MARCH) == champion
    assert aliases.history[-1].why == "it is worse"


def test_a_challenger_that_is_promoted_is_challenger_no_more(registry: ModelRegistry) -> None:
    known = registry.register(FILES, JANUARY)
    registry.challenge(known.version, "it is worse")
    registry.promote(known.version, "the sales were corrected")
    aliases = registry.aliases()
    assert (aliases.champion, aliases.challenger) == (known, None)


def test_a_champion_does_not_become_challenger(registry: ModelRegistry) -> None:
    known = registry.register(FILES, JANUARY)
    registry.promote(known.version)
    registry.challenge(known.version, "it is worse")
    assert (registry.aliases().champion, registry.aliases().challenger) == (known, None)


def test_the_same_reason_is_told_once(registry: ModelRegistry) -> None:
    known = registry.register(FILES, JANUARY)
    for _ in range(2):
        registry.challenge(known.version, "it is worse")
    assert len(registry.aliases().history) == 1


# ---- rollback


def test_after_a_rollback_the_champion_before_serves(registry: ModelRegistry) -> None:
    old, new = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    registry.promote(old.version)
    registry.promote(new.version)
    assert registry.roll_back(None, "orders doubled", "run-3") == (new.version, old)
    assert registry.champions() == [old]
    assert registry.champion_for(MARCH) == old
    move = registry.aliases().history[-1]
    assert (move.version, move.alias, move.why, move.by) == (new.version, ROLLED_BACK, "orders doubled", "run-3")


def test_a_rollback_of_an_older_champion_leaves_the_champion(registry: ModelRegistry) -> None:
    old, new = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    registry.promote(old.version)
    registry.promote(new.version)
    assert registry.roll_back(old.version, "its data was wrong") == (old.version, new)
    assert registry.champion_for(JANUARY) is None


def test_after_the_last_champion_is_rolled_back_none_serves(registry: ModelRegistry) -> None:
    known = registry.register(FILES, JANUARY)
    registry.promote(known.version)
    assert registry.roll_back(None, "orders doubled") == (known.version, None)
    with pytest.raises(RegistryError, match="no champion in s3://"):
        registry.roll_back(None, "again")


def test_a_rolled_back_version_is_never_promoted_again(registry: ModelRegistry) -> None:
    known = registry.register(FILES, JANUARY)
    registry.promote(known.version)
    registry.roll_back(known.version, "orders doubled")
    with pytest.raises(RegistryError, match="was rolled back"):
        registry.promote(known.version)
    assert registry.champions() == []


def test_only_what_serves_can_be_rolled_back(registry: ModelRegistry) -> None:
    known = registry.register(FILES, JANUARY)
    registry.challenge(known.version, "it is worse")
    with pytest.raises(RegistryError, match=f"{known.version} does not serve"):
        registry.roll_back(known.version, "a slip of the pen")


# ---- the alias file


def test_an_alias_file_older_than_reasons_is_read(registry: ModelRegistry, access: S3Access) -> None:
    old, new = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    content = {"champion": new.version, "history": [old.version, new.version]}
    obstore.put(access.store("models/demand"), "aliases.json", json.dumps(content).encode())
    assert registry.champions() == [old, new]
    assert registry.aliases().champion == new
    assert registry.aliases().history == (Move(old.version, CHAMPION), Move(new.version, CHAMPION))


def test_an_older_alias_file_keeps_its_history_when_it_is_changed(registry: ModelRegistry, access: S3Access) -> None:
    old, new = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    content = {"champion": new.version, "history": [old.version, new.version]}
    obstore.put(access.store("models/demand"), "aliases.json", json.dumps(content).encode())
    registry.roll_back(None, "orders doubled")
    assert [(move.version, move.alias) for move in registry.aliases().history] == [
        (old.version, CHAMPION),
        (new.version, CHAMPION),
        (new.version, ROLLED_BACK),
    ]
    assert registry.champion_for(MARCH) == old


def test_aliases_survive_their_json() -> None:
    moves = (Move("20240131-a", CHAMPION, "2024-02-01T00:00:00+00:00", "why", "run", {"wrmsse": 0.5}),)
    aliases = Aliases((*moves, Move("20240331-b", CHALLENGER)))
    assert Aliases.from_json(json.loads(json.dumps(aliases.to_json()))) == aliases


# ---- races


def test_a_race_of_two_promotions_leaves_one_champion_and_a_history_of_both(
    registry: ModelRegistry, access: S3Access
) -> None:
    versions = [registry.register({"model.ubj": bytes([n])}, JANUARY).version for n in range(2)]
    start = Barrier(2)

    def promote(version: str) -> None:
        start.wait()
        ModelRegistry(access).promote(version, f"promoted {version}", f"run of {version}")

    with ThreadPoolExecutor(2) as people:
        list(people.map(promote, versions))
    aliases = registry.aliases()
    assert sorted(move.version for move in aliases.history) == sorted(versions)
    assert {move.why for move in aliases.history} == {f"promoted {version}" for version in versions}
    last = aliases.history[-1].version
    content = json.loads(bytes(obstore.get(access.store("models/demand"), "aliases.json").bytes()))
    assert content["champion"] == last
    champion = registry.champion_for(JANUARY)
    assert champion is not None
    assert champion.version == last


def test_a_rollback_and_a_promotion_at_once_both_count(registry: ModelRegistry, access: S3Access) -> None:
    old, new = registry.register(FILES, JANUARY), registry.register(FILES, MARCH)
    registry.promote(old.version)
    start = Barrier(2)

    def change(what: str) -> None:
        start.wait()
        mine = ModelRegistry(access)
        mine.promote(new.version) if what == "promote" else mine.roll_back(old.version, "its data was wrong")

    with ThreadPoolExecutor(2) as people:
        list(people.map(change, ["promote", "roll back"]))
    assert registry.champions() == [new]
    assert len(registry.aliases().history) == 3


def test_concurrent_promotions_lose_none(registry: ModelRegistry, access: S3Access) -> None:
    versions = [registry.register({"model.ubj": bytes([n])}, JANUARY).version for n in range(4)]
    with ThreadPoolExecutor(4) as people:
        list(people.map(lambda version: ModelRegistry(access).promote(version), versions))
    assert sorted(known.version for known in registry.champions()) == sorted(versions)
