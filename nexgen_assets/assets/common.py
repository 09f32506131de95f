"""What all assets of the graph share: owners, one backfill policy, checks, and how an asset states its lookback."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, NotRequired, TypedDict

import dagster as dg

from nexgen_assets.io_managers.catalog import blocking_checks, table_metadata
from nexgen_assets.io_managers.delta import LOOKBACK, MAY_HAVE_GAPS
from nexgen_assets.tables import TABLES, Table

OWNERS = ["team:data-platform"]
SPARK_KINDS = {"pyspark", "deltalake", "s3"}
PYTHON_KINDS = {"python", "deltalake", "s3"}
# op tags: of all that a run could do next, what nobody waits for comes last, so that orders are not delayed
LAST = {"dagster/priority": "-1"}


class TableArguments(TypedDict):
    """The keyword arguments of `@dg.asset` that follow from a table and its stage."""

    name: str
    io_manager_key: str
    metadata: dict[str, object]
    group_name: str
    kinds: set[str]
    owners: list[str]
    code_version: str
    partitions_def: NotRequired[dg.DailyPartitionsDefinition]
    backfill_policy: NotRequired[dg.BackfillPolicy]


def daily_table(
    table: Table, days: dg.DailyPartitionsDefinition, *, group: str, kinds: set[str], code_version: str
) -> TableArguments:
    """Keyword arguments of `@dg.asset` for a daily table: any range of days is one run."""
    return {
        "name": table.name,
        "partitions_def": days,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "io_manager_key": "tables",
        "metadata": table_metadata(table),
        "group_name": group,
        "kinds": kinds,
        "owners": OWNERS,
        "code_version": code_version,
    }


def small_table(table: Table, *, group: str, code_version: str) -> TableArguments:
    """Keyword arguments of `@dg.asset` for a table that is replaced as a whole."""
    return {
        "name": table.name,
        "io_manager_key": "tables",
        "metadata": table_metadata(table),
        "group_name": group,
        "kinds": PYTHON_KINDS,
        "owners": OWNERS,
        "code_version": code_version,
    }


def lookback(key: str, days: int, *, may_have_gaps: bool = False) -> dg.AssetIn:
    """An input that also holds the `days` before the run's days. The edge itself stays day to day.

    A run is refused if any of them was never built, unless `may_have_gaps`.
    """
    return dg.AssetIn(key=key, metadata={LOOKBACK: days, MAY_HAVE_GAPS: may_have_gaps})


def table_asset(**arguments: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`@dg.asset` of a table, with the rules of its audit as blocking checks.

    The IO manager evaluates them between stage and publish, where they can still stop the write.
    """
    checks = blocking_checks(TABLES[arguments["name"]])

    def decorate(compute: Callable[..., Any]) -> dg.AssetsDefinition:
        return dg.asset(check_specs=checks, **arguments)(_with_outputs_of(checks, compute))

    return decorate


def _with_outputs_of(checks: Sequence[dg.AssetCheckSpec], compute: Callable[..., Any]) -> Callable[..., Any]:
    """The function as Dagster wants it of an asset with checks: a generator that names each of its outputs.

    The checks' outputs are bare marks that come after the write; their evaluations are the IO manager's.
    """

    @wraps(compute)
    def outputs(*args: Any, **kwargs: Any) -> Iterator[dg.Output[Any]]:
        yield dg.Output(compute(*args, **kwargs))
        for check in checks:
            yield dg.Output(None, output_name=check.get_python_identifier())

    # an annotated return would have to be a tuple of all outputs
    signature = inspect.signature(compute).replace(return_annotation=inspect.Signature.empty)
    outputs.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue]
    outputs.__annotations__ = {name: kind for name, kind in compute.__annotations__.items() if name != "return"}
    return outputs
