"""Which line of a versioned upload (such as products) holds on a day, and what it says of a row.

What belongs here: the rule of `effective_date`, for whoever joins such a table. What does not: parsing uploads
(`masterdata`), which source goes before which (`replenishment`).

A line holds from its `effective_date` to the day before that of the next line of the same key, which replaces it as a
whole: what the newer line leaves empty is unknown from then on.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  # its name everywhere

IN_TURN = ("effective_date", "arrived_at", "file_key", "line_number")


def held_on(lines: pa.Table, key: Sequence[str], day: date) -> list[dict[str, Any]]:
    """The lines of a small table of terms that hold on a day, one for each value of the columns `key`."""
    known = lines.filter(pc.call_function("less_equal", [lines["effective_date"], pa.scalar(day)]))
    in_turn = known.sort_by([(name, "ascending") for name in IN_TURN]).to_pylist()
    return list({tuple(line[name] for name in key): line for line in in_turn}.values())


def in_force(lines: DataFrame, key: tuple[str, ...], start: date, end: date) -> DataFrame:
    """The lines of a table of terms that hold on some day of `start`..`end`, with `holds_until`: the first day after.

    `lines` holds `tables.PRODUCTS`, `SUPPLIERS`, `ITEM_LOCATIONS` or `NETWORK`, `key` its columns of the grain that
    name the thing. Of several lines of one key with one `effective_date` the one that arrived last holds.
    `holds_until` is empty while no later line is known.
    """
    # of lines effective on one day all but the last to arrive hold until that very day: not at all
    in_turn = Window.partitionBy(*key).orderBy(*IN_TURN)
    known = lines.where(F.col("effective_date") <= F.lit(end))
    until = F.col("holds_until")
    return known.withColumn("holds_until", F.lead("effective_date").over(in_turn)).where(
        until.isNull() | ((until > F.col("effective_date")) & (until > F.lit(start)))
    )


def with_told(held: DataFrame, rows: DataFrame, key: Mapping[str, str], told: Mapping[str, str]) -> DataFrame:
    """Each row with what the line of `held` (from `in_force`) that holds on its `day` tells; empty without one.

    `key` maps columns of `held` to those of `rows` that name the same thing, `told` columns of `held` to new names.
    """
    lines = held.select(
        *(F.col(name).alias(f"key_{name}") for name in key),
        "effective_date",
        "holds_until",
        *(F.col(name).alias(alias) for name, alias in told.items()),
    )
    begun, ended = F.col("effective_date") <= F.col("day"), F.col("holds_until") <= F.col("day")
    is_told = begun & ~F.coalesce(ended, F.lit(False))
    for name, name_in_rows in key.items():
        is_told &= F.col(f"key_{name}") == F.col(name_in_rows)
    # the small side first: the embedded engine keeps the left side of a join in memory
    joined = lines.join(rows, is_told, "right")
    return joined.drop("effective_date", "holds_until", *(f"key_{name}" for name in key))
