"""Releases from Dagster's page: the same functions as `vimrag releases`, as jobs with typed configuration.

Each is one op, for it makes no asset: it looks, moves the pointer, or removes what nobody uses.
"""

import dagster as dg
from pydantic import Field

from infra.progress import ProgressLogger
from infra.storage.root import Storage
from orchestration.dagster_defs.causes import cause_first
from orchestration.dagster_defs.partitions import DATA_OWNERS

RELEASE_TAGS = {"vimrag/about": "releases"}


class VersionConfig(dg.Config):
    """Which release is meant."""

    version: str | None = Field(None, description="As `list_releases` shows it; by default the current one.")


class RollBackConfig(dg.Config):
    """Where to go back to."""

    version: str | None = Field(None, description="By default the newest that is not the current one.")


class PromoteConfig(dg.Config):
    """What is to become current."""

    version: str = Field(description="As `list_releases` shows it.")


class CollectConfig(dg.Config):
    """What may go."""

    keep_hours: float = Field(1.0, ge=0, description="How long a release stays that was replaced.")
    dry_run: bool = Field(True, description="Say what would go, and remove nothing.")


@dg.op
def list_releases_op(context: dg.OpExecutionContext, storage: dg.ResourceParam[Storage]) -> None:
    """The releases that are there, the newest first."""
    from assets.index.releases import releases

    known = releases(storage)
    lines = ["| release | store | items | MiB | current | read by |", "|---|---|---|---|---|---|"]
    for each in known:
        items = sum(each.datasets.values())
        mark, readers = "yes" if each.is_current else "", "; ".join(each.readers)
        lines.append(
            f"| {each.version} | {each.store} | {items:,} | {each.bytes / 2**20:,.1f} | {mark} | {readers} |"
        )
    context.log.info("\n".join(lines))
    context.add_output_metadata({"releases": dg.MetadataValue.md("\n".join(lines))})


@dg.op
def verify_release_op(
    context: dg.OpExecutionContext, config: VersionConfig, storage: dg.ResourceParam[Storage]
) -> None:
    """Read every byte of a release; the run fails and names each file that is missing or has other bytes."""
    from assets.index.releases import release, verify

    with cause_first():
        checked = release(storage, config.version)
    faults = verify(storage, checked.version, ProgressLogger(context.log.info))
    context.add_output_metadata({"version": checked.version, "bytes": checked.bytes, "faults": faults})
    if faults:
        raise dg.Failure(f"release {checked.version} is damaged: {'; '.join(faults)}", allow_retries=False)
    context.log.info(f"release {checked.version} is whole: {checked.bytes / 2**20:,.1f} MiB read")


def _use(context: dg.OpExecutionContext, storage: Storage, version: str | None) -> None:
    from assets.index.published import current_index, roll_back

    before = current_index(storage)
    with cause_first():
        used = roll_back(storage, version)
    was = before.version if before else "none"
    context.log.info(f"release {used.version} is current, {was} was")
    context.log_event(
        dg.AssetMaterialization(
            "index",
            description=f"moved from {was}",
            metadata={
                "version": used.version,
                "dagster/row_count": sum(used.datasets.values()),
                "datasets": dict(used.datasets),
                "fingerprint": used.fingerprint,
                "before": was,
            },
            tags={"dagster/data_version": used.version},
        )
    )


@dg.op
def promote_release_op(
    context: dg.OpExecutionContext, config: PromoteConfig, storage: dg.ResourceParam[Storage]
) -> None:
    """Make the release named the current one."""
    _use(context, storage, config.version)


@dg.op
def roll_back_release_op(
    context: dg.OpExecutionContext, config: RollBackConfig, storage: dg.ResourceParam[Storage]
) -> None:
    """Make another release the current one; nothing is built and nothing is lost."""
    _use(context, storage, config.version)


@dg.op
def collect_releases_op(
    context: dg.OpExecutionContext, config: CollectConfig, storage: dg.ResourceParam[Storage]
) -> None:
    """Remove what nobody uses: never the current release, the one before, what is read, or what is young."""
    from assets.index.releases import release
    from assets.index.retention import collect
    from infra.storage.lock import only_writer

    with cause_first():
        release(storage)  # where nothing was published there is nothing to remove
    with cause_first(), only_writer(storage, "index"):
        removed = collect(storage, keep_s=config.keep_hours * 3600, dry_run=config.dry_run)
    lines = [f"{each.path}: {each.size / 2**20:,.1f} MiB" for each in removed]
    verb = "would go" if config.dry_run else "removed"
    context.log.info("\n".join([f"{len(removed)} folders {verb}", *lines]))
    context.add_output_metadata({"folders": lines, "bytes": sum(each.size for each in removed)})


def _job(name: str, body: dg.OpDefinition) -> dg.JobDefinition:
    @dg.job(name=name, description=body.description, tags=RELEASE_TAGS, owners=DATA_OWNERS)
    def one_op() -> None:
        body()

    return one_op


RELEASE_JOBS = [
    _job("list_releases", list_releases_op),
    _job("verify_release", verify_release_op),
    _job("promote_release", promote_release_op),
    _job("roll_back_release", roll_back_release_op),
    _job("collect_releases", collect_releases_op),
]
