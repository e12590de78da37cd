"""A model measured as an asset: one partition a memory policy and benchmark, the model as the run's configuration.

Runs ``vimrag evaluate``, the same that a person runs, in a supervised process: resumable to the rollout, so that a partition that
failed or was cancelled goes on where it was. The record is read from what the command leaves.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from assets.corpus.dataset import DATASETS
from assets.user_files.records import DATASET as OWN
from infra.storage.root import Storage
from model.agent.memory.names import NAMES, TRAINED
from orchestration.dagster_defs.cancelled import ended_with_its_run
from orchestration.dagster_defs.partitions import RESEARCH_OWNERS
from orchestration.launch.commands import supervised

METHOD, BENCHMARK = "method", "benchmark"
BY_METHOD_AND_BENCHMARK = dg.MultiPartitionsDefinition(
    {
        METHOD: dg.StaticPartitionsDefinition([name for name in NAMES if name != TRAINED]),
        BENCHMARK: dg.StaticPartitionsDefinition([*DATASETS, OWN]),
    }
)


class MeasuredModelConfig(dg.Config):
    """Which model is measured, and on how much."""

    endpoint: str = Field("", description="OpenAI-compatible address; its key is VIMRAG_API_KEY.")
    model: str = Field(
        "", description="Its name at the endpoint, or a checkpoint folder where there is none."
    )
    name: str = Field("", description="Of the evaluations below ROOT/evaluations; by default the model's.")
    questions: int | None = Field(None, ge=1, description="Of the benchmark, at most, drawn by the seed.")
    attempts: int = Field(1, ge=1, description="Rollouts of each question.")
    temperature: float = Field(0.0, ge=0, le=2)
    concurrency: int = Field(8, ge=1)
    seed: int = 0
    question_set: str = Field("default", description="Which set measures (asset `question_set`).")
    profile: str = Field(
        "full", description="`compact` for a served model that was trained on the miniature."
    )
    token_cap: int | None = Field(None, ge=1, description="Begin no rollout beyond so many tokens.")

    def require(self) -> None:
        """Raise ``dg.Failure`` if no model was named."""
        if not (self.endpoint or self.model):
            raise dg.Failure(
                "no model: give the run's config an endpoint, or a checkpoint folder", allow_retries=False
            )

    def command(self, root: str, method: str, benchmark: str) -> list[str]:
        """The command line of one partition."""
        given: dict[str, Any] = {
            "endpoint": self.endpoint,
            "model": self.model,
            "questions": self.questions,
            "attempts": self.attempts,
            "temperature": self.temperature,
            "concurrency": self.concurrency,
            "seed": self.seed,
            "question-set": self.question_set,
            "profile": self.profile,
            "token-cap": self.token_cap,
        }
        options = [
            text
            for name, value in given.items()
            if value not in ("", None)
            for text in (f"--{name}", str(value))
        ]
        where = [
            "--root",
            root,
            "--memory",
            method,
            "--datasets",
            benchmark,
            "--name",
            self.folder(method, benchmark),
        ]
        return [sys.executable, "-m", "app.cli", "evaluate", *where, *options]

    def folder(self, method: str, benchmark: str) -> str:
        """Name of the evaluation of one partition."""
        model = self.name or self.model.rstrip("/").rsplit("/", 1)[-1] or "served"
        return re.sub(r"[^\w.-]+", "-", f"{model}.{method}.{benchmark}")


@dg.asset(
    name="model_scores",
    partitions_def=BY_METHOD_AND_BENCHMARK,
    deps=["index", "question_set"],
    group_name="evaluation",
    kinds={"json"},
    owners=RESEARCH_OWNERS,
    pool="gpu",
    description="A model, served or a checkpoint, measured under one memory policy on one benchmark (`vimrag evaluate`).",
)
def model_scores(
    context: dg.AssetExecutionContext,
    config: MeasuredModelConfig,
    pipes: dg.PipesSubprocessClient,
    storage: dg.ResourceParam[Storage],
) -> dg.MaterializeResult:
    """Measure one partition; it fails if nothing could be scored, and goes on where it was when it is run again."""
    config.require()
    keys = context.partition_key
    assert isinstance(keys, dg.MultiPartitionKey)
    method, benchmark = keys.keys_by_dimension[METHOD], keys.keys_by_dimension[BENCHMARK]
    with ended_with_its_run(context.instance, context.run_id):
        pipes.run(context=context, command=supervised(config.command(storage.root, method, benchmark)))
    folder = storage.local_path("evaluations", config.folder(method, benchmark))
    assert folder is not None, "the command refuses a remote root"
    return dg.MaterializeResult(metadata=_metadata(folder, method))


def _metadata(folder: Path, method: str) -> dict[str, Any]:
    """What Dagster shows: scores with their intervals, and what they rest on."""
    told = json.loads((folder / "evaluation.json").read_bytes())
    [score] = told["memories"][method]["datasets"]
    clustered = score["clustered"]
    notes = [note for each in told["notes"].values() for note in each]
    return {
        "right": clustered["estimate"],
        "right_low": clustered["low"],
        "right_high": clustered["high"],
        "documents": clustered["clusters"],
        "scored": score["scored"],
        "unscored": score["rollouts"] - score["scored"],
        "left": told["left"],
        "tokens": told["spent"]["tokens"],
        "judge": told["judge"],
        "model": told["model"],
        "index": told["index"],
        "own_scores": dg.MetadataValue.json(score["scores"]),
        "notes": "; ".join(notes),
        "folder": dg.MetadataValue.path(str(folder)),
    }
