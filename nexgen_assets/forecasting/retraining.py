"""Whether a training is due: the one rule, in numbers and in words.

What belongs here: the rule, as a pure function of evidence. What does not: gathering the evidence, and asking for the
training. Whether what comes out of it serves is another rule (`promotion.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from nexgen_assets.verdicts import Number, Verdict

NO_RETRAINING_DUE = "no_retraining_due"
DRIFT_DAYS = 8  # a finding about the inputs of a week lasts a week if only one day was odd
PAUSE_DAYS = 7  # a training that did not help is not repeated before so much is new
RULE = (
    "This code can load the champion, the champion learned from sales of the last NEXGEN_RETRAIN_AFTER_DAYS days, and "
    f"no drift of its errors, its coverage or its inputs has lasted {DRIFT_DAYS} days. If it fails, the sensor "
    "`retraining` asks for a training."
)


@dataclass(frozen=True)
class Champion:
    """The model version that serves, and the last day of sales that it learned from."""

    version: str
    training_cutoff: date


@dataclass(frozen=True)
class Evidence:
    """What is known at the close of `day`.

    `last_cutoff` is that of the newest version of this code, whether it serves or not. `unusable` is why this code
    cannot load the champion, if it cannot: what forecasts then is an earlier one, or the seasonal naive.
    `drifting_days` says of each check how many days in a row, up to `day`, it has failed on the champion's own
    forecasts and inputs.
    """

    day: date
    champion: Champion | None
    last_cutoff: date | None = None
    unusable: str | None = None
    drifting_days: Mapping[str, int] = field(default_factory=dict)


def no_retraining_due(evidence: Evidence, most_days: int) -> Verdict:
    """Whether a training is due, and why.

    It is if this code cannot load the champion, if the champion's newest sales are more than `most_days` old, or if a
    check has failed DRIFT_DAYS days in a row. It is not without a champion (the first training needs no reason, and may
    need more history), nor within PAUSE_DAYS of the last day of the newest version that this code trained.
    """
    champion = evidence.champion
    if champion is None:
        words = f"{evidence.day}: no champion serves; the job `training` makes one"
        return Verdict(NO_RETRAINING_DUE, True, words, {"day": evidence.day.isoformat()})
    age = (evidence.day - champion.training_cutoff).days
    reasons = [
        f"{check} has failed {days} days in a row"
        for check, days in evidence.drifting_days.items()
        if days >= DRIFT_DAYS
    ]
    if age > most_days:
        reasons.insert(0, f"{champion.version} knows no sales of the last {age} days; {most_days} are allowed")
    if evidence.unusable:
        reasons.insert(0, f"{champion.version} serves no more: {evidence.unusable}")
    known = [evidence.last_cutoff, None if evidence.unusable else champion.training_cutoff]
    last = max(filter(None, known), default=None)
    is_tried = last is not None and (evidence.day - last).days < PAUSE_DAYS
    numbers: dict[str, Number] = {
        "day": evidence.day.isoformat(),
        "model_version": champion.version,
        "age_days": age,
        "most_age_days": most_days,
        "newest_training_cutoff": (last or champion.training_cutoff).isoformat(),
        **{f"days_{check}_failed": days for check, days in evidence.drifting_days.items()},
    }
    words = "; ".join(reasons) or f"{champion.version} is {age} days old, and nothing has drifted for long"
    if reasons and is_tried:
        words += f"; but a model that knows the sales up to {last} has just been tried"
    return Verdict(NO_RETRAINING_DUE, not reasons or is_tried, f"{evidence.day}: {words}", numbers)
