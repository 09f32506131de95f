"""The landing zone: every change of a file is seen once, and its days are known."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import obstore
import pytest

from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.landing_zone import LandingZone, LandingZoneError, Registration
from nexgen_assets.partitions import DayRange
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.settings import Settings
from nexgen_assets.tables import LANDING_FILES

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
HEADER = "product_id,location,date_of_purchase,quantity"
FIRST, SECOND, THIRD = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
Land = Callable[..., None]


@pytest.fixture
def zone(moto_access: S3Access) -> LandingZone:
    return LandingZone(moto_access, Settings())


@pytest.fixture
def land(moto_access: S3Access) -> Land:
    def land(name: str, *days: date, product: str = "01") -> None:
        lines = [f"{product},north,{day},2" for day in days]
        obstore.put(moto_access.store("landing"), name, "\n".join([HEADER, *lines, ""]).encode())

    return land


@pytest.fixture
def register(moto_access: S3Access, zone: LandingZone) -> Callable[..., Registration]:
    """Register and store the manifest, as the asset does."""

    def register(minutes: int = 0, **options: int) -> Registration:
        registration = zone.register(NOON + timedelta(minutes=minutes), **options)
        DeltaTables(moto_access).replace_all(LANDING_FILES, registration.manifest)
        return registration

    return register


Register = Callable[..., Registration]


def statuses(zone: LandingZone) -> list[tuple[str, str, list[date]]]:
    return [(row["file_key"], row["status"], row["days"]) for row in zone.manifest()]


def lines_of(zone: LandingZone, first: date, last: date) -> list[tuple[str, date, str]]:
    rows = zone.sales(DayRange(first, last), zone.manifest()).read_all().to_pylist()
    return sorted((row["file_key"], row["day"], row["product_id"]) for row in rows)


def test_a_new_file_is_registered_with_its_days(zone: LandingZone, land: Land, register: Register) -> None:
    land("sales/a.csv", FIRST, THIRD)
    registration = register()
    assert (registration.new_files, registration.changed_days) == (1, [FIRST, THIRD])
    [row] = zone.manifest()
    assert (row["file_key"], row["kind"], row["lines"], row["status"]) == ("sales/a.csv", "sales", 2, "current")
    assert row["arrived_at"] == row["changed_at"] == NOON


def test_what_is_registered_waits_no_longer(zone: LandingZone, land: Land, register: Register) -> None:
    land("sales/a.csv", FIRST)
    assert [file.key for file in zone.waiting().files] == ["sales/a.csv"]
    register()
    assert not zone.waiting()
    assert register(1).changed_days == []


def test_the_same_content_landed_again_is_no_change(zone: LandingZone, land: Land, register: Register) -> None:
    land("sales/a.csv", FIRST)
    before = register().manifest
    land("sales/a.csv", FIRST)
    assert not zone.waiting()
    assert register(1).manifest.equals(before)


def test_the_same_content_under_another_mark_of_the_store_is_no_change(
    moto_access: S3Access, zone: LandingZone, land: Land, register: Register
) -> None:
    land("sales/a.csv", FIRST)
    [before] = register().manifest.to_pylist()
    # stored in parts, S3 gives the same content another ETag
    content = obstore.get(moto_access.store("landing"), "sales/a.csv").bytes()
    obstore.put(
        moto_access.store("landing"), "sales/a.csv", bytes(content), use_multipart=True, chunk_size=5 * 1024 * 1024
    )
    assert zone.waiting()
    registration = register(1)
    assert registration.changed_days == []
    [after] = registration.manifest.to_pylist()
    assert after["etag"] != before["etag"]
    assert after == before | {"etag": after["etag"]}
    assert lines_of(zone, FIRST, FIRST) == [("sales/a.csv", FIRST, "01")]


def test_a_corrected_file_changes_its_old_and_its_new_days(zone: LandingZone, land: Land, register: Register) -> None:
    land("sales/a.csv", FIRST, SECOND)
    register()
    land("sales/a.csv", SECOND, THIRD)
    assert register(1).changed_days == [FIRST, SECOND, THIRD]
    assert sorted(statuses(zone), key=lambda row: row[1]) == [
        ("sales/a.csv", "current", [SECOND, THIRD]),
        ("sales/a.csv", "superseded", [FIRST, SECOND]),
    ]
    assert lines_of(zone, FIRST, THIRD) == [("sales/a.csv", SECOND, "01"), ("sales/a.csv", THIRD, "01")]


def test_a_deleted_file_changes_its_days_and_stays_visible(
    moto_access: S3Access, zone: LandingZone, land: Land, register: Register
) -> None:
    land("sales/a.csv", FIRST)
    register()
    obstore.delete(moto_access.store("landing"), "sales/a.csv")
    assert zone.waiting().gone == ["sales/a.csv"]
    assert register(1).changed_days == [FIRST]
    assert statuses(zone) == [("sales/a.csv", "deleted", [FIRST])]
    assert lines_of(zone, FIRST, FIRST) == []
    assert not zone.waiting()


def test_a_version_that_comes_back_keeps_when_it_first_came(zone: LandingZone, land: Land, register: Register) -> None:
    land("sales/a.csv", FIRST)
    register()
    land("sales/a.csv", SECOND)
    register(1)
    land("sales/a.csv", FIRST)
    assert register(2).changed_days == [FIRST, SECOND]
    current = next(row for row in zone.manifest() if row["status"] == "current")
    assert (current["days"], current["arrived_at"]) == ([FIRST], NOON)
    assert current["changed_at"] == NOON + timedelta(minutes=2)


def test_a_refused_file_is_registered_once_and_leaves_with_its_object(
    moto_access: S3Access, zone: LandingZone, register: Register
) -> None:
    store = moto_access.store("landing")
    obstore.put(store, "sales/a.csv", b"product_id,location\n01,north\n")
    assert "date_of_purchase" in register().refused["sales/a.csv"]
    assert not zone.waiting()
    obstore.delete(store, "sales/a.csv")
    register(1)
    assert [row[1] for row in statuses(zone)] == ["deleted"]


def test_a_large_backlog_is_registered_in_parts_without_loss_or_repeat(
    zone: LandingZone, land: Land, register: Register
) -> None:
    for number in range(7):
        land(f"sales/{number}.csv", FIRST + timedelta(days=number))
    seen = [register(minute, at_most=3) for minute in range(3)]
    assert [(found.new_files, found.still_waiting) for found in seen] == [(3, 4), (3, 1), (1, 0)]
    assert [row[0] for row in statuses(zone)] == [f"sales/{number}.csv" for number in range(7)]
    assert not zone.waiting()


def test_changes_have_later_moments_even_if_the_clock_was_set_back(
    zone: LandingZone, land: Land, register: Register
) -> None:
    land("sales/a.csv", FIRST)
    register()
    land("sales/a.csv", SECOND)
    register(-60)
    moments = {row["status"]: row["changed_at"] for row in zone.manifest()}
    assert moments["superseded"] == moments["current"] > NOON


def test_the_same_changes_have_the_same_digest(zone: LandingZone, land: Land) -> None:
    land("sales/a.csv", FIRST)
    digest = zone.waiting().digest
    assert zone.waiting().digest == digest
    land("sales/a.csv", SECOND)
    assert zone.waiting().digest != digest


@pytest.mark.parametrize(
    ("ages", "is_quiet"),
    [((31,), True), ((31, 5), False), ((301, 5), True)],
    ids=["all landed a while ago", "still landing", "landing for ever"],
)
def test_it_is_quiet_when_nothing_lands_any_more(
    ages: tuple[int, ...], is_quiet: bool, zone: LandingZone, land: Land
) -> None:
    for number in range(len(ages)):
        land(f"sales/{number}.csv", FIRST)
    waiting = zone.waiting()
    for file, age in zip(waiting.files, ages, strict=True):
        object.__setattr__(file, "modified_at", NOON - timedelta(seconds=age))
    assert waiting.is_quiet(NOON, 30) is is_quiet


def test_a_file_that_changed_after_its_registration_is_not_read(
    zone: LandingZone, land: Land, register: Register
) -> None:
    land("sales/a.csv", FIRST)
    register()
    land("sales/a.csv", FIRST, SECOND)
    with pytest.raises(LandingZoneError, match=r"sales/a\.csv has changed: materialize `landing_files`"):
        lines_of(zone, FIRST, FIRST)


def test_a_file_that_went_after_its_registration_is_an_error(
    moto_access: S3Access, zone: LandingZone, land: Land, register: Register
) -> None:
    land("sales/a.csv", FIRST)
    register()
    obstore.delete(moto_access.store("landing"), "sales/a.csv")
    with pytest.raises(LandingZoneError, match=r"sales/a\.csv is gone"):
        lines_of(zone, FIRST, FIRST)


def test_only_files_that_hold_a_day_are_read_for_it(
    moto_access: S3Access, zone: LandingZone, land: Land, register: Register
) -> None:
    land("sales/a.csv", FIRST)
    land("sales/b.csv", SECOND)
    register()
    obstore.delete(moto_access.store("landing"), "sales/b.csv")
    assert lines_of(zone, FIRST, FIRST) == [("sales/a.csv", FIRST, "01")]


def test_progress_is_told(moto_access: S3Access, land: Land) -> None:
    told: list[str] = []
    land("sales/a.csv", FIRST)
    LandingZone(moto_access, Settings(), told.append).register(NOON)
    assert told == ["1 of 1: sales/a.csv, 0.0 MB"]
