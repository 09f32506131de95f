"""Attribution: which features move a model's forecasts, and which way.

What belongs here: asking a model about a sample of series and days. What does not: the values themselves
(`model.py`), plots.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from nexgen_assets.forecasting.frame import Covariates, feature_names
from nexgen_assets.forecasting.model import MeanModel, Real32
from nexgen_assets.tables import HORIZON_DAYS

PAIRS = 800  # of series and days ahead: enough for a picture, some seconds at most
SEED = 7


@dataclass(frozen=True)
class Attribution:
    """Contributions of each feature to forecasts, and the features' values: both [pairs, names].

    A contribution is what a feature adds to the logarithm of the forecast: 0.1 is some 10 % more.
    """

    names: tuple[str, ...]
    values: Real32
    contributions: Real32

    @property
    def importance(self) -> dict[str, float]:
        """Mean size of the contributions by feature, the largest first."""
        size = np.abs(self.contributions).mean(axis=0)
        return {self.names[i]: float(size[i]) for i in np.argsort(-size, kind="stable")}


def attribution(model: MeanModel, features: pa.Table, covariates: Covariates, pairs: int = PAIRS) -> Attribution:
    """What moves the forecasts of these series (rows of `tables.CLEANED_FEATURES`), on a sample of them and of days."""
    possible = features.num_rows * HORIZON_DAYS
    drawn = np.random.default_rng(SEED).choice(possible, size=min(pairs, possible), replace=False)
    asked, place = np.unique(drawn // HORIZON_DAYS, return_inverse=True)
    matrix, contributions = model.contributions(
        features.take(asked), place.astype(np.int64), drawn % HORIZON_DAYS + 1, covariates
    )
    return Attribution(feature_names(covariates), matrix, contributions)
