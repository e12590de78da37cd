"""What the machine reaches by itself: a product of bf16 matrices and a copy, and what the context takes of its memory."""

from __future__ import annotations

import torch

from benchmarks.gpu.bounded import Emit
from benchmarks.gpu.capabilities import attentions, device_facts, libraries, liger
from benchmarks.gpu.meter import timed
from benchmarks.gpu.models import device
from benchmarks.gpu.records import Record, State
from benchmarks.gpu.sizes import Sizes

STEP = "machine"


def run(sizes: Sizes, emit: Emit) -> None:
    """Facts first, so that they are there whatever happens."""
    where = device()
    emit(Record(step=STEP, part="facts", state=State.MACHINE, figures={
        **device_facts(), "libraries": libraries(), "attentions": attentions(), "liger": liger(),
    }))  # fmt: skip
    side = sizes.matmul
    first, second = (torch.randn(side, side, device=where, dtype=torch.bfloat16) for _ in range(2))
    product_s = min(timed(lambda: first @ second) for _ in range(6))
    source = torch.empty(sizes.copy_mib * 2**20 // 4, device=where)
    target = torch.empty_like(source)
    copy_s = min(timed(lambda: target.copy_(source)) for _ in range(6))
    figures = {
        "matmul_side": side,
        "teraflops": round(2 * side**3 / product_s / 1e12, 4),
        "gigabytes_per_s": round(2 * source.nbytes / copy_s / 1e9, 3),
    }
    if where.type == "cuda":
        free, total = torch.cuda.mem_get_info()
        figures["context_bytes"] = total - free - torch.cuda.memory_reserved()
    emit(Record(step=STEP, part="peaks", state=State.MEASURED, figures=figures))
