"""The audit as a process: policy and rollouts, sums of gradients, document and page."""

import os
import tempfile
import time
from pathlib import Path

import torch
from pydantic import JsonValue

from infra.progress import LogFunction, ProgressLogger
from model.audit.audit import AuditPlan, collected, planned
from model.audit.checks import refuse_others
from model.audit.folds import needed_bytes
from model.audit.judgement import judge, judge_categories
from model.policies.fingerprint import policy_fingerprint
from model.training import checkpoint
from orchestration.launch.reporter import Reporter
from orchestration.recipes.cold_start import SHIPPED
from orchestration.study.credit.document import CreditDocument, policy_figures
from orchestration.study.credit.judged import objectives
from orchestration.study.credit.options import CreditStudy
from orchestration.study.credit.page import credit_page
from orchestration.study.credit.rollouts import prepare, rollouts
from orchestration.study.credit.side_by_side import (
    Opened,
    roll_side_by_side,
    sum_side_by_side,
    workers_of,
)

MOST_BYTES = 6 * 2**30
"""Of the sums; more is refused with what to do."""


def run(study: CreditStudy, log: LogFunction) -> CreditDocument:
    """Make what is missing and return the figures; document and page lie in ``reports/study-credit`` below the root."""
    began = time.monotonic()
    torch.set_num_threads(study.threads)
    chosen = objectives(study)
    storage = prepare(study, log)
    path = study.weights or checkpoint.latest(SHIPPED / study.checkpoint)
    assert path is not None, "asked for before (CreditStudy)"
    opened = Opened.open(study, path)
    workers = workers_of(study, opened.loaded)
    if not study.trajectories:
        roll_side_by_side(study, opened, path, workers=workers, log=log)
    trajectories = rollouts(study, storage, opened.loaded, opened.world)
    rolled_s = time.monotonic() - began
    fingerprint = policy_fingerprint(opened.loaded.model, opened.loaded.tokenizer)
    refuse_others(trajectories, fingerprint=fingerprint, vocabulary=len(opened.loaded.tokenizer))
    plan = planned(trajectories, chosen, folds=study.folds, seed=study.seed)
    num_weights = opened.gradients().num_weights
    _refuse_large(plan, num_weights, workers)
    with tempfile.TemporaryDirectory(prefix="credit-", dir=study.root) as scratch:
        show = ProgressLogger(log)
        parts = sum_side_by_side(
            study,
            opened,
            path,
            Path(scratch),
            workers=workers,
            on_questions=lambda done: show("credit: questions", done, len(plan.groups)),
        )
        sums = collected(plan, list(parts))
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


def _refuse_large(plan: AuditPlan, num_weights: int, workers: int) -> None:
    needed = needed_bytes(folds=len(plan.folds), rows=plan.num_rows, weights=num_weights, workers=workers)
    if needed > MOST_BYTES:
        raise ValueError(
            f"{len(plan.objectives)} objectives over {num_weights:,} weights in {len(plan.folds)} folds need "
            f"{needed / 2**30:.1f} GiB: choose fewer objectives, or fewer weights with --parameters"
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
