"""The checkpoints: assets that start a supervised subprocess and record what its rank 0 reports. No torch in here."""

import dagster as dg

from infra.storage.root import Storage
from orchestration.launch.commands import Script, launch
from orchestration.recipes.options import Recipe


@dg.asset(deps=["index", "questions", "shards"], group_name="training", kinds={"pytorch"}, pool="gpu")
def cold_start_checkpoint(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    storage: dg.ResourceParam[Storage],
    recipe: dg.ResourceParam[Recipe],
) -> dg.MaterializeResult:
    """A policy that speaks the protocol: supervised on demonstrations, or the checkpoint that ships."""
    return launch(context, pipes, Script.COLD_START, storage=storage, recipe=recipe)


@dg.asset(
    deps=["cold_start_checkpoint", "index", "questions", "shards"],
    group_name="training",
    kinds={"pytorch", "deepspeed"},
    pool="gpu",
)
def ggpo_checkpoint(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    storage: dg.ResourceParam[Storage],
    recipe: dg.ResourceParam[Recipe],
) -> dg.MaterializeResult:
    """The cold start improved by graph-guided policy optimisation under DeepSpeed."""
    return launch(context, pipes, Script.TRAIN_GGPO, storage=storage, recipe=recipe)
