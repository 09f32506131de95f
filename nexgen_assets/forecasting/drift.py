"""Whether forecasts are as good as their models promised, and whether what models are asked is what they learned from.

What belongs here: pure functions that turn sums of errors, or counts of features, into a verdict. What does not:
reading them, and what follows from a verdict (`retraining.py`).

A finding of errors has to be both large and no chance. Large: beyond a stated share. No chance: the tracking signal,
the sum of the daily errors over the sum of their sizes (Brown, Smoothing, Forecasting and Prediction of Discrete Time
Series, 1963; Trigg, Operational Research Quarterly 15, 1964), is further from 0 than three standard deviations of
independent normal errors, also without the worst day. A day counts once, however many series and origins forecast it,
because all of them err together.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.tables import QUANTILES, VOLUME_CLASSES
from nexgen_assets.verdicts import Number, Verdict

WINDOW_DAYS = 28
FEWEST_DAYS = 21  # fewer judged days than these decide nothing
LEAST_EXCESS = 0.1  # fewer additional errors than these, as a share of those expected, are no drift of any model
MOST_BIAS = 0.1  # of demand
COVERAGE_FACTOR = 1.5  # demand is above a quantile at most so many times as often as expected, or so many times less
FEWEST_MISSES = 30  # expected ones, the forecasts of one series and day counted once; with fewer a share is chance
JUDGED_COVERAGE = ("q90", "q95", "q99")
STANDARD_DEVIATIONS = 3.0
NORMAL_SIZE = math.sqrt(2 / math.pi)  # mean size of a standard normal error

MOST_DRIFT, SOME_DRIFT = 0.25, 0.1  # PSI: Siddiqi, Credit Risk Scorecards, 2006, ch. 9
CHANCE = 0.001
# a training stands for the year before its last day, by every so many days: no whole weeks, so that all weekdays count
REFERENCE_YEAR, REFERENCE_STEP = 364, 27
RECENT_DAYS = 7  # a day of promotions alone is not typical of what a model is asked
# upper bounds of the classes that a feature is counted by; unknown values are a class of their own
INPUTS: dict[str, tuple[float, ...]] = {
    "demand_mean_28": (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    "zero_share_28": (0.05, 0.25, 0.5, 0.75, 0.95),
    "price_ratio_91": (0.7, 0.9, 0.97, 1.03, 1.1, 1.3),
    "promotion_share_28": (0.0, 0.1, 0.25, 0.5),
    "stockout_share_28": (0.0, 0.1, 0.25, 0.5),
    "age_days": (28.0,),
}

ERRORS, BIAS, COVERAGE, FAMILIAR = (
    "errors_as_expected",
    "forecasts_unbiased",
    "quantiles_cover",
    "familiar_inputs",
)
DESCRIPTIONS = {
    ERRORS: f"Over {WINDOW_DAYS} days, models keep at least half of the advantage over the seasonal naive that they "
    f"had on their hold-out, or err at most {LEAST_EXCESS:.0%} more.",
    BIAS: f"Over {WINDOW_DAYS} days, the forecasts of models sum to demand, at most {MOST_BIAS:.0%} more or less.",
    COVERAGE: f"Over {WINDOW_DAYS} days, demand is above the 90, 95 and 99 % quantiles at most {COVERAGE_FACTOR:g} "
    "times as often as it should be or was on the hold-out, and not that many times less often.",
    FAMILIAR: f"The features of the last {RECENT_DAYS} days are spread as in the year that the champion learned from: "
    f"the population stability index of none is above {MOST_DRIFT:g}.",
}

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Promise:
    """What a model showed on its hold-out.

    `error_ratio` is its absolute error over that of the seasonal naive, `above` the share of demand above a quantile.
    """

    error_ratio: float
    above: Mapping[str, float]

    @classmethod
    def of(cls, scores: Mapping[str, Mapping[str, float]]) -> "Promise":
        """From the scores of a model version's entry; shares that they lack are those that right quantiles leave."""
        model, naive = scores["model"], scores["seasonal_naive"]
        covered = {name: model.get(f"coverage_{name}", math.nan) for name in JUDGED_COVERAGE}
        above = {name: 1 - (share if math.isfinite(share) else QUANTILES[name]) for name, share in covered.items()}
        return cls(model["wape"] / naive["wape"] if naive["wape"] else math.nan, above)


Promises = Mapping[str, Promise]


@dataclass(frozen=True)
class _Judged:
    """Rows of `tables.FORECAST_ACCURACY` by models that promised something, on the last WINDOW_DAYS days."""

    day: date
    rows: pa.Table
    days: list[date]
    row_day: NDArray[np.intp]

    @classmethod
    def of(cls, day: date, rows: pa.Table, promises: Promises) -> "_Judged":
        first = day - timedelta(days=WINDOW_DAYS - 1)
        facts = zip(rows["day"].to_pylist(), rows["model_version"].to_pylist(), strict=True)
        chosen = [first <= of <= day and model in promises for of, model in facts]
        rows = rows.filter(pa.array(chosen, pa.bool_()))
        days, row_day = np.unique(np.asarray(rows["day"].to_pylist(), dtype="datetime64[D]"), return_inverse=True)
        return cls(day, rows, days.tolist(), row_day)

    def __getitem__(self, name: str) -> Floats:
        return self.rows[name].cast(pa.float64()).to_numpy()

    def by_model(self, values: Mapping[str, float]) -> Floats:
        """For each row the value of its model."""
        return np.array([values[model] for model in self.rows["model_version"].to_pylist()], np.float64)

    def daily(self, values: Floats) -> Floats:
        return np.bincount(self.row_day, values, len(self.days)).astype(np.float64)

    @property
    def judged_days(self) -> int:
        """Days on which anything was in stock."""
        return int(np.count_nonzero(self.daily(self["series_days"])))

    @property
    def is_enough(self) -> bool:
        return self.judged_days >= FEWEST_DAYS

    @property
    def numbers(self) -> dict[str, Number]:
        return {
            "day": self.day.isoformat(),
            "judged_days": self.judged_days,
            "series_days": int(self["series_days"].sum()),
        }

    def too_few(self, name: str) -> Verdict:
        words = f"{self.day}: {self.judged_days} days with forecasts by a model, too few to judge ({FEWEST_DAYS})"
        return Verdict(name, True, words, self.numbers)


def tracking_signal(errors: Floats) -> float:
    """Sum of the errors over the sum of their sizes: 1 or -1 if all have one sign, 0 if they balance or are none."""
    size = np.abs(errors).sum()
    return float(errors.sum() / size) if size else 0.0


def is_no_chance(errors: Floats) -> bool:
    """Whether the tracking signal is beyond what independent errors around 0 give by chance.

    The largest error is left out, so that one day never decides.
    """
    others = np.delete(errors, np.abs(errors).argmax())
    return abs(tracking_signal(others)) > STANDARD_DEVIATIONS / (NORMAL_SIZE * math.sqrt(len(others)))


def errors_as_expected(day: date, rows: pa.Table, promises: Promises) -> Verdict:
    """Compare the absolute errors of the days up to `day` with the seasonal naive's on the same forecasts.

    So a season in which everything is harder to forecast is no drift. What is expected of each row is its model's own
    hold-out; half of the advantage is lost where the ratio is beyond the middle between that and 1. A model that had
    little to lose may err LEAST_EXCESS more.
    """
    judged = _Judged.of(day, rows, {name: told for name, told in promises.items() if math.isfinite(told.error_ratio)})
    naive = judged["seasonal_naive_absolute_error_units"]
    if not judged.is_enough or not naive.sum():
        return judged.too_few(ERRORS)
    promised = judged.by_model({model: promise.error_ratio for model, promise in promises.items()})
    found, expected = (float(units.sum() / naive.sum()) for units in (judged["absolute_error_units"], promised * naive))
    excess = judged.daily(judged["absolute_error_units"] - promised * naive)
    bound = max((expected + 1) / 2, expected * (1 + LEAST_EXCESS))
    units = judged["demand_units"].sum()
    numbers = {
        **judged.numbers,
        "errors_over_seasonal_naive": found,
        "expected_errors_over_seasonal_naive": expected,
        "bound": bound,
        "tracking_signal": tracking_signal(excess),
        **({"wape": float(judged["absolute_error_units"].sum() / units)} if units else {}),
    }
    return Verdict(
        ERRORS,
        not (found > bound and is_no_chance(excess)),
        f"{day}: errors of the last {WINDOW_DAYS} days are {found:.2f} times those of the seasonal naive; the hold-out "
        f"had {expected:.2f}, and {bound:.2f} would be too many",
        numbers,
        _by_day(judged, judged.daily(judged["absolute_error_units"]), judged.daily(naive)),
    )


def forecasts_unbiased(day: date, rows: pa.Table, promises: Promises) -> Verdict:
    """Judge the sum of the forecasts of the days up to `day` against demand."""
    judged = _Judged.of(day, rows, promises)
    actual, forecast = judged["demand_units"], judged["forecast_units"]
    if not judged.is_enough or not actual.sum():
        return judged.too_few(BIAS)
    errors = judged.daily(forecast - actual)
    bias = float(errors.sum() / actual.sum())
    return Verdict(
        BIAS,
        not (abs(bias) > MOST_BIAS and is_no_chance(errors)),
        f"{day}: forecasts of the last {WINDOW_DAYS} days are {bias:+.1%} off in sum; {MOST_BIAS:.0%} is allowed",
        {**judged.numbers, "bias": bias, "tracking_signal": tracking_signal(errors), **_by_class(judged)},
        _by_day(judged, judged.daily(forecast), judged.daily(actual)),
    )


def quantiles_cover(day: date, rows: pa.Table, promises: Promises) -> Verdict:
    """Count demand above the quantiles on the days up to `day`.

    Of series that mostly sell nothing even right quantiles are exceeded less often than their level says, so what the
    hold-out saw counts as well.
    """
    judged = _Judged.of(day, rows, promises)
    if not judged.is_enough:
        return judged.too_few(COVERAGE)
    found = {name: _Coverage.of(judged, promises, name) for name in JUDGED_COVERAGE}
    wrong = [words for one in found.values() if (words := one.problem)]
    told = [f"{one.share:.1%} above {name}" for name, one in found.items()]
    numbers = {**judged.numbers}
    for name, one in found.items():
        numbers |= {f"share_above_{name}": one.share, f"least_{name}": one.least, f"most_{name}": one.most}
    stockouts = judged["stockout_days"].sum()
    if stockouts:
        numbers["stockout_days"] = int(stockouts)
    return Verdict(
        COVERAGE,
        not wrong,
        f"{day}: of the demand of the last {WINDOW_DAYS} days {'; '.join(wrong or told)}",
        numbers,
        {f"above {name}, times its level": one.share / (1 - QUANTILES[name]) for name, one in found.items()},
    )


@dataclass(frozen=True)
class _Coverage:
    """How often demand was above a quantile, the band of what is expected, and whether leaving it is no chance."""

    name: str
    share: float
    least: float
    most: float
    is_judged: bool

    @classmethod
    def of(cls, judged: _Judged, promises: Promises, name: str) -> "_Coverage":
        level = 1 - QUANTILES[name]
        days, above = judged["series_days"], judged[f"above_{name}"]
        promised = judged.by_model({model: promise.above[name] for model, promise in promises.items()})
        share, held_out = (float(part.sum() / days.sum()) for part in (above, promised * days))
        low, high = sorted((level, held_out))
        reference = high if share > high else low
        independent = days.sum() / _horizons(judged)
        return cls(
            name,
            share,
            low / COVERAGE_FACTOR,
            high * COVERAGE_FACTOR,
            bool(independent * reference >= FEWEST_MISSES and is_no_chance(judged.daily(above - reference * days))),
        )

    @property
    def problem(self) -> str:
        if not self.is_judged or self.least <= self.share <= self.most:
            return ""
        return f"{self.share:.1%} is above {self.name}, where {self.least:.1%} to {self.most:.1%} are expected"


def _horizons(judged: _Judged) -> float:
    """How many forecasts there are of a series and day, on average."""
    horizon = judged.rows["horizon"].to_numpy()
    pairs = np.unique(np.stack([judged.row_day, horizon]), axis=1)
    return pairs.shape[1] / len(judged.days)


def _by_day(judged: _Judged, part: Floats, whole: Floats) -> dict[str, float]:
    return {day.isoformat(): float(p / w) for day, p, w in zip(judged.days, part, whole, strict=True) if w}


def _by_class(judged: _Judged) -> dict[str, Number]:
    """Bias of each volume class that sold anything."""
    classes = np.asarray(judged.rows["volume_class"].to_pylist())
    sums = {
        name: [float(judged[column][classes == name].sum()) for column in ("forecast_units", "demand_units")]
        for name in VOLUME_CLASSES
    }
    return {f"bias_{name}": forecast / actual - 1 for name, (forecast, actual) in sums.items() if actual}


ERROR_CHECKS: dict[str, Callable[[date, pa.Table, Promises], Verdict]] = {
    ERRORS: errors_as_expected,
    BIAS: forecasts_unbiased,
    COVERAGE: quantiles_cover,
}


# ---- inputs


@dataclass(frozen=True)
class Spread:
    """How features are spread over the classes of INPUTS on some days: rows of all `days` together."""

    counts: Mapping[str, Counts]
    days: int

    @classmethod
    def over(cls, days: Sequence[Mapping[str, Counts]]) -> "Spread":
        """From the `class_counts` of each day."""
        return cls({name: np.sum([counts[name] for counts in days], axis=0) for name in INPUTS if days}, len(days))


def reference_days(training_cutoff: date, known: Iterable[date]) -> list[date]:
    """Those of the `known` days whose features stand for what a training learned from, oldest first."""
    wanted = {training_cutoff - timedelta(days=back) for back in range(0, REFERENCE_YEAR, REFERENCE_STEP)}
    return sorted(wanted & set(known))


def recent_days(day: date) -> list[date]:
    """The days whose features are compared with those, the newest first."""
    return [day - timedelta(days=back) for back in range(RECENT_DAYS)]


def class_counts(features: pa.Table) -> dict[str, Counts]:
    """How many rows of `tables.CLEANED_FEATURES` are in each class of each of INPUTS; unknown values come last."""
    return {name: _class_counts(features[name], bounds) for name, bounds in INPUTS.items()}


def _class_counts(column: pa.ChunkedArray, bounds: Sequence[float]) -> Counts:
    # bounds as the column has them: 0.1 of 32 bits is not 0.1 of 64
    values, edges = column.cast(pa.float32()).to_numpy(), np.asarray(bounds, np.float32)
    place = np.where(np.isfinite(values), np.searchsorted(edges, values), len(bounds) + 1)
    return np.bincount(place, minlength=len(bounds) + 2)


def population_stability(expected: Counts, found: Counts) -> float:
    """PSI: sum of (p - q) ln(p / q) over the classes that either has, each with half a row more, so that none is 0."""
    is_used = (expected + found) > 0
    p, q = ((counts[is_used] + 0.5) / (counts[is_used] + 0.5).sum() for counts in (found, expected))
    return float(((p - q) * np.log(p / q)).sum())


def chance_stability(expected: Counts, found: Counts, expected_days: int = 1, found_days: int = 1) -> float:
    """The PSI that two samples of one population exceed once in a thousand times.

    It is about a chi-squared of one degree less than classes, times the sum of the samples' inverse sizes (Yurdakul &
    Naranjo, Journal of Risk Model Validation 14, 2020). Rows of several days are of the same series: they count as a
    sample of one day's size.
    """
    from scipy import stats

    degrees = max(int(((expected + found) > 0).sum()) - 1, 1)
    sizes = expected_days / max(expected.sum(), 1) + found_days / max(found.sum(), 1)
    return float(stats.chi2.ppf(1 - CHANCE, degrees) * sizes)


def familiar_inputs(day: date, found: Spread, expected: Spread, champion: str) -> Verdict:
    """Compare the features of the days up to `day` with those of the champion's training."""
    if not found.days or not expected.days:
        return no_inputs(day, f"no features of the training of {champion} to compare with")
    pairs = {name: (expected.counts[name], found.counts[name]) for name in INPUTS}
    index = {name: population_stability(*pair) for name, pair in pairs.items()}
    by_chance = {name: chance_stability(*pair, expected.days, found.days) for name, pair in pairs.items()}
    drifted = [name for name, psi in index.items() if psi > max(MOST_DRIFT, by_chance[name])]
    moderate = [name for name, psi in index.items() if psi > max(SOME_DRIFT, by_chance[name]) and name not in drifted]
    told = [f"{name} has drifted (PSI {index[name]:.2f})" for name in drifted]
    told += [f"{name} has somewhat (PSI {index[name]:.2f})" for name in moderate]
    return Verdict(
        FAMILIAR,
        not drifted,
        f"{day}: against the training of {champion}, {'; '.join(told) or 'features are spread as usual'}",
        {
            "day": day.isoformat(),
            "model_version": champion,
            "reference_days": expected.days,
            **{f"psi_{name}": psi for name, psi in index.items()},
            **{f"psi_{name}_by_chance": psi for name, psi in by_chance.items()},
        },
        {f"PSI {name}": psi for name, psi in index.items()},
    )


def no_inputs(day: date, why: str) -> Verdict:
    """There is nothing to compare the features with."""
    return Verdict(FAMILIAR, True, f"{day}: {why}", {"day": day.isoformat()})
