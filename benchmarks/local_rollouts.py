"""Questions a second of the local policy: one JSON line.

The whole agent (search, memory, pixels) answers unseen questions of the miniature greedily with the checkpoint that ships:
all at once through ``TransformersPolicy``, and, as the named peer, one after the other through ``model.generate`` of
transformers. Both draw from the same weights; ``same_answers`` counts the questions they answer alike::

    python benchmarks/local_rollouts.py [--root ROOT] [--questions 64] [--threads 2] [--repeats 3]

``--root`` is a root with corpus, shards and index of the miniature, as ``make quickstart`` leaves it; without one a small
miniature is built in a temporary folder first, which takes longer than the measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from assets.corpus.build import build_corpus
from assets.index.build import build_index
from assets.miniature.build import write_miniature
from infra.storage.root import Storage
from model.agent.loop import Agent
from model.policies.chat_template import PromptEncoder, collate
from model.policies.families import VisionLanguageModel
from model.policies.fingerprint import policy_fingerprint
from model.policies.transformers_policy import TransformersPolicy
from model.protocols import MediaSource, Policy
from model.rl.rollouts import RolloutPlan, ordered_by_group, run_rollouts
from model.types import Completion, PolicyRequest, Task, Trajectory
from orchestration.joins.adapters import tasks_of_split
from orchestration.joins.agents import GREEDY, RunContext, load
from orchestration.recipes.miniature import quickstart

PEER = "model.generate of transformers, one question at a time"
SHIPPED = Path(__file__).resolve().parents[1] / "checkpoints" / "miniature"
QUESTIONS_OF_A_WORLD = 36  # nine datasets, four each


class GeneratePolicy:
    """``Policy`` by the plainest means: ``model.generate`` for one prompt after the other; greedy."""

    def __init__(self, model: VisionLanguageModel, encoder: PromptEncoder, media: MediaSource) -> None:
        self._model, self._encoder, self._media = model.eval(), encoder, media
        self.fingerprint = policy_fingerprint(model, encoder.tokenizer)

    async def complete(self, request: PolicyRequest) -> Completion:
        prompt = self._encoder.encode(request.messages)
        pixels = self._encoder.pixels(prompt.images, self._media)
        encoder = self._encoder
        inputs: dict[str, Any] = collate(
            [prompt.ids], [pixels], pad_id=encoder.pad_id, image_id=encoder.image_id
        )
        generated = self._model.generate(
            **inputs,
            max_new_tokens=request.sampling.max_tokens,
            do_sample=False,
            eos_token_id=encoder.eos_id,
            pad_token_id=encoder.pad_id,
            suppress_tokens=[encoder.image_id],
        )
        drawn = tuple(generated[0, len(prompt.ids) :].tolist())
        return prompt.completion(encoder.decode(drawn), drawn, (), ended=drawn[-1] == encoder.eos_id)


class Run(NamedTuple):
    """Rollouts and the seconds they took."""

    trajectories: tuple[Trajectory, ...]
    seconds: float


class Bench(NamedTuple):
    """The world and the questions of one measurement."""

    world: RunContext
    tasks: Sequence[Task]

    def run(self, policy: Policy, encoder: PromptEncoder, concurrency: int) -> Run:
        """All questions, ``concurrency`` at once."""
        agent: Agent = self.world.agent(policy, self.world.memory("vimrag", encoder), temperature=GREEDY)
        start = time.perf_counter()
        groups = asyncio.run(run_rollouts(agent, self.tasks, RolloutPlan(concurrency=concurrency)))
        return Run(ordered_by_group(groups), time.perf_counter() - start)


@contextmanager
def root_of(given: str | None, questions: int, datasets: list[str] | None) -> Iterator[Storage]:
    """The given root, or a temporary one with enough worlds of the miniature."""
    if given is not None:
        yield Storage(given)
        return
    share = len(datasets) / 9 if datasets else 1.0
    worlds = max(1, -(-questions // int(QUESTIONS_OF_A_WORLD * share)))
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        raw = Path(folder) / "raw"
        write_miniature(raw, seed=0, worlds_by_split={"test": worlds})
        build_corpus(raw, storage, datasets=datasets)
        build_index(storage)
        yield storage


def measure(bench: Bench, repeats: int) -> dict[str, object]:
    """The line: fastest of ``repeats`` for both."""
    weights = load(max(SHIPPED.iterdir()))
    encoder = weights.encoder()
    together = TransformersPolicy(weights.model, encoder, bench.world.media, max_batch=len(bench.tasks))
    alone = GeneratePolicy(weights.model, encoder, bench.world.media)
    warm = bench._replace(tasks=bench.tasks[:2])  # pictures are decoded once for both
    warm.run(together, encoder, 2), warm.run(alone, encoder, 1)
    runs = [bench.run(together, encoder, len(bench.tasks)) for _ in range(repeats)]
    peers = [bench.run(alone, encoder, 1) for _ in range(repeats)]
    ours, theirs = (min(each, key=lambda run: run.seconds) for each in (runs, peers))
    pairs = zip(ours.trajectories, theirs.trajectories, strict=True)
    return {
        "name": "local_rollouts",
        "sizes": {
            "questions": len(bench.tasks),
            "calls": sum(each.counters.model_calls for each in ours.trajectories),
            "tokens": sum(each.counters.completion_tokens for each in ours.trajectories),
            "threads": torch.get_num_threads(),
        },
        "questions_per_s": round(len(bench.tasks) / ours.seconds, 2),
        "seconds": round(ours.seconds, 2),
        "same_answers": sum(one.answer == other.answer for one, other in pairs),
        "failed": sum(bool(each.error) for each in (*ours.trajectories, *theirs.trajectories)),
        "peer": PEER,
        "peer_questions_per_s": round(len(bench.tasks) / theirs.seconds, 2),
        "ratio": round(theirs.seconds / ours.seconds, 2),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", help="built root of the miniature; a temporary one otherwise")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, the fastest counts")
    parser.add_argument("--datasets", default="", help="of the temporary root, by comma; all nine otherwise")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    datasets = arguments.datasets.split(",") if arguments.datasets else None
    with root_of(arguments.root, arguments.questions, datasets) as storage:
        tasks = tasks_of_split(storage, "test")[: arguments.questions]
        print(json.dumps(measure(Bench(RunContext.open(storage, quickstart()), tasks), arguments.repeats)))


if __name__ == "__main__":
    main()
