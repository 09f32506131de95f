"""The asset `policy_simulation` in real Dagster runs: what its job leaves in the table and in the UI."""

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from nexgen_assets.definitions import build_defs
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import LakeResource, S3Access
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.resources.spark import SparkResource, stop_engine
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CALENDAR, DAILY_DEMAND, INVENTORY_POSITIONS, POLICY_SIMULATION
from nexgen_assets_tests.shops import FIRST, LAST, materialization, open_shop

DAYS, WARM_UP = 28, 14
SERIES, UNKNOWN = 24, "023"
RULES = {"forecast", "days_of_supply", "moving_average", "weekday_profile", "perfect_foresight"}


class Shop:
    """A shop whose simulation runs as the UI would start it."""

    def __init__(self, settings: Settings, engine_address: str) -> None:
        self.lake = LakeResource.from_settings(settings)
        self.tables = DeltaTables(self.lake.access)
        self._defs = build_defs(settings, {"spark": SparkResource(lake=self.lake, remote=engine_address)})

    def run(self, **config: Any) -> dg.ExecuteInProcessResult:
        told = {"as_of": LAST.isoformat(), "days": DAYS, "warm_up_days": WARM_UP, **config}
        return self._defs.resolve_job_def("simulate_policies").execute_in_process(
            run_config={"ops": {"policy_simulation": {"config": told}}}, raise_on_error=False
        )


def positions() -> pa.Table:
    """Terms of all products; of one the cost is unknown."""
    unknown = dict.fromkeys(INVENTORY_POSITIONS.names)
    terms = {"lead_time_days": 2, "lead_time_sd_days": 0.5, "pack_size": 6.0, "min_order_quantity": 1.0}
    flags = {column.name: False for column in INVENTORY_POSITIONS.columns if column.name.startswith("is_")}
    stock = {
        "day": LAST,
        "location": "north",
        "inventory_source": "count",
        "on_hand": 10.0,
        "on_order_units": 0.0,
        "committed_units": 0.0,
    }
    products = [f"{number:03d}" for number in range(SERIES)]
    rows = [
        {**unknown, **terms, **flags, **stock, "product_id": product, "unit_cost": None if product == UNKNOWN else 2.0}
        for product in products
    ]
    return pa.Table.from_pylist(rows, schema=INVENTORY_POSITIONS.arrow_schema)


@pytest.fixture(scope="module")
def shop(
    seaweed: S3Access, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, engine_address: str
) -> Iterator[Shop]:
    settings = open_shop(seaweed, spark, tmp_path_factory.mktemp("shop"))
    tables = DeltaTables(LakeResource.from_settings(settings).access)
    tables.replace_days(INVENTORY_POSITIONS, positions(), LAST, LAST, "positions")
    stop_engine()
    yield Shop(settings, engine_address)
    stop_engine()


@pytest.fixture(scope="module")
def told(shop: Shop) -> dict[str, Any]:
    """The metadata of a simulation."""
    done = shop.run(order_cost=1.5)
    assert done.success
    made = materialization(done)
    return {name: value.value for name, value in made.metadata.items()}


@pytest.fixture(scope="module")
def rows(shop: Shop, told: dict[str, Any]) -> list[dict[str, Any]]:
    assert told["dagster/row_count"] > 0
    return shop.tables.read(POLICY_SIMULATION).to_pylist()


def of_all(rows: list[dict[str, Any]], rule: str) -> list[dict[str, Any]]:
    """A rule's rows of all series, by its parameter."""
    return sorted(
        (row for row in rows if (row["rule"], row["segment"]) == (rule, "all")), key=lambda row: row["parameter"]
    )


def grain(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in POLICY_SIMULATION.grain)


# ---- the table


def test_every_rule_meets_the_demand_of_the_days_that_count(shop: Shop, rows: list[dict[str, Any]]) -> None:
    first = LAST - timedelta(days=DAYS - 1)
    demand = float(pc.sum(shop.tables.read(DAILY_DEMAND, first, LAST)["demand_units"]).as_py())
    assert {row["rule"] for row in rows} == RULES
    for rule in RULES:
        for row in of_all(rows, rule):
            assert (row["demand_units"], row["series"]) == (demand, SERIES)
            assert row["sales_units"] + row["lost_units"] == pytest.approx(demand)
            assert row["fill_rate"] == pytest.approx(row["sales_units"] / demand)
            assert (row["training_cutoff"], row["first_day"], row["last_day"]) == (
                *(first - timedelta(days=WARM_UP + 1), first, LAST),
            )


def test_segments_add_up_to_all_series(rows: list[dict[str, Any]]) -> None:
    for kind in ("abc", "pattern"):
        for row in of_all(rows, "forecast"):
            parts = [
                part
                for part in rows
                if (part["rule"], part["parameter"], part["segment_kind"]) == ("forecast", row["parameter"], kind)
            ]
            for name in ("series", "demand_units", "average_on_hand_units", "holding_cost"):
                assert sum(part[name] for part in parts) == pytest.approx(row[name])


def test_no_rule_serves_as_much_with_less_stock_than_perfect_foresight(rows: list[dict[str, Any]]) -> None:
    [bound] = of_all(rows, "perfect_foresight")
    for row in rows:
        if row["segment"] == "all" and row["lost_units"] <= bound["lost_units"]:
            assert row["average_on_hand_units"] >= bound["average_on_hand_units"]


def test_costs_are_those_of_the_series_whose_cost_is_known(rows: list[dict[str, Any]]) -> None:
    """The panel sells everything at 3 a unit, and all but one product cost 2."""
    for row in of_all(rows, "forecast"):
        assert row["costed_series"] == SERIES - 1
        assert 0 < row["holding_cost"] < 0.25 * 2 / 365 * DAYS * row["average_on_hand_units"]
        assert row["lost_margin"] <= row["lost_units"] * (3 - 2) + 1e-9
        assert row["order_cost"] <= 1.5 * row["order_lines"]


def test_only_the_forecasts_promise_a_fill_rate(rows: list[dict[str, Any]]) -> None:
    promising = {(row["rule"], row["parameter"]) for row in rows if row["promised_fill_rate"] is not None}
    assert promising == {("forecast", level) for level in (0.9, 0.95, 0.99)}


# ---- what the UI shows


def test_the_plots_are_images_small_enough_for_the_event_log(told: dict[str, Any]) -> None:
    images = re.findall(r"!\[([a-z_]+)\]\(data:image/png;base64,([^)]+)\)", told["plots"])
    assert [name for name, _ in images] == ["stock_by_fill_rate", "service"]
    for _, content in images:
        assert Image.open(BytesIO(b64decode(content))).format == "PNG"
    assert len(told["plots"]) < 100_000


def test_tables_tell_stock_differences_and_promises(told: dict[str, Any]) -> None:
    stock = [record.data["rule"] for record in told["stock_needed"].records]
    assert stock == ["forecast", "days_of_supply", "moving_average", "weekday_profile", "perfect_foresight"]
    others = [record.data["other_rule"] for record in told["stock_of_forecast_beyond_others"].records]
    assert others == ["days_of_supply", "moving_average", "weekday_profile"]
    promised = [record.data["promised_cycle_service"] for record in told["promised_and_achieved"].records]
    assert list(dict.fromkeys(promised)) == ["90%", "95%", "99%"]


def test_the_run_says_what_it_had_to_assume(told: dict[str, Any]) -> None:
    assert told["simulated"].startswith(f"{SERIES} of {SERIES} series")
    assert "default terms for 0 of them" in told["simulated"]


def test_nothing_is_held_for_days_on_which_the_calendar_closes_the_location(
    shop: Shop, rows: list[dict[str, Any]]
) -> None:
    closing = dict.fromkeys(CALENDAR.names) | {
        "product_id": "",
        "location": "north",
        "promotion_share": 0.0,
        "is_open": False,
        "start_date": LAST - timedelta(days=12),
        "end_date": LAST,
        "effective_date": FIRST,
        "file_key": "calendar.csv",
        "line_number": 1,
    }
    try:
        shop.tables.replace_all(CALENDAR, pa.Table.from_pylist([closing], schema=CALENDAR.arrow_schema))
        assert shop.run(order_cost=1.5).success
        closed = of_all(shop.tables.read(POLICY_SIMULATION).to_pylist(), "forecast")
    finally:
        shop.tables.replace_all(CALENDAR, CALENDAR.arrow_schema.empty_table())
    for told, untold in zip(closed, of_all(rows, "forecast"), strict=True):
        assert told["lost_units"] > untold["lost_units"]
        assert told["average_on_hand_units"] < untold["average_on_hand_units"]


# ---- what it must not do, and refusals


def test_the_model_of_a_simulation_is_not_registered(shop: Shop, told: dict[str, Any]) -> None:
    assert told["recipe"]
    assert ModelRegistry(shop.lake.access).aliases().champion is None


def test_the_same_simulation_again_leaves_the_same_rows(shop: Shop, rows: list[dict[str, Any]]) -> None:
    assert shop.run(order_cost=1.5).success
    again = shop.tables.read(POLICY_SIMULATION).to_pylist()
    assert sorted(again, key=grain) == sorted(rows, key=grain)


def test_a_sample_of_the_series_is_told(shop: Shop) -> None:
    done = shop.run(series=5)
    assert done.success
    made = materialization(done)
    assert str(made.metadata["simulated"].value).startswith(f"5 of {SERIES} series")


@pytest.mark.parametrize(
    ("config", "advice"),
    [({"days": 366}, "ask for fewer `days`"), ({"days": 130, "warm_up_days": 28}, "Ask for fewer `days`")],
    ids=["before the first features", "too short a history for the baselines"],
)
def test_more_days_than_there_are_is_refused_with_advice(shop: Shop, config: dict[str, int], advice: str) -> None:
    done = shop.run(**config)
    assert not done.success
    [failure] = done.get_step_failure_events()
    assert advice in str(failure.step_failure_data.error)
