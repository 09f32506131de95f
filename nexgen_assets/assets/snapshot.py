"""The last step of a run: what it made is published together."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from nexgen_assets.assets.common import OWNERS
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.snapshots import Snapshots
from nexgen_assets.jobs import PUBLISHED_SNAPSHOT, builds_of
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.tables import TABLES


def snapshot_assets() -> list[dg.AssetsDefinition]:
    @dg.asset(
        name=PUBLISHED_SNAPSHOT,
        deps=[dg.AssetDep(name) for name in TABLES],
        group_name="publication",
        kinds={"python", "s3"},
        owners=OWNERS,
        code_version="1",
    )
    def published_snapshot(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
        """One version of every table, which belong together: what the dashboard reads.

        A run publishes the tables that it made; others stay at the version that is published. Materialized by itself,
        it publishes every table as it stands: after single tables were made by hand.
        """
        names = _made(context)
        snapshot = Snapshots(DeltaTables(lake.access)).publish(names, context.run.run_id, datetime.now(UTC))
        context.log.info(f"published as {snapshot.snapshot_id}: {', '.join(names)}")
        versions = [dg.TableRecord({"table": name, "version": v}) for name, v in sorted(snapshot.versions.items())]
        metadata: dict[str, dg.MetadataValue] = {"snapshot_id": dg.MetadataValue.text(snapshot.snapshot_id)}
        if versions:
            metadata["versions"] = dg.MetadataValue.table(versions)
        return dg.MaterializeResult(metadata=metadata)

    return [published_snapshot]


def _made(context: dg.AssetExecutionContext) -> Sequence[str]:
    """The tables that this run makes before this step; all of them if it makes none."""
    chosen = context.run.asset_selection
    names = {key.path[-1] for key in chosen} if chosen else set(builds_of(context.run.job_name))
    return sorted(names & set(TABLES)) or list(TABLES)
