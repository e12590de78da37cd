"""The question set as an asset: what is trained on and what measures, seen before a GPU hour is spent."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from infra.storage.root import Storage
from orchestration.dagster_defs.causes import cause_first
from orchestration.dagster_defs.partitions import RESEARCH_OWNERS

if TYPE_CHECKING:
    from assets.question_sets.build import QuestionSet


class QuestionSetConfig(dg.Config):
    """How the questions of the finished corpora are divided."""

    name: str = Field("default", description="What recipes call it (`question_set`).")
    seed: int = Field(0, description="Of cuts and of the questions that choose between checkpoints.")
    val_share: float = Field(
        0.1, gt=0, lt=1, description="Of the documents that are trained on; they choose checkpoints."
    )
    cuts: dict[str, float] = Field(
        {},
        description="Benchmark -> share of its questions trained on, by documents, whatever its published splits say.",
    )


@dg.asset(
    name="question_set",
    deps=["corpus_items", "questions"],
    group_name="corpus",
    kinds={"parquet"},
    owners=RESEARCH_OWNERS,
    description="Which questions are trained on, which choose between checkpoints and which measure; nothing is on both sides.",
)
def question_set(
    context: dg.AssetExecutionContext, config: QuestionSetConfig, storage: dg.ResourceParam[Storage]
) -> dg.MaterializeResult:
    """Divide the questions of every finished corpus."""
    from assets.question_sets.build import build_question_set
    from assets.question_sets.settings import QuestionSetSettings

    with cause_first():
        settings = QuestionSetSettings(seed=config.seed, val_share=config.val_share, cuts=config.cuts)
        made = build_question_set(storage, settings, name=config.name)
    for leak in made.leaks:
        context.log.warning(leak)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(count for row in made.rows for count in row.roles.values()),
            "division": dg.MetadataValue.md(_table(made)),
            "settings": settings.to_json(),
        }
    )


def _table(made: "QuestionSet") -> str:
    lines = ["| dataset | train | val | test | left out | notes |", "|---|---|---|---|---|---|"]
    for row in made.rows:
        counts = [str(row.roles.get(role, 0)) for role in ("train", "val", "test")]
        dropped = "; ".join(f"{count} {reason}" for reason, count in row.dropped.items())
        lines.append(f"| {' | '.join((row.dataset, *counts, dropped, '; '.join(row.notes)))} |")
    return "\n".join(lines)
