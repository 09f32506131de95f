"""Promotion effects: by how much a promotion lifts what a product sells, learnt from its own past and its category's.

What belongs here: which share of a series was on promotion each day, what its demand says of the effect, and how what
little data says is shrunk. What does not: the category's effects, which Spark sums (`features.py`), and the plans of a
target day (`plans.py`).

An effect is the least-squares slope of demand on the share on promotion, in multiples of the level without: 2 says that
three times as much is sold where all of a location is on promotion. It is the ratio of two sums over the days on
promotion, of share x (demand - level) and of share^2 x level. A product's own sums are shrunk towards the ratio of its
category by adding that ratio times PRIOR_UNITS, the category's towards that of all products (an empirical Bayes ratio,
as credibility theory has it: Buehlmann & Gisler, A Course in Credibility Theory and its Applications, 2005, ch. 4).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.grid import (
    THOUSANDTHS,
    Grid,
    SameProductAndDay,
    WindowSums,
    days_since_first_sale,
    reals,
    text,
    whole,
)
from nexgen_assets.forecasting.rows import keys_that_hold

if TYPE_CHECKING:
    import pandas as pd

Whole = NDArray[np.int64]
Reals = NDArray[np.float64]

EFFECT_DAYS = 301  # with the level's days before them, within the shortest lookback
LEVEL_DAYS = 91
FEWEST_LEVEL_DAYS = 7
SHARE_SCALE = 100
PRIOR_UNITS = 1.0  # expected units at full promotion that the category's effect counts as
CATEGORY_PRIOR_UNITS = 20.0


def effect_of(name: str) -> str:
    """The feature that tells the effect of a covariate."""
    return f"{name}_effect"


@dataclass(frozen=True)
class Promotions:
    """What was on promotion, as known on each day: one entry per run of days of a key.

    `keys` are those of the entries (`rows.key_of`; an empty product or location stands for every one), `start` and
    `end` days since 1970, `share` hundredths. Where entries overlap, the largest share counts.
    """

    name: str
    keys: pa.DictionaryArray
    start: Whole
    end: Whole
    share: Whole

    def within(self, first_day: int, days: int) -> "Promotions":
        """The entries that reach into these days: Spark sends them along with its plan."""
        reaching = np.flatnonzero((self.end >= first_day) & (self.start < first_day + days))
        keys = self.keys.take(pa.array(reaching)).cast(pa.string()).dictionary_encode()
        return Promotions(self.name, keys, *(values[reaching] for values in (self.start, self.end, self.share)))

    def shares(self, keys: Sequence[pa.Array], first_day: int, days: int) -> Whole:
        """The share [series, days] of each series from `first_day` on; `keys` holds all that stand for the series."""
        grid = np.zeros((len(keys[0]), days), np.int64)
        for wanted in keys:
            series, entries = self._entries_of(wanted)
            begin = np.maximum(self.start[entries] - first_day, 0)
            lasting = np.maximum(np.minimum(self.end[entries] - first_day, days - 1) - begin + 1, 0)
            day = np.repeat(begin, lasting) + _counted(lasting)
            np.maximum.at(grid, (np.repeat(series, lasting), day), np.repeat(self.share[entries], lasting))
        return grid

    def _entries_of(self, wanted: pa.Array) -> tuple[Whole, Whole]:
        """All pairs of a wanted key's number and an entry of that key."""
        order, first = self._by_key
        code = self._known_keys.get_indexer(wanted.to_pandas())
        series = np.flatnonzero(code >= 0)
        begin, many = first[code[series]], np.diff(first)[code[series]]
        return np.repeat(series, many), order[np.repeat(begin, many) + _counted(many)]

    @cached_property
    def _known_keys(self) -> "pd.Index":
        import pandas as pd

        return pd.Index(self.keys.dictionary.to_pandas())

    @cached_property
    def _by_key(self) -> tuple[Whole, Whole]:
        """The entries by key, and where those of each key begin."""
        code = self.keys.indices.to_numpy()
        many = np.bincount(code, minlength=len(self.keys.dictionary))
        return np.argsort(code, kind="stable"), np.concatenate([[0], np.cumsum(many)])


def _counted(many: Whole) -> Whole:
    """0, 1, 2 ... for each number in turn: [2, 3] gives 0, 1, 0, 1, 2."""
    return np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)


def effect_terms(units: Whole, share: Whole, is_censored: NDArray[np.bool_]) -> tuple[Whole, Whole]:
    """Of each series and day: share x (demand - level), and share^2 x level; 0 where the day tells nothing.

    `units` [series, days] are thousandths, shares hundredths. The level is the mean of the last LEVEL_DAYS without
    promotion, of days that are not censored (out of stock, closed or unknown), and needs FEWEST_LEVEL_DAYS of them.
    """
    is_free = (share == 0) & ~is_censored
    free_days = _trailing(is_free.astype(np.int64))
    level = _trailing(np.where(is_free, units, 0)) // np.maximum(free_days, 1)
    tells = (share > 0) & ~is_censored & (free_days >= FEWEST_LEVEL_DAYS)
    return np.where(tells, share * (units - level), 0), np.where(tells, share**2 * level, 0)


def _trailing(values: Whole) -> Whole:
    running = np.pad(np.cumsum(values, axis=1), ((0, 0), (LEVEL_DAYS, 0)))
    return running[:, LEVEL_DAYS:] - running[:, :-LEVEL_DAYS]


def in_units(excess: Whole, exposure: Whole) -> tuple[Reals, Reals]:
    """Sums of `effect_terms` with share as a fraction and demand in units."""
    return excess / (SHARE_SCALE * THOUSANDTHS), exposure / (SHARE_SCALE**2 * THOUSANDTHS)


def shrunk(excess: Whole, exposure: Whole, prior: Reals) -> Reals:
    """The effect of a product from its sums and its category's effect."""
    over, level = in_units(excess, exposure)
    return (over + PRIOR_UNITS * prior) / (level + PRIOR_UNITS)


class EffectSums(NamedTuple):
    """Sums of `effect_terms` over the days that tell, for the wanted rows of a grid."""

    excess: Whole
    exposure: Whole


def effect_sums(
    grid: Grid, wanted: Whole, lookback_days: int, promotions: Sequence[Promotions]
) -> Iterator[EffectSums]:
    """Of each promotion, over EFFECT_DAYS; days whose level reaches back before the first sale do not tell."""
    units = whole(grid.rows, "units")
    is_censored = grid.dense(whole(grid.rows, "is_unknown") | whole(grid.rows, "is_stockout")) > 0
    oldest = np.clip(days_since_first_sale(grid, units, wanted, lookback_days) - (LEVEL_DAYS - 1), -1, EFFECT_DAYS - 1)
    keys, demand = _series_keys(grid), grid.dense(units)
    for promotion in promotions:
        terms = effect_terms(demand, promotion.shares(keys, grid.first_day, grid.shape[1]), is_censored)
        yield EffectSums(*(WindowSums(term, grid, wanted).between(0, oldest) for term in terms))


def effects_on_products(
    grid: Grid, wanted: Whole, lookback_days: int, promotions: Sequence[Promotions]
) -> dict[str, Reals]:
    """The effect of each promotion on a product at all its locations, by feature.

    The rows of the grid hold the effect on their category as `category_effect_<number of the promotion>`.
    """
    pooled = SameProductAndDay(grid, wanted)
    found: dict[str, Reals] = {}
    for i, sums in enumerate(effect_sums(grid, wanted, lookback_days, promotions)):
        of_category = reals(grid.rows.column(f"category_effect_{i}").take(wanted))
        effect = shrunk(pooled.sum(sums.excess), pooled.sum(sums.exposure), of_category)
        found[effect_of(promotions[i].name)] = effect
    return found


def _series_keys(grid: Grid) -> list[pa.Array]:
    some_row = pa.array(np.unique(grid.series, return_index=True)[1])
    product, location = (text(grid.rows.take(some_row), name) for name in ("product_id", "location"))
    return keys_that_hold(product, location)
