"""By which policy a line is ordered: the most specific upload in force decides, and decides as a whole."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.replenishment.line_policies import MATCHED, LinePolicies, line_policies
from nexgen_assets.replenishment.policy import Policy
from nexgen_assets.tables import ORDER_POLICIES

DAY = date(2026, 3, 10)
POLICY = Policy(0.95, 1)
VALUES: dict[str, tuple[str, ...]] = {
    "product_id": ("007", "008"),
    "location": ("north", "south"),
    "supplier_id": ("S1", "S2"),
    "category": ("dairy", "bread"),
    "demand_class": ("smooth", "lumpy"),
    "xyz_class": ("X", "Z"),
    "abc_class": ("A", "C"),
}


def rows_of(*rows: dict[str, Any]) -> pa.Table:
    told = {name: values[0] for name, values in VALUES.items()} | {"day": DAY, "order_days": None}
    schema = pa.schema([("day", pa.date32()), ("order_days", pa.string()), *((name, pa.string()) for name in VALUES)])
    return pa.Table.from_pylist([told | row for row in rows], schema=schema)


def uploads(*lines: dict[str, Any]) -> pa.Table:
    """Lines in order of arrival, a file each."""
    told = dict.fromkeys(MATCHED, "") | {"effective_date": DAY, "line_number": 2}
    arrived = datetime(2026, 3, 1, tzinfo=UTC)
    return pa.Table.from_pylist(
        [
            told | {"file_key": f"{number}.csv", "arrived_at": arrived + timedelta(hours=number)} | line
            for number, line in enumerate(lines)
        ],
        schema=ORDER_POLICIES.arrow_schema,
    )


def decided(*lines: dict[str, Any], **row: Any) -> LinePolicies:
    return line_policies(rows_of(row), uploads(*lines), POLICY)


def test_without_uploads_the_deployment_decides() -> None:
    policies = decided()

    assert (policies.kind[0], policies.service_level[0], policies.source[0]) == ("order_up_to", 0.95, "")
    assert policies.review_period_days.tolist() == [1]


def test_a_line_without_names_speaks_of_all() -> None:
    policies = decided({"service_level": 0.9})

    assert (policies.service_level[0], policies.source[0]) == (0.9, "0.csv:2")


def test_a_product_at_a_location_goes_before_the_product_and_that_before_its_segment() -> None:
    segment = {"abc_class": "A", "xyz_class": "X", "service_level": 0.99}
    product = {"product_id": "007", "service_level": 0.8}
    there = {"product_id": "007", "location": "south", "service_level": 0.7}

    policies = line_policies(
        rows_of({}, {"location": "south"}, {"product_id": "008"}), uploads(segment, product, there), POLICY
    )

    assert policies.service_level.tolist() == [0.8, 0.7, 0.99]


def test_a_line_decides_as_a_whole() -> None:
    policies = decided({"policy": "min_max", "service_level": 0.9}, {"product_id": "007", "lot_days": 3.0})

    assert (policies.kind[0], policies.service_level[0], policies.lot_days[0]) == ("order_up_to", 0.95, 3)


def test_the_last_line_in_force_replaces_the_ones_before() -> None:
    before = {"service_level": 0.9, "effective_date": DAY - timedelta(days=9)}
    later = {"service_level": 0.8, "effective_date": DAY + timedelta(days=1)}

    assert decided(before, later).service_level.tolist() == [0.9]
    assert decided(before, {"service_level": 0.7}).service_level.tolist() == [0.7]
    assert decided({"service_level": 0.7}, before).service_level.tolist() == [0.7]  # arrived later, holds earlier


def test_of_lines_of_one_day_the_one_that_arrived_last_holds() -> None:
    assert decided({"service_level": 0.9}, {"service_level": 0.8}).service_level.tolist() == [0.8]


def test_what_a_row_does_not_have_matches_no_name() -> None:
    assert decided({"supplier_id": "S1", "service_level": 0.8}, supplier_id=None).service_level.tolist() == [0.95]


def test_order_days_go_before_the_period_of_an_upload() -> None:
    weekly = {"review_period_days": 7}

    assert decided(weekly).review_period_days.tolist() == [5]  # from wednesday to monday
    assert decided(weekly, order_days="thu").review_period_days.tolist() == [1]


def test_rows_of_two_days_have_no_policies_in_common() -> None:
    with pytest.raises(ValueError, match="rows are of 2"):
        line_policies(rows_of({}, {"day": DAY + timedelta(days=1)}), uploads(), POLICY)


names = st.fixed_dictionaries({name: st.sampled_from(("", *values)) for name, values in VALUES.items()})
some_rows = st.fixed_dictionaries({name: st.sampled_from((None, *values)) for name, values in VALUES.items()})


@given(st.lists(names, max_size=12), st.lists(some_rows, min_size=1, max_size=8))
def test_no_other_line_that_speaks_of_a_row_is_more_specific(
    lines: list[dict[str, str]], rows: list[dict[str, str | None]]
) -> None:
    """The rule row by row, in words of its own: compare what the lines name, column by column."""
    numbered = [line | {"service_level": (index + 1) / 100} for index, line in enumerate(lines)]

    found = line_policies(rows_of(*rows), uploads(*numbered), POLICY).service_level.tolist()

    expected = []
    for row in rows:
        best: dict[str, Any] = dict.fromkeys(MATCHED, "") | {"service_level": POLICY.service_level}
        for line in numbered:  # in order of arrival: of equals the last one stays
            speaks = all(not line[name] or line[name] == row[name] for name in MATCHED)
            if speaks and [bool(line[name]) for name in MATCHED] >= [bool(best[name]) for name in MATCHED]:
                best = line
        expected.append(best["service_level"])
    assert found == expected
