"""The IO manager of models: registered always, champion only with a passed verdict, and safe to kill at any point."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import pytest

from nexgen_assets.forecasting.promotion import FIT_TO_SERVE
from nexgen_assets.io_managers.models import Candidate, ModelIOManager
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.settings import Settings
from nexgen_assets.verdicts import Verdict

CUTOFF, LATER = date(2024, 1, 31), date(2024, 2, 7)

# Stores a promising model, and hangs between its version and its alias.
STORE_AND_HANG = """
import sys, threading
from datetime import date
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.settings import Settings
from nexgen_assets_tests.io_managers.test_models import LATER, Model, store

def hang(*arguments):
    print("registered", flush=True)
    threading.Event().wait()

ModelRegistry.promote = hang
store(LakeResource.from_settings(Settings.model_validate_json(sys.argv[1])), Model(b"promising", LATER), passed=True)
"""


@dataclass(frozen=True)
class Model:
    """What the IO manager asks of a trained model."""

    content: bytes = b"trees"
    training_cutoff: date = CUTOFF

    def to_files(self) -> dict[str, bytes]:
        return {"model.ubj": self.content}


def store(lake: LakeResource, model: Model, *, passed: bool, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    context = dg.build_output_context(asset_key=dg.AssetKey("trained_model"), run_id="run-1")
    verdict = Verdict(FIT_TO_SERVE, passed, "because", {"wrmsse": 0.7})
    ModelIOManager(lake=lake).handle_output(context, Candidate(model, verdict, facts or {}))  # pyright: ignore[reportArgumentType]
    return {key: getattr(value, "value", value) for key, value in context.get_logged_metadata().items()}


@pytest.mark.parametrize(("passed", "champions", "alias"), [(True, 1, "champion"), (False, 0, "challenger")])
def test_a_model_is_registered_and_becomes_champion_only_if_it_is_fit_to_serve(
    *, passed: bool, champions: int, alias: str, lake: LakeResource, registry: ModelRegistry
) -> None:
    told = store(lake, Model(), passed=passed)
    assert [known.version for known in registry.versions()] == [told["model_version"]]
    assert len(registry.champions()) == champions
    assert (told["alias"], told["why"], told["training_cutoff"]) == (alias, "because", "2024-01-31")


def test_the_history_tells_the_reason_the_numbers_and_the_run(lake: LakeResource, registry: ModelRegistry) -> None:
    store(lake, Model(), passed=False)
    [move] = registry.aliases().history
    assert (move.why, move.by, move.numbers) == ("because", "run-1", {"wrmsse": 0.7})


def test_facts_and_the_run_stand_in_the_entry_of_the_version(lake: LakeResource, registry: ModelRegistry) -> None:
    told = store(lake, Model(), passed=True, facts={"data_versions": {"daily_demand": 7}})
    entry = registry.entry(told["model_version"])
    assert (entry["data_versions"], entry["run_id"]) == ({"daily_demand": 7}, "run-1")


def test_a_model_trained_for_earlier_days_leaves_the_champion(lake: LakeResource) -> None:
    champion = store(lake, Model(training_cutoff=LATER), passed=True)
    earlier = store(lake, Model(training_cutoff=CUTOFF), passed=True)
    assert (earlier["champion"], earlier["alias"]) == (champion["model_version"], "serves earlier origins")


def test_without_a_model_loading_says_which_job_to_run(lake: LakeResource) -> None:
    with pytest.raises(dg.DagsterInvariantViolationError, match="run the job `training`"):
        ModelIOManager(lake=lake).load_input(dg.build_input_context())


# ---- killed


@pytest.fixture
def killed(lake: LakeResource, deployment: Settings) -> str:
    """The version of the champion, after a later training was killed between its version and its alias."""
    champion = store(lake, Model(), passed=True)["model_version"]
    command = [sys.executable, "-c", STORE_AND_HANG, deployment.model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout
        assert training.stdout.readline().strip() == "registered"
        training.kill()
    return champion


def test_a_killed_training_leaves_the_champion_untouched(registry: ModelRegistry, killed: str) -> None:
    assert len(registry.versions()) == 2
    assert [known.version for known in registry.champions()] == [killed]
    champion = registry.champion_for(LATER)
    assert champion is not None
    assert champion.version == killed
    assert len(registry.aliases().history) == 1


def test_a_killed_training_made_again_is_promoted(lake: LakeResource, registry: ModelRegistry, killed: str) -> None:
    again = store(lake, Model(b"promising", LATER), passed=True)
    assert again["alias"] == "champion"
    assert len(registry.versions()) == 2
    assert [known.version for known in registry.champions()] == [killed, again["model_version"]]
