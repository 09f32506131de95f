"""The audit of a write: the rules that its rows must keep before anything is public.

What belongs here: judging staged rows against the contract and against the tables they come from, as verdicts with
numbers. What does not: staging and publishing (`delta_tables`), and telling Dagster (`delta`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from nexgen_assets.tables import DAY, Ledger, Table
from nexgen_assets.verdicts import Number, Verdict

ROWS_PER_AUDIT = 3_000_000  # bounds the memory of a query that groups rows
# a day is a small file: reading is waiting, so many are opened at once
SCAN_SETTINGS = {"datafusion.execution.target_partitions": "16"}
OFFENDERS_SHOWN = 5
SERIES_GRAIN = (DAY, "product_id", "location")

SCHEMA, NO_FUTURE_DAYS, GRAIN, VALUES = "schema", "no_future_days", "unique_grain", "valid_values"
CONSERVATION, SAME_SERIES = "conservation_of_lines", "same_series"
LEDGER, MULTIPLES = "exact_ledger", "whole_packs"

Figures = dict[date, dict[str, float]]


class ContractError(ValueError):
    """A frame does not fit its table's contract; nothing was published. The verdicts say which rule is broken."""

    def __init__(self, message: str, verdicts: Sequence[Verdict] = ()) -> None:
        super().__init__(message)
        self.verdicts = tuple(verdicts) or (Verdict(SCHEMA, False, message),)


def rules_of(table: Table) -> dict[str, str]:
    """The rules that a write of this table is held to, by name, in words."""
    bounds = [f"{c.name} >= {c.minimum:g}" for c in table.columns if c.minimum is not None]
    limits = f" ({', '.join(bounds)})" if bounds else ""
    rules = {
        SCHEMA: "Columns and types are the contract's"
        + ("; every row belongs to a day of the run." if table.is_daily else "."),
        GRAIN: f"One row per {' x '.join(table.grain)}.",
        VALUES: f"Required values are there, numbers are numbers, none is below its minimum{limits}.",
    }
    if table.is_daily:
        rules[NO_FUTURE_DAYS] = "No row belongs to a day that has not closed yet."
    if table.ledgers:
        sums = "; ".join(f"{ledger.total} = {_sum(ledger)}" for ledger in table.ledgers)
        rules[LEDGER] = f"Each row sums exactly, in whole thousandths: {sums}."
    if table.multiples:
        told = ", ".join(f"{name} of {step}" for name, step in table.multiples.items())
        rules[MULTIPLES] = f"Each row holds whole multiples: {told}."
    if table.conservation:
        rules[CONSERVATION] = (
            f"Of each day, rows here and in {table.conservation.other} are together the rows of "
            f"{table.conservation.whole}: no line is lost or counted twice."
        )
    if table.same_series_as:
        more = f", and others only where {table.more_series} has a value" if table.more_series else ""
        rules[SAME_SERIES] = (
            f"A day holds exactly the products x locations that {table.same_series_as} holds that day{more}."
        )
    return rules


@dataclass(frozen=True)
class Staged:
    """Rows that are written and not yet public: their statistics by file, and where they can be queried."""

    start: date
    end: date
    rows_per_day: Mapping[date, int]
    rows_without_day: int
    stats: Sequence[dict[str, Any]]
    open: Callable[[], DeltaTable]

    @property
    def rows(self) -> int:
        return sum(self.rows_per_day.values())


@dataclass(frozen=True)
class Audited:
    """What an audit found: a verdict per rule, and the table's figures of each day."""

    verdicts: tuple[Verdict, ...]
    figures: Figures


def audit(
    table: Table, staged: Staged, published: Callable[[str], DeltaTable | None], last_day: date | None
) -> Audited:
    """Judge staged rows by every rule of the table; rows on wrong days are judged by no further rule.

    `published` opens a table by name; `last_day` is the last day that has closed, if there is such a limit.
    """
    of_days = [_schema(table, staged), _no_future_days(table, staged, last_day)]
    if not all(verdict.passed for verdict in of_days):
        return Audited(tuple(of_days), {})
    query = QueryBuilder(SCAN_SETTINGS)
    if staged.rows:
        query.register("stage", staged.open())
    values, figures = _values(table, staged, query)
    verdicts = [*of_days, values]
    if table.ledgers:
        verdicts.append(_rows_keep(LEDGER, table, staged, query, _broken_ledgers(table)))
    if table.multiples:
        verdicts.append(_rows_keep(MULTIPLES, table, staged, query, _broken_multiples(table)))
    if table.conservation:
        whole, other = (published(name) for name in (table.conservation.whole, table.conservation.other))
        verdicts.append(_conservation(table, staged, whole, other))
    compared = _compare_series(table, staged, query, published(table.same_series_as)) if table.same_series_as else None
    if compared:
        verdicts.append(_same_series(table, staged, compared))
    if compared and table.grain == SERIES_GRAIN:
        # the comparison has counted the rows of each grain already
        verdicts.append(_unique(table, staged, compared.examples if compared.doubled else []))
    else:
        verdicts.append(_unique(table, staged, _doubled(table, staged, query)))
    return Audited(tuple(verdicts), figures)


def audit_rows(table: Table, rows: pa.Table) -> tuple[Verdict, ...]:
    """The same for the rows of a small table, in memory."""
    import pyarrow.compute as pc

    grain = list(table.grain)
    numbers = {"rows": rows.num_rows}
    unique = rows.group_by(grain).aggregate([]).num_rows == rows.num_rows
    broken = None
    for column in table.columns:
        values = rows.column(column.name)
        if not column.nullable and values.null_count:
            broken = f'{values.null_count} rows with "{column.name}" IS NULL'
        elif pa.types.is_floating(column.type) and pc.all(pc.is_finite(values)).as_py() is False:  # pyright: ignore[reportAttributeAccessIssue]
            broken = _not_finite(column.name)
        elif column.minimum is not None:
            smallest = pc.min(values).as_py()  # pyright: ignore[reportAttributeAccessIssue]
            if smallest is not None and smallest < column.minimum:
                broken = f'"{column.name}" < {column.minimum}, such as {smallest}'
        if broken:
            break
    return (
        _passed(SCHEMA, table, numbers),
        _passed(GRAIN, table, numbers)
        if unique
        else _broken(GRAIN, table, f"several rows share one {' x '.join(grain)}", numbers),
        _broken(VALUES, table, broken, numbers) if broken else _passed(VALUES, table, numbers),
    )


def require(verdicts: Sequence[Verdict]) -> None:
    """Raise ContractError unless all passed."""
    if broken := [verdict.reason for verdict in verdicts if not verdict.passed]:
        raise ContractError("; ".join(broken), verdicts)


# ---- the rules


def _schema(table: Table, staged: Staged) -> Verdict:
    numbers = _numbers(staged)
    if staged.rows_without_day:
        return _broken(SCHEMA, table, f"rows without a {DAY}", numbers)
    if outside := [day.isoformat() for day in staged.rows_per_day if not staged.start <= day <= staged.end]:
        problem = f"rows of {', '.join(outside)} lie outside {staged.start}..{staged.end}"
        return _broken(SCHEMA, table, problem, numbers)
    return _passed(SCHEMA, table, numbers)


def _no_future_days(table: Table, staged: Staged, last_day: date | None) -> Verdict:
    numbers = {**_numbers(staged), "last_complete_day": str(last_day or "")}
    if last_day and (future := [day.isoformat() for day in staged.rows_per_day if day > last_day]):
        problem = f"rows of {', '.join(future)}, days that have not closed yet: the last complete day is {last_day}"
        return _broken(NO_FUTURE_DAYS, table, problem, numbers)
    return _passed(NO_FUTURE_DAYS, table, numbers)


def _unique(table: Table, staged: Staged, offenders: Sequence[dict[str, Any]]) -> Verdict:
    if offenders:
        problem = f"several rows share one {' x '.join(table.grain)}, such as {offenders}"
        return _broken(GRAIN, table, problem, _numbers(staged))
    return _passed(GRAIN, table, _numbers(staged))


def _doubled(table: Table, staged: Staged, query: QueryBuilder) -> list[dict[str, Any]]:
    """Some of the grains that several rows share, with the number `n` of their rows."""
    grain = ", ".join(f'"{name}"' for name in table.grain)
    for first, last in _chunks(staged.rows_per_day):
        rows = sum(n for day, n in staged.rows_per_day.items() if first <= day <= last)
        groups = f"SELECT {grain}, count(*) AS n FROM stage{where(first, last)} GROUP BY {grain}"  # noqa: S608
        if _scalar(query, f"SELECT count(*) FROM ({groups})") != rows:  # noqa: S608
            return _rows(query, f"SELECT * FROM ({groups}) WHERE n > 1 LIMIT {OFFENDERS_SHOWN}")  # noqa: S608
    return []


def _values(table: Table, staged: Staged, query: QueryBuilder) -> tuple[Verdict, Figures]:
    numbers = _numbers(staged)
    if not staged.rows:
        return _passed(VALUES, table, numbers), {}
    figures, not_numbers = _figures(table, query)
    broken = [
        f'"{c.name}" IS NULL'
        for c in table.columns
        if not c.nullable and c.name != DAY and not _no_nulls(c.name, staged.stats)
    ]
    broken += [
        f'"{c.name}" < {c.minimum}'
        for c in table.columns
        if c.minimum is not None and not _at_least(c.name, c.minimum, staged.stats)
    ]
    if not_numbers:
        broken += _reals(table)
    return _rows_keep(VALUES, table, staged, query, {rule: rule for rule in broken}), figures


def _rows_keep(name: str, table: Table, staged: Staged, query: QueryBuilder, broken: Mapping[str, str]) -> Verdict:
    """The verdict on a rule that each row keeps: no row may meet a condition (in SQL), by what it is called."""
    numbers = _numbers(staged)
    for words, condition in broken.items() if staged.rows else ():
        if found := _scalar(query, f"SELECT count(*) FROM stage WHERE {condition}"):  # noqa: S608
            key = ", ".join(f'"{column}"' for column in table.grain)
            rows = _rows(query, f"SELECT {key} FROM stage WHERE {condition} LIMIT {OFFENDERS_SHOWN}")  # noqa: S608
            problem = f"{found} rows with {words}, such as {rows}"
            return _broken(name, table, problem, {**numbers, "broken_rows": found})
    return _passed(name, table, numbers)


def _broken_ledgers(table: Table) -> dict[str, str]:
    """Conditions of rows whose units are no whole thousandths, or do not sum."""
    columns = {name: None for ledger in table.ledgers for name in (ledger.total, *ledger.signs)}
    broken = {f"{name} in parts of a thousandth": f'{_thousandths(name)} / 1000 <> "{name}"' for name in columns}
    for ledger in table.ledgers:
        parts = " + ".join(f"{sign} * {_thousandths(name)}" for name, sign in ledger.signs.items())
        broken[f"{ledger.total} other than {_sum(ledger)}"] = f"{_thousandths(ledger.total)} <> {parts}"
    return broken


def _broken_multiples(table: Table) -> dict[str, str]:
    return {
        f"{name} no whole multiple of {step}": (
            f"{_thousandths(name)} <> 0 AND "
            f"({_thousandths(step)} = 0 OR {_thousandths(name)} % {_thousandths(step)} <> 0)"
        )
        for name, step in table.multiples.items()
    }


def _thousandths(name: str) -> str:
    return f'round("{name}" * 1000)'


def _sum(ledger: Ledger) -> str:
    words = " ".join(f"{'+' if sign > 0 else '-'} {name}" for name, sign in ledger.signs.items())
    return words.removeprefix("+ ")


def _figures(table: Table, query: QueryBuilder) -> tuple[Figures, int]:
    """The figures of each day, and how many rows hold a real that is no number: statistics leave NaN out."""
    wanted = {name: f'CAST({sql} AS DOUBLE) AS "{name}"' for name, sql in table.figures.items()}
    if reals := _reals(table):
        wanted["not_numbers"] = f"count(*) FILTER (WHERE {' OR '.join(reals)}) AS not_numbers"
    if not wanted:
        return {}, 0
    days = _rows(query, f'SELECT "{DAY}", {", ".join(wanted.values())} FROM stage GROUP BY "{DAY}"')  # noqa: S608
    not_numbers = sum(row.pop("not_numbers", 0) for row in days)
    return {
        row.pop(DAY): {name: value for name, value in row.items() if value is not None} for row in days
    }, not_numbers


def _conservation(table: Table, staged: Staged, whole: DeltaTable | None, other: DeltaTable | None) -> Verdict:
    parts = table.conservation
    assert parts  # noqa: S101  # the caller asked
    received, elsewhere = (rows_per_day(found, staged.start, staged.end) for found in (whole, other))
    days = sorted({staged.start, *staged.rows_per_day, *received, *elsewhere})
    lost = {day: received.get(day, 0) - staged.rows_per_day.get(day, 0) - elsewhere.get(day, 0) for day in days}
    worst = max(days, key=lambda day: abs(lost[day]))
    numbers = {
        **_numbers(staged),
        f"{parts.whole}_rows": sum(received.values()),
        f"{parts.other}_rows": sum(elsewhere.values()),
        "worst_day": worst.isoformat(),
        "worst_difference": lost[worst],
    }
    if not lost[worst]:
        return _passed(CONSERVATION, table, numbers)
    problem = (
        f"{sum(bool(n) for n in lost.values())} days where rows and {parts.other} are not {parts.whole}; worst is "
        f"{worst}: {staged.rows_per_day.get(worst, 0)} + {elsewhere.get(worst, 0)}, not {received.get(worst, 0)}; "
        f"materialize {parts.whole} and {parts.other} of those days first if they are older"
    )
    return _broken(CONSERVATION, table, problem, numbers)


@dataclass(frozen=True)
class _Compared:
    """Products x locations of days: how many only the other table holds, only the stage, or the stage more than once.

    An example has the number `n` of its staged rows, and whether the other table holds it.
    """

    rows: int
    missing: int
    unknown: int
    doubled: int
    examples: list[dict[str, Any]]


def _compare_series(table: Table, staged: Staged, query: QueryBuilder, model: DeltaTable | None) -> _Compared:
    wanted = rows_per_day(model, staged.start, staged.end)
    may_be_more = f'CASE WHEN "{table.more_series}" IS NULL THEN 0 ELSE 1 END' if table.more_series else "0"
    sides = [("stage", f"1, {may_be_more}")] if staged.rows else []
    if model is not None and wanted:
        query.register("model", model)
        sides.append(("model", "0, 1"))
    key = ", ".join(f'"{name}"' for name in SERIES_GRAIN)
    # rows of a finer grain share a product x location rightly
    doubled = "n > 1" if table.grain == SERIES_GRAIN else "false"
    missing = unknown = several = 0
    examples: list[dict[str, Any]] = []
    for first, last in _chunks(_sum_of(staged.rows_per_day, wanted)):
        rows = " UNION ALL ".join(
            f"SELECT {key}, {counted} FROM {side}{where(first, last)}"  # noqa: S608
            for side, counted in sides
        )
        groups = (
            f"SELECT {key}, sum(here) AS n, max(there) > 0 AS is_wanted "  # noqa: S608
            f"FROM ({rows}) AS both({key}, here, there) GROUP BY {key}"
        )
        (found,) = _rows(
            query,
            "SELECT count(*) FILTER (WHERE n = 0) AS missing, count(*) FILTER (WHERE NOT is_wanted) AS unknown, "  # noqa: S608
            f"count(*) FILTER (WHERE {doubled}) AS several FROM ({groups})",
        )
        missing, unknown, several = missing + found["missing"], unknown + found["unknown"], several + found["several"]
        if any(found.values()) and not examples:
            offenders = f"SELECT * FROM ({groups}) WHERE n = 0 OR NOT is_wanted OR {doubled}"  # noqa: S608
            examples = _rows(query, f"{offenders} ORDER BY {key} LIMIT {OFFENDERS_SHOWN}")
    return _Compared(sum(wanted.values()), missing, unknown, several, examples)


def _same_series(table: Table, staged: Staged, compared: _Compared) -> Verdict:
    numbers = {
        **_numbers(staged),
        f"{table.same_series_as}_rows": compared.rows,
        "missing_series": compared.missing,
        "unknown_series": compared.unknown,
    }
    if not compared.missing and not compared.unknown:
        return _passed(SAME_SERIES, table, numbers)
    examples = [f"{row['product_id']} at {row['location']} on {row[DAY]}" for row in compared.examples]
    problem = (
        f"of the products x locations of {table.same_series_as}, {compared.missing} are missing, and "
        f"{compared.unknown} are not among them, such as {', '.join(examples)}; "
        f"if the tables in between are older, materialize them first"
    )
    return _broken(SAME_SERIES, table, problem, numbers)


def _passed(name: str, table: Table, numbers: Mapping[str, Number]) -> Verdict:
    return Verdict(name, True, f"{table.name}: {numbers['rows']:,} rows keep the rule", numbers)


def _broken(name: str, table: Table, problem: str, numbers: Mapping[str, Number]) -> Verdict:
    return Verdict(name, False, f"{table.name}: {problem}", numbers)


def _numbers(staged: Staged) -> dict[str, Number]:
    days = str(staged.start) if staged.start == staged.end else f"{staged.start}..{staged.end}"
    return {"days": days, "rows": staged.rows}


# ---- queries


def rows_per_day(table: DeltaTable | None, start: date, end: date) -> dict[date, int]:
    """Rows of each day of start..end that holds any, from the table's log."""
    if table is None:
        return {}
    adds = pa.table(cast("Any", table.get_add_actions(flatten=True)))
    rows: dict[date, int] = {}
    for day, n in zip(adds.column(f"partition.{DAY}").to_pylist(), adds.column("num_records").to_pylist(), strict=True):
        if start <= day <= end:
            rows[day] = rows.get(day, 0) + n
    return rows


def where(start: date | None, end: date | None) -> str:
    """The SQL condition of days start..end."""
    bounds = [f"\"{DAY}\" {op} DATE '{day}'" for op, day in ((">=", start), ("<=", end)) if day is not None]
    return f" WHERE {' AND '.join(bounds)}" if bounds else ""


def _sum_of(one: Mapping[date, int], other: Mapping[date, int]) -> dict[date, int]:
    return {day: one.get(day, 0) + other.get(day, 0) for day in sorted({*one, *other})}


def _scalar(query: QueryBuilder, sql: str) -> int:
    return pa.table(cast("Any", query.execute(sql).read_all())).column(0)[0].as_py()


def _rows(query: QueryBuilder, sql: str) -> list[dict[str, Any]]:
    return pa.table(cast("Any", query.execute(sql).read_all())).to_pylist()


def _chunks(rows: Mapping[date, int]) -> Iterator[tuple[date, date]]:
    """Runs of days that together hold at most ROWS_PER_AUDIT rows (or are one day)."""
    first = last = None
    held = 0
    for day, n in rows.items():
        if first is not None and last is not None and held + n > ROWS_PER_AUDIT:
            yield first, last
            first, held = None, 0
        first, last, held = first or day, day, held + n
    if first is not None and last is not None:
        yield first, last


def _reals(table: Table) -> list[str]:
    return [_not_finite(c.name) for c in table.columns if pa.types.is_floating(c.type)]


def _no_nulls(name: str, stats: Sequence[dict[str, Any]]) -> bool:
    """True if the files' own statistics prove that the column has no null; False if they do not tell."""
    return all(entry.get("nullCount", {}).get(name) == 0 for entry in stats)


def _at_least(name: str, minimum: float, stats: Sequence[dict[str, Any]]) -> bool:
    found = [entry.get("minValues", {}).get(name) for entry in stats]
    return all(isinstance(value, (int, float)) and value >= minimum for value in found)


def _not_finite(name: str) -> str:
    """True for NaN and the infinities only: subtracted from themselves they are no number."""
    return f'isnan("{name}" - "{name}")'
