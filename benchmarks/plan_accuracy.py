"""Whether the plan's times have the right proportions: two tiny shapes, rollouts and updates, predicted and timed.

Prints one JSON line::

    python benchmarks/plan_accuracy.py [--prompt 256] [--generated 32] [--batch 16] [--repeats 3] [--threads 1]

The peer is the clock. Both shapes roll out the same prompts through ``TransformersPolicy`` and train on the same random rollouts
(``update_time.py``); their plans use this machine's own peaks, a product of matrices and a copy, timed first. ``growth`` is how
much longer the larger shape takes than the smaller one in each phase, ``share`` what the update takes of both phases, and
``ratio`` the predicted growth of both phases together over the timed one: 1 is a perfect plan.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from update_time import NoPictures, rollout

from model.config.algorithm import ALGORITHMS
from model.config.engine import EngineConfig, Hardware
from model.config.schedule import Schedule
from model.imitation.tiny.shape import TinyShape, build_model
from model.imitation.tiny.tokenizer import CONTROL_TOKENS, build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.policies.transformers_policy import TransformersPolicy
from model.training.batches import InputBuilder
from model.training.engine import DeepSpeedEngine
from model.training.model_shape import ModelShape, VisionShape
from model.training.planning import UpdateLoad, resource_plan
from model.training.trainer import Trainer
from model.types import Message, PolicyRequest, Role, Sampling, Task

SHAPES = {
    "small": TinyShape(width=192, layers=4, heads=6, feed_forward=512),
    "large": TinyShape(width=384, layers=8, heads=12, feed_forward=1024),
}
NO_TOWER = VisionShape(layers=0, width=0, feed_forward=0, positions=0, deepstack=0)  # text alone passes none
TASK = Task(id="q", dataset="d", question="q", answers=())
NODES, SIDE = 3, 1024


class Seconds(NamedTuple):
    """Of the two phases of an update."""

    rollouts: float
    training: float


class Timed(NamedTuple):
    """One shape: its seconds, and the tokens that the rollouts really had."""

    seconds: Seconds
    prompt: int
    generated: int


def peaks(threads: int) -> Hardware:
    """This machine in the words of a plan: fp32 products and copies, the fastest of three."""
    first, second = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    large = torch.rand(16 * SIDE * SIDE)
    product = min(timed(lambda: first @ second) for _ in range(5))
    copy = min(timed(lambda: large.clone()) for _ in range(5))
    return Hardware(
        name=f"CPU, {threads} thread(s)",
        devices=1,
        memory_gib=1,
        teraflops=2 * SIDE**3 / product / 1e12,
        gigabytes_per_s=2 * large.nbytes / copy / 1e9,
    )


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(shape: TinyShape, sizes: dict[str, int]) -> Timed:
    """Medians of both phases; the first of each is not counted."""
    tokenizer = build_tokenizer([])
    torch.manual_seed(0)
    engine = DeepSpeedEngine(
        build_model(tokenizer, shape), config=EngineConfig(zero_stage=0), schedule=Schedule(token_budget=4096)
    )
    encoder = PromptEncoder(tokenizer)
    policy = TransformersPolicy(engine.model, encoder, NoPictures(), max_batch=sizes["batch"])
    vocabulary = tokenizer.get_vocab()
    control = {vocabulary[each] for each in CONTROL_TOKENS}
    ids = [token for token in range(len(tokenizer)) if token not in control]
    rng = random.Random(0)
    words = [str(tokenizer.decode(rng.choices(ids, k=sizes["prompt"]))) for _ in range(sizes["batch"])]

    async def roll() -> list[Any]:
        sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=sizes["generated"], seed=0)
        turns = [Message(role=Role.USER, parts=(text,)) for text in words]
        requests = [PolicyRequest(messages=(turn,), task=TASK, sampling=sampling) for turn in turns]
        return await asyncio.gather(*(policy.complete(request) for request in requests))

    done = asyncio.run(roll())
    rollouts_s = [timed(lambda: asyncio.run(roll())) for _ in range(sizes["repeats"])]
    prompt = round(statistics.mean(len(each.prompt_ids) for each in done))
    generated = round(statistics.mean(len(each.token_ids) for each in done))
    lengths = {"nodes": NODES, "pruned": 0.0, "prompt": prompt, "generated": generated}
    trained = [
        rollout(rng, "q", number % 2 == 0, lengths, range(min(ids), max(ids)))
        for number in range(sizes["batch"] // (NODES + 1))
    ]
    inputs = InputBuilder(encoder=encoder, media=NoPictures())
    trainer = Trainer(engine, inputs, algorithm=ALGORITHMS["gspo"], parity=None)
    trainer.update(trained)
    update_s = [timed(lambda: trainer.update(trained)) for _ in range(sizes["repeats"])]
    return Timed(Seconds(statistics.median(rollouts_s), statistics.median(update_s)), prompt, generated)


def predict(shape: TinyShape, found: Timed, batch: int, hardware: Hardware) -> Seconds:
    """What the plan says of the same work."""
    numbers = ModelShape(
        name="tiny",
        layers=shape.layers,
        width=shape.width,
        feed_forward=shape.feed_forward,
        heads=shape.heads,
        kv_heads=shape.heads,
        head_dim=shape.width // shape.heads,
        vocabulary=len(build_tokenizer([])),
        tied=True,
        vision=NO_TOWER,
    )
    load = UpdateLoad(
        rollouts=batch // (NODES + 1),
        segments=NODES + 1,
        prompt=found.prompt,
        generated=found.generated,
        longest=found.prompt + found.generated,
        token_budget=4096,
        logit_tokens=1024,
        concurrent=batch,
    )
    engine = EngineConfig(zero_stage=0)
    return Seconds(*(phase.seconds for phase in resource_plan(numbers, engine, load, hardware).phases))


def growth(of: dict[str, Seconds]) -> dict[str, float]:
    """Large over small, by phase and together."""
    small, large = of["small"], of["large"]
    each = {name: getattr(large, name) / getattr(small, name) for name in Seconds._fields}
    return {**{name: round(value, 3) for name, value in each.items()}, "both": sum(large) / sum(small)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Predicted times of two tiny shapes; the peer is the clock.")
    parser.add_argument("--prompt", type=int, default=256, help="words of a prompt")
    parser.add_argument("--generated", type=int, default=32, help="tokens of a reply, at most")
    parser.add_argument("--batch", type=int, default=16, help="segments, four a rollout; a multiple of 8")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.batch < 8 or given.batch % 8:
        parser.error("--batch must be a multiple of 8: right and wrong rollouts of four segments each")
    torch.set_num_threads(given.threads)
    hardware = peaks(given.threads)
    found = {name: measure(shape, vars(given)) for name, shape in SHAPES.items()}
    clock = {name: each.seconds for name, each in found.items()}
    said = {name: predict(SHAPES[name], found[name], given.batch, hardware) for name in SHAPES}
    ratio = growth(said)["both"] / growth(clock)["both"]
    figures = {
        "name": "plan_accuracy",
        "peer": "the same phases, timed",
        "sizes": {name: {"prompt": each.prompt, "generated": each.generated} for name, each in found.items()},
        "machine": {
            "gigaflops": round(1000 * hardware.teraflops, 1),
            "gigabytes_per_s": round(hardware.gigabytes_per_s, 1),
        },
        "seconds": {name: [round(value, 4) for value in each] for name, each in clock.items()},
        "predicted_seconds": {name: [round(value, 4) for value in each] for name, each in said.items()},
        "growth": growth(clock),
        "predicted_growth": growth(said),
        "share": {name: round(each.training / sum(each), 3) for name, each in clock.items()},
        "predicted_share": {name: round(each.training / sum(each), 3) for name, each in said.items()},
        "ratio": round(ratio, 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
