"""The miniature eye as a run: the one that ships, or trained from the tiny policy that ships; judged on worlds it has not seen.

It is left below the root. A recipe that learns its cold start from nothing trains its eye as well.
"""

from dataclasses import asdict

import torch

from assets.index.settings import MINIATURE_EYE
from infra.embedders.config import embedder_config, make_embedder
from infra.embedders.types import sees
from infra.storage.root import Storage
from model.embedding.training import TrainingStep
from orchestration.embedding.eye_delta import write_unpacked
from orchestration.embedding.eye_recall import held_out_sights, recall_by_kind
from orchestration.embedding.eye_training import EyeTraining, train_miniature_eye
from orchestration.launch.reporter import Reporter
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.cold_start import SHIPPED

BASE, EYE = "eye-base", "eye"  # what ships: the policy of before, and the eye as its difference
HELD_OUT_WORLDS = 4
REPORTED_STEPS = 20


def run(config: RunConfig, reporter: Reporter) -> None:
    """Make the eye, unless it is there, and report how often it finds what it sees. A remote root gets none."""
    folder = Storage(config.root).local_path(MINIATURE_EYE)
    if folder is None:
        words = "an eye lies in a folder of this machine, and the root is remote; the index does without"
        reporter.log(words)
        return reporter.finish({"skipped": words})
    torch.set_num_threads(1)  # of tensors this small a second thread makes a step three times as long
    training = EyeTraining(seed=config.recipe.worlds.seed)
    ships = config.recipe.cold_start.shipped is not None
    if not folder.is_dir() and ships:
        write_unpacked(SHIPPED / EYE, SHIPPED / BASE, folder)
    elif not folder.is_dir():

        def log_step(step: TrainingStep) -> None:
            if step.step % REPORTED_STEPS == 0 or step.step == training.schedule.steps:
                reporter.log(f"step {step.step}/{training.schedule.steps}: loss {step.loss:.3f}")

        train_miniature_eye(folder, SHIPPED / BASE, training, log_step)
    eye = make_embedder(embedder_config(str(folder)))
    assert sees(eye)
    sights = held_out_sights("test", HELD_OUT_WORLDS, seed=config.recipe.worlds.seed)
    recall = recall_by_kind(eye, sights)
    for kind, outcome in recall.items():
        reporter.log(f"{kind}: {outcome.found:.1%} in the first five, by chance {outcome.chance:.1%}")
    reporter.finish(
        {
            "dagster/uri": str(folder),
            "recall_at_5": {kind: outcome.found for kind, outcome in recall.items()},
            "chance": {kind: outcome.chance for kind, outcome in recall.items()},
            **({} if ships else {"training": asdict(training.schedule)}),
        },
        data_version=eye.fingerprint,
    )
