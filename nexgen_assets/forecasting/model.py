"""A trained model: what is stored of it, and how it forecasts.

What belongs here: the model's content, its files and its predictions. What does not: fitting (`training.py`) and where
versions are kept. XGBoost is imported where it is used, so that whoever only names the type does not pay for it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nexgen_assets.forecasting.frame import (
    Covariates,
    Frame,
    all_horizons,
    expand,
    feature_names,
    level_of,
)
from nexgen_assets.forecasting.listing import is_new_item
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.forecasting.quantiles import Calibration, daily_quantiles
from nexgen_assets.forecasting.recipes import Recipe
from nexgen_assets.forecasting.rows import forecast_rows
from nexgen_assets.tables import FORECASTS, HORIZON_DAYS

if TYPE_CHECKING:
    import xgboost

Real32 = NDArray[np.float32]
Whole = NDArray[np.int64]
Scores = dict[str, dict[str, float]]

STORED_FEATURES = feature_names(Plans.none())
BOOSTER_FILE = "model-{}.ubj"
SPREAD_FILE = "spread.ubj"
SMALLEST_SPREAD = 0.05  # errors of what hardly ever errs, told in its spread, would widen the quantiles of all others
MANIFEST_FILE = "manifest.json"
CODE_VERSION = "8"
SERIES_AT_ONCE = 10_000  # 280,000 rows of the design matrix: 45 MB


class ModelError(ValueError):
    """A stored model does not fit this code; the message says what differs."""


@dataclass(frozen=True)
class MeanModel:
    """Boosters of demand / level for all series, whose forecasts are averaged, and what it takes to ask them.

    `categories` are the product categories it knows, `country` that of its holidays; `mean_factor` corrects its mean
    (see `training.py`).
    """

    boosters: tuple[bytes, ...]
    categories: tuple[str, ...]
    country: str
    mean_factor: float

    def means(
        self, features: pa.Table, covariates: Covariates, threads: int = 1, horizon_days: int = HORIZON_DAYS
    ) -> Real32:
        """Mean forecasts [rows of `features`, horizon_days], in units a day.

        Those of new items are their level: without a past of its own the boosters know nothing of a series.
        """
        parts = [self.means_of(part, self.frame(part, covariates, horizon_days), threads) for part in _slices(features)]
        return _joined(parts, horizon_days)

    def frame(self, features: pa.Table, covariates: Covariates, horizon_days: int) -> Frame:
        """The design matrix of every horizon of `features`, horizons running fastest."""
        rows, horizons = all_horizons(features.num_rows, horizon_days)
        return expand(features, rows, horizons, covariates, self.categories, self.country)

    def means_of(self, features: pa.Table, frame: Frame, threads: int) -> Real32:
        """`means` of features whose frame is known."""
        for booster in self.loaded:
            booster.set_param({"nthread": threads})
        means = average_forecast(self.loaded, frame.matrix) * frame.level * np.float32(self.mean_factor)
        by_series, level = (units.reshape(features.num_rows, -1) for units in (means, frame.level))
        return np.where(is_new_item(features)[:, None], level, by_series)

    def contributions(
        self, features: pa.Table, rows: Whole, horizons: Whole, covariates: Covariates
    ) -> tuple[Real32, Real32]:
        """Design matrix and contributions, both [pairs, feature_names], of pairs (row of `features`, horizon).

        A contribution is what the feature adds to the logarithm of the boosters' forecast: exact TreeSHAP values
        (Lundberg et al., Nature Machine Intelligence 2, 2020), of several boosters their mean.
        """
        import xgboost

        matrix = expand(features, rows, horizons, covariates, self.categories, self.country).matrix
        asked = xgboost.DMatrix(matrix)
        values = [booster.predict(asked, pred_contribs=True) for booster in self.loaded]
        return matrix, np.mean(values, axis=0)[:, :-1]  # the last column is what all rows share

    @property
    def rounds(self) -> int:
        """The number of trees in each booster."""
        return self.loaded[0].num_boosted_rounds()

    @cached_property
    def loaded(self) -> "list[xgboost.Booster]":
        """The boosters, ready to be asked."""
        import xgboost

        return [xgboost.Booster(model_file=bytearray(content)) for content in self.boosters]


@dataclass(frozen=True)
class SpreadModel:
    """A booster of how far demand lies from its forecast: the mean absolute error, relative to the forecast's scale.

    The scale is that of `quantiles.scale_of`.
    """

    booster: bytes

    def of(self, frame: Frame, threads: int) -> Real32:
        """Spread [rows of the frame], at least SMALLEST_SPREAD."""
        self._loaded.set_param({"nthread": threads})
        return np.maximum(self._loaded.inplace_predict(frame.matrix), np.float32(SMALLEST_SPREAD))

    @cached_property
    def _loaded(self) -> "xgboost.Booster":
        import xgboost

        return xgboost.Booster(model_file=bytearray(self.booster))


def means_and_spread(  # noqa: PLR0917
    mean_model: MeanModel,
    spread_model: SpreadModel,
    features: pa.Table,
    covariates: Covariates,
    threads: int = 1,
    horizon_days: int = HORIZON_DAYS,
) -> tuple[Real32, Real32]:
    """Mean forecasts in units a day, and their spread, both [rows of `features`, horizon_days]."""
    means, spread = [], []
    for part in _slices(features):
        frame = mean_model.frame(part, covariates, horizon_days)
        means.append(mean_model.means_of(part, frame, threads))
        spread.append(spread_model.of(frame, threads).reshape(part.num_rows, -1))
    return _joined(means, horizon_days), _joined(spread, horizon_days)


def average_forecast(boosters: "Sequence[xgboost.Booster]", matrix: Real32) -> Real32:
    """The mean of what the boosters say of each row of a design matrix (`frame.py`)."""
    return np.stack([booster.inplace_predict(matrix) for booster in boosters]).mean(axis=0, dtype=np.float32)


@dataclass(frozen=True)
class TrainedModel:
    """A mean model with its spread and calibration, and what is needed to judge it.

    `metrics` holds by method the scores on the hold-out: 28 days that the scored model had not learnt from. `rows` is
    the number of rows of the final fit.
    """

    mean_model: MeanModel
    spread_model: SpreadModel
    training_cutoff: date
    calibration: Calibration
    metrics: Scores
    recipe: Recipe
    rows: int

    def to_files(self) -> dict[str, bytes]:
        """The model as files: XGBoost's UBJ and a JSON manifest; the same model gives the same bytes."""
        manifest = {
            **self.recipe.to_json(),
            "categories": list(self.mean_model.categories),
            "mean_factor": self.mean_model.mean_factor,
            "training_cutoff": self.training_cutoff.isoformat(),
            "metrics": self.metrics,
            "rows": self.rows,
            "calibration": self.calibration.to_json(),
        }
        boosters = {BOOSTER_FILE.format(i): content for i, content in enumerate(self.mean_model.boosters)}
        spread = {SPREAD_FILE: self.spread_model.booster}
        return {**boosters, **spread, MANIFEST_FILE: json.dumps(manifest, sort_keys=True).encode()}

    @classmethod
    def from_files(cls, files: dict[str, bytes]) -> "TrainedModel":
        """The model of `to_files`; raises ModelError if other code made it, or for other features."""
        if objection := cls.objection_to(files):
            raise ModelError(objection)
        manifest = json.loads(files[MANIFEST_FILE])
        return cls(
            MeanModel(
                tuple(files[BOOSTER_FILE.format(i)] for i in range(len(files) - 2)),
                tuple(manifest["categories"]),
                manifest["country"],
                manifest["mean_factor"],
            ),
            SpreadModel(files[SPREAD_FILE]),
            date.fromisoformat(manifest["training_cutoff"]),
            Calibration.from_json(manifest["calibration"]),
            manifest["metrics"],
            Recipe.from_json(manifest),
            manifest["rows"],
        )

    @staticmethod
    def objection_to(files: dict[str, bytes]) -> str | None:
        """Why this code cannot load a stored model, None if it can; the manifest alone tells."""
        manifest = json.loads(files.get(MANIFEST_FILE, b"{}"))
        made_for, version = manifest.get("feature_names", []), manifest.get("code_version", "unknown")
        if version != CODE_VERSION:
            return f"the model was made by code version {version}, this is {CODE_VERSION}: retrain"
        if made_for != list(STORED_FEATURES):
            return f"the model was trained on other features ({set(made_for) ^ set(STORED_FEATURES)}): retrain"
        return None

    @staticmethod
    def stored_recipe(files: dict[str, bytes]) -> Recipe:
        """The recipe of a stored model, also of one that this code cannot load."""
        return Recipe.from_json(json.loads(files[MANIFEST_FILE]))

    def predict(
        self, features: pa.Table | pa.RecordBatch, covariates: Covariates, *, model_version: str, threads: int = 1
    ) -> pa.Table:
        """Rows of `tables.FORECASTS` for every horizon of these origins (rows of `tables.CLEANED_FEATURES`).

        The answer is 28 times as long as the question: pass some 20,000 rows at a time.
        """
        table = pa.Table.from_batches([features]) if isinstance(features, pa.RecordBatch) else features
        if not table.num_rows:
            return FORECASTS.arrow_schema.empty_table()
        means, spread = self.means_and_spread(table, covariates, threads)
        quantiles = daily_quantiles(means, level_of(table), self.calibration, spread)
        return forecast_rows(table, means, quantiles, model_version, spread)

    def means_and_spread(
        self, features: pa.Table, covariates: Covariates, threads: int = 1, horizon_days: int = HORIZON_DAYS
    ) -> tuple[Real32, Real32]:
        """Mean forecasts in units a day, and their spread, both [rows of `features`, horizon_days]."""
        return means_and_spread(self.mean_model, self.spread_model, features, covariates, threads, horizon_days)


def _joined(parts: Sequence[Real32], horizon_days: int) -> Real32:
    return np.concatenate(parts) if parts else np.empty((0, horizon_days), np.float32)


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, SERIES_AT_ONCE):
        yield table.slice(start, SERIES_AT_ONCE)
