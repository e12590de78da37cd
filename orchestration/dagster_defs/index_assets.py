"""The index over everything the corpus holds: its vectors, its words, a candidate whose checks run, and the version in use.

A candidate is whole and answered its probes before its checks run here; only then does the pointer move. A failed check leaves
the version in use as it is, and says why.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from infra.progress import ProgressLogger
from infra.storage.root import Storage
from infra.workers.local import WorkerEngine, engine_of
from orchestration.dagster_defs.automation.conditions import FOLLOWS_CORPUS, IN_THE_SAME_RUN
from orchestration.dagster_defs.causes import cause_first
from orchestration.dagster_defs.partitions import DATA_OWNERS

if TYPE_CHECKING:
    from assets.index.build import IndexReport
    from assets.index.settings import IndexSettings
    from orchestration.dagster_defs.checks import CheckResult

KEEP_HOURS = 1.0
INDEX_SCHEMA = "assets.index/2"
"""Of the code that makes an index; a test holds it to ``assets.index.published.SCHEMA_VERSION``."""

LOOKED_AT_NIGHTLY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=7), warn_window=timedelta(hours=36)
)
"""A night without a release is told on the page, a week without one is a failure."""

COUNT_EQUALS_CORPUS = dg.AssetCheckSpec(
    "count_equals_corpus",
    asset="index_candidate",
    blocking=True,
    description="The candidate holds exactly the items of the corpora it was built from.",
)
CORPORA_ARE_RIGHT = dg.AssetCheckSpec(
    "corpora_are_right",
    asset="index_candidate",
    blocking=True,
    description="What blocks a corpus blocks a release that holds it: counts, ids, references graded as right.",
)


class IndexConfig(dg.Config):
    """What is indexed, by which embedders, and where it goes. What is left out is as in the index in use."""

    store: str | None = Field(
        None, description="lance (a folder of the root) or weaviate (the server of WEAVIATE_URL)."
    )
    quantizer: str | None = Field(
        None, description="Of a new collection on a server: none, rq, sq or bq. It cannot be changed later."
    )
    embedder: str | None = Field(
        None, description="Of words: minilm, the folder of a local model, or an address that ends in /v1."
    )
    embedder_options: dict[str, str] = Field(
        {},
        description="Further fields of its record, e.g. model, dim, dtype, batch_tokens, batch_items, concurrency.",
    )
    vision: str | None = Field(
        None,
        description="Of pages, pictures and clips: a folder, an address, miniature (of the job `eye`), or none.",
    )
    vision_options: dict[str, str] = Field(
        {}, description="Further fields of its record, e.g. max_image_pixels, max_frames, batch_tokens."
    )
    engine: str = Field("local", description="local (processes of this machine) or ray.")
    workers: int | None = Field(
        None, description="How many embed at once; by default this process alone, or Ray's two."
    )
    ray_address: str | None = Field(
        None,
        description="Of a running Ray cluster whose workers see the same root; else Ray is started here.",
    )
    datasets: list[str] | None = Field(None, description="Some of the finished corpora; by default all.")
    keep_hours: float = Field(KEEP_HOURS, ge=0, description="How long an index stays that was replaced.")

    def settings(self, storage: Storage) -> "IndexSettings":
        """The choices of the index in use with those that were made here.

        Raises:
            ValueError: for what cannot be.
        """
        from assets.index.published import remembered_settings
        from assets.index.settings import vision_config
        from infra.embedders.config import embedder_config

        before = remembered_settings(storage)
        return replace(
            before,
            store=self.store or before.store,
            quantizer=self.quantizer or before.quantizer,
            embedder=embedder_config(self.embedder, **self.embedder_options)
            if self.embedder
            else before.embedder,
            vision=vision_config(storage, self.vision, **self.vision_options)
            if self.vision
            else before.vision,
            datasets=tuple(self.datasets) if self.datasets is not None else None,
            keep_s=self.keep_hours * 3600,
        )

    def worker_engine(self) -> WorkerEngine | None:
        """What embeds; None for this process alone. Raises ``ValueError`` for an engine that is unknown or not installed."""
        if self.engine == "local" and self.workers in (None, 1):
            return None
        return engine_of(self.engine, workers=self.workers, address=self.ray_address)


@dg.multi_asset(
    name="index_of_corpus",  # the job is called "index", and names of ops and jobs may not meet
    specs=[
        dg.AssetSpec(
            "index_vectors",
            deps=["corpus_items"],
            group_name="index",
            kinds={"lancedb"},
            owners=DATA_OWNERS,
            code_version=INDEX_SCHEMA,
            automation_condition=FOLLOWS_CORPUS,
            description="What is embedded of every item: its passages and, with an embedder that sees, its pictures and clips.",
        ),
        dg.AssetSpec(
            "index_words",
            deps=["corpus_items"],
            group_name="index",
            kinds={"lancedb"},
            owners=DATA_OWNERS,
            code_version=INDEX_SCHEMA,
            automation_condition=FOLLOWS_CORPUS,
            description="The terms of every item, for exact BM25.",
        ),
        dg.AssetSpec(
            "index_candidate",
            deps=["index_vectors", "index_words"],
            group_name="index",
            owners=DATA_OWNERS,
            code_version=INDEX_SCHEMA,
            automation_condition=IN_THE_SAME_RUN,
            description="A version that answered its probes like the exact reference, and that nobody reads yet.",
        ),
    ],
    check_specs=[COUNT_EQUALS_CORPUS, CORPORA_ARE_RIGHT],
    can_subset=True,
)
def index_of_corpus(
    context: dg.AssetExecutionContext, config: IndexConfig, storage: dg.ResourceParam[Storage]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Every item of every finished corpus, searchable by words, by meaning and, where something sees, by sight."""
    from assets.index.build import build_index
    from assets.index.candidate import Candidate, propose

    with cause_first():
        settings, engine = config.settings(storage), config.worker_engine()
        progress = ProgressLogger(context.log.info)
        report = build_index(storage, settings, engine=engine, progress=progress, promote=False)
    context.log.info(
        f"index {report.version}: {report.embedded:,} items embedded, {report.reused:,} taken over"
    )
    verdicts = _verdicts(storage, report.version)
    failing = tuple(
        f"{name}: {'; '.join(verdict.failing)}" for name, verdict in verdicts.items() if not verdict.passed
    )
    propose(storage, Candidate(version=report.version, over=report.over, failing=failing))
    words = dg.MaterializeResult(
        asset_key=dg.AssetKey("index_words"),
        metadata={"dagster/row_count": report.items, "dagster/uri": storage.path("index", report.version)},
        data_version=dg.DataVersion(report.version),
    )
    for result in (_vectors(report, settings), words, _candidate(report, storage)):
        if result.asset_key in context.selected_asset_keys:
            yield result
    for name, verdict in verdicts.items():
        if dg.AssetCheckKey(dg.AssetKey("index_candidate"), name) in context.selected_asset_check_keys:
            if not verdict.passed:
                context.log.error(f"check {name} failed, the index in use stays: {list(verdict.failing)}")
            yield dg.AssetCheckResult(
                asset_key="index_candidate",
                check_name=name,
                passed=verdict.passed,
                metadata={"checked": verdict.checked, "failing": list(verdict.failing)},
            )


class PromotionConfig(dg.Config):
    """What is kept of the versions before."""

    keep_hours: float = Field(
        KEEP_HOURS, ge=0, description="How long an index stays that was replaced; the one before always does."
    )


@dg.multi_asset(
    name="promotion",  # the job is called "index", and names of ops and jobs may not meet
    specs=[
        dg.AssetSpec(
            "index",
            deps=["index_candidate"],
            group_name="index",
            owners=DATA_OWNERS,
            automation_condition=IN_THE_SAME_RUN,
            metadata={"releases": dg.MetadataValue.md("`vimrag releases list`, and the jobs of releases")},
            description="The version in use: the candidate, when its checks passed and nobody promoted another one meanwhile.",
        )
    ],
)
def index_in_use(
    context: dg.AssetExecutionContext, config: PromotionConfig, storage: dg.ResourceParam[Storage]
) -> dg.MaterializeResult:
    """Move the pointer to the candidate, and collect what nobody uses any more."""
    from assets.index.candidate import promote

    with cause_first():
        pointer = promote(storage, keep_s=config.keep_hours * 3600)
    context.log.info(f"release {pointer.version} is current")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(pointer.datasets.values()),
            "dagster/uri": storage.path("index", pointer.version),
            "version": pointer.version,
            "store": pointer.store,
            "datasets": dict(pointer.datasets),
            "fingerprint": pointer.fingerprint,
        },
        data_version=dg.DataVersion(pointer.version),
    )


def _verdicts(storage: Storage, version: str) -> "dict[str, CheckResult]":
    """What the blocking checks say of a version that is there."""
    from assets.index.published import corpora, open_store, version_pointer
    from orchestration.dagster_defs import checks

    built_from, pointer = corpora(storage, version), version_pointer(storage, version)
    assert pointer is not None  # it was built a moment ago
    rows = open_store(storage, pointer).count()
    return {
        COUNT_EQUALS_CORPUS.name: checks.index_count_equals_corpus(rows, storage, built_from),
        CORPORA_ARE_RIGHT.name: checks.corpora_are_right(storage, built_from),
    }


def _vectors(report: "IndexReport", settings: "IndexSettings") -> dg.MaterializeResult:
    speed = {"items_per_s": report.embedded / report.embedding_s} if report.embedded else {}
    return dg.MaterializeResult(
        asset_key=dg.AssetKey("index_vectors"),
        metadata={
            "dagster/row_count": sum(report.vectors.values()),
            "store": report.store,
            "vectors": dict(report.vectors),
            "unseen": dict(report.unseen),
            "embedded": report.embedded,
            "reused": report.reused,
            "embedding_s": report.embedding_s,
            "embedders": settings.to_json(),
            **speed,
        },
        data_version=dg.DataVersion(report.version),
    )


def _candidate(report: "IndexReport", storage: Storage) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        asset_key=dg.AssetKey("index_candidate"),
        metadata={
            "dagster/row_count": report.items,
            "dagster/uri": storage.path("index", report.version),
            "version": report.version,
            "over": report.over or "",
            "store": report.store,
            "datasets": dict(report.datasets),
            "embedded": report.embedded,
            "reused": report.reused,
            "vanished": report.vanished,
            "fingerprint": report.fingerprint,
            "writing_s": report.writing_s,
        },
        data_version=dg.DataVersion(report.version),
    )
