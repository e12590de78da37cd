"""Recipes for real models on GPUs. None of them was run: no GPU was at hand; ``vimrag plan`` says what they need."""

from dataclasses import replace

from model.config.engine import EngineConfig, Hardware, Lora
from model.config.schedule import Schedule
from orchestration.recipes.miniature import paper_like
from orchestration.recipes.options import Ggpo, Recipe
from orchestration.recipes.requirements import Requirements

RTX_4090 = Hardware(name="1x RTX 4090 24 GB", devices=1, memory_gib=24, teraflops=165, gigabytes_per_s=1008)
H100 = Hardware(name="1x H100 80 GB", devices=1, memory_gib=80, teraflops=989, gigabytes_per_s=3350)
H200 = Hardware(name="1x H200 141 GB", devices=1, memory_gib=139, teraflops=989, gigabytes_per_s=4800)
DEVICES = {"rtx-4090": RTX_4090, "h100": H100, "h200": H200}


def qwen3_vl_4b_24gb() -> Recipe:
    """Qwen3-VL-4B with adapters on one device of 24 GB."""
    base = paper_like()
    return replace(
        base,
        name="qwen3_vl_4b_24gb",
        cold_start=replace(base.cold_start, shipped=None, base="models/Qwen3-VL-4B-Instruct"),
        ggpo=Ggpo(
            schedule=Schedule(
                updates=200, mini_batches=2, learning_rate=1e-5, token_budget=8192, logit_tokens=512
            ),
            engine=EngineConfig(
                zero_stage=1,
                bf16=True,
                lora=Lora(rank=32, alpha=64),
                train_vision=False,
                gradient_checkpointing=True,
            ),
            questions=8,
            resamples=1,
            checkpoint_every=20,
            reproducible=False,
        ),
        evaluation=replace(base.evaluation, questions=100, concurrency=16),
        profile="full",
        max_tokens=1024,
        device="cuda",
        threads=8,
        model="qwen3-vl-4b",
        machine=RTX_4090,
        requires=Requirements(sees=True, judge_model="", hours=160),
    )


def qwen3_vl_2b_24gb() -> Recipe:
    """Qwen3-VL-2B with adapters on one device of 24 GB: the smallest of its kind, to try things out."""
    base = qwen3_vl_4b_24gb()
    return replace(
        base,
        name="qwen3_vl_2b_24gb",
        cold_start=replace(base.cold_start, base="models/Qwen3-VL-2B-Instruct"),
        model="qwen3-vl-2b",
        requires=replace(base.requires, hours=80),
    )


def qwen3_vl_8b_80gb() -> Recipe:
    """Qwen3-VL-8B with adapters on one device of 80 GB."""
    small = qwen3_vl_4b_24gb()
    return replace(
        small,
        name="qwen3_vl_8b_80gb",
        cold_start=replace(small.cold_start, base="models/Qwen3-VL-8B-Instruct"),
        ggpo=replace(
            small.ggpo,
            questions=32,
            schedule=replace(small.ggpo.schedule, token_budget=32_768, logit_tokens=1024),
        ),
        evaluation=replace(small.evaluation, concurrency=64),
        model="qwen3-vl-8b",
        machine=H100,
        requires=replace(small.requires, hours=180),
    )


def qwen3_vl_8b_8x80gb() -> Recipe:
    """Qwen3-VL-8B, all weights, on eight devices of 80 GB."""
    single = qwen3_vl_8b_80gb()
    return replace(
        single,
        name="qwen3_vl_8b_8x80gb",
        ggpo=replace(
            single.ggpo,
            schedule=replace(single.ggpo.schedule, learning_rate=1e-6),
            engine=replace(single.ggpo.engine, zero_stage=2, lora=None, train_vision=True),
            ranks=8,
        ),
        machine=replace(H100, name="8x H100 80 GB", devices=8),
        requires=replace(single.requires, hours=24),
    )


def qwen3_vl_8b_16x80gb() -> Recipe:
    """The same on two machines that a hostfile names."""
    base = qwen3_vl_8b_8x80gb()
    return replace(
        base,
        name="qwen3_vl_8b_16x80gb",
        ggpo=replace(base.ggpo, ranks=16, hostfile="hostfile", questions=64),
        machine=replace(H100, name="2 x 8x H100 80 GB", devices=16),
    )
