"""The page of formulas lists what there is, and its example is right."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import nexgen_assets.replenishment.formulas as package

PAGE = Path(__file__).parents[3] / "docs" / "replenishment-formulas.md"


DAY_BY_DAY = "## Day by day"


def listed(text: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+\.\w+)` \|", text, flags=re.MULTILINE))


def sections() -> tuple[str, str]:
    """The page without the section on simulation, and that section."""
    before, _, rest = PAGE.read_text().partition(DAY_BY_DAY)
    simulation, _, after = rest.partition("\n## ")
    return before + after, simulation


def public_names() -> tuple[set[str], set[str]]:
    """Names of functions, and of classes, as `module.name`."""
    functions, classes = set(), set()
    for module in pkgutil.iter_modules(package.__path__):
        for name, member in vars(importlib.import_module(f"{package.__name__}.{module.name}")).items():
            if name.startswith("_") or getattr(member, "__module__", None) != f"{package.__name__}.{module.name}":
                continue
            if inspect.isfunction(member):
                functions.add(f"{module.name}.{name}")
            elif inspect.isclass(member):
                classes.add(f"{module.name}.{name}")
    return functions, classes


def test_every_function_is_listed_and_every_listed_name_exists() -> None:
    functions, classes = public_names()
    checks_of_arguments = {name for name in functions if name.startswith("arguments.")}
    formulas = listed(sections()[0])
    assert functions - checks_of_arguments <= formulas
    assert formulas <= functions | classes
    assert {name for name in classes if name.startswith("distributions.")} <= formulas


@pytest.mark.parametrize("name", sorted(listed(sections()[1])))
def test_what_is_said_of_the_simulation_exists(name: str) -> None:
    module, _, member = name.partition(".")
    assert hasattr(importlib.import_module(f"nexgen_assets.replenishment.{module}"), member)


def test_what_answers_a_question_exists() -> None:
    """`module.name`, `module.prefix*` or `module.prefix_*` in the table of questions."""
    questions = PAGE.read_text().partition("## Where to look")[2].partition("\n## ")[0]
    outside = {"nexgen_assets", "traces", "simulation", "order_rules"}
    known = public_names()[0] | public_names()[1]
    for module, name in re.findall(r"`(\w+)\.([\w*]+)", questions):
        if module not in outside:
            pattern = re.compile(re.escape(f"{module}.{name}").replace(r"\*", r"\w*"))
            assert any(pattern.fullmatch(one) for one in known), f"{module}.{name}"


def test_the_examples_are_right() -> None:
    assert doctest.testfile(str(PAGE), module_relative=False).attempted == 6
    assert doctest.testfile(str(PAGE), module_relative=False).failed == 0
