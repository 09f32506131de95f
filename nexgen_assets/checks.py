"""Asset checks that look at published days and stop nothing: quality warnings, and freshness by partition.

What belongs here: which small aggregates a check reads, and how Dagster learns its verdict. What does not: judging them
(`sales/quality.py`), and the blocking checks, which the audit of each write evaluates (`io_managers/audit.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from nexgen_assets.assets.common import LAST
from nexgen_assets.io_managers.catalog import verdict_metadata
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.evolution import OutdatedTableError
from nexgen_assets.partitions import RANGE_END_TAG
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.sales import quality
from nexgen_assets.settings import Settings
from nexgen_assets.tables import (
    CLEANED_SALES,
    DAILY_DEMAND,
    DAY,
    INVENTORY_POSITIONS,
    RAW_SALES,
    REJECTED_SALES,
    REORDER_RECOMMENDATIONS,
    Table,
)
from nexgen_assets.verdicts import Verdict

FRESHNESS = "freshness"
FRESH_TABLES = (RAW_SALES, REORDER_RECOMMENDATIONS)
MINUTES_AFTER_DEADLINE = 5
CHART_DAYS = 28

Reader = Callable[[DeltaTables, date], Verdict]


def quality_checks() -> list[dg.AssetChecksDefinition]:
    """The warnings about the newest day of a run, or of the table where no run says which."""
    return [
        warnings_about(
            "sales_quality",
            {
                (DAILY_DEMAND.name, quality.VOLUME): _volume,
                (DAILY_DEMAND.name, quality.LOCATIONS): _locations,
                (DAILY_DEMAND.name, quality.PRICES): _prices,
                (REJECTED_SALES.name, quality.REJECTS): _rejects,
                (CLEANED_SALES.name, quality.AMOUNTS): _amounts,
                (CLEANED_SALES.name, quality.NEAR_DUPLICATES): _near_duplicates,
            },
            quality.DESCRIPTIONS,
            newest_of=DAILY_DEMAND,
        ),
        warnings_about(
            "stock_quality",
            {(INVENTORY_POSITIONS.name, quality.STOCK): _stock},
            quality.DESCRIPTIONS,
            newest_of=INVENTORY_POSITIONS,
        ),
    ]


def selection_of(checks: Iterable[dg.AssetChecksDefinition]) -> dg.AssetSelection:
    """These checks alone: a rebuild of old months has nothing to say about the newest day."""
    return dg.AssetSelection.checks(*(spec.key for check in checks for spec in check.check_specs))


def warnings_about(
    name: str,
    readers: Mapping[tuple[str, str], Reader],
    descriptions: Mapping[str, str],
    *,
    newest_of: Table,
    after: Sequence[str] = (),
) -> dg.AssetChecksDefinition:
    """One step that evaluates several warnings, by asset and check: each reads a day and tells its verdict.

    The day is the last one of the run; where no run says which, the newest that `newest_of` holds rows of. In a run
    that makes the assets `after`, they come first.
    """
    specs = [
        dg.AssetCheckSpec(
            check,
            asset=asset,
            description=f"{descriptions[check]} A warning: nothing stops.",
            additional_deps=list(after),
        )
        for asset, check in readers
    ]

    @dg.multi_asset_check(name=name, specs=specs, can_subset=True, op_tags=LAST)
    def warnings(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        tables = DeltaTables(lake.access)
        day = _last_day_of(context.run.tags) or tables.last_day(newest_of)
        for (asset, check), read in readers.items():
            if dg.AssetCheckKey(dg.AssetKey(asset), check) in context.selected_asset_check_keys:
                verdict = _judged(check, read, tables, day) if day else Verdict(check, True, "there is no day yet")
                yield _result(verdict, asset, dg.AssetCheckSeverity.WARN)

    return warnings


def _judged(check: str, read: Reader, tables: DeltaTables, day: date) -> Verdict:
    """A warning that cannot be judged, because an older version wrote its days, warns of that and stops nothing."""
    try:
        return read(tables, day)
    except OutdatedTableError as error:
        return Verdict(check, False, f"{day} cannot be judged. {error}")


def _last_day_of(tags: Mapping[str, str]) -> date | None:
    key = tags.get(RANGE_END_TAG) or tags.get("dagster/partition")
    return date.fromisoformat(key) if key else None


def _result(verdict: Verdict, asset: str, severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=verdict.name,
        passed=verdict.passed,
        severity=severity,
        description=verdict.reason,
        metadata=verdict_metadata(verdict),
    )


# ---- the aggregates that each warning judges


def _volume(tables: DeltaTables, day: date) -> Verdict:
    sql = f'SELECT "{DAY}", sum(demand_units) AS n FROM source GROUP BY "{DAY}"'  # noqa: S608
    rows = tables.query(DAILY_DEMAND, sql, (DAY, "demand_units"), day - timedelta(weeks=quality.VOLUME_WEEKS), day)
    return quality.usual_volume(day, {row[DAY]: float(row["n"]) for row in rows})


def _locations(tables: DeltaTables, day: date) -> Verdict:
    lines: dict[date, dict[str, int]] = defaultdict(dict)
    closed: set[str] = set()
    told_closed = "bool_or(NOT is_open AND NOT is_open_inferred) AS told_closed"
    sql = f'SELECT "{DAY}", location, sum(sales_lines) AS n, {told_closed} FROM source GROUP BY 1, 2'  # noqa: S608
    columns = (DAY, "location", "sales_lines", "is_open", "is_open_inferred")
    for row in tables.query(DAILY_DEMAND, sql, columns, day - timedelta(weeks=quality.REPORTING_WEEKS), day):
        lines[row[DAY]][row["location"]] = row["n"]
        if row[DAY] == day and row["told_closed"]:
            closed.add(row["location"])
    return quality.all_locations_report(day, lines, closed)


def _prices(tables: DeltaTables, day: date) -> Verdict:
    today = f"\"{DAY}\" = DATE '{day}'"
    change = "abs(price / usual - 1)"
    rows = tables.query(
        DAILY_DEMAND,
        f"""
        SELECT product_id, location, usual, price, {change} > {quality.PRICE_JUMP} AS is_jump,
            count(*) OVER () AS compared,
            sum(CASE WHEN {change} > {quality.PRICE_JUMP} THEN 1 ELSE 0 END) OVER () AS jumped
        FROM (
            SELECT product_id, location,
                median(CASE WHEN {today} THEN NULL ELSE CAST(unit_price AS DOUBLE) END) AS usual,
                max(CASE WHEN {today} THEN CAST(unit_price AS DOUBLE) END) AS price
            FROM source WHERE sales_lines > 0 AND unit_price > 0
            GROUP BY product_id, location
        ) AS series
        WHERE usual IS NOT NULL AND price IS NOT NULL
        ORDER BY {change} DESC, product_id, location LIMIT {quality.SHOWN}
        """,  # noqa: S608
        (DAY, "product_id", "location", "sales_lines", "unit_price"),
        day - timedelta(weeks=quality.PRICE_WEEKS),
        day,
    )
    compared, jumped = (rows[0]["compared"], rows[0]["jumped"]) if rows else (0, 0)
    jumps = [
        quality.PriceJump(row["product_id"], row["location"], row["usual"], row["price"])
        for row in rows
        if row["is_jump"]
    ]
    return quality.usual_prices(day, compared, jumps, jumped)


def _rejects(tables: DeltaTables, day: date) -> Verdict:
    first = day - timedelta(days=CHART_DAYS - 1)
    sql = f'SELECT "{DAY}", rule, count(*) AS n FROM source WHERE NOT is_duplicate GROUP BY 1, 2'  # noqa: S608
    refused: dict[date, int] = defaultdict(int)
    rules: dict[str, int] = {}
    for row in tables.query(REJECTED_SALES, sql, (DAY, "rule", "is_duplicate"), first, day):
        refused[row[DAY]] += row["n"]
        if row[DAY] == day:
            rules[row["rule"]] = row["n"]
    return quality.few_rejected_lines(day, tables.rows_per_day(RAW_SALES, first, day), refused, rules)


def _amounts(tables: DeltaTables, day: date) -> Verdict:
    column = "is_amount_implausible"
    wrong = f"count(*) FILTER (WHERE {column})"
    return quality.amounts_fit_prices(
        day, *_whole_and_part(tables, CLEANED_SALES, column, f"count({column})", wrong, day)
    )


def _near_duplicates(tables: DeltaTables, day: date) -> Verdict:
    column = "is_near_duplicate"
    repeated = f"count(*) FILTER (WHERE {column})"
    return quality.few_near_duplicates(day, *_whole_and_part(tables, CLEANED_SALES, column, "count(*)", repeated, day))


def _stock(tables: DeltaTables, day: date) -> Verdict:
    column = "on_hand"
    unknown = f"count(*) - count({column})"
    return quality.stock_is_known(day, *_whole_and_part(tables, INVENTORY_POSITIONS, column, "count(*)", unknown, day))


def _whole_and_part(  # noqa: PLR0917  # two figures and what they are of
    tables: DeltaTables, table: Table, column: str, whole: str, part: str, day: date
) -> tuple[dict[date, int], dict[date, int]]:
    """Two figures, made of one column, of each day that a chart shows."""
    sql = f'SELECT "{DAY}", {whole} AS whole, {part} AS part FROM source GROUP BY "{DAY}"'  # noqa: S608
    rows = tables.query(table, sql, (DAY, column), day - timedelta(days=CHART_DAYS), day)
    return {row[DAY]: row["whole"] for row in rows}, {row[DAY]: row["part"] for row in rows}


# ---- freshness


def freshness_checks(settings: Settings, clock: Callable[[], datetime] | None = None) -> list[dg.AssetChecksDefinition]:
    """Whether yesterday's partition is there by NEXGEN_FRESH_BY; `clock` replaces the machine's, for tests.

    Dagster's own freshness policy looks at an asset's latest materialization, whatever its day; this looks at the day.
    """
    now = clock or (lambda: datetime.now(settings.zone))
    return [_freshness(table, settings, now) for table in FRESH_TABLES]


def _freshness(table: Table, settings: Settings, clock: Callable[[], datetime]) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=table.name,
        name=quality.FRESH,
        description=f"Yesterday's partition is there by {settings.fresh_by} ({settings.timezone}).",
    )
    def yesterday_is_there(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        now = clock().astimezone(settings.zone)
        yesterday = settings.last_complete_day(now)
        built = {
            date.fromisoformat(key) for key in context.instance.get_materialized_partitions(dg.AssetKey(table.name))
        }
        due = datetime.combine(now.date(), settings.fresh_by_time, settings.zone)
        verdict = quality.yesterday_is_there(
            yesterday, present=yesterday in built, newest=max(built, default=None), due=due, now=now
        )
        return _result(verdict, table.name, dg.AssetCheckSeverity.ERROR)

    return yesterday_is_there


def freshness_selection() -> dg.AssetSelection:
    """The freshness checks alone: they look at the clock, not at what a run has built."""
    return dg.AssetSelection.checks(*(dg.AssetCheckKey(dg.AssetKey(t.name), quality.FRESH) for t in FRESH_TABLES))


def freshness_job() -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        FRESHNESS, freshness_selection(), description="Whether yesterday's sales and orders are there; builds nothing."
    )


def freshness_schedule(settings: Settings) -> dg.ScheduleDefinition:
    after = datetime.combine(date.min, settings.fresh_by_time) + timedelta(minutes=MINUTES_AFTER_DEADLINE)
    # past midnight another day would be yesterday
    after = min(after, datetime.combine(date.min, time(23, 59)))
    return dg.ScheduleDefinition(
        name="freshness_after_deadline",
        cron_schedule=f"{after.minute} {after.hour} * * *",
        execution_timezone=settings.timezone,
        job_name=FRESHNESS,
        default_status=dg.DefaultScheduleStatus.RUNNING
        if settings.schedules == "on"
        else dg.DefaultScheduleStatus.STOPPED,
        description=f"{after:%H:%M}: look whether yesterday is there by {settings.fresh_by}.",
    )
