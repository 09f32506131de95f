"""Whether a day of sales looks like the days before it.

What belongs here: pure functions that turn small aggregates per day into a verdict with its numbers. What does not:
reading the aggregates, and deciding what a verdict stops: none of these stops anything, a person looks at them.

Thresholds are chosen so that an ordinary week is silent: holidays and promotions move sales, a lost file empties them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple

from nexgen_assets.tables import IMPLAUSIBLE_AMOUNT_FACTOR
from nexgen_assets.verdicts import Verdict

VOLUME_WEEKS = 8  # weeks looked back on
VOLUME_MIN_WEEKS = 3  # fewer known weeks than these say nothing about what is usual
VOLUME_LOW, VOLUME_HIGH = 0.5, 2.0  # share of the median of the same weekday
REPORTING_WEEKS = 4  # weeks looked back on
REPORTING_MIN_WEEKS = 3  # a location that sold on so many of those weekdays is expected to sell on this one
PRICE_WEEKS = 8  # weeks looked back on
PRICE_JUMP = 0.5  # change against the median price of a product x location, as a share of it
PRICE_JUMP_SHARE = 0.05  # most product x locations that may jump on one day, as a share of those sold
REJECTED_SHARE = 0.02  # most refused lines of a day, as a share of its lines
IMPLAUSIBLE_AMOUNT_SHARE = 0.01  # most amounts in another unit than their price, as a share of those that can be judged
NEAR_DUPLICATE_SHARE = 0.01  # most lines that tell another file's sale in other words, as a share of all
UNKNOWN_STOCK_SHARE = 0.1  # most product x locations whose stock nobody told, as a share of all

VOLUME, LOCATIONS, PRICES = "usual_volume", "all_locations_report", "usual_prices"
REJECTS, STOCK = "few_rejected_lines", "stock_is_known"
AMOUNTS, NEAR_DUPLICATES = "amounts_fit_prices", "few_near_duplicates"
FRESH = "yesterday_is_there"
SHOWN = 5

DESCRIPTIONS = {
    VOLUME: f"Units sold are {VOLUME_LOW:.0%} to {VOLUME_HIGH:.0%} of the median of the same weekday in the last "
    f"{VOLUME_WEEKS} weeks.",
    LOCATIONS: f"Every location that sold on this weekday in at least {REPORTING_MIN_WEEKS} of the last "
    f"{REPORTING_WEEKS} weeks has sales.",
    PRICES: f"At most {PRICE_JUMP_SHARE:.0%} of the products x locations sold cost {PRICE_JUMP:.0%} more or less than "
    f"their median of the last {PRICE_WEEKS} weeks.",
    REJECTS: f"At most {REJECTED_SHARE:.0%} of the lines received are refused; the surplus of overlapping files is not "
    "counted.",
    AMOUNTS: f"At most {IMPLAUSIBLE_AMOUNT_SHARE:.0%} of the amounts are {IMPLAUSIBLE_AMOUNT_FACTOR} times quantity x "
    "unit price, or a tenth of it.",
    NEAR_DUPLICATES: f"At most {NEAR_DUPLICATE_SHARE:.0%} of the lines tell a sale of another file in other words: "
    "they are counted twice.",
    STOCK: f"Stock is unknown for at most {UNKNOWN_STOCK_SHARE:.0%} of the products x locations; where it is unknown, "
    "an order assumes that nothing is on hand.",
}


@dataclass(frozen=True)
class PriceJump:
    """A product x location whose price of the day is far from its median before."""

    product_id: str
    location: str
    usual: float
    price: float


def usual_volume(day: date, units: Mapping[date, float]) -> Verdict:
    """Compare the units of `day` with the same weekday before; a day that is not in `units` is not known."""
    before = {of: units[of] for of in _same_weekdays(day, VOLUME_WEEKS) if of in units}
    sold = units.get(day, 0.0)
    chart = {of.isoformat(): value for of, value in sorted({**before, day: sold}.items())}
    numbers = {"day": day.isoformat(), "units": sold, "known_weeks": len(before)}
    usual = median(before.values()) if before else 0.0
    if len(before) < VOLUME_MIN_WEEKS or not usual:
        return Verdict(VOLUME, True, f"{day}: {sold:,g} units; too few weeks to compare with", numbers, chart)
    ratio = sold / usual
    return Verdict(
        VOLUME,
        VOLUME_LOW <= ratio <= VOLUME_HIGH,
        f"{day}: {sold:,g} units, {ratio:.0%} of the {usual:,g} that are usual on a {day:%A}",
        {**numbers, "usual_units": usual, "ratio": ratio},
        chart,
    )


def all_locations_report(day: date, lines: Mapping[date, Mapping[str, int]], closed: Collection[str] = ()) -> Verdict:
    """Look for locations without a sale on `day` that the calendar does not call `closed`.

    `lines` holds sales lines per day and location.
    """
    weeks = [lines.get(of, {}) for of in _same_weekdays(day, REPORTING_WEEKS)]
    known = {location for week in weeks for location in week}
    expected = {at for at in known if sum(week.get(at, 0) > 0 for week in weeks) >= REPORTING_MIN_WEEKS}
    reporting = {location for location, count in lines.get(day, {}).items() if count > 0}
    missing = sorted(expected - reporting - set(closed))
    days = [day - timedelta(days=back) for back in reversed(range(7 * REPORTING_WEEKS))]
    return Verdict(
        LOCATIONS,
        not missing,
        f"{day}: {len(reporting)} locations report"
        + (f"; {len(missing)} that usually do on a {day:%A} are missing: {_some(missing)}" if missing else ""),
        {
            "day": day.isoformat(),
            "reporting_locations": len(reporting),
            "expected_locations": len(expected),
            "missing_locations": len(missing),
        },
        {of.isoformat(): sum(count > 0 for count in lines[of].values()) for of in days if of in lines},
    )


def usual_prices(day: date, compared: int, jumps: Sequence[PriceJump], jumped: int) -> Verdict:
    """Judge the `jumped` of the `compared` products x locations; `jumps` are the largest of them."""
    share = jumped / compared if compared else 0.0
    examples = [f"{jump.product_id} at {jump.location}: {jump.usual:g} -> {jump.price:g}" for jump in jumps]
    return Verdict(
        PRICES,
        share <= PRICE_JUMP_SHARE,
        f"{day}: {jumped} of {compared} prices ({share:.1%}) jumped by more than {PRICE_JUMP:.0%}"
        + (f", such as {_some(examples)}" if examples else ""),
        {"day": day.isoformat(), "compared_series": compared, "jumped_series": jumped, "jumped_share": share},
        {f"{jump.product_id} at {jump.location}": jump.price / jump.usual for jump in jumps[:SHOWN]},
    )


def few_rejected_lines(
    day: date, lines: Mapping[date, int], refused: Mapping[date, int], rules: Mapping[str, int]
) -> Verdict:
    """Judge the refused lines of `day`; `rules` says which rule refused how many of that day's."""
    worst = [f"{rule} {count:,}" for rule, count in sorted(rules.items(), key=lambda item: (-item[1], item[0]))]
    examples = f": {_some(worst)}" if worst else ""
    return _small_share(
        REJECTS, REJECTED_SHARE, day, lines, refused, _Words("lines", "refused", f"are refused{examples}")
    )


def amounts_fit_prices(day: date, judged: Mapping[date, int], implausible: Mapping[date, int]) -> Verdict:
    """Judge the amounts of `day` that are far from quantity x unit price, of those where all three are known."""
    words = _Words("amounts", "implausible", f"are {IMPLAUSIBLE_AMOUNT_FACTOR} times quantity x unit price, or a tenth")
    return _small_share(AMOUNTS, IMPLAUSIBLE_AMOUNT_SHARE, day, judged, implausible, words)


def few_near_duplicates(day: date, lines: Mapping[date, int], repeated: Mapping[date, int]) -> Verdict:
    """Judge the lines of `day` that tell a sale of another file in other words."""
    words = _Words("lines", "near_duplicate", "tell a sale of another file in other words")
    return _small_share(NEAR_DUPLICATES, NEAR_DUPLICATE_SHARE, day, lines, repeated, words)


def stock_is_known(day: date, series: Mapping[date, int], unknown: Mapping[date, int]) -> Verdict:
    """Judge how many products x locations of `day` have no stock that anybody told."""
    words = _Words("products x locations", "unknown_stock", "have no stock that anybody told")
    return _small_share(STOCK, UNKNOWN_STOCK_SHARE, day, series, unknown, words)


class _Words(NamedTuple):
    """What is counted, the name of what should be few among it, and the sentence that says so."""

    things: str
    few: str
    sentence: str


def _small_share(  # noqa: PLR0917
    check: str, limit: float, day: date, whole: Mapping[date, int], part: Mapping[date, int], words: _Words
) -> Verdict:
    """At most `limit` of the day's `whole` may be `part`."""
    total, found = whole.get(day, 0), part.get(day, 0)
    share = found / total if total else 0.0
    return Verdict(
        check,
        share <= limit,
        f"{day}: {found:,} of {total:,} {words.things} ({share:.1%}) {words.sentence}",
        {"day": day.isoformat(), "of": total, words.few: found, f"{words.few}_share": share},
        {on.isoformat(): part.get(on, 0) / count for on, count in sorted(whole.items()) if count},
    )


def yesterday_is_there(yesterday: date, *, present: bool, newest: date | None, due: datetime, now: datetime) -> Verdict:
    """Whether the day that closed last has been built; before `due` nobody is late."""
    late = (now - due).total_seconds() / 3600
    if present:
        reason = f"{yesterday} is there"
    elif late < 0:
        reason = f"{yesterday} is not there yet; due by {due:%H:%M}"
    else:
        reason = f"{yesterday} is {late:.1f} hours late; the newest day is {newest or 'none at all'}"
    return Verdict(
        FRESH,
        present or late < 0,
        reason,
        {"day": yesterday.isoformat(), "newest_day": str(newest or ""), "due": due.isoformat(timespec="minutes")},
    )


def _same_weekdays(day: date, weeks: int) -> list[date]:
    return [day - timedelta(weeks=back) for back in range(1, weeks + 1)]


def _some(found: Sequence[str]) -> str:
    return ", ".join(found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")
