"""Recipes: a name for what turns the same data into a model, and parameters that can be replaced by name."""

import json
from dataclasses import replace

import pytest

from nexgen_assets.forecasting.recipes import Recipe, RecipeError, overridden

RECIPE = Recipe("2", ("horizon", "log_level"), "US", 1_000, 100, {"eta": 0.1, "max_depth": 8, "objective": "o"})
OWN = {"eta": 0.1, "max_depth": 8, "objective": "o"}


@pytest.mark.parametrize(
    "change",
    [
        {"code_version": "3"},
        {"feature_names": ("horizon",)},
        {"country": "DE"},
        {"sampling_rows": 2_000},
        {"rounds": 50},
        {"parameters": {**RECIPE.parameters, "eta": 0.2}},
    ],
)
def test_every_part_of_a_recipe_changes_it_and_its_name(change: dict[str, object]) -> None:
    other = replace(RECIPE, **change)  # pyright: ignore[reportArgumentType]
    assert other != RECIPE
    assert other.name != RECIPE.name


def test_a_name_is_short_and_stable() -> None:
    assert RECIPE.name == "11ef9250"


def test_which_parameters_were_told_is_no_part_of_a_recipe() -> None:
    told = replace(RECIPE, overrides={"eta": 0.1})
    assert (told, told.name) == (RECIPE, RECIPE.name)


def test_a_recipe_survives_its_json() -> None:
    told = replace(RECIPE, overrides={"eta": 0.1})
    again = Recipe.from_json(json.loads(json.dumps(told.to_json())))
    assert (again, again.name, again.overrides) == (told, told.name, told.overrides)


def test_the_manifest_of_a_model_older_than_recipes_is_read() -> None:
    manifest = {
        "code_version": "2",
        "feature_names": ["horizon"],
        "country": "US",
        "parameters": {"eta": 1, "rounds": 7},
    }
    recipe = Recipe.from_json(manifest)
    assert (recipe.rounds, recipe.parameters, recipe.sampling_rows) == (7, {"eta": 1}, 0)


@pytest.mark.parametrize(
    ("recipe", "can"),
    [
        (RECIPE, True),
        (replace(RECIPE, code_version="1"), False),
        (replace(RECIPE, feature_names=("horizon",)), False),
        (replace(RECIPE, sampling_rows=0), False),
    ],
)
def test_only_a_recipe_of_the_same_code_and_features_can_be_refit(recipe: Recipe, can: bool) -> None:
    assert recipe.can_be_refit("2", ("horizon", "log_level")) is can


def test_numbers_are_replaced_in_the_type_they_have() -> None:
    assert overridden(OWN, {"max_depth": 6.0, "eta": 1}) == {"eta": 1.0, "max_depth": 6, "objective": "o"}
    assert isinstance(overridden(OWN, {"max_depth": 6.0})["max_depth"], int)


@pytest.mark.parametrize("name", ["max_dept", "objective"])
def test_an_unknown_or_textual_parameter_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(RecipeError, match=f"no recipe has the parameters {name}: it has eta, max_depth"):
        overridden(OWN, {name: 1})


def test_a_fraction_of_a_whole_number_is_refused() -> None:
    with pytest.raises(RecipeError, match="max_depth: not a fraction"):
        overridden(OWN, {"max_depth": 6.5})
