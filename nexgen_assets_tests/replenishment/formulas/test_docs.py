"""The page of formulas lists what there is, and its example is right."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import nexgen_assets.replenishment.formulas as package

PAGE = Path(__file__).parents[3] / "docs" / "replenishment-formulas.md"


def listed() -> set[str]:
    return set(re.findall(r"^\| `(\w+\.\w+)` \|", PAGE.read_text(), flags=re.MULTILINE))


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
    assert functions - checks_of_arguments <= listed()
    assert listed() <= functions | classes
    assert {name for name in classes if name.startswith("distributions.")} <= listed()


def test_the_example_is_right() -> None:
    assert doctest.testfile(str(PAGE), module_relative=False).attempted == 3
    assert doctest.testfile(str(PAGE), module_relative=False).failed == 0
