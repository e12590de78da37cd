"""Which assets run together, and when by themselves.

Every job runs by ``dagster job execute -m orchestration.definitions -j NAME``; ``corpus`` alone wants a partition. Jobs that
want the pool ``gpu`` run in one process: what they launch is then a child of the run itself and cannot outlive it.
"""

import dagster as dg

from orchestration.dagster_defs.corpus_assets import BY_DATASET
from orchestration.dagster_defs.gpu_pool_executor import one_process_executor

ALL_DATASETS = {
    "dagster/asset_partition_range_start": BY_DATASET.get_partition_keys()[0],
    "dagster/asset_partition_range_end": BY_DATASET.get_partition_keys()[-1],
}
"""Run tags by which one run covers the whole range of partitions, so that a job over all nine needs no backfill."""

corpus_job = dg.define_asset_job(
    "corpus",
    selection=["corpus_items", "questions", "shards"],
    description="Items, questions and shards of one dataset from its raw folder.",
)
index_job = dg.define_asset_job(
    "index",
    selection=["index_vectors", "index_words", "index"],
    description="The index over every finished corpus.",
)
cold_start_job = dg.define_asset_job(
    "cold_start",
    selection=["cold_start_checkpoint"],
    executor_def=one_process_executor,
    description="Supervised learning on demonstrations.",
)
train_ggpo_job = dg.define_asset_job(
    "train_ggpo",
    selection=["ggpo_checkpoint"],
    executor_def=one_process_executor,
    description="GGPO under DeepSpeed from the cold start.",
)
evaluate_job = dg.define_asset_job(
    "evaluate",
    selection=["evaluation", "report"],
    executor_def=one_process_executor,
    description="Every method on unseen questions, then the report.",
)
questions_job = dg.define_asset_job(
    "questions_of_root",  # names of ops and jobs may not meet
    selection=["question_set"],
    description="What is trained on and what measures, of the published data in the root.",
)
EYE = dg.AssetSelection.assets("miniature_eye")
PUBLISHED = dg.AssetSelection.assets("question_set")
"""The miniature's worlds have splits of their own."""

eye_job = dg.define_asset_job(
    "eye",  # names of ops and jobs may not meet
    selection=EYE,
    executor_def=one_process_executor,
    description="A tiny embedder that sees the invented worlds, for an index with `vision: miniature`.",
)
miniature_job = dg.define_asset_job(
    "miniature",
    selection=dg.AssetSelection.all() - EYE - PUBLISHED,
    tags=ALL_DATASETS,
    executor_def=one_process_executor,
    description="The whole platform on invented data: nine datasets to the report, in one run.",
)

policies_job = dg.define_asset_job(
    "policies",
    selection=dg.AssetSelection.all() - EYE - PUBLISHED - dg.AssetSelection.assets("ggpo_checkpoint"),
    tags=ALL_DATASETS,
    executor_def=one_process_executor,
    description="The miniature without training: every memory policy on the same unseen questions.",
)

JOBS = [
    corpus_job,
    index_job,
    questions_job,
    cold_start_job,
    train_ggpo_job,
    evaluate_job,
    eye_job,
    miniature_job,
    policies_job,
]

nightly_index = dg.ScheduleDefinition(
    name="nightly_index",
    job=index_job,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    description="Brings the index up to date with the corpus. Off until switched on.",
)
