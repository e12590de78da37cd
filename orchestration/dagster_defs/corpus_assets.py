"""The corpus: items, questions and shards of each dataset, one pass over its raw folder, one partition a dataset.

Thin shells around ``assets.corpus.build``. A run may cover several partitions, one after the other: what is not on disk is left
out and said, what fails does not keep the others from being built.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.corpus.item import SCHEMA_VERSION
from assets.corpus.raw_version import is_there
from infra.progress import ProgressLogger
from infra.storage import manifest
from infra.storage.root import Storage
from infra.workers.local import WorkerEngine, engine_of
from orchestration.dagster_defs.automation.conditions import FOLLOWS_RAW
from orchestration.dagster_defs.partitions import BY_DATASET, DATA_OWNERS, materialized, passed_on
from orchestration.dagster_defs.resources import RawLocation

if TYPE_CHECKING:
    from assets.parsers.types import ParseContext

ITEMS, QUESTIONS, SHARDS = "corpus_items", "questions", "shards"
COUNTED = {ITEMS: "items", QUESTIONS: "questions", SHARDS: "samples"}
"""What of the manifest's counts is the number of rows of an asset."""


def _check(name: str, asset: str, description: str, *, blocking: bool = True) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name, asset=asset, blocking=blocking, description=description, partitions_def=BY_DATASET
    )


CHECKS = [
    _check("count_matches_manifest", ITEMS, "As many items as the manifest says, ids unique."),
    _check("count_matches_manifest", QUESTIONS, "As many questions as the manifest says."),
    _check("gold_answers_score_one", QUESTIONS, "Every reference answer is graded as right."),
    _check(
        "count_is_published",
        QUESTIONS,
        "A copy that is not plainly a part has as many questions as are published.",
        blocking=False,
    ),
]


def _asset(key: str, description: str, kind: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=["raw"],
        description=description,
        group_name="corpus",
        kinds={kind},
        owners=DATA_OWNERS,
        code_version=f"assets.corpus/{SCHEMA_VERSION}",
        automation_condition=FOLLOWS_RAW,
        skippable=True,
    )


class CorpusConfig(dg.Config):
    """How raw files are read. The defaults are those of `vimrag corpus build`."""

    ocr: bool = Field(True, description="Read slides, and pages without text of their own, by OCR.")
    ocr_model: str | None = Field(
        None,
        description="PP-OCR recognition model of other scripts, a file or folder; by default VIMRAG_OCR_MODEL.",
    )
    dpi: int = Field(144, ge=18, le=600, description="Resolution at which PDF pages are rendered.")
    max_pages: int | None = Field(
        None, description="Pages rendered of each document, from the first; by default all."
    )
    max_frames: int = Field(32, ge=1, description="Frames stored of each clip, at most.")
    fps: float = Field(1.0, gt=0, description="Frames stored a second of a clip, up to max_frames.")
    clip_s: float = Field(60.0, gt=0, description="Length of a clip in seconds.")
    strict: bool = Field(
        False, description="End at the first thing that cannot be used, or count that differs."
    )
    engine: str = Field("local", description="Where OCR runs: local (processes of this machine) or ray.")
    workers: int | None = Field(
        None, description="How many read at once; by default this process alone, or one a core of Ray."
    )
    ray_address: str | None = Field(
        None, description="Of a running Ray cluster whose workers see the same root; else Ray starts here."
    )

    def worker_engine(self) -> WorkerEngine | None:
        """What reads pages ahead; None for this process alone. ``ValueError`` for an engine that is unknown or not installed."""
        if self.engine == "local" and self.workers in (None, 1):
            return None
        return engine_of(self.engine, workers=self.workers, address=self.ray_address)

    def context(self, engine: WorkerEngine | None) -> "ParseContext":
        """What the parsers are told. ``ValueError`` for a model of OCR that cannot be used."""
        from assets.parsers.images import read_by
        from assets.parsers.types import ParseContext
        from infra.media import ocr_reader

        threads = 1 if engine is not None and engine.workers > 1 else 0
        context = ParseContext(
            dpi=self.dpi,
            max_pages=self.max_pages,
            max_frames=self.max_frames,
            fps=self.fps,
            clip_s=self.clip_s,
            strict=self.strict,
        )
        return read_by(ocr_reader(self.ocr_model, num_threads=threads) if self.ocr else None, context)


@dg.multi_asset(
    name="corpus_of_dataset",  # the job is called "corpus", and names of ops and jobs may not meet
    partitions_def=BY_DATASET,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
    specs=[
        _asset(ITEMS, "Every retrievable passage, page, image and clip of one dataset.", "parquet"),
        _asset(QUESTIONS, "Every question of one dataset with its references and gold evidence.", "parquet"),
        _asset(SHARDS, "Images, pages and frames of one dataset as WebDataset tars.", "webdataset"),
    ],
    check_specs=CHECKS,
)
def corpus(
    context: dg.AssetExecutionContext,
    config: CorpusConfig,
    storage: dg.ResourceParam[Storage],
    raw: dg.ResourceParam[RawLocation],
) -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
    """One pass over the raw folder of each requested dataset."""
    folder, names = raw.resolve(storage), list(context.partition_keys)
    absent = [name for name in names if not is_there(folder / name)]
    for name in absent:
        context.log.warning(
            f"{name}: skipped: no files in {folder / name}; `fetched` or `vimrag fetch` brings them"
        )
    if names == absent:
        raise dg.Failure(
            f"nothing to build: {folder} has no files of {', '.join(names)}", allow_retries=False
        )
    built, errors = _build(context, config, storage, raw, [name for name in names if name not in absent])
    for key in sorted(context.selected_asset_keys):
        for name in built:
            version, metadata = _metadata(storage, key.to_user_string(), name)
            inputs = {"raw": manifest.read(storage, f"corpus/{name}").inputs["raw"]}
            context.log_event(materialized(context, key, name, version, metadata, inputs))
    yield from _checked(context, storage, built)
    if errors:
        raise dg.Failure(
            "; ".join(f"{name}: {error}" for name, error in errors.items()),
            {"built": built, "skipped": absent, "failed": dict(errors)},
            allow_retries=False,
        )
    for key in sorted(context.selected_asset_keys):
        yield passed_on(key.to_python_identifier())


def _build(
    context: dg.AssetExecutionContext,
    config: CorpusConfig,
    storage: Storage,
    raw: RawLocation,
    names: list[str],
) -> tuple[list[str], dict[str, str]]:
    """The datasets that were built, and of the others what went wrong."""
    from assets.corpus.build import build_corpus

    folder, engine = raw.resolve(storage), config.worker_engine()
    context.log.info(f"building {', '.join(names)} from {folder}")
    built, errors = list[str](), dict[str, str]()
    for name in names:
        try:
            report = build_corpus(
                folder,
                storage,
                datasets=[name],
                settings=config.context(engine),
                engine=engine,
                progress=ProgressLogger(context.log.info),
            ).datasets[name]
        except ValueError as error:  # what is wrong with one dataset is said, and the others are built
            context.log.error(f"{name}: {error}")
            errors[name] = str(error)
            continue
        skipped = f", skipped {dict(report.skipped)}" if report.skipped else ""
        context.log.info(f"{name}: {report.items:,} items, {report.questions:,} questions{skipped}")
        built.append(name)
    return built, errors


def _metadata(storage: Storage, key: str, dataset: str) -> tuple[str, dict[str, Any]]:
    """Data version and metadata of one asset of a dataset."""
    from orchestration.dagster_defs.samples import columns, sample_page

    directory = f"{'shards' if key == SHARDS else 'corpus'}/{dataset}"
    published = manifest.read(storage, directory)
    count = published.counts.get(COUNTED[key])
    rows = {"dagster/partition_row_count": count} if count is not None and key != SHARDS else {}
    shown = sample_page(storage, dataset) if key == SHARDS else columns(key)
    version = manifest.digest(published)
    return version, {
        **rows,
        **shown,
        "dagster/uri": storage.path(manifest.folder_of(directory, published)),
        "bytes": sum(file.size for file in published.files),
        "sha256": version,
        "counts": dict(published.counts),
        "licence": _licence(dataset),
    }


def _licence(dataset: str) -> str:
    from assets.acquisition.publications import PUBLICATIONS

    return PUBLICATIONS[dataset].licence if dataset in PUBLICATIONS else "your own"


def _checked(
    context: dg.AssetExecutionContext, storage: Storage, built: list[str]
) -> Iterator[dg.AssetCheckResult]:
    """Each check for each partition as an event of its own; the result that Dagster wants of the step says which failed."""
    alone = context.has_partition_key
    blocking = {(spec.asset_key, spec.name): spec.blocking for spec in CHECKS}
    for check in sorted(context.selected_asset_check_keys, key=str):
        verdicts = {name: _verdict(check, storage, name) for name in built}
        for name, (passed, metadata) in verdicts.items():
            if not passed:
                context.log.error(
                    f"check {check.name} of {check.asset_key.to_user_string()} failed for {name}: {metadata['failing']}"
                )
            if not alone:
                evaluation: Any = dg.AssetCheckEvaluation(
                    asset_key=check.asset_key,
                    check_name=check.name,
                    passed=passed,
                    metadata=metadata,
                    partition=name,
                    blocking=blocking[check.asset_key, check.name],
                )
                context.log_event(evaluation)  # which takes these too; its annotation lags behind
        failed = [name for name, (passed, _) in verdicts.items() if not passed]
        yield dg.AssetCheckResult(
            asset_key=check.asset_key,
            check_name=check.name,
            passed=not failed,
            metadata={
                "partitions": built,
                "failed_partitions": failed,
                "checked": sum(metadata["checked"] for _, metadata in verdicts.values()),
                "failing": [each for _, metadata in verdicts.values() for each in metadata["failing"]],
            },
        )


def _verdict(key: dg.AssetCheckKey, storage: Storage, name: str) -> tuple[bool, Mapping[str, Any]]:
    from assets.corpus.read import read_questions
    from orchestration.dagster_defs import checks

    if key.name == "gold_answers_score_one":
        verdict = checks.gold_answers_score_one(read_questions(storage, name))
    elif key.name == "count_is_published":
        verdict = checks.counts_are_published(storage, [name])
    elif key.asset_key == dg.AssetKey(ITEMS):
        verdict = checks.items_match_manifest(storage, [name])
    else:
        verdict = checks.questions_match_manifest(storage, [name])
    return verdict.passed, {"checked": verdict.checked, "failing": list(verdict.failing)}
