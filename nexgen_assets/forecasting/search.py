"""Search for better parameters: the recipe's own against others, by refits from past days.

What belongs here: which parameters are tried, and by what they are judged. What does not: reading tables, promotion.
Nothing found here serves before a training with it has passed the gate (`promotion.py`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nexgen_assets.forecasting.frame import Covariates
from nexgen_assets.forecasting.promotion import JUDGED
from nexgen_assets.forecasting.recipes import Recipe
from nexgen_assets.forecasting.training import TrainingData, refit_scores

if TYPE_CHECKING:
    import optuna

Parameters = dict[str, float]
RecipeOf = Callable[[Mapping[str, float]], Recipe]
DIGITS = 3  # of a parameter that is no whole number: what is tried is what can be written down


class SearchError(RuntimeError):
    """A search cannot run; the message says what to do."""


@dataclass(frozen=True)
class Range:
    """Values that are tried of a parameter, evenly or by orders of magnitude."""

    low: float
    high: float
    is_whole: bool = False
    is_logarithmic: bool = False


# not the rounds: every fit finds its own
SPACE: dict[str, Range] = {
    "max_depth": Range(3, 10, is_whole=True),
    "eta": Range(0.03, 0.3, is_logarithmic=True),
    "min_child_weight": Range(1, 200, is_whole=True, is_logarithmic=True),
    "subsample": Range(0.5, 1.0),
    "colsample_bynode": Range(0.2, 1.0),
    "reg_lambda": Range(0.1, 100, is_logarithmic=True),
}


@dataclass(frozen=True)
class Trial:
    """Parameters and their value: the mean of their errors over those of the code's own. None if given up early."""

    parameters: Parameters
    value: float | None


@dataclass(frozen=True)
class Found:
    """All trials in order; the first is the code's own parameters, whose value is 1."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        return min(self.trials, key=lambda trial: math.inf if trial.value is None else trial.value)

    @property
    def is_better(self) -> bool:
        return self.best is not self.trials[0]


def search(  # noqa: PLR0917
    data: Sequence[TrainingData],
    covariates: Covariates,
    recipe_of: RecipeOf,
    trials: int,
    seed: int,
    timeout_seconds: float | None = None,
    threads: int = 1,
    tell: Callable[[str], None] = print,
) -> Found:
    """Try parameters one after the other on the hold-outs of `data`, each refit up to its origin.

    The values tried follow from the seed (TPE; Bergstra et al., NeurIPS 24, 2011), so that the same data gives the same
    trials; a timeout ends them earlier. Trials that do worse than most after some of the hold-outs are given up. Raises
    SearchError without optuna, or where nothing can be judged.
    """
    optuna = _optuna()
    own = recipe_of({})
    own_scores = [(part, refit_scores(part, covariates, own, threads)) for part in data]
    judges = [(part, scores) for part, scores in own_scores if _judged(scores)]
    if not judges:
        raise SearchError("nothing was sold on the days that parameters are judged on")

    def value_of(trial: "optuna.Trial") -> float:
        recipe, ratios = recipe_of(_suggested(trial)), []
        for step, (part, scores) in enumerate(judges):
            found = scores if recipe == own else refit_scores(part, covariates, recipe, threads)
            ratios += [found[name] / scores[name] for name in _judged(scores)]
            trial.report(sum(ratios) / len(ratios), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return sum(ratios) / len(ratios)

    def told(_study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
        value = "given up" if trial.state != optuna.trial.TrialState.COMPLETE else f"{trial.value:.4f}"
        tell(f"trial {trial.number + 1} of {trials}: {value}, {trial.user_attrs['parameters']}")

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed), pruner=optuna.pruners.MedianPruner(n_startup_trials=8)
    )
    study.enqueue_trial({name: own.parameters[name] for name in SPACE})
    study.optimize(value_of, n_trials=trials, timeout=timeout_seconds, callbacks=[told])
    complete = optuna.trial.TrialState.COMPLETE
    return Found(
        tuple(Trial(t.user_attrs["parameters"], t.value if t.state == complete else None) for t in study.trials)
    )


def _judged(scores: Mapping[str, float]) -> list[str]:
    """The errors that the gate judges by, where the data defines them."""
    return [name for name in JUDGED if math.isfinite(scores[name]) and scores[name] > 0]


def _suggested(trial: "optuna.Trial") -> Parameters:
    parameters: Parameters = {}
    for name, r in SPACE.items():
        if r.is_whole:
            parameters[name] = trial.suggest_int(name, int(r.low), int(r.high), log=r.is_logarithmic)
        else:
            value = trial.suggest_float(name, r.low, r.high, log=r.is_logarithmic)
            parameters[name] = float(f"{value:.{DIGITS}g}")
    trial.set_user_attr("parameters", parameters)
    return parameters


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise SearchError(
            "the search needs Optuna: `uv sync --extra search`, or `pip install 'nexgen-assets[search]'`"
        ) from error
    return optuna
