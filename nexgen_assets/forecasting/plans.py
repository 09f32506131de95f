"""Plans: what a retailer told of days ahead, its promotions, its prices and holidays of its own.

What belongs here: which lines of `tables.CALENDAR` were known at an origin, and what they say of the days around it.
What does not: whether a location is open (`closings.py`), and holidays of the country (`frame.py`).

A line with an empty product or location holds for every one. Promotions: where lines overlap, the largest share counts.
Prices: a line of the product goes before one of all products, then one of the location before one of all, then the one
that became known last.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.effects import SHARE_SCALE, Promotions
from nexgen_assets.forecasting.frame import COVARIATE_HISTORY_DAYS, KNOWN_DAYS, Flags, Real32, Whole, positions
from nexgen_assets.forecasting.rows import day_numbers, key_of, keys_that_hold
from nexgen_assets.tables import CALENDAR, HORIZON_DAYS

PLANNED_PROMOTION, PLANNED_PRICE_RATIO = "planned_promotion", "planned_price_ratio"
KNOWN_LAST = [(name, "ascending") for name in ("effective_date", "file_key", "line_number")]


class Plans:
    """What the lines of `tables.CALENDAR` tell of products at locations (see `frame.Covariates`)."""

    names = (PLANNED_PROMOTION, PLANNED_PRICE_RATIO)
    promotion_names = (PLANNED_PROMOTION,)
    static_names = ()

    def __init__(self, calendar: pa.Table) -> None:
        lines = calendar.sort_by(KNOWN_LAST)
        share, price = (lines[name].cast(pa.float64()).to_numpy() for name in ("promotion_share", "unit_price"))
        is_holiday = lines["holiday_name"].is_valid().to_numpy().astype(np.float64)
        self._promotions, self._prices, self._holidays = (_Lines.of(lines, told) for told in (share, price, is_holiday))

    @classmethod
    def none(cls) -> "Plans":
        return cls(CALENDAR.arrow_schema.empty_table())

    def around(self, features: pa.Table, origin: Whole) -> list[Real32]:
        """The share of the location on promotion, and the planned price against the usual one, empty if none is told.

        The usual price is the mean of the days sold in the last 91.
        """
        share = self._promotions.around(features, origin, _largest)
        price = self._prices.around(features, origin, _first_told)
        return [
            _or_everywhere(share, 0, len(origin)),
            _or_everywhere(_against_usual(price, features), np.nan, len(origin)),
        ]

    def holidays(self, features: pa.Table, origin: Whole) -> Flags | None:
        """Days [rows, KNOWN_DAYS] around each origin on which a line names a holiday; None if none does."""
        told = self._holidays.around(features, origin, _largest)
        return None if told is None else told > 0

    def static(self, features: pa.Table) -> Real32:
        """Nothing: the category is a feature of its own."""
        return np.empty((features.num_rows, 0), np.float32)

    def promotions(self) -> tuple[Promotions, ...]:
        """What was on promotion on each day, as known on it; nothing if no promotion was ever told."""
        told = self._promotions
        if not len(told.key):
            return ()
        share = np.rint(told.value.astype(np.float64) * SHARE_SCALE).astype(np.int64)
        start = np.maximum(told.start, told.effective)
        return (Promotions(PLANNED_PROMOTION, told.key.dictionary_encode(), start, told.end, share),)


@dataclass(frozen=True)
class _Choice:
    """Which of several lines counts: of one key (into an array, by index), and of keys from the narrowest on."""

    overlapping: Callable[[Real32, Whole, Real32], None]
    over_keys: Callable[[list[Real32]], Real32]


@dataclass(frozen=True)
class _Lines:
    """Lines that tell one thing, in the order in which they became known."""

    key: pa.Array
    start: Whole
    end: Whole
    effective: Whole
    value: Real32

    @classmethod
    def of(cls, calendar: pa.Table, value: NDArray[np.float64]) -> "_Lines":
        """Those of the calendar whose value is more than 0."""
        told = np.flatnonzero(value > 0)
        lines = calendar.take(told)
        start, end, effective = (day_numbers(lines[name]) for name in ("start_date", "end_date", "effective_date"))
        return cls(
            key_of(lines["product_id"], lines["location"]), start, end, effective, value[told].astype(np.float32)
        )

    def around(self, features: pa.Table, origin: Whole, choose: _Choice) -> Real32 | None:
        """Values [rows, KNOWN_DAYS] around each origin as known at it, 0 where none is told; None if none ever is."""
        if not len(self.key):
            return None
        values = np.zeros((len(origin), KNOWN_DAYS), np.float32)
        for day in np.unique(origin):
            lines = self._known_at(int(day))
            if len(lines):
                rows = np.flatnonzero(origin == day)
                product, location = (features[name].take(rows) for name in ("product_id", "location"))
                values[rows] = self._by_row(lines, int(day) - COVARIATE_HISTORY_DAYS + 1, product, location, choose)
        return values

    def _known_at(self, origin: int) -> Whole:
        reaches = (self.end > origin - COVARIATE_HISTORY_DAYS) & (self.start <= origin + HORIZON_DAYS)
        return np.flatnonzero(reaches & (self.effective <= origin))

    def _by_row(
        self, lines: Whole, first: int, product: pa.ChunkedArray, location: pa.ChunkedArray, choose: _Choice
    ) -> Real32:
        keys = self.key.take(lines).dictionary_encode()
        by_key = np.zeros((len(keys.dictionary) + 1, KNOWN_DAYS), np.float32)  # the last row: nothing told
        code, value = keys.indices.to_numpy(), self.value[lines]
        begin, end = self.start[lines] - first, self.end[lines] - first
        for offset in range(KNOWN_DAYS):
            runs = (begin <= offset) & (offset <= end)
            choose.overlapping(by_key[:, offset], code[runs], value[runs])
        wanted = keys_that_hold(product, location)
        return choose.over_keys([by_key[positions(key, keys.dictionary)] for key in wanted])


def _put_last(into: Real32, index: Whole, values: Real32) -> None:
    into[index] = values  # of lines with the same index, the last stays


def _first_found(by_key: list[Real32]) -> Real32:
    found = by_key[-1]
    for values in reversed(by_key[:-1]):
        found = np.where(values > 0, values, found)
    return found


_largest = _Choice(np.maximum.at, np.maximum.reduce)
_first_told = _Choice(_put_last, _first_found)


def _against_usual(price: Real32 | None, features: pa.Table) -> Real32 | None:
    if price is None:
        return None
    latest, ratio = (features[name].cast(pa.float32()).to_numpy() for name in ("unit_price", "price_ratio_91"))
    usual = np.where(ratio > 0, latest / np.where(ratio > 0, ratio, 1), latest)[:, None]
    is_told = (price > 0) & (usual > 0)
    return np.divide(price, usual, out=np.full_like(price, np.nan), where=is_told)


def _or_everywhere(values: Real32 | None, otherwise: float, rows: int) -> Real32:
    # one number seen from everywhere takes no memory
    return np.broadcast_to(np.float32(otherwise), (rows, KNOWN_DAYS)) if values is None else values
