"""One GGPO update of one model: peak memory by phase, tokens a second, utilisation; then what each saving is worth.

All through ``Trainer.update`` on invented rollouts. The first update is metered by phase (and warms up), the following ones are
timed whole. ``mfu`` counts the operations that the mathematics needs (forward and backward, nothing recomputed),
``hfu`` also those recomputed by checkpointing, both over the device's published peak.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from benchmarks.gpu.bounded import Emit
from benchmarks.gpu.capabilities import attentions, has, liger
from benchmarks.gpu.engines import make_engine
from benchmarks.gpu.meter import Meter, rounded, timed, used_bytes
from benchmarks.gpu.models import encoder, random_model
from benchmarks.gpu.records import Record, State
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.work import Prompts, RandomPictures, rollouts, square
from model.config.algorithm import ALGORITHMS
from model.config.engine import EngineConfig, Lora
from model.config.schedule import Schedule
from model.rl.segments import training_samples
from model.training.batches import InputBuilder
from model.training.kernels import use_kernels
from model.training.metrics import UpdateMetrics
from model.training.trainer import Trainer
from model.types import Trajectory

STEP = "update"
LORA = Lora(rank=32, alpha=64)
PRUNED = 0.6  # share of a rollout's nodes; with the answer's segment about half of all tokens
WHOLE = 1_000_000_000  # logit tokens at once: no chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """An engine with its rollouts."""

    model: str
    mode: str
    engine: Any
    inputs: InputBuilder
    trajectories: list[Trajectory]
    repeats: int

    def update(self, algorithm: str = "gspo", inputs: InputBuilder | None = None) -> UpdateMetrics:
        """One update; GSPO forwards every segment."""
        chosen = ALGORITHMS[algorithm]
        return Trainer(self.engine, inputs or self.inputs, algorithm=chosen, parity=None).update(
            self.trajectories
        )


def run(model: str, mode: str, ablate: bool, sizes: Sizes, emit: Emit) -> None:
    """``mode`` is ``full`` or ``lora``."""
    if mode == "lora" and not has("peft"):
        emit(
            Record(
                step=STEP,
                part=f"{model}/{mode}",
                state=State.SKIPPED,
                note="adapters need peft, which is not installed",
            )
        )
        return
    meter = Meter()
    bench = _bench(model, mode, sizes, meter)
    _base(bench, sizes, meter, emit)
    if not ablate:
        return
    for name, work in _ablations(bench).items():
        _guarded(name, work, bench, emit)
    for name, switch, reason in _kernels(bench):
        if reason:
            emit(Record(step=STEP, part=f"{model}/{mode}/{name}", state=State.SKIPPED, note=reason))
        else:
            _guarded(name, lambda switch=switch: (switch(), bench.update())[1], bench, emit)


def _bench(model: str, mode: str, sizes: Sizes, meter: Meter) -> Bench:
    prompts = encoder()
    shape = sizes.shapes[model]
    with meter.phase("weights"):
        built = random_model(shape, prompts)
    built.train()
    full = mode == "full"
    config = EngineConfig(
        zero_stage=1, bf16=True, gradient_checkpointing=True, lora=None if full else LORA, train_vision=full
    )
    schedule = Schedule(learning_rate=1e-6, token_budget=sizes.token_budget, logit_tokens=sizes.logit_tokens)
    with meter.phase("engine"):
        engine = make_engine(built, config, schedule)
    media = RandomPictures(square(sizes.image_tokens))
    trajectories = rollouts(Prompts(prompts, shape.vocabulary), sizes, pruned=PRUNED)
    inputs = InputBuilder(encoder=prompts, media=media)
    return Bench(
        model=model, mode=mode, engine=engine, inputs=inputs, trajectories=trajectories, repeats=sizes.repeats
    )


def _base(bench: Bench, sizes: Sizes, meter: Meter, emit: Emit) -> None:
    engine = bench.engine
    before = {name: getattr(engine, name) for name in ("logprobs", "backward", "step", "features")}
    for method, phase in (
        ("logprobs", "forward"),
        ("backward", "backward"),
        ("step", "step"),
        ("features", "vision"),
    ):
        meter.wrap(engine, method, phase)
    held = used_bytes()
    metrics = bench.update()
    for name, method in before.items():
        setattr(engine, name, method)
    shape = sizes.shapes[bench.model]
    emit(_record(bench, sizes, "phases", {
        "held_before_bytes": held, "parameters": shape.parameters,
        "peak_bytes": dict(meter.peak_bytes), "seconds": rounded(meter.seconds),
        "memory": "allocated by torch" if torch.cuda.is_available() else "resident in the process",
        "clip_fraction": metrics.clip_fraction, "lora_rank": LORA.rank,
    }))  # fmt: skip
    emit(_timed(bench, sizes, "base", lambda: bench.update()))


def _ablations(bench: Bench) -> dict[str, Callable[[], Any]]:
    model, schedule = bench.engine.model, bench.engine.schedule

    def with_schedule(changed: Schedule) -> Any:
        bench.engine.schedule = changed
        try:
            return bench.update()
        finally:
            bench.engine.schedule = schedule

    def without_checkpointing() -> Any:
        model.gradient_checkpointing_disable()
        try:
            return bench.update()
        finally:
            model.gradient_checkpointing_enable({"use_reentrant": False})

    def sampled() -> Any:
        config = bench.engine.config
        bench.engine.config = replace(config, recompute=False)
        try:
            return bench.update()
        finally:
            bench.engine.config = config

    alone = replace(bench.inputs, share_images=False)
    return {
        "pruned (ggpo)": lambda: bench.update("ggpo"),
        "no chunks of logits": lambda: with_schedule(replace(schedule, logit_tokens=WHOLE)),
        "images shared in a micro-batch only": lambda: with_schedule(replace(schedule, kept_visual_tokens=0)),
        "ratios from the sampler": sampled,
        "images not shared": lambda: bench.update(inputs=alone),
        "no gradient checkpointing": without_checkpointing,
    }


def _kernels(bench: Bench) -> list[tuple[str, Callable[[], None], str]]:
    """Libraries' kernels, each on top of those before; last, since they stay switched on."""
    model = bench.engine.model
    flash = next(
        (name for name, why in attentions().items() if name.startswith("flash") and not why),
        "flash_attention_2",
    )
    return [
        (flash, lambda: use_kernels(model, attention=flash, liger=False), attentions()[flash]),
        ("liger", lambda: use_kernels(model, attention=model.config.get_text_config()._attn_implementation, liger=True), liger()),
    ]  # fmt: skip


def _guarded(name: str, work: Callable[[], Any], bench: Bench, emit: Emit) -> None:
    """An ablation that does not fit is a finding, not the end."""
    try:
        emit(_timed(bench, None, name, work))
    except (RuntimeError, ValueError, FloatingPointError) as error:
        note = f"{type(error).__name__}: {error}"[:300]
        emit(Record(step=STEP, part=f"{bench.model}/{bench.mode}/{name}", state=State.FAILED, note=note))
        for parameter in bench.engine.model.parameters():
            parameter.grad = None
        gc.collect()
        torch.cuda.empty_cache()


def _timed(bench: Bench, sizes: Sizes | None, name: str, work: Callable[[], UpdateMetrics]) -> Record:
    meter = Meter()
    seconds, metrics = [], []
    for _ in range(bench.repeats):
        with meter.phase("update"):
            seconds.append(timed(lambda: metrics.append(work())))
    figures = {
        "seconds": round(statistics.median(seconds), 4),
        "peak_bytes": meter.peak_bytes["update"],
        "forward_tokens": metrics[-1].forward_tokens,
        "padded_tokens": metrics[-1].padded_tokens,
        "loss_tokens": metrics[-1].loss_tokens,
        "tokens_per_s": round(metrics[-1].forward_tokens / statistics.median(seconds), 2),
    }
    return _record(bench, sizes, name, figures)


def _record(bench: Bench, sizes: Sizes | None, name: str, figures: dict[str, Any]) -> Record:
    samples = training_samples(bench.trajectories, algorithm=ALGORITHMS["ggpo"]).samples
    tokens = sum(len(each.token_ids) for each in samples)
    common = {
        "model": bench.model, "mode": bench.mode, "segments": len(samples), "tokens": tokens,
        "longest": max(len(each.token_ids) for each in samples),
        "pruned_share": round(sum(len(each.token_ids) for each in samples if each.pruned) / tokens, 4),
        "engine": type(bench.engine).__name__, "recomputes": bench.engine.config.recomputes,
    }  # fmt: skip
    if sizes is not None:
        common |= {
            "token_budget": sizes.token_budget, "logit_tokens": sizes.logit_tokens, "prompt": sizes.prompt,
            "generated": sizes.generated, "rollouts": sizes.rollouts, "segments_a_rollout": sizes.segments + 1,
        }  # fmt: skip
    return Record(
        step=STEP,
        part=f"{bench.model}/{bench.mode}/{name}",
        state=State.MEASURED,
        figures={**common, **figures},
    )


def of(model: str, mode: str, *, ablate: bool = False) -> Callable[[Sizes, Emit], None]:
    """The step for one model and mode."""
    return partial(run, model, mode, ablate)
