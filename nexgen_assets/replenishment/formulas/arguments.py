"""Checks of arguments that every formula shares: an impossible number is refused by name, before it becomes a result.

What belongs here: conditions on single arguments. What does not: formulas.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Number = float | Floats


def require_positive(**values: Any) -> None:
    """Raises ValueError unless every value (every element of an array) is greater than 0."""
    _require("must be greater than 0", {name: np.asarray(value) > 0 for name, value in values.items()}, values)


def require_not_negative(**values: Any) -> None:
    """Raises ValueError unless every value is 0 or more."""
    _require("must not be negative", {name: np.asarray(value) >= 0 for name, value in values.items()}, values)


def require_finite(**values: Any) -> None:
    """Raises ValueError unless every value is a finite number."""
    _require("must be a finite number", {name: np.isfinite(value) for name, value in values.items()}, values)


def require_whole(**values: Any) -> None:
    """Raises ValueError unless every value is a whole number."""
    is_whole = {name: np.isfinite(value) & (np.asarray(value) == np.floor(value)) for name, value in values.items()}
    _require("must be a whole number", is_whole, values)


def require_inside(low: float, high: float, **values: Any) -> None:
    """Raises ValueError unless every value lies between `low` and `high`, both excluded."""
    is_inside = {name: (np.asarray(value) > low) & (np.asarray(value) < high) for name, value in values.items()}
    _require(f"must lie between {low:g} and {high:g}", is_inside, values)


def require_within(low: float, high: float, **values: Any) -> None:
    """Raises ValueError unless every value lies between `low` and `high` or is one of them."""
    is_within = {name: (np.asarray(value) >= low) & (np.asarray(value) <= high) for name, value in values.items()}
    _require(f"must lie within {low:g} and {high:g}", is_within, values)


def _require(condition: str, is_met: dict[str, Any], values: dict[str, Any]) -> None:
    # NaN meets no condition
    for name, met in is_met.items():
        if not np.all(met):
            raise ValueError(f"{name} {condition}, not {values[name]}")
