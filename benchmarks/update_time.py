"""Time of a GGPO update against a GSPO update on the same rollouts: pruned segments are not forwarded.

Prints one JSON line::

    python benchmarks/update_time.py [--questions 8] [--pruned 0.5]

Rollouts are random tokens under a tiny Qwen3-VL: half of every group is right, and of a right rollout's nodes the answer
rests on ``1 - pruned``; of a wrong one's as many returned gold evidence as are to be pruned. Both algorithms train on the very
same trajectories, in turns; the ratio is that of the medians. The bound is 1 - 0.9 x (share of the tokens pruned).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from model.config.algorithm import ALGORITHMS
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.imitation.tiny.shape import TinyShape, build_model
from model.imitation.tiny.tokenizer import CONTROL_TOKENS, build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.rl.segments import training_samples
from model.training.batches import InputBuilder
from model.training.engine import DeepSpeedEngine
from model.training.trainer import Trainer
from model.types import Call, Outcome, Segment, Task, Trajectory

SHAPE = TinyShape(width=128, layers=4, heads=4, feed_forward=352)
NAMES = ("gspo", "ggpo")


class NoPictures:
    """The rollouts hold none."""

    def image(self, item_id: str) -> Image.Image:
        raise KeyError(item_id)

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        raise KeyError(item_id)


def rollout(
    rng: random.Random, question: str, right: bool, sizes: Mapping[str, Any], ids: range
) -> Trajectory:
    """One rollout whose nodes are pruned in the wanted share."""
    names = [f"n{number}" for number in range(1, sizes["nodes"] + 1)]
    num_pruned = round(sizes["pruned"] * len(names))
    found_gold = set() if right else set(names[:num_pruned])
    graph = MemoryGraph(
        question=question,
        nodes=tuple(
            SearchNode(
                id=name,
                parents=("root",),
                query=name,
                retrieved=("gold",) if name in found_gold else ("other",),
            )
            for name in names
        ),
        answer=AnswerNode(parents=tuple(names[num_pruned:]) or ("root",), text="a"),
    )

    def segment(node: str | None) -> Segment:
        prompt = tuple(rng.choices(ids, k=sizes["prompt"]))
        drawn = tuple(rng.choices(ids, k=sizes["generated"]))
        call = Call(prompt_ids=prompt, token_ids=drawn, logprobs=(-7.0,) * len(drawn), images=())
        return Segment(node_id=node, calls=(call,))

    task = Task(id=question, dataset="d", question=question, answers=("a",), gold=frozenset({"gold"}))
    return Trajectory(
        task=task,
        graph=graph,
        segments=tuple(segment(name) for name in (*names, None)),
        outcome=Outcome.ANSWERED,
        reward=float(right),
        correct=right,
    )


def trainer(name: str) -> Trainer:
    tokenizer = build_tokenizer([])
    torch.manual_seed(0)
    schedule = Schedule(learning_rate=1e-5, token_budget=4096)
    engine = DeepSpeedEngine(
        build_model(tokenizer, SHAPE), config=EngineConfig(zero_stage=0), schedule=schedule
    )
    inputs = InputBuilder(encoder=PromptEncoder(tokenizer), media=NoPictures())
    return Trainer(engine, inputs, algorithm=ALGORITHMS[name], parity=None)


def main() -> None:
    parser = argparse.ArgumentParser(description="Update time of GGPO against GSPO on the same rollouts.")
    parser.add_argument("--questions", type=int, default=6)
    parser.add_argument("--group", type=int, default=8, help="rollouts of one question")
    parser.add_argument("--nodes", type=int, default=5, help="search nodes of one rollout")
    parser.add_argument("--prompt", type=int, default=256, help="prompt tokens of a segment")
    parser.add_argument("--generated", type=int, default=64, help="generated tokens of a segment")
    parser.add_argument("--pruned", type=float, default=0.6, help="share of the search nodes to prune")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sizes = vars(arguments)
    tokenizer = build_tokenizer([])
    control = set(tokenizer.convert_tokens_to_ids(list(CONTROL_TOKENS)))
    ids = [token for token in range(len(tokenizer)) if token not in control]
    rng = random.Random(0)
    trajectories = [
        rollout(rng, f"q{question}", member % 2 == 0, sizes, ids)
        for question in range(arguments.questions)
        for member in range(arguments.group)
    ]
    samples = training_samples(trajectories, algorithm=ALGORITHMS["ggpo"]).samples
    tokens = sum(len(sample.token_ids) for sample in samples)
    share = sum(len(sample.token_ids) for sample in samples if sample.pruned) / tokens
    trainers = {name: trainer(name) for name in NAMES}
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    for name in NAMES:
        trainers[name].update(trajectories[: arguments.group])  # first-time costs
    for _ in range(arguments.repeats):
        for name in NAMES:
            began = time.perf_counter()
            trainers[name].update(trajectories)
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    figures = {
        "benchmark": "update_time",
        "tokens": tokens,
        "share_of_tokens_pruned": round(share, 4),
        **{f"{name}_seconds": round(value, 3) for name, value in medians.items()},
        "ratio": round(medians["ggpo"] / medians["gspo"], 4),
        "bound": round(1 - 0.9 * share, 4),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
