"""Origins with features at random, and their design matrix by feature: what tests of the matrix start from."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from nexgen_assets.forecasting.frame import all_horizons, expand, feature_names
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.tables import CALENDAR, CLEANED_FEATURES, HORIZON_DAYS

FEATURE_NAMES = feature_names(Plans.none())
ORIGIN = date(2024, 12, 10)


def features_of(products: int = 3, day: date = ORIGIN, **values: Any) -> pa.Table:
    """Rows of `tables.CLEANED_FEATURES` of the products p0, p1, ... at the location north."""
    rng = np.random.default_rng(5)
    rows = [
        {c.name: float(rng.random()) for c in CLEANED_FEATURES.columns}
        | {"day": day, "product_id": f"p{n}", "location": "north", "product_name": None, "category": "fruit"}
        | {"is_new_item": False, "delisted_on": None}
        | values
        for n in range(products)
    ]
    return pa.Table.from_pylist(rows, schema=CLEANED_FEATURES.arrow_schema)


def line(
    start: date, end: date, *, known: date, product: str = "p0", location: str = "north", **told: Any
) -> dict[str, Any]:
    """A line of the calendar: `told` are its `promotion_share`, `unit_price` and `holiday_name`."""
    return {
        "product_id": product,
        "location": location,
        "start_date": start,
        "end_date": end,
        "promotion_share": 0.0,
        "effective_date": known,
        "file_key": "calendar.csv",
        "line_number": 1,
        **told,
    }


def plans_of(*plans: dict[str, Any]) -> Plans:
    return Plans(pa.Table.from_pylist(list(plans), schema=CALENDAR.arrow_schema))


def frame_of(features: pa.Table, plans: Plans | None = None) -> dict[str, np.ndarray]:
    """Each feature by name: [origins, horizons]."""
    pairs = all_horizons(features.num_rows)
    frame = expand(features, *pairs, plans or Plans.none(), ["bread", "fruit"], "US")
    return {name: frame.matrix[:, i].reshape(-1, HORIZON_DAYS) for i, name in enumerate(FEATURE_NAMES)}
