"""The IO manager of models: registered always, champion only if it beats the baseline."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import pytest

from nexgen_assets.io_managers.models import ModelIOManager
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import ModelRegistry

CUTOFF = date(2024, 1, 31)


@dataclass(frozen=True)
class Model:
    """What the IO manager asks of a trained model."""

    beats_baseline: bool
    training_cutoff: date = CUTOFF

    def to_files(self) -> dict[str, bytes]:
        return {"model.ubj": b"trees"}


def store(lake: LakeResource, model: Model) -> dict[str, Any]:
    context = dg.build_output_context(asset_key=dg.AssetKey("trained_model"))
    ModelIOManager(lake=lake).handle_output(context, model)  # pyright: ignore[reportArgumentType]
    return {key: getattr(value, "value", value) for key, value in context.get_logged_metadata().items()}


@pytest.mark.parametrize(("beats_baseline", "champions"), [(True, 1), (False, 0)])
def test_a_model_is_registered_and_becomes_champion_only_if_it_beats_the_baseline(
    *, beats_baseline: bool, champions: int, lake: LakeResource
) -> None:
    told = store(lake, Model(beats_baseline))
    registry = ModelRegistry(lake.access)
    assert [known.version for known in registry.versions()] == [told["model_version"]]
    assert len(registry.champions()) == champions
    assert (told["is_champion"], told["training_cutoff"]) == (beats_baseline, "2024-01-31")


def test_without_a_model_loading_says_which_job_to_run(lake: LakeResource) -> None:
    with pytest.raises(dg.DagsterInvariantViolationError, match="run the job `training`"):
        ModelIOManager(lake=lake).load_input(dg.build_input_context())
