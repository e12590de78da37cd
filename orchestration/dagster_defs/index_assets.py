"""The index over everything the corpus holds: its vectors, its words, and the version that is published."""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
from pydantic import Field

from assets.index.build import IndexReport, build_index
from assets.index.published import open_index, remembered_settings
from assets.index.settings import KEEP_S, IndexSettings, vision_config
from infra.embedders.config import embedder_config
from infra.progress import ProgressLogger
from infra.storage.root import Storage
from infra.workers.local import WorkerEngine, engine_of
from orchestration.dagster_defs import checks

COUNT_EQUALS_CORPUS = dg.AssetCheckSpec(
    "count_equals_corpus",
    asset="index",
    blocking=True,
    description="The index holds exactly the items of the datasets it was asked for.",
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
    keep_hours: float = Field(KEEP_S / 3600, ge=0, description="How long an index stays that was replaced.")

    def settings(self, storage: Storage) -> IndexSettings:
        """The choices of the index in use with those that were made here.

        Raises:
            ValueError: for what cannot be.
        """
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
            description="What is embedded of every item: its passages and, with an embedder that sees, its pictures and clips.",
        ),
        dg.AssetSpec(
            "index_words",
            deps=["corpus_items"],
            group_name="index",
            kinds={"lancedb"},
            description="The terms of every item, for exact BM25.",
        ),
        dg.AssetSpec(
            "index",
            deps=["index_vectors", "index_words"],
            group_name="index",
            description="The version in use: published when it answered its probes like the exact reference.",
        ),
    ],
    check_specs=[COUNT_EQUALS_CORPUS],
    can_subset=True,
)
def index(
    context: dg.AssetExecutionContext, config: IndexConfig, storage: dg.ResourceParam[Storage]
) -> Iterator[dg.MaterializeResult]:
    """Every item of every finished corpus, searchable by words, by meaning and, where something sees, by sight."""
    settings, engine = config.settings(storage), config.worker_engine()
    report = build_index(storage, settings, engine=engine, progress=ProgressLogger(context.log.info))
    context.log.info(
        f"index {report.version}: {report.embedded:,} items embedded, {report.reused:,} taken over"
    )
    words = dg.MaterializeResult(
        asset_key=dg.AssetKey("index_words"),
        metadata={"dagster/row_count": report.items, "dagster/uri": storage.path("index", report.version)},
    )
    for result in (_vectors(report, settings), words, _published(report, storage)):
        if result.asset_key in context.selected_asset_keys:
            yield result


def _vectors(report: IndexReport, settings: IndexSettings) -> dg.MaterializeResult:
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
    )


def _published(report: IndexReport, storage: Storage) -> dg.MaterializeResult:
    in_use = open_index(storage)
    verdict = checks.index_count_equals_corpus(in_use.count(), storage, tuple(report.datasets))
    return dg.MaterializeResult(
        asset_key=dg.AssetKey("index"),
        metadata={
            "dagster/row_count": report.items,
            "dagster/uri": storage.path("index", report.version),
            "store": report.store,
            "datasets": dict(report.datasets),
            "embedded": report.embedded,
            "reused": report.reused,
            "vanished": report.vanished,
            "fingerprint": report.fingerprint,
            "writing_s": report.writing_s,
        },
        data_version=dg.DataVersion(report.version),
        check_results=[
            dg.AssetCheckResult(
                check_name=COUNT_EQUALS_CORPUS.name,
                passed=verdict.passed,
                metadata={"corpus_items": verdict.checked, "failing": list(verdict.failing)},
            )
        ],
    )
