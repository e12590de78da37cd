"""Peak memory of the loss over a vocabulary of 151,936: logits at loss tokens in chunks, against logits everywhere.

Prints one JSON line::

    python benchmarks/loss_memory.py [--tokens 1024] [--sequences 4] [--loss-share 0.4]

Each variant is a process of its own: forward and backward of the same tiny Qwen3-VL over the same tokens; its peak is the
high-water mark of the resident memory minus what was resident before. The naive peer is what a plain causal
language-model loss does: ``model(...).logits`` at every position, then a log-softmax over them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

VOCABULARY = 151_936  # of Qwen3-VL
MIB = 2**20
VARIANTS = ("chunked", "full")


def resident(field: str) -> int:
    """A memory figure of this process in bytes: ``VmRSS`` now, ``VmHWM`` its high-water mark."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def measure(variant: str, *, tokens: int, sequences: int, loss_share: float, chunk: int) -> dict[str, float]:
    """Peak bytes and the loss of one variant in this process."""
    import torch

    from model.imitation.tiny.shape import TinyShape, build_config
    from model.imitation.tiny.tokenizer import build_tokenizer
    from model.training.logprobs import Targets, TokenLogprobs

    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = TinyShape(
        width=64,
        layers=2,
        heads=2,
        feed_forward=96,
        vision_width=16,
        vision_layers=1,
        vision_heads=2,
        vision_feed_forward=32,
    )
    config = build_config(build_tokenizer([]), shape)
    config.text_config.vocab_size = VOCABULARY
    from transformers import Qwen3VLForConditionalGeneration

    model = Qwen3VLForConditionalGeneration(config)
    # ids of control tokens stand for pictures: keep to ordinary ones
    ids_BL = torch.randint(1000, VOCABULARY, (sequences, tokens))
    chosen = torch.rand(sequences, tokens) < loss_share
    chosen[:, 0] = False
    row_T, index_T = chosen.nonzero(as_tuple=True)
    targets = Targets(row_T, index_T, ids_BL[row_T, index_T])
    inputs = {"input_ids": ids_BL, "attention_mask": torch.ones_like(ids_BL)}
    warm = {name: tensor[:1, :8] for name, tensor in inputs.items()}
    model(**warm).logits.sum().backward()  # gradients of all weights exist from here on
    Path("/proc/self/clear_refs").write_text("5")  # forget the high-water mark
    before = resident("VmRSS")
    if variant == "chunked":
        num_chunks = -(-len(row_T) // chunk)
        logprobs_T, _ = TokenLogprobs(model)(inputs, targets, num_chunks)
    else:
        logprobs_BLV = model(**inputs).logits.float().log_softmax(dim=-1)
        logprobs_T = logprobs_BLV[row_T, index_T - 1, targets.token_T]
    loss = -logprobs_T.mean()
    loss.backward()
    return {"bytes": resident("VmHWM") - before, "loss": loss.item()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of the loss with a large vocabulary.")
    parser.add_argument("--tokens", type=int, default=1024, help="tokens of one sequence")
    parser.add_argument("--sequences", type=int, default=4, help="sequences of the micro-batch")
    parser.add_argument(
        "--loss-share", type=float, default=0.4, help="share of the tokens that were generated"
    )
    parser.add_argument("--chunk", type=int, default=256, help="loss tokens whose logits exist at once")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    size = {name: getattr(arguments, name) for name in ("tokens", "sequences", "loss_share", "chunk")}
    if arguments.variant:
        print(json.dumps(measure(arguments.variant, **size)))
        return
    options = [part for name, value in size.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    found = {}
    for variant in VARIANTS:
        command = [sys.executable, __file__, "--variant", variant, *options]
        found[variant] = json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout
        )
    figures = {f"{name}_mib": round(each["bytes"] / MIB, 1) for name, each in found.items()}
    difference = abs(found["chunked"]["loss"] - found["full"]["loss"])
    ratio = round(found["chunked"]["bytes"] / found["full"]["bytes"], 4)
    line = {"benchmark": "loss_memory", "vocabulary": VOCABULARY, **size, **figures, "ratio": ratio}
    print(json.dumps({**line, "loss_difference": difference}))


if __name__ == "__main__":
    main()
