"""The index over everything the corpus holds."""

import dagster as dg

from assets.corpus.read import built_datasets
from assets.index.build import build_index
from assets.index.published import open_index
from infra.progress import ProgressLogger
from infra.storage.root import Storage
from orchestration.dagster_defs import checks

COUNT_EQUALS_CORPUS = dg.AssetCheckSpec(
    "count_equals_corpus",
    asset="index",
    blocking=True,
    description="The index holds exactly the items of the corpus.",
)


@dg.multi_asset(
    name="index_of_corpus",  # the job is called "index", and names of ops and jobs may not meet
    specs=[
        dg.AssetSpec(
            "index",
            deps=["corpus_items"],
            group_name="index",
            kinds={"lancedb"},
            description="Every item of every finished corpus, searchable by words and by meaning.",
        )
    ],
    check_specs=[COUNT_EQUALS_CORPUS],
)
def index(context: dg.AssetExecutionContext, storage: dg.ResourceParam[Storage]) -> dg.MaterializeResult:
    """Every item of every finished corpus, searchable by words and by meaning."""
    report = build_index(storage, progress=ProgressLogger(context.log.info))
    context.log.info(
        f"index {report.version}: {report.embedded:,} items embedded, {report.reused:,} taken over"
    )
    verdict = checks.index_count_equals_corpus(open_index(storage).count(), storage, built_datasets(storage))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": report.items,
            "dagster/uri": storage.path("index", report.version),
            "datasets": dict(report.datasets),
            "embedded": report.embedded,
            "reused": report.reused,
            "vanished": report.vanished,
            "fingerprint": report.fingerprint,
        },
        data_version=dg.DataVersion(report.version),
        check_results=[
            dg.AssetCheckResult(
                passed=verdict.passed,
                metadata={"corpus_items": verdict.checked, "failing": list(verdict.failing)},
            )
        ],
    )
