"""Whether a model is fit to serve: the one rule of promotion, in numbers and in words.

What belongs here: the rule, as a pure function of scores. What does not: fitting and scoring (`training.py`), and where
the answer is kept.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nexgen_assets.verdicts import Number, Verdict

if TYPE_CHECKING:
    from nexgen_assets.forecasting.model import Real32, Scores

FIT_TO_SERVE = "fit_to_serve"
RULE = (
    "Beats the seasonal naive on 28 days it had not learnt from, is little biased, and forecasts finite units near the "
    "recent level. A new recipe also beats the champion's: refit to the same day, neither error more than 1 % worse, "
    "and better on average."
)
JUDGED = {"wape_total": "WAPE of the 28-day total", "wrmsse": "WRMSSE"}
Words = Mapping[str, str]
MOST_BIAS = 0.3
MOST_WORSE = 0.01
MOST_TIMES_LEVEL = 5.0


@dataclass(frozen=True)
class Opponent:
    """What a model is measured against beside the baselines: in words, and its scores on the same days.

    Without scores nothing is to be beaten, and the words say why.
    """

    words: str
    scores: Mapping[str, float] | None = None


@dataclass(frozen=True)
class FirstForecasts:
    """What the model would serve first: the sum of its means from the newest origin, and of the series' levels."""

    units: float
    recent_units: float
    is_valid: bool

    @classmethod
    def of(cls, means: "Real32", level: "Real32") -> "FirstForecasts":
        """From means [series, days] and levels [series], in units a day."""
        is_valid = bool(np.isfinite(means).all() and (means >= 0).all())
        return cls(float(means.sum(dtype=np.float64)), float(level.sum(dtype=np.float64) * means.shape[1]), is_valid)


def fit_to_serve(scores: "Scores", first: FirstForecasts, opponent: Opponent, objection: str | None = None) -> Verdict:
    """Whether a model may become champion. An `objection`, known beforehand, keeps it from that whatever its scores.

    Always: both judged errors (`JUDGED`) are below the seasonal naive's, the bias is at most `MOST_BIAS` of demand,
    and its first forecasts are finite, not negative, and within `MOST_TIMES_LEVEL` times the series' recent level,
    either way. Against an opponent with scores: neither error is more than `MOST_WORSE` above the opponent's, and the
    mean of both ratios is below 1. An error that the data does not define (WRMSSE where no sale has an amount) is not
    judged; another score that is no number fails.
    """
    judged = {name: words for name, words in JUDGED.items() if math.isfinite(scores["seasonal_naive"][name])}
    model = scores["model"]
    problems = [*_sanity(scores, first, judged), *(_contest(model, opponent, judged) if opponent.scores else ())]
    problems += [objection] if objection else []
    reason = f"not promoted: {'; '.join(problems)}" if problems else f"promoted: {_merits(model, opponent, judged)}"
    numbers = _numbers(scores, first, opponent, judged)
    return Verdict(FIT_TO_SERVE, not problems, reason, numbers, _chart(scores, opponent, judged))


def _sanity(scores: "Scores", first: FirstForecasts, judged: Words) -> Iterator[str]:
    model, naive = scores["model"], scores["seasonal_naive"]
    if not judged:
        yield "nothing was sold on the days it is judged on"
    for name, words in judged.items():
        if not model[name] < naive[name]:
            yield f"its {words} is {model[name]:.3f}, not below the {naive[name]:.3f} of the seasonal naive"
    if not abs(model["bias"]) <= MOST_BIAS:
        yield f"its forecasts are {model['bias']:+.0%} off in sum, more than {MOST_BIAS:.0%}"
    if not first.is_valid:
        yield "some of its first forecasts are negative or no numbers"
    elif not first.recent_units / MOST_TIMES_LEVEL <= first.units <= first.recent_units * MOST_TIMES_LEVEL:
        yield f"its first forecasts sum to {first.units:,.0f} units, where {first.recent_units:,.0f} are usual"


def _contest(model: Mapping[str, float], opponent: Opponent, judged: Words) -> Iterator[str]:
    ratios = _ratios(model, opponent, judged)
    for name, words in judged.items():
        if not ratios[name] <= 1 + MOST_WORSE:
            yield f"its {words} is {_compared(model, opponent, name)} of {opponent.words}"
    if not _mean(ratios) < 1:
        yield f"on average its errors are {_mean(ratios):.3f} times those of {opponent.words}"


def _merits(model: Mapping[str, float], opponent: Opponent, judged: Words) -> str:
    if not opponent.scores:
        return f"it beats the seasonal naive; {opponent.words}"
    told = " and ".join(f"{words} {_compared(model, opponent, name)}" for name, words in judged.items())
    return f"its {told} of {opponent.words}"


def _compared(model: Mapping[str, float], opponent: Opponent, name: str) -> str:
    return f"{model[name]:.3f} against {(opponent.scores or {})[name]:.3f}"


def _ratios(model: Mapping[str, float], opponent: Opponent, judged: Words) -> dict[str, float]:
    """The model's errors over the opponent's; an opponent without an error cannot be beaten."""
    theirs = opponent.scores or {}
    return {name: model[name] / theirs[name] if theirs[name] else math.inf for name in judged}


def _mean(ratios: Mapping[str, float]) -> float:
    return sum(ratios.values()) / len(ratios) if ratios else math.nan


def _numbers(scores: "Scores", first: FirstForecasts, opponent: Opponent, judged: Words) -> dict[str, Number]:
    model, naive, theirs = scores["model"], scores["seasonal_naive"], opponent.scores or {}
    numbers = {name: model[name] for name in (*JUDGED, "bias")}
    numbers |= {f"seasonal_naive_{name}": naive[name] for name in JUDGED}
    numbers |= {"first_forecasts_units": first.units, "recent_units": first.recent_units}
    if theirs:
        numbers |= {f"champion_{name}": theirs[name] for name in JUDGED}
        numbers["errors_times_champion"] = _mean(_ratios(model, opponent, judged))
    defined = {name: value for name, value in numbers.items() if math.isfinite(value)}
    return {**defined, "compared_with": opponent.words}


def _chart(scores: "Scores", opponent: Opponent, judged: Words) -> dict[str, float]:
    charted = {"model": scores["model"], "seasonal naive": scores["seasonal_naive"], "champion": opponent.scores or {}}
    bars = {
        f"{method}, {words}": found[name]
        for name, words in judged.items()
        for method, found in charted.items()
        if name in found
    }
    return bars if all(math.isfinite(value) for value in bars.values()) else {}
