"""Time of an update with the features of pictures shared between segments, against one pass of the vision tower a showing.

Prints one JSON line::

    python benchmarks/vision_sharing.py [--questions 2] [--repeats 3]

Rollouts have the shape of groups (``grouped_rollouts.py``): eight rollouts of a question look at the same six pages, 64 visual
tokens each, of which a segment shows one to three. The peer runs the tower for every picture of every segment, as a plain
processor's inputs make a model do; ``batch`` shares within a micro-batch, ``step`` within the whole optimiser step. All are one
``Trainer.update`` on the same rollouts (GSPO, nothing pruned) and take turns; the vision tower is trained, then frozen.
"""

from __future__ import annotations

import argparse
import json

import torch
from grouped_rollouts import Sharing, Words, groups, ours, sampled, timed

from model.config.algorithm import Algorithm, Pruning
from model.imitation.tiny.tokenizer import build_tokenizer
from model.rl.segments import training_samples

VARIANTS: tuple[Sharing, ...] = ("none", "batch", "step")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Updates with shared pictures against their peer, a pass of the vision tower a showing."
    )
    parser.add_argument("--questions", type=int, default=2)
    parser.add_argument("--group", type=int, default=8, help="rollouts of one question, at most 8")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trajectories = sampled(
        groups(arguments.questions, Words.of(build_tokenizer([])), size=arguments.group), 0.1
    )
    samples = training_samples(trajectories, algorithm=Algorithm(pruning=Pruning.NONE)).samples
    trainers = {
        (tower, sharing): ours(Pruning.NONE, sharing=sharing, train_vision=tower == "trained")
        for tower in ("trained", "frozen")
        for sharing in VARIANTS
    }
    first = {key: each.update(trajectories) for key, each in trainers.items()}  # first-time costs too
    steps = {"/".join(key): (lambda each=each: each.update(trajectories)) for key, each in trainers.items()}
    seconds = timed(steps, arguments.repeats)
    images = [image for each in samples for image in each.images]
    line = {
        "name": "vision_sharing",
        "sizes": {
            "segments": len(samples),
            "tokens": sum(len(each.token_ids) for each in samples),
            "images": len(images),
            "distinct_images": len(set(images)),
        },
        "peer": "one pass of the vision tower for every picture of every segment",
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "gradient_norm": {"/".join(key): each.gradient_norm for key, each in first.items()},
        **{
            f"ratio_{tower}_{sharing}": round(seconds[f"{tower}/{sharing}"] / seconds[f"{tower}/none"], 4)
            for tower in ("trained", "frozen")
            for sharing in VARIANTS[1:]
        },
        "ratio": round(seconds["trained/step"] / seconds["trained/none"], 4),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
