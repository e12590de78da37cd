"""What came out of it: answers of every method to the same unseen questions, and the report about them."""

import dagster as dg

from infra.storage.root import Storage
from orchestration.launch.commands import Script, launch
from orchestration.recipes.options import Recipe


@dg.asset(
    deps=["cold_start_checkpoint", "ggpo_checkpoint", "index", "questions"],
    group_name="evaluation",
    kinds={"pytorch"},
    pool="gpu",
)
def evaluation(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    storage: dg.ResourceParam[Storage],
    recipe: dg.ResourceParam[Recipe],
) -> dg.MaterializeResult:
    """Accuracy of every method on every benchmark, with confidence intervals and paired comparisons."""
    return launch(context, pipes, Script.EVALUATE, storage=storage, recipe=recipe)


@dg.asset(deps=["evaluation"], group_name="evaluation", kinds={"html"})
def report(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    storage: dg.ResourceParam[Storage],
    recipe: dg.ResourceParam[Recipe],
) -> dg.MaterializeResult:
    """One self-contained HTML page about the run: table, curves, counters, examples."""
    return launch(context, pipes, Script.REPORT, storage=storage, recipe=recipe)
