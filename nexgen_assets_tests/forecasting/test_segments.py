"""Segments tell series apart by what was known at the origin."""

import numpy as np
import pyarrow as pa
import pytest

from nexgen_assets.forecasting.segments import pattern_of, segments_of
from nexgen_assets.tables import CLEANED_FEATURES


def rows(**columns: list[object]) -> pa.Table:
    """Rows of `cleaned_features` with these columns, all else empty."""
    count = len(next(iter(columns.values())))
    schema = pa.schema([field.with_nullable(True) for field in CLEANED_FEATURES.arrow_schema])
    return pa.Table.from_arrays(
        [pa.array(columns.get(field.name, [None] * count), field.type) for field in schema], schema=schema
    )


@pytest.mark.parametrize(
    ("days", "pattern"),
    [
        ([4.0] * 91, "smooth"),
        ([1.0] * 80 + [40.0] * 11, "erratic"),
        ([4.0, 0.0, 0.0] * 30 + [4.0], "intermittent"),
        ([1.0, 0.0, 0.0] * 28 + [40.0] * 7, "lumpy"),
        ([0.0] * 91, "dormant"),
    ],
)
def test_patterns_follow_interval_and_variation_of_sizes(days: list[float], pattern: str) -> None:
    """The features' mean, spread and share of zeros are all it takes; here they are those of the days themselves."""
    found = pattern_of(
        rows(
            demand_mean_91=[float(np.mean(days))],
            demand_sd_91=[float(np.std(days))],
            zero_share_91=[float(np.mean(np.array(days) == 0))],
        )
    )
    sizes = np.array([units for units in days if units])
    if len(sizes):
        interval, variation = len(days) / len(sizes), sizes.var() / sizes.mean() ** 2
        names = [["smooth", "erratic"], ["intermittent", "lumpy"]]
        assert pattern == names[int(interval > 1.32)][int(variation > 0.49)]
    assert list(found) == [pattern]


def test_every_series_belongs_to_one_segment_of_each_kind() -> None:
    table = rows(category=["tea", None, "tea"], location=["north", "south", "south"], demand_mean_91=[1.0, None, 2.0])
    found = segments_of(table, np.array([3.0, 0.0, 2.0]))
    for kind in {kind for kind, _ in found.names}:
        chosen = [number for number, (of, _) in enumerate(found.names) if of == kind]
        np.testing.assert_array_equal(found.membership[chosen].sum(axis=0), 1)
    assert found.membership[found.names.index(("category", "(none)"))].tolist() == [0, 1, 0]
    assert found.membership[found.names.index(("location", "south"))].tolist() == [0, 1, 1]


def test_without_amounts_the_classes_follow_the_units() -> None:
    table = rows(category=["tea"] * 2, location=["north"] * 2, demand_mean_91=[90.0, 1.0], demand_mean_28=[90.0, 1.0])
    found = segments_of(table, np.zeros(2))
    assert found.membership[found.names.index(("abc", "A"))].tolist() == [1, 0]
