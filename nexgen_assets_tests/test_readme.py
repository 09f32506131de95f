"""The README's tables say what the code says: settings, assets, commands, checks, the columns of landing files."""

from pathlib import Path

import pytest
from typer.models import CommandInfo

from nexgen_assets.cli import app
from nexgen_assets.definitions import defs
from nexgen_assets.sales.landing import LINE_COLUMNS
from nexgen_assets.sales.masterdata import UPLOADS
from nexgen_assets.sales.quality import FRESH
from nexgen_assets.settings import Settings
from nexgen_assets.tables import SALES_FILE_REQUIRED, TABLES

README = Path(__file__).parent.parent / "README.md"
ENGINES = {"pyspark": "Spark", "xgboost": "XGBoost", "python": "Python"}


def rows_below(header: str) -> dict[str, list[str]]:
    """The rows of the table with that header line: other cells by the first one, code marks removed."""
    lines = README.read_text().splitlines()
    start = lines.index(header) + 2
    rows: dict[str, list[str]] = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        name, *others = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        assert name not in rows, f"{name} stands twice in {header}"
        rows[name] = others
    return rows


def test_every_setting_stands_in_the_readme_with_its_default_and_meaning() -> None:
    told = rows_below("| Variable | Default | Meaning |")
    assert told == {
        f"NEXGEN_{name.upper()}": ["" if field.default is None else str(field.default), field.description]
        for name, field in Settings.model_fields.items()
    }


def test_every_asset_stands_in_the_readme_with_its_engine() -> None:
    graph = defs.resolve_asset_graph()
    told = {name: engine for name, (_, engine, _) in rows_below("| Asset | Grain | Engine | What it holds |").items()}
    assert told == {
        key.path[-1]: next(engine for kind, engine in ENGINES.items() if kind in graph.get(key).kinds)
        for key in graph.get_all_asset_keys()
    }


def test_every_check_stands_in_the_readme_with_its_assets_and_severity() -> None:
    groups = {"all tables": set(TABLES), "all daily tables": {name for name, table in TABLES.items() if table.is_daily}}
    told = {
        check: (groups.get(assets, set(assets.split(", "))), severity)
        for check, (assets, severity, *_) in rows_below(
            "| Check | Assets | Severity | If it fails | What to do |"
        ).items()
    }
    graph = defs.resolve_asset_graph()
    found: dict[str, tuple[set[str], str]] = {}
    for key in graph.asset_check_keys:
        severity = "blocking" if graph.get(key).blocking else "error" if key.name == FRESH else "warning"
        found.setdefault(key.name, (set(), severity))[0].add(key.asset_key.path[-1])
    assert told == found


@pytest.mark.parametrize("name", TABLES)
def test_a_table_stands_in_the_readme_with_its_grain_and_description(name: str) -> None:
    grain, _, description = rows_below("| Asset | Grain | Engine | What it holds |")[name]
    assert grain == " x ".join(TABLES[name].grain)
    assert description == TABLES[name].description


@pytest.mark.parametrize(
    ("kind", "required", "columns"),
    [
        ("sales", SALES_FILE_REQUIRED, LINE_COLUMNS),
        *((name, kind.required, kind.columns) for name, kind in UPLOADS.items()),
    ],
)
def test_the_columns_of_a_landing_file_stand_in_the_readme(
    kind: str, required: tuple[str, ...], columns: tuple[str, ...]
) -> None:
    told_required, told_optional = (
        set(filter(None, cell.split(", ")))
        for cell in rows_below("| File | Required columns | Optional columns |")[kind]
    )
    assert told_required == set(required)
    assert told_optional == set(columns) - set(required)


def test_every_command_stands_in_the_readme() -> None:
    told = [usage.split() for usage in rows_below("| Command | What it does |")]
    groups = {str(group.name): group.typer_instance for group in app.registered_groups if group.typer_instance}
    commands = {(command_name(info),) for info in app.registered_commands}
    commands |= {(name, command_name(info)) for name, group in groups.items() for info in group.registered_commands}
    assert {tuple(words[1:3]) if words[1] in groups else (words[1],) for words in told} == commands
    assert len(told) == len(commands)


def command_name(info: CommandInfo) -> str:
    return info.name or getattr(info.callback, "__name__", "")
