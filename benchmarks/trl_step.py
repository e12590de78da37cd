"""Trained tokens per second of a whole update against the loss step of TRL's GRPOTrainer, on the same rollouts.

Prints one JSON line::

    pip install 'vimrag[trl]'
    python benchmarks/trl_step.py [--questions 2] [--repeats 3]

Same tiny Qwen3-VL and weights, same prompts, pictures, completions, old log-probabilities, advantages and clip, sequence-level
ratio (``importance_sampling_level="sequence"``). TRL's inputs are what its ``_generate_and_score_completions`` hands on: prompts
padded on the left, completions on the right, observations inside of a completion under ``tool_mask``, split into micro-batches
by its own functions; of several batch sizes its fastest counts. TRL is timed for ``compute_loss`` and backward alone. Ours is
the whole ``Trainer.update``: building inputs from stored rollouts, forward, backward and the optimiser's step. The two take
turns. ``ratio`` is without pruning (GSPO against GSPO); with GGPO's pruning the same rollouts are one update as well.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch
from grouped_rollouts import CLIP, Pages, Words, groups, model, ours, sampled, timed

from model.config.algorithm import Algorithm, Pruning
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.rl.segments import TrainingSample, training_samples

HINT = "this benchmark needs TRL, which nothing else here does: pip install 'vimrag[trl]'"


def padded(rows: Sequence[Sequence[float]], fill: float, *, left: bool = False) -> torch.Tensor:
    width = max(len(row) for row in rows)
    gaps = [[fill] * (width - len(row)) for row in rows]
    return torch.tensor([[*gap, *row] if left else [*row, *gap] for row, gap in zip(rows, gaps, strict=True)])


def generation_batch(samples: Sequence[TrainingSample], encoder: PromptEncoder) -> dict[str, Any]:
    """What TRL's ``_generate_and_score_completions`` returns for these prompts and completions."""
    media = Pages()
    starts = [each.loss_positions[0] for each in samples]
    pairs = list(zip(samples, starts, strict=True))
    prompts = [each.token_ids[:start] for each, start in pairs]
    completions = [each.token_ids[start:] for each, start in pairs]
    generated = [
        [int(start + at in set(each.loss_positions)) for at in range(len(each.token_ids) - start)]
        for each, start in pairs
    ]
    old = [scattered(each, start) for each, start in pairs]
    pixels = [encoder.pixels(each.images, media) for each in samples]
    batch: dict[str, Any] = {
        "prompt_ids": padded(prompts, encoder.pad_id, left=True),
        "prompt_mask": padded([[1] * len(row) for row in prompts], 0, left=True),
        "completion_ids": padded(completions, encoder.pad_id),
        "completion_mask": padded([[1] * len(row) for row in completions], 0),
        "tool_mask": padded(generated, 0),
        "old_per_token_logps": padded(old, 0.0),
        "advantages": torch.tensor([each.advantage for each in samples]),
        "pixel_values": torch.cat([each.pixel_values for each in pixels]),
        "image_grid_thw": torch.cat([each.grid_thw for each in pixels]),
        "num_images": [len(each.images) for each in samples],
    }
    whole = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    batch["mm_token_type_ids"] = (whole == encoder.image_id).int()
    return batch


def scattered(sample: TrainingSample, start: int) -> list[float]:
    """Old log-probabilities at their places in the completion, 0 at observed tokens."""
    row = [0.0] * (len(sample.token_ids) - start)
    for at, value in zip(sample.loss_positions, sample.old_logprobs, strict=True):
        row[at - start] = value
    return row


class Peer:
    """TRL's trainer with its inputs prepared for one batch size."""

    def __init__(self, batch: dict[str, Any], batch_size: int, folder: str) -> None:
        from datasets import Dataset
        from trl import GRPOConfig, GRPOTrainer
        from trl.trainer.utils import (
            shuffle_sequence_dict,
            split_pixel_values_by_grid,
            split_tensor_dict,
            unsplit_pixel_values_by_grid,
        )

        steps = len(batch["advantages"]) // batch_size
        config = GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=steps,
            num_generations=2,  # only checked: prompts are not repeated here
            importance_sampling_level="sequence",
            loss_type="grpo",
            beta=0.0,
            epsilon=CLIP["clip_low"],
            epsilon_high=CLIP["clip_high"],
            bf16=False,
            use_cpu=True,
            gradient_checkpointing=False,
            report_to="none",
        )
        self.trainer: Any = GRPOTrainer(
            model=model(),
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            args=config,
            train_dataset=Dataset.from_dict({"prompt": ["-"] * len(batch["advantages"])}),
            processing_class=build_tokenizer([]),
        )
        self.trainer.model.train()
        self.trainer.current_gradient_accumulation_steps = steps
        torch.manual_seed(0)
        parts = split_tensor_dict(shuffle_sequence_dict(split_pixel_values_by_grid(batch)), steps)
        self.parts = [unsplit_pixel_values_by_grid(part) for part in parts]

    def step(self) -> tuple[float, float]:
        """Loss and gradient norm of the whole batch."""
        self.trainer.model.zero_grad()
        total = 0.0
        for part in self.parts:
            loss = self.trainer.compute_loss(self.trainer.model, dict(part))
            self.trainer.accelerator.backward(loss)
            total += float(loss.detach())
        gradients = [each.grad for each in self.trainer.model.parameters() if each.grad is not None]
        return total, math.sqrt(sum(float(each.square().sum()) for each in gradients))


def main() -> None:
    parser = argparse.ArgumentParser(
        description="An update against the loss step of TRL's GRPOTrainer, its peer."
    )
    parser.add_argument("--questions", type=int, default=2)
    parser.add_argument("--group", type=int, default=8, help="rollouts of one question, at most 8")
    parser.add_argument("--batch-sizes", default="4,8,16", help="micro-batches for TRL to choose from")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jitter", type=float, default=0.1, help="nats between sampling and trained policy")
    arguments = parser.parse_args()
    try:
        import trl
    except ImportError:
        sys.exit(HINT)
    torch.set_num_threads(arguments.threads)
    tokenizer = build_tokenizer([])
    trajectories = sampled(
        groups(arguments.questions, Words.of(tokenizer), size=arguments.group), arguments.jitter
    )
    samples = training_samples(trajectories, algorithm=Algorithm(pruning=Pruning.NONE)).samples
    batch = generation_batch(samples, PromptEncoder(tokenizer))
    sizes = [int(size) for size in arguments.batch_sizes.split(",")]
    if odd := [size for size in sizes if len(samples) % size or size % 2]:
        parser.error(f"batch sizes {odd} do not divide {len(samples)} segments into even parts")
    trainers = {
        "gspo": ours(Pruning.NONE),
        "gspo_unshared": ours(Pruning.NONE, sharing="none"),
        "ggpo": ours(Pruning.GGPO),
    }
    with tempfile.TemporaryDirectory() as folder:
        peers = {f"trl_{size}": Peer(batch, size, folder) for size in sizes}
        theirs = {name: peer.step() for name, peer in peers.items()}
        mine = {name: each.update(trajectories) for name, each in trainers.items()}
        steps: dict[str, Callable[[], Any]] = {name: peer.step for name, peer in peers.items()}
        steps |= {name: (lambda each=each: each.update(trajectories)) for name, each in trainers.items()}
        seconds = timed(steps, arguments.repeats)
    print(json.dumps(figures(trl.__version__, samples, theirs, mine, seconds)))


def figures(
    version: str,
    samples: Sequence[TrainingSample],
    theirs: dict[str, Any],
    mine: dict[str, Any],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """The line to print."""
    best = min(theirs, key=seconds.__getitem__)
    loss, norm = theirs[best]
    tokens = sum(len(each.token_ids) for each in samples)
    return {
        "name": "trl_step",
        "sizes": {
            "segments": len(samples),
            "tokens": tokens,
            "loss_tokens": sum(len(each.loss_positions) for each in samples),
            "images": sum(len(each.images) for each in samples),
            "distinct_images": len({image for each in samples for image in each.images}),
        },
        "peer": f"GRPOTrainer of trl {version}, its fastest micro-batch: {best.removeprefix('trl_')}",
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "tokens_per_second": {name: round(tokens / seconds[name]) for name in (best, *mine)},
        "loss": {"trl": loss, "gspo": mine["gspo"].loss},
        "loss_difference": abs(loss - mine["gspo"].loss),
        "gradient_norm": {"trl": norm, "gspo": mine["gspo"].gradient_norm},
        "clip_fraction": mine["gspo"].clip_fraction,
        "ratio": round(seconds[best] / seconds["gspo"], 3),
        "ratio_unshared": round(seconds[best] / seconds["gspo_unshared"], 3),
        "ratio_with_pruning": round(seconds[best] / seconds["ggpo"], 3),
        "bound": 1.3,
    }


if __name__ == "__main__":
    main()
