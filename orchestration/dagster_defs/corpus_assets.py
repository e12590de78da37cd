"""The corpus: items, questions and shards of each dataset, one pass over its raw folder, one partition a dataset.

Thin shells around ``assets.corpus.build``. A run over a range of partitions builds them one after the other, which is how the
job ``miniature`` builds all nine in one run.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.corpus.build import build_corpus
from assets.corpus.dataset import DATASETS
from assets.corpus.read import read_questions
from infra.progress import ProgressLogger
from infra.storage import manifest
from infra.storage.root import Storage
from orchestration.dagster_defs import checks
from orchestration.dagster_defs.resources import RawLocation

ITEMS, QUESTIONS, SHARDS = "corpus_items", "questions", "shards"
BY_DATASET = dg.StaticPartitionsDefinition(list(DATASETS))
"""One partition a dataset, in the order of the registry; never one a document, page or clip."""


def _check(name: str, asset: str, description: str, *, blocking: bool = True) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, blocking=blocking, description=description)


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
    # raw_miniature only orders the job that invents its raw data; real raw folders come from outside
    return dg.AssetSpec(
        key, deps=["raw_miniature"], description=description, group_name="corpus", kinds={kind}
    )


@dg.multi_asset(
    name="corpus_of_dataset",  # the job is called "corpus", and names of ops and jobs may not meet
    partitions_def=BY_DATASET,
    can_subset=True,
    specs=[
        _asset(ITEMS, "Every retrievable passage, page, image and clip of one dataset.", "parquet"),
        _asset(QUESTIONS, "Every question of one dataset with its references and gold evidence.", "parquet"),
        _asset(SHARDS, "Images, pages and frames of one dataset as WebDataset tars.", "webdataset"),
    ],
    check_specs=CHECKS,
)
def corpus(
    context: dg.AssetExecutionContext, storage: dg.ResourceParam[Storage], raw: dg.ResourceParam[RawLocation]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """One pass over the raw folder of each requested dataset."""
    folder, names = raw.resolve(storage), list(context.partition_keys)
    context.log.info(f"building {', '.join(names)} from {folder}")
    report = build_corpus(folder, storage, datasets=names, progress=ProgressLogger(context.log.info))
    for name, built in report.datasets.items():
        skipped = f", skipped {dict(built.skipped)}" if built.skipped else ""
        context.log.info(f"{name}: {built.items:,} items, {built.questions:,} questions{skipped}")
    for key in sorted(context.selected_asset_keys):
        for name in names:
            context.add_asset_metadata(
                _metadata(storage, key.to_user_string(), name), asset_key=key, partition_key=name
            )
        yield dg.MaterializeResult(asset_key=key)
    for check in sorted(context.selected_asset_check_keys, key=str):
        result = _check_result(check, storage, names)
        if not result.passed:
            context.log.error(
                f"check {check.name} of {check.asset_key.to_user_string()} failed: {result.metadata}"
            )
        yield result


def _metadata(storage: Storage, key: str, dataset: str) -> dict[str, Any]:
    directory = f"{'shards' if key == SHARDS else 'corpus'}/{dataset}"
    published = manifest.read(storage, directory)
    count = {ITEMS: "items", QUESTIONS: "questions"}.get(key)
    rows = {"dagster/partition_row_count": published.counts[count]} if count else {}
    return {
        **rows,
        "dagster/uri": storage.path(manifest.folder_of(directory, published)),
        "bytes": sum(file.size for file in published.files),
        "sha256": manifest.digest(published),
        "counts": dict(published.counts),
    }


def _check_result(key: dg.AssetCheckKey, storage: Storage, names: list[str]) -> dg.AssetCheckResult:
    if key.name == "gold_answers_score_one":
        verdict = checks.gold_answers_score_one(q for name in names for q in read_questions(storage, name))
    elif key.name == "count_is_published":
        verdict = checks.counts_are_published(storage, names)
    elif key.asset_key == dg.AssetKey(ITEMS):
        verdict = checks.items_match_manifest(storage, names)
    else:
        verdict = checks.questions_match_manifest(storage, names)
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=verdict.passed,
        metadata={"checked": verdict.checked, "failing": list(verdict.failing)},
    )
