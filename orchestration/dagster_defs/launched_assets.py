"""The assets whose work is a supervised process of its own: the checkpoints, the evaluation and its report.

Each starts an entry point of ``orchestration.runs`` and records what its rank 0 reports. No torch in here.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

import dagster as dg

from infra.storage.root import Storage
from orchestration.dagster_defs.automation.conditions import FOLLOWS_RELEASE, IN_THE_SAME_RUN
from orchestration.dagster_defs.cancelled import ended_with_its_run
from orchestration.dagster_defs.causes import cause_of_process
from orchestration.dagster_defs.partitions import RESEARCH_OWNERS
from orchestration.launch.commands import Script, command, environment, to_json
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.options import Recipe

CHECKED = (Script.COLD_START, Script.TRAIN_GGPO)
"""What begins with a preflight: a wrong recipe fails in seconds, before a device is taken."""


def _require_pieces(
    context: dg.AssetExecutionContext, storage: Storage, recipe: Recipe, *, trained: bool
) -> None:
    """Raise ``dg.Failure`` with every fault at once; it is not tried again."""
    from orchestration.preflight.run import preflight

    report = preflight(storage, recipe, trained=trained, probes=True)
    context.log.info(f"preflight: {len(report.checks)} checks in {report.seconds:.1f} s")
    if not report.passed:
        faults = dg.MetadataValue.json([asdict(fault) for fault in report.faults])
        raise dg.Failure(report.in_words(), metadata={"faults": faults}, allow_retries=False)


def launched_asset(  # noqa: PLR0913 - what Dagster shows of an asset
    name: str,
    script: Script,
    *,
    deps: Sequence[str],
    group: str,
    kinds: set[str],
    description: str,
    pool: str | None = "gpu",
    automation: dg.AutomationCondition | None = None,
) -> dg.AssetsDefinition:
    """The asset that ``script`` makes for the recipe of the run; it fails if the process ends with another code than 0."""

    @dg.asset(
        name=name,
        deps=deps,
        group_name=group,
        kinds=kinds,
        description=description,
        pool=pool,
        owners=RESEARCH_OWNERS,
        automation_condition=automation,
    )
    def launched(
        context: dg.AssetExecutionContext,
        pipes: dg.PipesSubprocessClient,
        storage: dg.ResourceParam[Storage],
        recipe: dg.ResourceParam[Recipe],
    ) -> dg.MaterializeResult:
        ranks = recipe.ggpo.ranks if script is Script.TRAIN_GGPO else None
        on_ranks = f" on {ranks} rank(s)" if ranks else ""
        context.log.info(f"starting {script} of recipe {recipe.name}{on_ranks}")
        if script in CHECKED:
            _require_pieces(context, storage, recipe, trained=script is Script.TRAIN_GGPO)
        config = RunConfig(root=storage.root, name=recipe.name, recipe=recipe)
        line = command(script, config, ranks=ranks, hostfile=recipe.ggpo.hostfile if ranks else None)
        with (
            cause_of_process(f"{script} of recipe {recipe.name}") as where,
            ended_with_its_run(context.instance, context.run_id),
        ):
            ended = pipes.run(context=context, command=line, env={**environment(recipe), **where})
            # a launcher that ends well although its ranks made nothing has made nothing
            made = ended.get_materialize_result(implicit_materialization=False)
        return made._replace(metadata={**(made.metadata or {}), **_where(storage, config)})

    return launched


def _where(storage: Storage, config: RunConfig) -> dict[str, dg.MetadataValue]:
    """The recipe as it ran, and where to look: report, curves, trajectories."""
    links = (
        f"* report: `{storage.path(config.report, 'index.html')}`",
        f"* TensorBoard: `tensorboard --logdir {storage.path(config.metrics)}`",
        f"* trajectories and answers on the page: `vimrag serve --root {storage.root}`",
    )
    return {
        "recipe": dg.MetadataValue.json(json.loads(to_json(config.recipe))),
        "links": dg.MetadataValue.md("\n".join(links)),
    }


cold_start_checkpoint = launched_asset(
    "cold_start_checkpoint",
    Script.COLD_START,
    deps=["index", "questions", "shards"],
    group="training",
    kinds={"pytorch"},
    description="A policy that speaks the protocol: supervised on demonstrations, or the checkpoint that ships.",
)
ggpo_checkpoint = launched_asset(
    "ggpo_checkpoint",
    Script.TRAIN_GGPO,
    deps=["cold_start_checkpoint", "index", "questions", "shards"],
    group="training",
    kinds={"pytorch", "deepspeed"},
    description="The cold start improved by graph-guided policy optimisation under DeepSpeed.",
)
evaluation = launched_asset(
    "evaluation",
    Script.EVALUATE,
    deps=["cold_start_checkpoint", "ggpo_checkpoint", "index", "questions"],
    group="evaluation",
    kinds={"pytorch"},
    description="Accuracy of every method on every benchmark, with confidence intervals and paired comparisons.",
    automation=FOLLOWS_RELEASE,
)
report = launched_asset(
    "report",
    Script.REPORT,
    deps=["evaluation"],
    group="evaluation",
    kinds={"html"},
    description="One self-contained HTML page about the run: table, curves, counters, examples.",
    pool=None,
    automation=IN_THE_SAME_RUN,
)
miniature_eye = launched_asset(
    "miniature_eye",
    Script.MINIATURE_EYE,
    deps=[],
    group="index",
    kinds={"pytorch"},
    description="A tiny embedder that sees the invented worlds; the first index of the root takes it.",
    pool=None,
)
