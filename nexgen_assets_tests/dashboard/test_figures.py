"""What the API tells of sales, forecasts and data quality, beside figures added up by hand."""

from datetime import date, timedelta

import httpx2 as httpx
import pytest

from nexgen_assets.dashboard.door import FrontDoor
from nexgen_assets.dashboard.roles import Role
from nexgen_assets.forecasting.baselines import seasonal_naive_forecast
from nexgen_assets.io_managers.snapshots import Snapshots
from nexgen_assets_tests.dashboard.conftest import AS
from nexgen_assets_tests.dashboard.shop import DAY, FIRST_DAY, FORECAST_DAYS, OUT, PRICE, SECRET, features

A_DAY = 2 + 5 + 11 + 2
LINE = {"product_id": "002", "location": "north"}


@pytest.fixture
def viewer(as_role: AS) -> httpx.Client:
    return as_role(Role.VIEWER)


def figure(viewer: httpx.Client, name: str, days: int = 7) -> tuple[float | None, float | None]:
    told = {kpi["name"]: kpi for kpi in viewer.get("/api/kpis", params={"days": days}).json()["kpis"]}
    return told[name]["value"], told[name]["previous"]


def test_every_answer_about_tables_says_which_snapshot_it_speaks_of(viewer: httpx.Client, door: FrontDoor) -> None:
    snapshot_id = Snapshots(door.lake.tables).newest().snapshot_id
    paths = ("snapshot", "kpis", "orders", "choices", "quality", "forecasts", "sales/trend", "forecasts/accuracy")

    assert {viewer.get(f"/api/{path}").json()["snapshot_id"] for path in paths} == {snapshot_id}


def test_freshness_compares_with_yesterday(viewer: httpx.Client, door: FrontDoor) -> None:
    answer = viewer.get("/api/snapshot").json()

    assert (answer["sales_day"], answer["orders_day"], answer["forecast_origin"]) == (str(DAY),) * 3
    assert answer["days_behind"] == (door.settings.last_complete_day() - DAY).days
    assert answer["is_fresh"] is False
    assert not any(table["is_behind"] for table in answer["tables"])


@pytest.mark.parametrize(
    ("by", "first", "days"),
    [("day", date(2026, 3, 1), 1), ("week", date(2026, 2, 23), 1), ("month", date(2026, 3, 1), 10)],
)
def test_a_trend_starts_at_the_period_that_was_asked_for(viewer: httpx.Client, by: str, first: date, days: int) -> None:
    answer = viewer.get("/api/sales/trend", params={"by": by, "start": "2026-03-01", "end": "2026-03-10"}).json()

    assert (answer["points"][0]["start"], answer["points"][0]["days"]) == (str(first), days)
    # one line was out of stock on one day, and sold 1 in place of 5
    assert sum(point["demand_units"] for point in answer["points"]) == 10 * A_DAY - 4
    assert sum(point["revenue"] for point in answer["points"]) == (10 * A_DAY - 4) * PRICE


def test_a_trend_of_one_product_at_one_location(viewer: httpx.Client) -> None:
    query = {"by": "month", "product_id": "001", "location": "south", "start": "2026-02-01", "end": "2026-02-28"}

    [point] = viewer.get("/api/sales/trend", params=query).json()["points"]

    assert (point["demand_units"], point["days"], point["stockout_share"]) == (2 * 28, 28, 0)


@pytest.mark.parametrize(
    ("by", "revenue"),
    [
        ("category", {"bread": 11 * 7, "dairy": 9 * 7 - 4}),
        ("location", {"north": 18 * 7 - 4, "south": 2 * 7}),
        ("product", {"003": 11 * 7, "002": 5 * 7 - 4, "001": 4 * 7}),
        ("customer_segment", {"regular": 18 * 7 - 4, None: 2 * 7}),
    ],
)
def test_a_breakdown_adds_up_to_the_revenue_the_most_first(
    viewer: httpx.Client, by: str, revenue: dict[str, int]
) -> None:
    query = {"by": by, "start": str(DAY - timedelta(days=6))}

    rows = viewer.get("/api/sales/breakdown", params=query).json()["rows"]

    assert {row["key"]: row["revenue"] for row in rows} == {key: units * PRICE for key, units in revenue.items()}
    assert [row["revenue"] for row in rows] == sorted((row["revenue"] for row in rows), reverse=True)
    assert sum(row["revenue_share"] for row in rows) == pytest.approx(1)


def test_a_period_is_compared_only_where_every_day_before_is_known(viewer: httpx.Client) -> None:
    known = (DAY - FIRST_DAY).days + 1

    [bread, *_] = viewer.get("/api/sales/breakdown", params={"start": str(DAY - timedelta(days=6))}).json()["rows"]
    whole = viewer.get("/api/sales/breakdown", params={"start": str(FIRST_DAY)}).json()["rows"]

    assert bread["previous_revenue"] == 11 * 7 * PRICE
    assert {row["previous_revenue"] for row in whole} == {None}
    assert figure(viewer, "revenue", known) == ((known * A_DAY - 4) * PRICE, None)


def test_key_figures_stand_beside_those_of_the_period_before(viewer: httpx.Client) -> None:
    assert figure(viewer, "revenue") == ((7 * A_DAY - 4) * PRICE, 7 * A_DAY * PRICE)
    assert figure(viewer, "in_stock_rate") == (pytest.approx(27 / 28), 1.0)
    # 3 units of each of four lines, at a cost of 1; and no table of stock eight days ago
    assert figure(viewer, "stock_value")[0] == 4 * 3 * 1.0
    assert figure(viewer, "days_of_supply")[0] == pytest.approx(4 * 3 * 7 / (7 * A_DAY - 4))


def test_days_that_end_before_they_begin_are_refused(viewer: httpx.Client) -> None:
    answer = viewer.get("/api/sales/trend", params={"start": "2026-03-05", "end": "2026-03-01"})

    assert answer.status_code == 422
    assert "no day between 2026-03-05 and 2026-03-01" in answer.json()["detail"]


def test_a_day_out_of_stock_shows_what_would_have_sold(viewer: httpx.Client) -> None:
    days = {day["day"]: day for day in viewer.get("/api/series/demand", params=LINE).json()["days"]}

    out = days[str(OUT[0])]
    assert (out["demand_units"], out["is_stockout"], out["estimated_demand_units"]) == (1, True, 5)
    assert {day["estimated_demand_units"] for key, day in days.items() if key != str(OUT[0])} == {None}
    assert len(days) == (DAY - FIRST_DAY).days + 1


def test_the_fan_is_the_newest_forecast(viewer: httpx.Client) -> None:
    answer = viewer.get("/api/series/forecast", params=LINE).json()

    of_line = [row for row in seasonal_naive_forecast(features(DAY)).to_pylist() if row["product_id"] == "002"]
    assert [day["q90"] for day in answer["days"]] == [row["q90"] for row in of_line]
    assert answer["model_version"] == "seasonal_naive"


def test_projected_stock_falls_by_the_forecast_and_rises_by_receipts(viewer: httpx.Client) -> None:
    answer = viewer.get("/api/series/forecast", params={"product_id": "001", "location": "north"}).json()
    order = viewer.get("/api/orders/line", params={"product_id": "001", "location": "north"}).json()["line"]

    # 3 on hand and 2 a day; 6 are due on the second day, the order can be sold on the fourth
    assert [day["without_order"] for day in answer["stock"][:5]] == [1, 5, 3, 1, 0]
    assert [day["with_order"] for day in answer["stock"][:4]] == [1, 5, 3, 1 + order["order_units"]]
    assert [day["receipts"] for day in answer["stock"][:3]] == [0, 6, 0]


def test_past_forecasts_stand_beside_what_sold(viewer: httpx.Client) -> None:
    answer = viewer.get("/api/series/past-forecasts", params={**LINE, "horizon": 1}).json()

    assert [day["target_date"] for day in answer["days"]] == [
        str(DAY - timedelta(days=n)) for n in range(FORECAST_DAYS - 2, -1, -1)
    ]
    assert {day["mean"] for day in answer["days"]} == {5}
    assert [day["demand_units"] for day in answer["days"] if day["is_stockout"]] == [1]


def test_sales_against_forecast(viewer: httpx.Client) -> None:
    days = {day["target_date"]: day for day in viewer.get("/api/forecasts").json()["days"]}

    today, tomorrow = days[str(DAY)], days[str(DAY + timedelta(days=1))]
    assert (today["mean"], today["demand_units"], today["origin"]) == (A_DAY, A_DAY, str(DAY - timedelta(days=1)))
    assert (tomorrow["mean"], tomorrow["demand_units"], tomorrow["origin"]) == (A_DAY, None, str(DAY))
    assert days[str(FIRST_DAY + timedelta(days=50))]["mean"] is None


@pytest.mark.parametrize(("query", "units"), [({"category": "bread"}, 11), ({"location": "south"}, 2)])
def test_sales_against_forecast_of_a_part(viewer: httpx.Client, query: dict[str, str], units: int) -> None:
    days = {day["target_date"]: day for day in viewer.get("/api/forecasts", params=query).json()["days"]}

    assert (days[str(DAY)]["mean"], days[str(DAY)]["demand_units"]) == (units, units)


def test_forecasts_that_were_right_have_no_error(viewer: httpx.Client) -> None:
    answer = viewer.get("/api/forecasts/accuracy").json()

    assert (answer["overall"]["wape"], answer["overall"]["bias"]) == (0, 0)
    assert answer["overall"]["expected_above"]["q90"] == 0.1
    assert [row["key"] for row in answer["by_horizon"]] == [str(n) for n in range(1, FORECAST_DAYS)]


def test_quality_tells_rules_and_counts(viewer: httpx.Client) -> None:
    answer = viewer.get("/api/quality").json()

    assert {(day["raw_lines"], day["cleaned_lines"], day["rejected_lines"]) for day in answer["days"]} == {(5, 4, 1)}
    [reason] = answer["reasons"]
    assert (reason["rule"], reason["lines"]) == ("quantity_not_a_number", FORECAST_DAYS)


def test_no_answer_holds_the_text_of_a_line(viewer: httpx.Client) -> None:
    paths = ("quality", "kpis", "orders", "sales/breakdown?by=customer_segment", "exceptions", "snapshot")

    assert not [path for path in paths if SECRET[:10] in viewer.get(f"/api/{path}").text]


def test_filters_offer_what_the_newest_day_has(viewer: httpx.Client) -> None:
    answer = viewer.get("/api/choices").json()

    assert (answer["categories"], answer["locations"]) == (["bread", "dairy"], ["north", "south"])
    assert answer["suppliers"] == [{"key": "S1", "name": "Meadow"}, {"key": "S2", "name": None}]
    assert [told["key"] for told in viewer.get("/api/products?q=product 3").json()["products"]] == ["003"]
