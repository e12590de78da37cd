"""What is measured of the data without a model: how well the index in use finds the gold evidence of the questions."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from infra.storage.root import Storage
from orchestration.dagster_defs.automation.conditions import FOLLOWS_RELEASE
from orchestration.dagster_defs.causes import cause_first
from orchestration.dagster_defs.partitions import RESEARCH_OWNERS

if TYPE_CHECKING:
    from assets.index.retrieval import RetrievalReport


class RetrievalConfig(dg.Config):
    """What is searched, and which figures are taken; as `vimrag retrieval`."""

    scope: str = Field("own", description="own (each dataset in its own items) or all (the whole index).")
    ks: list[int] = Field([1, 3, 5, 10], description="Ranks at which recall is taken.")
    datasets: list[str] | None = Field(None, description="Some of those in the index; by default all.")


@dg.asset(
    deps=["index", "questions"],
    group_name="evaluation",
    kinds={"python"},
    owners=RESEARCH_OWNERS,
    automation_condition=FOLLOWS_RELEASE,
    description="Recall of the gold evidence and mean reciprocal rank of each benchmark, in the index in use.",
)
def retrieval(
    context: dg.AssetExecutionContext, config: RetrievalConfig, storage: dg.ResourceParam[Storage]
) -> dg.MaterializeResult:
    """Ask the index every question that has gold evidence."""
    from assets.index.retrieval import evaluate
    from infra.reporting.charts import bars_image

    with cause_first():
        report = evaluate(storage, scope=config.scope, ks=config.ks, datasets=config.datasets)
    for name in report.stale:
        context.log.warning(f"{name} was built again since it was indexed: its figures mean little")
    measured = [(name, each.mrr) for name, each in report.datasets.items() if each.mrr is not None]
    chart = bars_image([(name, mrr, None, None) for name, mrr in measured], label="mean reciprocal rank")
    means = {f"mrr/{name}": mrr for name, mrr in measured}
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(each.questions for each in report.datasets.values()),
            "recall": dg.MetadataValue.md(_table(report)),
            "chart": dg.MetadataValue.md(_picture(chart)),
            "fingerprint": report.fingerprint,
            **means,
        },
        data_version=dg.DataVersion(report.fingerprint),
    )


def _table(report: "RetrievalReport") -> str:
    ranks = list(next(iter(report.datasets.values())).recall) if report.datasets else []
    lines = [
        f"| dataset | items | questions | {' | '.join(f'R@{k}' for k in ranks)} | MRR |",
        "|" + "---|" * (4 + len(ranks)),
    ]
    for name, each in report.datasets.items():
        shares = [each.recall[k] for k in ranks]
        figures = ["-" if share is None else f"{share:.3f}" for share in (*shares, each.mrr)]
        lines.append(f"| {name} | {each.items:,} | {each.questions:,} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _picture(svg: str) -> str:
    from infra.media import data_uri

    return f"![chart]({data_uri(svg.encode(), 'image/svg+xml')})"
