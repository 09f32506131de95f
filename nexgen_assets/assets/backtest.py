"""The backtest: what forecasts from past days were worth, beside the baselines; run when somebody wants to know."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
from pydantic import Field

from nexgen_assets.assets.common import small_table, table_asset
from nexgen_assets.assets.model import GROUP, INPUTS, Champion, ModelInputs, champion_of
from nexgen_assets.io_managers.catalog import plots_metadata
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.resources.spark import SparkResource
from nexgen_assets.settings import Settings
from nexgen_assets.tables import BACKTEST, HORIZON_DAYS

if TYPE_CHECKING:
    import pandas as pd

    from nexgen_assets.forecasting.recipes import Recipe
    from nexgen_assets.forecasting.report import Report
    from nexgen_assets.forecasting.rolling import JudgedOrigin


class BacktestConfig(dg.Config):
    """From which past days to forecast, and by which parameters."""

    origins: int = Field(3, ge=1, description="Number of past days to forecast from")
    spacing_days: int = Field(HORIZON_DAYS, ge=1, description="Days between two of them (days)")
    as_of: str | None = Field(
        None, description="Last day of sales to judge by, the end of the last horizon; the newest if not told"
    )
    parameters: dict[str, float] = Field(
        default_factory=dict,
        description="Parameters instead of the code's own, `rounds` (the most) among them, such as {max_depth: 6}",
    )


def backtest_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    arguments = small_table(BACKTEST, group=GROUP, code_version="1")
    arguments["kinds"] = {"xgboost", "deltalake", "s3"}

    @table_asset(deps=[table.name for table in INPUTS], **arguments)
    def backtest(
        context: dg.AssetExecutionContext, config: BacktestConfig, lake: LakeResource, spark: SparkResource
    ) -> pa.Table:
        """One row per method x origin x segment x target: how forecasts from past days compare with what came.

        For each of some past days this code's recipe, and the champion's if it is another, are fitted on what was known
        then and judged on the 28 days after, beside the seasonal naive and a moving average. Promotes nothing.
        """
        import pandas as pd

        from nexgen_assets.forecasting.backtest import rolling_origins
        from nexgen_assets.forecasting.judging import backtest_rows

        inputs = ModelInputs.read(settings, config.as_of, DeltaTables(lake.access), spark)
        recipes, words = _recipes(config, inputs, champion_of(ModelRegistry(lake.access)))
        origins = rolling_origins(inputs.as_of, config.origins, config.spacing_days)
        context.log.info(f"{len(origins)} origins, {origins[0]} to {origins[-1]}; {words}")
        judged: list[JudgedOrigin] = []
        for number, origin in enumerate(origins, start=1):
            judged.append(_judge(origin, inputs, recipes))
            context.log.info(f"origin {origin} ({number} of {len(origins)}), WAPE of totals: {_told(judged[-1].sums)}")
        sums = pd.concat([found.sums for found in judged], ignore_index=True)
        context.add_asset_metadata({"compared_with": words, **_metadata(_report(judged, sums, inputs))})
        return backtest_rows(sums)

    return [backtest]


def _recipes(config: BacktestConfig, inputs: ModelInputs, champion: Champion | None) -> "tuple[dict[str, Recipe], str]":
    """The recipes to fit, by method, and in words what became of the champion's."""
    from nexgen_assets.forecasting.rolling import CHAMPION, MODEL
    from nexgen_assets.forecasting.training import recipe_of

    own = recipe_of(inputs.planned, inputs.settings.training_rows, inputs.settings.country, config.parameters)
    if champion is None:
        return {MODEL: own}, f"recipe {own.name}; there is no champion"
    if champion.recipe == own:
        return {MODEL: own}, f"recipe {own.name}, which is that of champion {champion.version}"
    if not champion.can_be_refit:
        return {MODEL: own}, f"recipe {own.name}; this code cannot refit champion {champion.version}"
    words = f"recipe {own.name}, and {champion.recipe.name} of champion {champion.version}"
    return {MODEL: own, CHAMPION: champion.recipe}, words


def _judge(origin: date, inputs: ModelInputs, recipes: "Mapping[str, Recipe]") -> "JudgedOrigin":
    from nexgen_assets.forecasting.rolling import judge_origin
    from nexgen_assets.forecasting.sampling import TrainingError

    try:
        return judge_origin(inputs.features, inputs.demand, origin, inputs.planned, recipes, inputs.settings.threads)
    except TrainingError as error:
        raise dg.Failure(
            f"origin {origin}: {error}. Ask for fewer `origins`, for closer ones (`spacing_days`) or a later `as_of`"
        ) from error


def _report(judged: "Sequence[JudgedOrigin]", sums: "pd.DataFrame", inputs: ModelInputs) -> "Report":
    from nexgen_assets.forecasting.attribution import attribution
    from nexgen_assets.forecasting.report import Report

    newest = judged[-1]
    moved_by = attribution(newest.model.mean_model, inputs.features_of(newest.origin), inputs.planned)
    return Report.of(sums, [found.items for found in judged], moved_by)


def _metadata(report: "Report") -> Mapping[str, Any]:
    """Tables and plots first, then the numbers, which the UI plots from run to run."""
    return {
        "scores": dg.MetadataValue.table([dg.TableRecord(record) for record in report.scores]),
        "plots": plots_metadata(report.plots),
        "worst_items": dg.MetadataValue.table([dg.TableRecord(record) for record in report.worst_items]),
        **report.numbers,
    }


def _told(sums: "pd.DataFrame") -> str:
    from nexgen_assets.forecasting.report import overall

    return ", ".join(f"{method} {found['wape_total']:.3f}" for method, found in overall(sums).items())
