"""Every NEXGEN_* variable: meaning, unit, default and bounds, in one class.

Values come from the environment, then from a `.env` file in the working directory. A wrong value stops the program at
start with the variable's name. Credentials are not here: they come from the standard `AWS_*` chain.
"""

import re
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from nexgen_assets.tables import HORIZON_DAYS, OrderPolicyKind


class SettingsError(ValueError):
    """A NEXGEN_* variable holds a value that cannot be used."""


class Settings(BaseSettings, frozen=True):  # pyright: ignore[reportGeneralTypeIssues]  # pydantic allows the change
    """What an operator can set; each field is the variable NEXGEN_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="NEXGEN_", env_file=".env", extra="ignore")

    deployment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$")] = Field(
        "local", description="Name of this deployment; its tables live under this prefix of the bucket"
    )
    deployment_id: str | None = Field(
        None, description="Identity that claims the prefix; made once per home folder unless set"
    )
    home: Path = Field(Path(".nexgen"), description="Folder for local state: embedded S3, Dagster's database, logs")
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = Field(
        "nexgen", description="S3 bucket"
    )
    s3_endpoint: str | None = Field(
        None, description="URL of the S3 service; empty starts the embedded one unless AWS credentials are set"
    )
    s3_region: str = Field("us-east-1", description="Region of the bucket")
    timezone: str = Field("UTC", description="IANA time zone in which a day begins and ends")
    calendar_start: date = Field(date(2017, 1, 1), description="First day that can hold sales")
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = Field("US", description="ISO country of the holidays")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = Field(
        None, description="ISO currency (EUR) of the money in the files, for the dashboard to show"
    )
    active_days: Annotated[int, Field(ge=1, le=400)] = Field(
        90,
        description="A product that is neither listed nor delisted stays in the daily tables this many days after its "
        "last sale (days)",
    )
    lookback_days: Annotated[int, Field(ge=392, le=1100)] = Field(
        400, description="No feature looks further back than this (days)"
    )
    origins: Annotated[int, Field(ge=1, le=366)] = Field(
        28, description="A long range gets forecasts and orders for its last origins only (days)"
    )
    horizon_days: Literal[28] = Field(HORIZON_DAYS, description="Days forecast ahead (days)")
    landing_quiet_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        30, description="The sensor waits until nothing has landed for so long (seconds)"
    )
    catch_up_days: Annotated[int, Field(ge=1, le=366)] = Field(
        28, description="The daily schedule looks back so far for days that were missed or have changed (days)"
    )
    overlapping_files: Literal["merge", "add"] = Field(
        "merge", description="Lines that several files share: count them once, or add them up"
    )
    service_level: Annotated[float, Field(gt=0.5, lt=0.9991)] = Field(
        0.95, description="Target probability of no stockout in the protection interval"
    )
    order_policy: OrderPolicyKind = Field(
        "order_up_to", description="How orders are placed, where no order policy was uploaded"
    )
    review_period_days: Annotated[int, Field(ge=1, le=28)] = Field(
        1, description="Days between two reviews, counted from a Monday, where the supplier has no order days (days)"
    )
    order_line_cost: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Cost of placing and receiving an order line (money): makes the lots of min_max"
    )
    holding_rate: Annotated[float, Field(gt=0, le=10)] = Field(
        0.25, description="Cost of holding stock for a year, as a share of what it cost"
    )
    pack_rounding: Literal["up", "nearest", "cost"] = Field(
        "up", description="How needs become full packs; cost: up or down, whichever the service level makes cheaper"
    )
    max_waste_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="Most of a perishable product's stock that may be expected to expire; 1 allows all"
    )
    unknown_stock: Literal["block", "zero"] = Field(
        "block", description="Where nobody told the stock: order nothing and say so, or order as if there were none"
    )
    daily_budget: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Most money that the orders of a day may cost, all locations together; empty for no limit"
    )
    store_correlation: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2,
        description="How far forecasts of a product go wrong together at the locations of a centre: 0 not, 1 wholly",
    )
    transfer_days: Annotated[int, Field(ge=0, le=28)] = Field(
        1, description="Days from a transfer's order to its receipt, between two locations of one centre (days)"
    )
    transfer_burn_out_days: Annotated[float, Field(ge=0)] = Field(
        14.0, description="A location gives away only what would last longer than its own level and so many days (days)"
    )
    transfer_min_unit_cost: Annotated[float, Field(ge=0)] = Field(
        0.5, description="Nothing that costs less per unit is moved between locations (money per unit)"
    )
    transfer_min_value: Annotated[float, Field(ge=0)] = Field(
        20.0, description="Least value at cost of all that one location sends to another on a day (money)"
    )
    default_lead_time_days: Annotated[int, Field(ge=0, le=90)] = Field(
        7, description="Lead time where nobody told one (days)"
    )
    default_margin: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.3, description="Share of the price that is margin where nobody told the unit cost"
    )
    training_rows: Annotated[int, Field(ge=1_000)] = Field(400_000, description="Most rows that one training samples")
    retrain_after_days: Annotated[int, Field(ge=7, le=366)] = Field(
        56, description="A training is due when the newest sales that the champion learned from are older (days)"
    )
    threads: Annotated[int, Field(ge=1, le=256)] = Field(2, description="Threads XGBoost may use")
    retention_days: Annotated[int, Field(ge=1)] = Field(
        30, description="Every version of a table stays readable this long (days)"
    )
    run_retention_days: Annotated[int, Field(ge=1)] = Field(
        90, description="Dagster's record of a run that nothing needs any more is kept this long (days)"
    )
    upload_max_bytes: Annotated[int, Field(ge=1_000, le=5_000_000_000)] = Field(
        1_000_000_000, description="Largest file that the dashboard takes (bytes)"
    )
    upload_retention_days: Annotated[int, Field(ge=1, le=366)] = Field(
        7, description="An upload that nobody committed is kept this long (days)"
    )
    fresh_by: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = Field(
        "06:00", description="Time of day by which yesterday's sales and orders must be there (HH:MM)"
    )
    database_url: SecretStr | None = Field(
        None,
        exclude=True,  # settings are handed around as JSON, and a password must not be
        description="Database of decisions, postgresql://user:password@host/name; empty for a file in the home folder",
    )
    approvers: str = Field(
        "", description="Who may approve, cancel and export orders: names, separated by commas; empty for everybody"
    )
    public_url: str | None = Field(
        None,
        description="Address at which a proxy in front of the dashboard serves it, https://orders.example.com; empty "
        "without one",
    )
    mlflow_uri: str | None = Field(
        None, description="URL of an MLflow server that gets a copy of every model version; empty for none"
    )
    schedules: Literal["on", "off"] = Field("off", description="Whether the schedules start switched on")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError) as error:
            raise ValueError("is not an IANA time zone such as Europe/Berlin") from error
        return value

    @field_validator("mlflow_uri")
    @classmethod
    def _without_credentials(cls, value: str | None) -> str | None:
        if value and urlsplit(value).username is not None:
            raise ValueError("credentials belong in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
        return value or None

    @field_validator("public_url")
    @classmethod
    def _scheme_and_host(cls, value: str | None) -> str | None:
        """As browsers write it into `Origin`."""
        told = (value or "").rstrip("/").lower()
        if told and not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?", told):
            raise ValueError("is not a scheme and a host such as https://orders.example.com")
        return told or None

    @property
    def approver_names(self) -> frozenset[str]:
        return frozenset(name.strip() for name in self.approvers.split(",") if name.strip())

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def reach_days(self) -> int:
        """A day's sales reach no row later than so many days on.

        A product stays active, a feature looks back, and a forecast is judged up to its horizon later.
        """
        return self.active_days + self.lookback_days + self.horizon_days

    @property
    def fresh_by_time(self) -> time:
        return time.fromisoformat(self.fresh_by)

    @cached_property
    def home_path(self) -> Path:
        return self.home.expanduser().resolve()

    def last_complete_day(self, now: datetime | None = None) -> date:
        """Yesterday by the deployment's clock: the newest day that is closed at `now` (an aware instant)."""
        return (now or datetime.now(self.zone)).astimezone(self.zone).date() - timedelta(days=1)


def load_settings(**overrides: object) -> Settings:
    """The settings of this process; raises SettingsError that names each wrong variable."""
    try:
        return Settings(**overrides)  # pyright: ignore[reportArgumentType]  # values are validated, not typed
    except ValidationError as error:
        wrong = "; ".join(_told(problem["loc"], problem["input"], problem["msg"]) for problem in error.errors())
        raise SettingsError(f"wrong settings: {wrong}") from None


def _told(location: tuple[int | str, ...], value: object, problem: str) -> str:
    field = Settings.model_fields.get(str(location[0])) if location else None
    # what is never handed on is secret; of a URL, the credentials are
    shown = "***" if field and field.exclude else re.sub(r"//[^/\s]*@", "//***@", repr(value))
    return f"{_variable(location)}={shown}: {problem.removeprefix('Value error, ')}"


def _variable(location: tuple[int | str, ...]) -> str:
    return f"NEXGEN_{'_'.join(str(part) for part in location).upper()}"
