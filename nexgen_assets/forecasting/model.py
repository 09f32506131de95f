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

from nexgen_assets.forecasting.frame import Covariates, PlannedPromotions, all_horizons, expand, feature_names, level_of
from nexgen_assets.forecasting.listing import is_new_item
from nexgen_assets.forecasting.quantiles import Calibration, daily_quantiles
from nexgen_assets.forecasting.recipes import Recipe
from nexgen_assets.forecasting.rows import forecast_rows
from nexgen_assets.tables import FORECASTS, HORIZON_DAYS

if TYPE_CHECKING:
    import xgboost

Real32 = NDArray[np.float32]
Whole = NDArray[np.int64]
Scores = dict[str, dict[str, float]]

STORED_FEATURES = feature_names(PlannedPromotions.none())
BOOSTER_FILE = "model-{}.ubj"
MANIFEST_FILE = "manifest.json"
CODE_VERSION = "5"
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
        parts = [self._means(part, covariates, threads, horizon_days) for part in _slices(features)]
        return np.concatenate(parts) if parts else np.empty((0, horizon_days), np.float32)

    def _means(self, features: pa.Table, covariates: Covariates, threads: int, horizon_days: int) -> Real32:
        rows, horizons = all_horizons(features.num_rows, horizon_days)
        frame = expand(features, rows, horizons, covariates, self.categories, self.country)
        for booster in self._loaded:
            booster.set_param({"nthread": threads})
        relative = average_forecast(self._loaded, frame.matrix)
        means = relative * frame.level * np.float32(self.mean_factor)
        return np.where(is_new_item(features)[rows], frame.level, means).reshape(-1, horizon_days)

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
        values = [booster.predict(asked, pred_contribs=True) for booster in self._loaded]
        return matrix, np.mean(values, axis=0)[:, :-1]  # the last column is what all rows share

    @property
    def rounds(self) -> int:
        """The number of trees in each booster."""
        return self._loaded[0].num_boosted_rounds()

    @cached_property
    def _loaded(self) -> "list[xgboost.Booster]":
        import xgboost

        return [xgboost.Booster(model_file=bytearray(content)) for content in self.boosters]


def average_forecast(boosters: "Sequence[xgboost.Booster]", matrix: Real32) -> Real32:
    """The mean of what the boosters say of each row of a design matrix (`frame.py`)."""
    return np.stack([booster.inplace_predict(matrix) for booster in boosters]).mean(axis=0, dtype=np.float32)


@dataclass(frozen=True)
class TrainedModel:
    """A mean model with its calibration, and what is needed to judge it.

    `metrics` holds by method the scores on the hold-out: 28 days that the scored model had not learnt from. `rows` is
    the number of rows of the final fit.
    """

    mean_model: MeanModel
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
        return {**boosters, MANIFEST_FILE: json.dumps(manifest, sort_keys=True).encode()}

    @classmethod
    def from_files(cls, files: dict[str, bytes]) -> "TrainedModel":
        """The model of `to_files`; raises ModelError if other code made it, or for other features."""
        if objection := cls.objection_to(files):
            raise ModelError(objection)
        manifest = json.loads(files[MANIFEST_FILE])
        return cls(
            MeanModel(
                tuple(files[BOOSTER_FILE.format(i)] for i in range(len(files) - 1)),
                tuple(manifest["categories"]),
                manifest["country"],
                manifest["mean_factor"],
            ),
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
        means = self.mean_model.means(table, covariates, threads)
        quantiles = daily_quantiles(means, level_of(table), self.calibration)
        return forecast_rows(table, means, quantiles, model_version)


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, SERIES_AT_ONCE):
        yield table.slice(start, SERIES_AT_ONCE)
