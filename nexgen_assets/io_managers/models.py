"""The IO manager of trained models: XGBoost UBJ and a JSON manifest in the model registry, never a pickle."""

from typing import TYPE_CHECKING

import dagster as dg

from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import CHAMPION, ModelRegistry

if TYPE_CHECKING:
    from nexgen_assets.forecasting.model import TrainedModel


class ModelIOManager(dg.ConfigurableIOManager):
    """Registers a model as an immutable version; a model that beats the baseline becomes champion."""

    lake: LakeResource

    def handle_output(self, context: dg.OutputContext, obj: "TrainedModel") -> None:
        registry = ModelRegistry(self.lake.access)
        known = registry.register(obj.to_files(), obj.training_cutoff)
        if obj.beats_baseline:
            registry.promote(known.version)
        else:
            context.log.warning(
                f"model {known.version} does not beat the seasonal naive on its hold-out: registered, not promoted"
            )
        context.add_output_metadata(
            {
                "model_version": known.version,
                "is_champion": obj.beats_baseline,
                "training_cutoff": obj.training_cutoff.isoformat(),
                "alias": CHAMPION if obj.beats_baseline else "none",
                "dagster/uri": dg.MetadataValue.url(f"{registry.uri}/versions/{known.version}"),
            }
        )

    def load_input(self, context: dg.InputContext) -> "TrainedModel":  # noqa: ARG002
        from nexgen_assets.forecasting.model import TrainedModel

        registry = ModelRegistry(self.lake.access)
        champions = registry.champions()
        if not champions:
            raise dg.DagsterInvariantViolationError(f"no model in {registry.uri} yet: run the job `training`")
        return TrainedModel.from_files(registry.load(champions[-1].version))
