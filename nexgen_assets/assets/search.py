"""The search for better parameters: run when somebody asks for it, never by a schedule; promotes nothing."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from nexgen_assets.assets.common import OWNERS
from nexgen_assets.assets.model import GROUP, INPUTS, ModelInputs
from nexgen_assets.io_managers.catalog import plots_metadata
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.spark import SparkResource
from nexgen_assets.settings import Settings
from nexgen_assets.tables import HORIZON_DAYS

if TYPE_CHECKING:
    from nexgen_assets.forecasting.search import Found

BEST_SHOWN = 10


class SearchConfig(dg.Config):
    """How long to search, and on which days."""

    trials: int = Field(30, ge=2, description="Parameters to try, the code's own among them")
    origins: int = Field(2, ge=1, description="Past days to refit at, 28 days apart")
    as_of: str | None = Field(
        None,
        description="Last day of sales; the newest if not told. Its last 28 days are left to the gate: the search does "
        "not see them",
    )
    timeout_seconds: int | None = Field(None, ge=1, description="Begin no further trial after this long (seconds)")
    seed: int = Field(7, ge=0, description="Which parameters are tried: the same data and seed try the same ones")


def search_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    @dg.asset(
        deps=[table.name for table in INPUTS],
        group_name=GROUP,
        kinds={"xgboost", "optuna"},
        owners=OWNERS,
        code_version="1",
    )
    def parameter_search(
        context: dg.AssetExecutionContext, config: SearchConfig, lake: LakeResource, spark: SparkResource
    ) -> dg.MaterializeResult:
        """Parameters that would have forecast better than the code's own, as configuration for `trained_model`.

        Each is refit at some past days and judged on the 28 days after by the errors that the gate judges by.
        """
        from nexgen_assets.forecasting.sampling import TrainingError
        from nexgen_assets.forecasting.search import SearchError, search
        from nexgen_assets.forecasting.training import recipe_of, training_data

        inputs = ModelInputs.read(settings, config.as_of, DeltaTables(lake.access), spark)
        ends = [inputs.as_of - timedelta(days=HORIZON_DAYS * number) for number in range(1, config.origins + 1)]
        try:
            data = [training_data(inputs.features, inputs.demand, end, settings.training_rows) for end in ends]
            found = search(
                data,
                inputs.planned,
                lambda told: recipe_of(inputs.planned, settings.training_rows, settings.country, told),
                config.trials,
                config.seed,
                config.timeout_seconds,
                settings.threads,
                context.log.info,
            )
        except (SearchError, TrainingError) as error:
            raise dg.Failure(str(error)) from error
        return dg.MaterializeResult(metadata=_metadata(found, inputs))

    return [parameter_search]


def _metadata(found: "Found", inputs: ModelInputs) -> dict[str, dg.MetadataValue]:
    from nexgen_assets.forecasting.report import search_plot

    finished = sorted((trial for trial in found.trials if trial.value is not None), key=lambda t: t.value or 0.0)
    best, values = found.best, [trial.value for trial in found.trials]
    return {
        "what_to_do": dg.MetadataValue.md(_advice(found, inputs)),
        "plots": plots_metadata([search_plot(values)]),
        "best_parameters": dg.MetadataValue.json(best.parameters),
        "best_trials": dg.MetadataValue.table(
            [dg.TableRecord({"value": trial.value, **trial.parameters}) for trial in finished[:BEST_SHOWN]]
        ),
        "best_value": dg.MetadataValue.float(best.value or 0.0),
        "trials": dg.MetadataValue.int(len(values)),
        "trials_given_up": dg.MetadataValue.int(values.count(None)),
    }


def _advice(found: "Found", inputs: ModelInputs) -> str:
    """The configuration of the job `training`, ready to paste."""
    if not found.is_better:
        return "No trial did better than the code's own parameters: nothing to do."
    config = {"as_of": inputs.as_of.isoformat(), "parameters": found.best.parameters}
    # JSON is YAML, and the launchpad takes it as it is
    pasted = json.dumps({"ops": {"trained_model": {"config": config}}}, indent=2)
    return (
        f"Errors are {found.best.value:.3f} times those of the code's own parameters. To try it, launch the job "
        f"`training` with this configuration; it serves if it passes `fit_to_serve`.\n\n```yaml\n{pasted}\n```"
    )
