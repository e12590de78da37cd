"""Two policy updates and one supervised step, on however many ranks this script is started with.

    python tests/model/training/two_ranks.py --out one
    deepspeed --num_accelerators 2 --master_addr 127.0.0.1 tests/model/training/two_ranks.py --out two

Rank 0 writes what came out of each run: ``<zero stage>-<case>.json`` and ``.safetensors``. Equal files mean that the number of
ranks changes nothing. Start it from the repository's root, with that on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from model.config.algorithm import Algorithm
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.rl.segments import supervised_samples
from model.training.parity import ParityConfig
from model.types import Trajectory
from tests.model.scene import CAT, DOG, Pictures, Setup, group, policy, rollout, sampled, segment, trainer

RUNS = ((2, "mixed"), (1, "mixed"), (2, "one_looks"), (3, "text_only_rank"), (3, "idle_rank"))


def rollouts(case: str) -> list[Trajectory]:
    """Rollouts that load the ranks as the case says."""
    if case == "mixed":
        return group("q1", 0) + group("q2", 1, pictures=False) + group("q3", 2)
    if case == "one_looks":
        # four segments longer than the budget, dealt in turns: the longest and the third show pictures
        rng = random.Random(0)
        longest = [
            segment(rng, node_id=None, lengths=(4,), images=images, prompt=prompt)
            for prompt, images in ((90, (CAT, DOG)), (90, ()), (70, (DOG, CAT)), (70, ()))
        ]
        return [rollout("q1", [each], reward=float(at < 2)) for at, each in enumerate(longest)]
    text, shown = group("q1", 0, pictures=False)[3], group("q1", 0)[1]
    answers = [replace(each, segments=each.segments[-1:]) for each in (text, shown)]
    if case == "text_only_rank":
        return answers
    # one trainable segment in all, so the other rank has nothing to do
    return [replace(answers[0], segments=()), answers[1]]


def run(zero_stage: int, case: str, out: Path) -> None:
    """Trains and writes the results."""
    setup = Setup(
        algorithm=Algorithm(clip_low=0.2, clip_high=0.2),
        # a small clip norm, so that the norm over all ranks takes part in the result
        schedule=Schedule(
            learning_rate=1e-3, token_budget=60, logit_tokens=3, mini_batches=2, max_gradient_norm=0.1
        ),
        engine=EngineConfig(zero_stage=zero_stage, persist_below=0),
        parity=ParityConfig(mean_difference=0.2, max_difference=0.3),
    )
    seen = sampled(rollouts(case), policy(), Pictures(), jitter=0.2)
    made = trainer(setup)
    records = [made.update(seen).record(), made.update(seen).record()]
    records.append(asdict(made.nll_update(supervised_samples(seen))))
    weights = made.engine.weights()
    if made.engine.rank == 0:
        out.mkdir(parents=True, exist_ok=True)
        save_file(weights, out / f"{zero_stage}-{case}.safetensors")
        found = {"ranks": made.engine.world_size, "records": records}
        (out / f"{zero_stage}-{case}.json").write_text(json.dumps(found))
    made.engine.barrier()


def main() -> None:
    """Runs every combination in one start, which takes longer than the training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--local_rank", type=int, default=0, help="set by the launcher")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for zero_stage, case in RUNS:
        run(zero_stage, case, options.out)
        print(f"zero {zero_stage}, {case}: done", flush=True)


if __name__ == "__main__":
    main()
