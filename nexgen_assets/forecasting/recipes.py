"""Recipes: what turns the same data into a model, by a name that changes with every part of it.

What belongs here: a recipe's content, its name, and how parameters are replaced. What does not: fitting by a recipe
(`training.py`), and whether one serves (`promotion.py`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

ROUNDS_PARAMETER = "rounds"


class RecipeError(ValueError):
    """A parameter that no recipe has, or a value it cannot take; the message says which and what would do."""


@dataclass(frozen=True)
class Recipe:
    """Two models of equal recipes differ by their data only.

    `sampling_rows` is the number of rows a fit samples at most, 0 where an old model does not tell; `rounds` is the
    most that it boosts (see `boosting.py`); `country` that of the holidays. `overrides` are the parameters that the
    training was told instead of the code's own: they follow the champion when the code's own change, and are no part
    of what the recipe is.
    """

    code_version: str
    feature_names: tuple[str, ...]
    country: str
    sampling_rows: int
    rounds: int
    parameters: Mapping[str, Any]
    overrides: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """Eight characters that differ where recipes differ."""
        content = {key: value for key, value in self.to_json().items() if key != "overrides"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"feature_names": list(self.feature_names)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Recipe":
        """The recipe in a model's manifest; models older than recipes kept the rounds among the parameters."""
        parameters = dict(content["parameters"])
        older_rounds = parameters.pop(ROUNDS_PARAMETER, 0)
        return cls(
            content["code_version"],
            tuple(content["feature_names"]),
            content["country"],
            content.get("sampling_rows", 0),
            content.get(ROUNDS_PARAMETER, older_rounds),
            parameters,
            content.get("overrides", {}),
        )

    def can_be_refit(self, code_version: str, feature_names: tuple[str, ...]) -> bool:
        """Whether code of that version and those features fits by this recipe what it was meant to fit."""
        return (self.code_version, self.feature_names) == (code_version, feature_names) and self.sampling_rows > 0


def overridden(defaults: Mapping[str, Any], overrides: Mapping[str, float]) -> dict[str, Any]:
    """The defaults with some numbers replaced; raises RecipeError for an unknown name or a fraction of a whole one."""
    numbers = {name: value for name, value in defaults.items() if isinstance(value, (int, float))}
    if unknown := sorted(set(overrides) - set(numbers)):
        raise RecipeError(f"no recipe has the parameters {', '.join(unknown)}: it has {', '.join(sorted(numbers))}")
    fractions = [name for name, value in overrides.items() if isinstance(numbers[name], int) and value != int(value)]
    if fractions:
        raise RecipeError(f"{', '.join(fractions)}: not a fraction but a whole number is needed")
    return {**defaults, **{name: type(numbers[name])(value) for name, value in overrides.items()}}
