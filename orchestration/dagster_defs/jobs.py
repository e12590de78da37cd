"""Which assets run together.

Every job runs by ``dagster job execute -m orchestration.definitions -j NAME``; ``corpus`` alone wants a partition. Jobs that
want the pool ``gpu`` run in one process: what they launch is then a child of the run itself and cannot outlive it.
"""

import dagster as dg

from orchestration.dagster_defs.command_jobs import COMMAND_JOBS
from orchestration.dagster_defs.gpu_pool_executor import one_process_executor
from orchestration.dagster_defs.partitions import ALL_DATASETS
from orchestration.dagster_defs.raw_assets import INVENTED
from orchestration.dagster_defs.release_jobs import RELEASE_JOBS

observe_raw_job = dg.define_asset_job(
    "observe_raw", selection=["raw"], description="Hash the raw files of a dataset: has anything changed?"
)
fetch_job = dg.define_asset_job(
    "fetch", selection=["fetched"], description="One dataset from where its authors publish it."
)
corpus_job = dg.define_asset_job(
    "corpus",
    selection=["corpus_items", "questions", "shards"],
    description="Items, questions and shards of one dataset from its raw folder.",
)
index_job = dg.define_asset_job(
    "index",
    selection=["index_vectors", "index_words", "index_candidate", "index"],
    description="The index over every finished corpus: built, checked, promoted.",
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
model_scores_job = dg.define_asset_job(
    "measure",  # names of ops and jobs may not meet
    selection=["model_scores"],
    executor_def=one_process_executor,
    description="A model under one memory policy on one benchmark; the model is the run's configuration.",
)
EYE = dg.AssetSelection.assets("miniature_eye")
INVENTED_RUN = (
    dg.AssetSelection.all(include_sources=True)
    - EYE
    - dg.AssetSelection.assets("question_set", "fetched", "retrieval", "model_scores")
)
"""The miniature's worlds have splits of their own, and come from nowhere; a model is measured by whoever names one."""

eye_job = dg.define_asset_job(
    "eye",  # names of ops and jobs may not meet
    selection=EYE,
    executor_def=one_process_executor,
    description="A tiny embedder that sees the invented worlds, for an index with `vision: miniature`.",
)
miniature_job = dg.define_asset_job(
    "miniature",
    selection=INVENTED_RUN,
    tags={**ALL_DATASETS, **INVENTED},
    executor_def=one_process_executor,
    description="The whole platform on invented data: nine datasets to the report, in one run.",
)

policies_job = dg.define_asset_job(
    "policies",
    selection=INVENTED_RUN - dg.AssetSelection.assets("ggpo_checkpoint"),
    tags={**ALL_DATASETS, **INVENTED},
    executor_def=one_process_executor,
    description="The miniature without training: every memory policy on the same unseen questions.",
)

retrieval_job = dg.define_asset_job(
    "measure_retrieval",  # names of ops and jobs may not meet
    selection=["retrieval"],
    description="Recall of the gold evidence in the index in use.",
)

JOBS = [
    observe_raw_job,
    fetch_job,
    corpus_job,
    index_job,
    retrieval_job,
    questions_job,
    cold_start_job,
    train_ggpo_job,
    evaluate_job,
    model_scores_job,
    eye_job,
    miniature_job,
    policies_job,
    *RELEASE_JOBS,
    *COMMAND_JOBS,
]
