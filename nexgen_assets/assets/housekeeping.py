"""Upkeep of what is left behind: files of tables, records of runs, and uploads that nobody committed."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import dagster as dg

from nexgen_assets.assets.common import OWNERS, PYTHON_KINDS
from nexgen_assets.io_managers.delta_tables import DeltaTables
from nexgen_assets.io_managers.maintenance import Upkeep, maintain
from nexgen_assets.io_managers.snapshots import Snapshot, Snapshots
from nexgen_assets.resources.decisions import open_book
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.retention import prune_runs
from nexgen_assets.settings import Settings
from nexgen_assets.tables import TABLES

GROUP = "housekeeping"
SUNDAYS = "30 4 * * 0"


def housekeeping_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    sundays = dg.AutomationCondition.on_cron(SUNDAYS, settings.timezone)

    @dg.asset(group_name=GROUP, kinds=PYTHON_KINDS, owners=OWNERS, code_version="1", automation_condition=sundays)
    def maintained_tables(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
        """All tables with small files merged, and without files that no version of the retention needs.

        Every version of the last `NEXGEN_RETENTION_DAYS` days stays readable, and the published ones whatever their
        age. What killed writes left behind goes a day after they were killed.
        """
        tables, now, done = DeltaTables(lake.access), datetime.now(UTC), list[Upkeep]()
        snapshots = Snapshots(tables)
        snapshot = snapshots.current() or Snapshot()
        for table in TABLES.values():
            published = snapshot.versions.get(table.name)
            upkeep = maintain(tables, table, settings.retention_days, now, published=published)
            if upkeep is None:
                continue
            context.log.info(
                f"{table.name}: {upkeep.files_removed} files removed ({upkeep.bytes_removed / 1e6:.1f} MB), "
                f"{upkeep.files_merged} merged, {upkeep.files_kept} kept ({upkeep.bytes_kept / 1e6:.1f} MB)"
            )
            done.append(upkeep)
        snapshots.follow_upkeep()
        return dg.MaterializeResult(metadata=_told(done))

    @dg.asset(
        group_name=GROUP, kinds={"python", "dagster"}, owners=OWNERS, code_version="1", automation_condition=sundays
    )
    def pruned_runs(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """Dagster's records of runs, without those older than `NEXGEN_RUN_RETENTION_DAYS` that nothing needs.

        A run that holds the latest materialization, attempt or check of any partition stays, whatever its age.
        """
        before = datetime.now(UTC) - timedelta(days=settings.run_retention_days)
        pruned = prune_runs(context.instance, before, context.log.info)
        context.log.info(f"{pruned.removed} runs removed; {pruned.needed} old ones are still needed")
        return dg.MaterializeResult(metadata={"runs_removed": pruned.removed, "old_runs_needed": pruned.needed})

    @dg.asset(group_name=GROUP, kinds={"python", "s3"}, owners=OWNERS, code_version="1", automation_condition=sundays)
    def swept_uploads(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
        """Files from the dashboard, without those that nobody committed within `NEXGEN_UPLOAD_RETENTION_DAYS`.

        What transfers that broke off left on S3 goes too.
        """
        from nexgen_assets.dashboard.uploads.records import UploadBook
        from nexgen_assets.dashboard.uploads.storing import UploadStore
        from nexgen_assets.dashboard.uploads.sweeping import sweep_uploads

        book, store = UploadBook(open_book(settings).database), UploadStore(lake.access)
        before = datetime.now(UTC) - timedelta(days=settings.upload_retention_days)
        swept = sweep_uploads(book, store, before)
        context.log.info(f"{swept} uploads that nobody committed removed")
        return dg.MaterializeResult(metadata={"uploads_removed": swept})

    return [maintained_tables, pruned_runs, swept_uploads]


def _told(done: list[Upkeep]) -> Mapping[str, dg.MetadataValue]:
    """Sums, which the UI plots over time, and a line per table."""
    sums = {
        name: dg.MetadataValue.int(sum(getattr(upkeep, name) for upkeep in done))
        for name in ("files_merged", "files_removed", "bytes_removed", "files_kept", "bytes_kept")
    }
    if not done:
        return sums
    return {**sums, "tables": dg.MetadataValue.table([dg.TableRecord(asdict(upkeep)) for upkeep in done])}
