"""Settings: a wrong value names its variable, and yesterday is decided by the deployment's clock."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.settings import Settings, SettingsError, load_settings

WRONG = {
    "NEXGEN_DEPLOYMENT": "Our Shop",
    "NEXGEN_BUCKET": "UPPER",
    "NEXGEN_TIMEZONE": "Mars/Olympus",
    "NEXGEN_CALENDAR_START": "yesterday",
    "NEXGEN_COUNTRY": "usa",
    "NEXGEN_ACTIVE_DAYS": "0",
    "NEXGEN_LOOKBACK_DAYS": "391",
    "NEXGEN_ORIGINS": "367",
    "NEXGEN_HORIZON_DAYS": "14",
    "NEXGEN_OVERLAPPING_FILES": "drop",
    "NEXGEN_SERVICE_LEVEL": "95",
    "NEXGEN_REVIEW_PERIOD_DAYS": "0",
    "NEXGEN_DEFAULT_LEAD_TIME_DAYS": "-1",
    "NEXGEN_DEFAULT_MARGIN": "1",
    "NEXGEN_TRAINING_ROWS": "many",
    "NEXGEN_THREADS": "0",
    "NEXGEN_RETENTION_DAYS": "0",
    "NEXGEN_RUN_RETENTION_DAYS": "forever",
    "NEXGEN_PUBLIC_URL": "https://orders.example.com/nexgen",
    "NEXGEN_SCHEDULES": "maybe",
}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("variable", "value"), WRONG.items())
def test_a_wrong_value_is_named_with_its_variable(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=re.escape(f"{variable}={value!r}: ")):
        load_settings()


def test_several_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in WRONG.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert [variable for variable in WRONG if f"{variable}=" not in str(error.value)] == []


def test_every_variable_is_described_and_has_a_default() -> None:
    undescribed = [name for name, field in Settings.model_fields.items() if not field.description]
    required = [name for name, field in Settings.model_fields.items() if field.is_required()]
    assert (undescribed, required) == ([], [])


def test_every_default_is_itself_a_valid_value() -> None:
    defaults = load_settings()
    assert Settings.model_validate(defaults.model_dump()) == defaults


def test_the_environment_goes_before_the_env_file(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / ".env").write_text("NEXGEN_COUNTRY=DE\nNEXGEN_TIMEZONE=Europe/Berlin\nOTHER=1\n")
    monkeypatch.setenv("NEXGEN_COUNTRY", "AT")
    settings = load_settings()
    assert (settings.country, settings.timezone) == ("AT", "Europe/Berlin")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("https://Orders.Example.com/", "https://orders.example.com"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
        ("", None),
    ],
)
def test_the_public_address_is_kept_as_browsers_write_it(told: str, meant: str | None) -> None:
    assert load_settings(public_url=told).public_url == meant


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().country = "DE"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("now", "last"),
    [
        # winter time, UTC-5: the 9th closes at 05:00 UTC
        (datetime(2024, 3, 10, 4, 59, 59, tzinfo=UTC), date(2024, 3, 8)),
        (datetime(2024, 3, 10, 5, 0, tzinfo=UTC), date(2024, 3, 9)),
        # clocks go forward on the 10th, a day of 23 hours: it closes at 04:00 UTC
        (datetime(2024, 3, 11, 3, 59, 59, tzinfo=UTC), date(2024, 3, 9)),
        (datetime(2024, 3, 11, 4, 0, tzinfo=UTC), date(2024, 3, 10)),
        # clocks go back on 3 November, a day of 25 hours
        (datetime(2024, 11, 4, 4, 59, 59, tzinfo=UTC), date(2024, 11, 2)),
        (datetime(2024, 11, 4, 5, 0, tzinfo=UTC), date(2024, 11, 3)),
    ],
)
def test_the_last_complete_day_closes_at_local_midnight(now: datetime, last: date) -> None:
    assert load_settings(timezone="America/New_York").last_complete_day(now) == last


@given(st.datetimes(datetime(2017, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_last_complete_day_does_not_depend_on_how_the_instant_is_written(now: datetime) -> None:
    settings = load_settings(timezone="Pacific/Auckland")
    assert settings.last_complete_day(now) == settings.last_complete_day(now.astimezone(ZoneInfo("America/Lima")))
