"""The IO manager of trained models: XGBoost UBJ and a JSON manifest in the model registry, never a pickle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from nexgen_assets.resources.aliases import CHALLENGER, CHAMPION, ROLLED_BACK, Aliases
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.mlflow_mirror import Copy, MlflowMirror
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.verdicts import Verdict

if TYPE_CHECKING:
    from nexgen_assets.forecasting.model import TrainedModel


@dataclass(frozen=True)
class Candidate:
    """A trained model, whether it may serve, and beside its content what it was made of (facts) and plots (PNG)."""

    model: "TrainedModel"
    verdict: Verdict
    facts: Mapping[str, Any] = field(default_factory=dict)
    plots: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class ModelIOManager(dg.ConfigurableIOManager):
    """Registers a model as an immutable version: one that may serve becomes champion, another one challenger.

    With `mlflow_uri`, an MLflow server gets a copy of it. A copy that fails is told of, and nothing else.
    """

    lake: LakeResource
    mlflow_uri: str | None = None

    def handle_output(self, context: dg.OutputContext, obj: Candidate) -> None:
        registry, verdict = ModelRegistry(self.lake.access), obj.verdict
        facts = {
            **obj.facts,
            "registered_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "run_id": context.run_id,
        }
        files = obj.model.to_files()
        known = registry.register(files, obj.model.training_cutoff, facts, obj.plots)
        move = registry.promote if verdict.passed else registry.challenge
        move(known.version, verdict.reason, context.run_id, verdict.numbers)
        if not verdict.passed:
            context.log.warning(f"model {known.version} is registered, {verdict.reason}")
        aliases = registry.aliases()
        context.add_output_metadata(
            {
                "model_version": known.version,
                "alias": alias_of(known.version, aliases),
                "champion": aliases.champion.version if aliases.champion else "none",
                "why": verdict.reason,
                "training_cutoff": known.training_cutoff.isoformat(),
                "dagster/uri": dg.MetadataValue.url(f"{registry.uri}/versions/{known.version}"),
            }
        )
        if self.mlflow_uri:
            copied = Copy(known.version, files, obj.plots, obj.model.recipe, facts, verdict)
            context.add_output_metadata({"mlflow": self._mirrored(context, self.mlflow_uri, copied, aliases)})

    def _mirrored(self, context: dg.OutputContext, uri: str, copied: Copy, aliases: Aliases) -> str:
        try:
            mirror = MlflowMirror(uri, self.lake.access.prefix)
            return f"version {mirror.copy(copied, aliases)} of {mirror.name} at {uri}"
        except Exception as error:  # noqa: BLE001  # whatever ails the copy, the model is registered and serves
            context.log.warning(f"model {copied.version} is registered, but MLflow has no copy: {error}")
            return f"no copy at {uri}: {error}"

    def load_input(self, context: dg.InputContext) -> "TrainedModel":  # noqa: ARG002
        from nexgen_assets.forecasting.model import TrainedModel

        registry = ModelRegistry(self.lake.access)
        champion = registry.aliases().champion
        if champion is None:
            raise dg.DagsterInvariantViolationError(f"no model in {registry.uri} yet: run the job `training`")
        return TrainedModel.from_files(registry.load(champion.version))


def alias_of(version: str, aliases: Aliases) -> str:
    """What a version is now, for a person."""
    if aliases.champion and aliases.champion.version == version:
        return CHAMPION
    if aliases.challenger and aliases.challenger.version == version:
        return CHALLENGER
    if aliases.is_rolled_back(version):
        return ROLLED_BACK
    return "serves earlier origins" if aliases.is_serving(version) else "none"
