"""`nexgen what-if`: the newest orders under other assumptions, printed beside the plan, which stays."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest
from typer.testing import CliRunner

from nexgen_assets.cli import app
from nexgen_assets.decisions.rules import DecisionError
from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.replenishment.origins import orders_of_origin
from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.resources.lake import S3Access
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    DAILY_DEMAND,
    FORECASTS,
    INVENTORY_POSITIONS,
    REORDER_RECOMMENDATIONS,
    Table,
)
from nexgen_assets_tests.replenishment.test_origins import DAILY, DAY, features, positions

Nexgen = Callable[..., str]
PRODUCTS = list(DAILY)


def made(table: Table, rows: pa.Table) -> pa.Table:
    """The rows with zeros where the contract wants a value that no test needs."""
    zero = {"decimal128(18, 3)": Decimal(0), "decimal128(18, 4)": Decimal(0), "bool": False, "string": ""}
    nothing = {c.name: None if c.nullable else zero.get(str(c.type), 0) for c in table.columns}
    told = ({name: value for name, value in row.items() if value is not None} for row in rows.to_pylist())
    return pa.Table.from_pylist([nothing | row for row in told], schema=table.arrow_schema)


@pytest.fixture
def nexgen(deployed: S3Access) -> Nexgen:  # noqa: ARG001  # which sets the environment
    """Runs `nexgen what-if ...` and returns what it prints; raises what it raises."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["what-if", *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return run


@pytest.fixture
def published(moto_access: S3Access) -> pa.Table:
    """The plan of one day, and all that it is made of."""
    tables, known = DeltaTables(moto_access), made(CLEANED_FEATURES, features(PRODUCTS, demand_sd_28=2.0))
    stock = made(INVENTORY_POSITIONS, positions(PRODUCTS, on_hand=1.0))
    forecasts = seasonal_naive_forecast(known)
    plan = orders_of_origin(stock, known, forecasts, None, Policy(0.95, 1))
    sold = made(DAILY_DEMAND, stock.select(list(DAILY_DEMAND.grain)))
    found = (
        (DAILY_DEMAND, sold),
        (CLEANED_FEATURES, known),
        (INVENTORY_POSITIONS, stock),
        (FORECASTS, forecasts),
        (REORDER_RECOMMENDATIONS, plan),
    )
    for table, rows in found:
        tables.replace_days(table, rows, DAY, DAY, "test")
    return plan


def row(printed: str, label: str) -> list[str]:
    [line] = [line for line in printed.splitlines() if label in line]
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


@pytest.mark.usefixtures("published")
def test_without_an_assumption_nothing_differs(nexgen: Nexgen) -> None:
    printed = nexgen()

    assert f"Orders of {DAY}" in printed
    assert row(printed, "Units")[2] == "+0.00"
    assert "other data or settings" not in printed


def test_more_demand_orders_more_and_the_plan_stays(
    nexgen: Nexgen, published: pa.Table, moto_access: S3Access, tmp_path: Path
) -> None:
    out = tmp_path / "if.csv"
    printed = nexgen("--demand", "2", "--out", str(out))

    plan = sum(published["order_units"].to_pylist())
    asked = sum(pyarrow.csv.read_csv(out)["order_units"].to_pylist())
    assert asked > plan
    assert row(printed, "Units") == [f"{plan:,.2f}", f"{asked:,.2f}", f"{asked - plan:+,.2f}"]
    assert DeltaTables(moto_access).read(REORDER_RECOMMENDATIONS).equals(published)


@pytest.mark.usefixtures("published")
def test_a_plan_that_was_made_otherwise_is_told(nexgen: Nexgen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXGEN_SERVICE_LEVEL", "0.8")

    assert "The published orders were made of other data or settings" in nexgen("--lead-time", "3")


@pytest.mark.usefixtures("moto_access")
def test_without_orders_it_says_how_to_make_them(nexgen: Nexgen) -> None:
    with pytest.raises(DecisionError, match="no orders are published yet: `nexgen run` makes them"):
        nexgen("--demand", "2")
