"""The audit as a process: policy and rollouts, sums of gradients, document and page."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import JsonValue

from infra.progress import LogFunction, ProgressLogger
from model.audit.audit import AuditSums, audit
from model.audit.candidates import CANDIDATES
from model.audit.checks import refuse_others
from model.audit.folds import needed_bytes
from model.audit.gradients import PolicyGradients
from model.audit.judgement import REFERENCE, judge, judge_categories
from model.audit.objectives import Objective, load, trained
from model.audit.published import PUBLISHED
from model.policies.fingerprint import policy_fingerprint
from model.training import checkpoint
from model.training.batches import InputBuilder
from model.types import Trajectory
from orchestration.joins import agents
from orchestration.joins.agents import LoadedCheckpoint, RunContext
from orchestration.launch.reporter import Reporter
from orchestration.recipes.cold_start import SHIPPED
from orchestration.recipes.miniature import quickstart
from orchestration.study.credit.document import CreditDocument, policy_figures
from orchestration.study.credit.options import CreditStudy
from orchestration.study.credit.page import credit_page
from orchestration.study.credit.rollouts import prepare, rollouts

MOST_BYTES = 6 * 2**30
"""Of the sums; more is refused with what to do."""


def objectives(study: CreditStudy) -> list[Objective]:
    """Those of the study, the reference first.

    Raises:
        ValueError: for a name that is not known.
    """
    known = {**trained(), **PUBLISHED, **CANDIDATES}
    names = study.objectives or tuple(known)
    if unknown := sorted(set(names) - known.keys()):
        raise ValueError(f"unknown objectives {unknown}; known: {', '.join(known)}")
    chosen = [known[name] for name in dict.fromkeys((REFERENCE, *names))]
    return [*chosen, *map(load, study.files)]


def run(study: CreditStudy, log: LogFunction) -> CreditDocument:
    """Make what is missing and return the figures; document and page lie in ``reports/study-credit`` below the root."""
    began = time.monotonic()
    torch.set_num_threads(study.threads)
    chosen = objectives(study)
    storage = prepare(study, log)
    path = study.weights or checkpoint.latest(SHIPPED / study.checkpoint)
    assert path is not None, "asked for before (CreditStudy)"
    loaded = agents.load(path)
    world = RunContext.open(storage, replace(quickstart(), threads=study.threads, limits=study.limits))
    trajectories = rollouts(study, storage, loaded, world, log)
    rolled_s = time.monotonic() - began
    fingerprint = policy_fingerprint(loaded.model, loaded.tokenizer)
    refuse_others(trajectories, fingerprint=fingerprint, vocabulary=len(loaded.tokenizer))
    sums = _sums(study, chosen, trajectories, loaded, world, log)
    document = CreditDocument(
        study=document_options(study),
        policy=fingerprint,
        figures=policy_figures(trajectories),
        questions=sums.num_questions,
        with_spread=sums.with_spread,
        rollouts=sums.num_rollouts,
        sources={objective.name: objective.source for objective in chosen},
        objectives=judge(sums),
        categories=judge_categories(sums),
        seconds_rollouts=rolled_s,
        seconds_audit=time.monotonic() - began - rolled_s,
    )
    folder = f"reports/study-credit/{study.name}"
    storage.write_bytes(f"{folder}/credit.json", document.to_json())
    storage.write_bytes(f"{folder}/index.html", credit_page(document).encode())
    log(f"credit: {storage.path(f'{folder}/index.html')}")
    return document


def _sums(
    study: CreditStudy,
    chosen: Sequence[Objective],
    trajectories: Sequence[Trajectory],
    loaded: LoadedCheckpoint,
    world: RunContext,
    log: LogFunction,
) -> AuditSums:
    inputs = InputBuilder(encoder=loaded.encoder(), media=world.media, always_vision=False)
    source = PolicyGradients(loaded.model, inputs, temperature=study.temperature, parameters=study.parameters)
    datasets = {trajectory.task.dataset for trajectory in trajectories}
    needed = needed_bytes(folds=study.folds, rows=len(chosen) + 8 + len(datasets), weights=source.num_weights)
    if needed > MOST_BYTES:
        raise ValueError(
            f"{len(chosen)} objectives over {source.num_weights:,} weights in {study.folds} folds need "
            f"{needed / 2**30:.1f} GiB: choose fewer objectives, or fewer weights with --parameters"
        )
    show = ProgressLogger(log)
    return audit(
        trajectories,
        chosen,
        source,
        folds=study.folds,
        seed=study.seed,
        on_progress=lambda done, total: show("credit: questions", done, total),
    )


def document_options(study: CreditStudy) -> dict[str, JsonValue]:
    """The options of a study as its document holds them: paths by their names only."""
    names: dict[str, JsonValue] = {
        "root": study.root.name,
        "weights": None if study.weights is None else study.weights.name,
        "trajectories": [path.name for path in study.trajectories],
        "files": [path.name for path in study.files],
    }
    plain = (
        "checkpoint",
        "split",
        "questions",
        "group_size",
        "folds",
        "temperature",
        "parameters",
        "seed",
        "limits",
    )
    return {**{name: getattr(study, name) for name in plain}, "datasets": list(study.datasets), **names}


def make_credit(study: CreditStudy, reporter: Reporter) -> None:
    """Run the audit; the figures are one JSON object on standard output."""
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    print(run(study, reporter.log).to_json().decode())
