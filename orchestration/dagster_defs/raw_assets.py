"""What the platform starts from: raw files as they lie, watched for changes, and fetching them from where they are published.

``raw`` is observed, one partition a dataset: nothing here writes it, except that the jobs of the miniature invent it first. Its
data version is the hash that the corpus' manifest names as its input, so that a touched file with the same bytes changes nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from assets.acquisition.publications import PUBLICATIONS
from assets.corpus.dataset import DATASETS
from assets.corpus.raw_version import is_there, raw_version
from infra.progress import ProgressLogger
from infra.storage.root import Storage
from orchestration.dagster_defs.miniature_raw import ensure_miniature
from orchestration.dagster_defs.partitions import BY_DATASET, DATA_OWNERS, observed, passed_on
from orchestration.dagster_defs.resources import RawLocation
from orchestration.recipes.options import Recipe

RAW = "raw"
INVENTED = {"vimrag/raw": "miniature"}
"""Run tag of the jobs whose raw data are invented before they are looked at."""

NINE_FOLDERS = dg.AssetCheckSpec(
    "nine_folders",
    asset=RAW,
    blocking=True,
    description="Where the raw data are invented, each of the nine datasets has files.",
)


@dg.multi_observable_source_asset(
    name="look_at_raw",
    specs=[
        dg.AssetSpec(
            RAW,
            description="The raw files of each dataset, as their authors publish them: hash of names and contents.",
            group_name="raw",
            kinds={"file"},
            owners=DATA_OWNERS,
            metadata={"layouts": dg.MetadataValue.md("docs/datasets.md says how each folder is laid out")},
        )
    ],
    partitions_def=BY_DATASET,
    check_specs=[NINE_FOLDERS],
)
def look_at_raw(
    context: dg.AssetExecutionContext,
    storage: dg.ResourceParam[Storage],
    raw: dg.ResourceParam[RawLocation],
    recipe: dg.ResourceParam[Recipe],
) -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
    """Look at the folder of each dataset; one that is not there is left out, with the reason in the log."""
    invents = context.run.tags.items() >= INVENTED.items()
    folder = _invented(context, storage, raw, recipe) if invents else raw.resolve(storage)
    missing = [name for name in context.partition_keys if not is_there(folder / name)]
    for name in context.partition_keys:
        if name in missing:
            context.log.info(f"{name}: no files in {folder / name}")
            continue
        found = raw_version(storage, name, folder / name, progress=ProgressLogger(context.log.info))
        metadata = {
            "path": dg.MetadataValue.path(str(folder / name)),
            "files": found.files,
            "bytes": found.bytes,
            "faults": dict(found.faults),
            "licence": PUBLICATIONS[name].licence if name in PUBLICATIONS else "",
        }
        context.log_event(observed(RAW, name, found.version, metadata))
    yield passed_on(RAW)
    yield dg.AssetCheckResult(
        check_name=NINE_FOLDERS.name, passed=not (invents and missing), metadata={"empty": missing}
    )


raw = look_at_raw.with_attributes(backfill_policy=dg.BackfillPolicy.single_run())
"""One run looks at any number of partitions, as the corpus is built."""


def _invented(context: dg.AssetExecutionContext, storage: Storage, raw: RawLocation, recipe: Recipe) -> Path:
    folder, worlds = raw.for_miniature(storage), recipe.worlds
    action = "wrote" if ensure_miniature(folder, worlds) else "kept"
    context.log.info(
        f"{action} {worlds.train} training, {worlds.val} validation and {worlds.test} test worlds in {folder}"
    )
    return folder


class FetchConfig(dg.Config):
    """What is fetched of a dataset beside its questions and texts; see `vimrag fetch --list`."""

    accept_terms: bool = Field(
        False, description="You have read the terms (the asset's page shows them), and they are met."
    )
    parts: list[str] = Field([], description="Parts that do not come by default, or `all`.")
    videos: bool = Field(False, description="The videos too; needs accept_terms.")
    max_videos: int | None = Field(None, description="Videos asked for in this run; by default all.")
    max_video_mb: int = Field(2048, ge=1, description="Size above which a video is not taken.")
    rate_kb: int | None = Field(None, description="Kilobytes a second of a video; by default no limit.")
    sleep_s: float = Field(5.0, ge=0, le=3600, description="Least pause before a video.")
    mirrors: list[str] = Field([], description="Other base addresses, `NAME=URL`.")
    revisions: dict[str, str] = Field({}, description="owner/repo -> commit, tag or branch.")
    retry_quarantined: bool = Field(False, description="Try again what was gone, private or elsewhere.")
    verify_hashes: bool = Field(False, description="Hash what is there already.")
    relock: bool = Field(False, description="Forget the recorded hashes, and record anew.")

    def settings(self) -> Any:
        """The record of ``assets.acquisition``; ``ValueError`` for a mirror that is none."""
        from assets.acquisition.mirrors import mirrors_of
        from assets.acquisition.session import FetchSettings
        from infra.downloads.ytdlp_fetcher import VideoSettings

        return FetchSettings(
            parts=tuple(self.parts),
            videos=self.videos,
            max_videos=self.max_videos,
            accept_terms=self.accept_terms,
            revisions=self.revisions,
            retry_quarantined=self.retry_quarantined,
            verify=self.verify_hashes,
            relock=self.relock,
            mirrors=mirrors_of(self.mirrors),
            video=VideoSettings(
                max_bytes=self.max_video_mb << 20,
                bytes_per_s=self.rate_kb << 10 if self.rate_kb else None,
                sleep_s=self.sleep_s,
                max_sleep_s=max(self.sleep_s, min(6 * self.sleep_s, 3600.0)),
            ),
        )


def _licences() -> str:
    rows = [f"| {name} | {each.licence} | {each.terms or '-'} |" for name, each in PUBLICATIONS.items()]
    return "\n".join(["| dataset | licence | terms |", "|---|---|---|", *rows])


@dg.asset(
    partitions_def=BY_DATASET,
    group_name="raw",
    kinds={"http"},
    owners=DATA_OWNERS,
    metadata={"licences": dg.MetadataValue.md(_licences())},
)
def fetched(
    context: dg.AssetExecutionContext, config: FetchConfig, storage: dg.ResourceParam[Storage]
) -> dg.MaterializeResult:
    """A dataset from where its authors publish it, in `raw/<dataset>` below the root; runs again do only what is missing."""
    from assets.acquisition.fetch import fetch

    name = context.partition_key
    folder = storage.local_path()
    if folder is None:
        raise dg.Failure(f"raw files are fetched into a folder of this machine, not to {storage.root}")
    if name not in PUBLICATIONS:
        raise dg.Failure(f"{name} is published nowhere that is known: known are {', '.join(PUBLICATIONS)}")
    publication = PUBLICATIONS[name]
    try:
        report = fetch(publication, folder, config.settings(), progress=ProgressLogger(context.log.info))
    except ValueError as error:
        raise dg.Failure(str(error), {"licence": publication.licence, "terms": publication.terms}) from error
    if report.failures:
        first = report.failures[0]
        raise dg.Failure(
            f"{len(report.failures)} files did not come, the first: {first.name}: {first.reason}: {first.detail}",
            {"report": report.to_json()},
        )
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(report.folder),
            "licence": publication.licence,
            "terms": publication.terms or "none beyond the licence",
            "fetched_bytes": report.fetched_bytes,
            "quarantine": dict(report.quarantine),
            "notes": dg.MetadataValue.md("\n".join(f"* {note}" for note in report.notes) or "none"),
            "expected_questions": dict(DATASETS[name].expected_counts),
        }
    )
