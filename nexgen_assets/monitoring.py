"""Asset checks of forecasts in service: errors, inputs, and whether a training is due. They warn and stop nothing.

What belongs here: which rows and which model versions a check reads. What does not: judging them
(`forecasting/drift.py`, `forecasting/retraining.py`), and starting a training (`automation.py`).
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cache, partial

import dagster as dg
import pyarrow as pa

from nexgen_assets.checks import Reader, warnings_about
from nexgen_assets.forecasting import drift, retraining
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.aliases import ModelVersion
from nexgen_assets.resources.registry import Champions, ModelRegistry
from nexgen_assets.settings import Settings
from nexgen_assets.tables import CLEANED_FEATURES, FORECAST_ACCURACY
from nexgen_assets.verdicts import Verdict

TRAINED_MODEL = "trained_model"
DESCRIPTIONS = {**drift.DESCRIPTIONS, retraining.NO_RETRAINING_DUE: retraining.RULE}


def monitoring_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The warnings about the newest day of a run, or of the table where no run says which."""
    accuracy: dict[tuple[str, str], Reader] = {
        (FORECAST_ACCURACY.name, name): partial(_errors, name) for name in drift.ERROR_CHECKS
    }
    return [
        warnings_about("forecast_quality", accuracy, DESCRIPTIONS, newest_of=FORECAST_ACCURACY),
        warnings_about(
            "model_inputs", {(CLEANED_FEATURES.name, drift.FAMILIAR): _inputs}, DESCRIPTIONS, newest_of=CLEANED_FEATURES
        ),
        warnings_about(
            "training_need",
            {(TRAINED_MODEL, retraining.NO_RETRAINING_DUE): partial(_retraining, settings)},
            DESCRIPTIONS,
            newest_of=CLEANED_FEATURES,
            after=(CLEANED_FEATURES.name, FORECAST_ACCURACY.name),
        ),
    ]


def _errors(name: str, tables: DeltaTables, day: date) -> Verdict:
    rows = _window(tables, day)
    return drift.ERROR_CHECKS[name](day, rows, _promises(ModelRegistry(tables.access), rows))


def _inputs(tables: DeltaTables, day: date) -> Verdict:
    champion = ModelRegistry(tables.access).champion_for(day)
    return _familiar(tables, champion)(day) if champion else drift.no_inputs(day, "no champion serves")


def _retraining(settings: Settings, tables: DeltaTables, day: date) -> Verdict:
    """Judged at the newest day, whatever days the run has built: a training is about tomorrow."""
    registry, newest = ModelRegistry(tables.access), tables.last_day(CLEANED_FEATURES) or day
    champion = registry.champion_for(newest)
    if champion is None:
        return retraining.no_retraining_due(retraining.Evidence(newest, None), settings.retrain_after_days)
    rows = _window(tables, newest, retraining.DRIFT_DAYS - 1)
    own = _promises(registry, rows, only=champion.version)
    judges: dict[str, Callable[[date], Verdict]] = {
        name: lambda of, judge=judge: judge(of, rows, own) for name, judge in drift.ERROR_CHECKS.items()
    }
    judges[drift.FAMILIAR] = _familiar(tables, champion)
    champions = Champions(tables.access)
    evidence = retraining.Evidence(
        newest,
        retraining.Champion(champion.version, champion.training_cutoff),
        last_cutoff=_last_cutoff(registry, champions, newest),
        unusable=champions.passed_over(newest).get(champion.version),
        drifting_days={name: _failed_in_a_row(judge, newest) for name, judge in judges.items()},
    )
    return retraining.no_retraining_due(evidence, settings.retrain_after_days)


def _last_cutoff(registry: ModelRegistry, champions: Champions, newest: date) -> date | None:
    """Up to which day this code has trained, whether the version serves or not; None if not of late."""
    recent = [known for known in registry.versions() if (newest - known.training_cutoff).days < retraining.PAUSE_DAYS]
    return max(
        (known.training_cutoff for known in recent if champions.objection_to(known.version) is None), default=None
    )


def _failed_in_a_row(judge: Callable[[date], Verdict], day: date) -> int:
    """Days up to `day`, DRIFT_DAYS at most, on which a check fails without a day between."""
    for back in range(retraining.DRIFT_DAYS):
        if judge(day - timedelta(days=back)).passed:
            return back
    return retraining.DRIFT_DAYS


def _window(tables: DeltaTables, day: date, more_days: int = 0) -> pa.Table:
    return tables.read(FORECAST_ACCURACY, day - timedelta(days=drift.WINDOW_DAYS - 1 + more_days), day)


def _promises(registry: ModelRegistry, rows: pa.Table, only: str | None = None) -> dict[str, drift.Promise]:
    """What the models behind the rows showed on their hold-outs; a version whose entry has no scores showed nothing."""
    used = set(rows["model_version"].unique().to_pylist())
    known = [version.version for version in registry.versions() if version.version in used]
    scores = {name: registry.entry(name).get("scores") for name in known if only in (None, name)}
    return {name: drift.Promise.of(told) for name, told in scores.items() if told}


def _familiar(tables: DeltaTables, champion: ModelVersion) -> Callable[[date], Verdict]:
    """Judges the features up to a day against those of the champion's training; each day is read once."""
    cutoff = champion.training_cutoff
    features = tables.reader(CLEANED_FEATURES, cutoff - timedelta(days=drift.REFERENCE_YEAR), date.max)
    known = features.rows_per_day()

    @cache
    def counts(of: date) -> Mapping[str, drift.Counts]:
        return drift.class_counts(features.day(of, list(drift.INPUTS)))

    expected = drift.Spread.over([counts(of) for of in drift.reference_days(cutoff, known)])

    def judge(day: date) -> Verdict:
        found = drift.Spread.over([counts(of) for of in drift.recent_days(day) if of in known])
        return drift.familiar_inputs(day, found, expected, champion.version)

    return judge
