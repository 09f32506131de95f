"""A panel is read as it is: an absent day is unknown, a known covariate is known ahead, a mistake is named."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nexgen_assets.forecasting.frame import COVARIATE_HISTORY_DAYS, EPOCH
from nexgen_assets.forecasting.panel import Panel, PanelColumns, PanelError, panel_of, read_panel

FIRST = date(2025, 1, 1)
COLUMNS = PanelColumns(known=("price", "event"), static=("family",), stockout="hours_out")


def _rows() -> pd.DataFrame:
    """Product a: days 0, 1, 3, 4 (the last without quantity); product b: from day 2."""
    days = {"a": [0, 1, 3, 4], "b": [2, 3]}
    return pd.DataFrame(
        [
            {
                "product_id": product,
                "location": "north",
                "date": FIRST + timedelta(days=day),
                "quantity": None if day == 4 else float(day % 2) * 2.5,
                "price": 10.0 + day,
                "event": "fair" if day == 3 else None,
                "family": "fruit" if product == "a" else "bread",
                "hours_out": 6 if day == 3 and product == "b" else 0,
            }
            for product, numbers in days.items()
            for day in numbers
        ]
    )


@pytest.fixture
def panel() -> Panel:
    return panel_of(_rows(), COLUMNS)


def _demand(panel: Panel, until: int) -> dict[tuple[str, int], dict]:
    rows = panel.demand(FIRST + timedelta(days=until)).to_pylist()
    return {(row["product_id"], (row["day"] - FIRST).days): row for row in rows}


def test_an_absent_day_has_a_row_of_unknown_demand(panel: Panel) -> None:
    demand = _demand(panel, 3)
    assert set(demand) == {("a", 0), ("a", 1), ("a", 2), ("a", 3), ("b", 2), ("b", 3)}
    assert demand["a", 2]["demand_units"] is None
    assert demand["a", 0]["demand_units"] == 0
    assert demand["a", 1]["demand_units"] == Decimal("2.5")


def test_quantities_after_the_day_asked_are_not_there(panel: Panel) -> None:
    assert max(day for _, day in _demand(panel, 1)) == 1
    assert all(product == "a" for product, _ in _demand(panel, 1))


def test_a_sale_is_as_old_as_the_days_since(panel: Panel) -> None:
    demand = _demand(panel, 3)
    assert [demand["a", day]["days_since_sale"] for day in range(4)] == [0, 0, 1, 0]


def test_a_stockout_is_one_above_zero(panel: Panel) -> None:
    demand = _demand(panel, 3)
    assert [key for key, row in demand.items() if row["is_stockout"]] == [("b", 3)]


def test_the_first_static_column_is_the_category(panel: Panel) -> None:
    assert {key[0]: row["category"] for key, row in _demand(panel, 3).items()} == {"a": "fruit", "b": "bread"}


def test_the_last_day_of_known_sales_ignores_rows_without_quantity(panel: Panel) -> None:
    assert panel.last_day == FIRST + timedelta(days=3)


def test_covariates_of_later_days_are_known_and_absent_ones_are_not(panel: Panel) -> None:
    origin = np.array([(FIRST - EPOCH).days + 1])
    features = pa.table({"product_id": ["a"], "location": ["north"]})
    price, event = np.stack(panel.covariates.around(features, origin))[:, 0, COVARIATE_HISTORY_DAYS - 2 :]
    np.testing.assert_array_equal(price[:6], np.float32([10, 11, np.nan, 13, 14, np.nan]))
    assert event[3] == 0  # the only name there is
    assert np.isnan(event[1])


def test_a_static_column_is_a_code_per_series(panel: Panel) -> None:
    features = pa.table({"product_id": ["b", "a"], "location": ["north", "north"]})
    np.testing.assert_array_equal(panel.covariates.static(features), np.float32([[0], [1]]))


def test_quantities_and_stockouts_of_later_days_change_nothing(panel: Panel) -> None:
    rows = _rows()
    later = rows["date"] > FIRST + timedelta(days=1)
    rows.loc[later, ["quantity", "hours_out"]] = [99.0, 9]
    until = FIRST + timedelta(days=1)
    assert panel_of(rows, COLUMNS).demand(until).equals(panel.demand(until))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantity": -1.0}, "quantity is -1.0 for product a, location north, 2025-01-01; it must be at least 0"),
        ({"date": None}, "rows have no date"),
        ({"quantity": "many"}, "quantity holds"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(change: dict, message: str) -> None:
    rows = _rows().astype(object)
    for name, value in change.items():
        rows.loc[0, name] = value
    with pytest.raises(PanelError, match=message):
        panel_of(rows.infer_objects(), COLUMNS)


def test_two_rows_of_a_day_are_refused() -> None:
    rows = _rows()
    with pytest.raises(PanelError, match="product a, location north, 2025-01-01 has two rows"):
        panel_of(pd.concat([rows, rows.head(1)], ignore_index=True), COLUMNS)


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "panel.parquet"
    _rows().drop(columns="price").to_parquet(path)
    with pytest.raises(PanelError, match=r"panel.parquet: there is no column 'price'; the file has product_id"):
        read_panel(path, COLUMNS)


def test_a_panel_without_rows_is_refused() -> None:
    with pytest.raises(PanelError, match="has no rows"):
        panel_of(_rows().head(0), COLUMNS)


def _shown(*columns: tuple[str, list[list[float]]]) -> Panel:
    """A panel of covariates alone: of each, one list of days for each product."""
    products = range(len(columns[0][1]))
    days = range(len(columns[0][1][0]))
    rows = [
        {"product_id": f"p{p}", "location": "north", "date": FIRST + timedelta(days=d), "quantity": 1.0}
        | {name: values[p][d] for name, values in columns}
        for p in products
        for d in days
    ]
    return panel_of(pd.DataFrame(rows), PanelColumns(known=tuple(name for name, _ in columns)))


def test_a_covariate_is_a_promotion_if_it_is_a_share_that_few_series_have_at_a_time() -> None:
    panel = _shown(
        ("promotion", [[0, 1, 0.5, 0], [0, 0, 0, 1], [0, 0, 0, 0]]),
        ("holiday", [[0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]),
        ("price", [[2, 1, 1, 1], [1, 1, 1, 1], [3, 1, 1, 1]]),
        ("never", [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]),
    )
    assert panel.covariates.promotion_names == ("promotion",)


def test_runs_of_days_with_the_same_share_give_that_share_back() -> None:
    values = [[0, 1, 0.5, 0.5, 0], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    [promotions] = _shown(("promotion", values)).covariates.promotions()
    keys = pa.array([f"p{p}\nnorth" for p in range(4)])
    assert len(promotions.share) == 4
    got = promotions.shares([keys], (FIRST - EPOCH).days, 5)
    np.testing.assert_array_equal(got, 100 * np.array(values))
