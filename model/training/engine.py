"""The DeepSpeed engine behind five verbs: log-probabilities, backward, step, state, weights.

The one file that knows DeepSpeed. Its dictionary is generated from frozen configurations; gradient accumulation is driven by
hand because an update has as many micro-batches as its segments need. Learning rates come from ``Schedule.rate``, so there
is no scheduler state beyond the step count. What is computed lives in ``rl/loss.py``, when it is computed in ``trainer.py``.
"""

import importlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist
from transformers import Qwen3VLForConditionalGeneration

from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.training.kernels import use_kernels
from model.training.logprobs import Targets, TokenLogprobs
from model.training.lora import attach_adapters, merged_weights

STATE_VERSION = 2


class StepInfo(NamedTuple):
    """Facts of one optimiser step."""

    gradient_norm: float  # global L2 norm before clipping
    learning_rate: float


def deepspeed_config(config: EngineConfig, schedule: Schedule) -> dict[str, Any]:
    """DeepSpeed's configuration dictionary. ``torch_adam`` avoids compiling an optimiser, so no compiler is needed."""
    zero: dict[str, Any] = {"stage": config.zero_stage}
    if config.zero_stage == 3:
        zero["stage3_param_persistence_threshold"] = config.persist_below
    if config.offload_optimizer:
        zero["offload_optimizer"] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": 1,  # nominal: micro-batches are our own
        "gradient_accumulation_steps": 1,
        "gradient_clipping": schedule.max_gradient_norm,
        "bf16": {"enabled": config.bf16},
        "zero_optimization": zero,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": None,
        "optimizer": {
            "type": "AdamW",
            "params": {
                "lr": schedule.learning_rate,
                "betas": list(schedule.betas),
                "eps": schedule.adam_epsilon,
                "weight_decay": schedule.weight_decay,
                "torch_adam": True,
            },
        },
    }


class DeepSpeedEngine:
    """A model under DeepSpeed. One process is one rank; alone, it is a world of one and needs no launcher.

    Args:
        model: with the weights to start from; handed over to DeepSpeed.
        config: layout over the ranks.
        schedule: optimiser settings and learning rates.
        steps: optimiser steps already done, when resuming.
    """

    def __init__(
        self,
        model: Qwen3VLForConditionalGeneration,
        *,
        config: EngineConfig,
        schedule: Schedule,
        steps: int = 0,
    ) -> None:
        if config.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        use_kernels(model, attention=config.attention, liger=config.liger)
        deepspeed = _deepspeed()
        if config.lora is not None:
            attach_adapters(model, config.lora)
        elif not config.train_vision:
            model.model.visual.requires_grad_(False)
        if config.bf16:
            model.bfloat16()
        wrapped = TokenLogprobs(model, temperature=config.temperature)
        trained = [parameter for parameter in wrapped.parameters() if parameter.requires_grad]
        self.engine, *_ = deepspeed.initialize(
            model=wrapped, model_parameters=trained, config=deepspeed_config(config, schedule)
        )
        self.config = config
        self.schedule = schedule
        self.steps = steps
        self.rank: int = dist.get_rank()
        self.world_size: int = dist.get_world_size()

    @property
    def model(self) -> Qwen3VLForConditionalGeneration:
        """The model itself; under ZeRO-3 its weights are sharded, read them with ``weights``."""
        return self.engine.module.model

    @property
    def device(self) -> torch.device:
        """Device of the inputs."""
        return torch.device(self.engine.device)

    def train(self, mode: bool = True) -> None:
        """Training mode (dropout on) or evaluation mode."""
        self.engine.train(mode)

    def logprobs(self, inputs: dict[str, Tensor], targets: Targets, num_chunks: int) -> tuple[Tensor, Tensor]:
        """See ``TokenLogprobs.forward``. A collective under ZeRO-3: every rank has to call it equally often."""
        return self.engine(inputs, targets, num_chunks)

    def features(self, pixel_values: Tensor, grid_thw: Tensor) -> Tensor:
        """Output of the vision tower for images, see ``vision_dedup.tower_features``; not under ZeRO-3."""
        return self.engine.module.features(pixel_values, grid_thw)

    def backward(self, loss: Tensor, *, last: bool) -> None:
        """Adds the gradient of ``loss`` to the step's; ``last`` marks the step's final micro-batch.

        DeepSpeed averages over ranks; multiplying by their number turns that into the sum, so that the objective's own
        denominator, already in ``loss``, is the only one.
        """
        self.engine.set_gradient_accumulation_boundary(last)
        self.engine.backward(loss * self.world_size)
        if not last:
            self.engine.step()  # not a boundary: lets DeepSpeed count the micro-batch, changes no weight

    def step(self) -> StepInfo:
        """Clips and applies the accumulated gradient at the schedule's rate.

        Raises:
            FloatingPointError: on every rank, if the gradient is not finite; the weights are unusable from then on.
        """
        rate = self.schedule.rate(self.steps)
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate
        norm = self._unsharded_norm()
        self.engine.step()
        if norm is None:
            norm = float(self.engine.get_global_grad_norm() or 0.0)
        if not 0 <= norm < math.inf:  # DeepSpeed reports -1 for a norm that is not finite
            raise FloatingPointError(f"the gradient of optimiser step {self.steps} is not finite")
        self.steps += 1
        return StepInfo(norm, rate)

    def _unsharded_norm(self) -> float | None:
        """Gradient norm without ZeRO, where DeepSpeed does not report it; None with ZeRO."""
        if self.config.zero_stage:
            return None
        squares = [
            p.grad.float().square().sum() for p in self.engine.module.parameters() if p.grad is not None
        ]
        return float(torch.stack(squares).sum().sqrt()) if squares else 0.0

    def total(self, values: Tensor, *, largest: bool = False) -> Tensor:
        """``values`` summed over ranks (or their maximum), on every rank."""
        reduced = values.to(self.device)
        dist.all_reduce(reduced, op=dist.ReduceOp.MAX if largest else dist.ReduceOp.SUM)
        return reduced.cpu()

    def barrier(self) -> None:
        """Waits until every rank is here."""
        dist.barrier()

    def weights(self) -> dict[str, Tensor]:
        """Full weights on the CPU under the names of a plain model, tied ones once, adapters merged into them.

        A collective; filled on rank 0 only.
        """
        gathered = self.raw_weights()
        return (
            gathered if self.config.lora is None else merged_weights(gathered, scale=self.config.lora.scale)
        )

    def raw_weights(self) -> dict[str, Tensor]:
        """As ``weights``, but with adapters apart, under the names of the model under training."""
        gathered: dict[str, Tensor] = {}
        for name, parameter in self.model.named_parameters():
            with self._whole(parameter):
                if self.rank == 0:
                    gathered[name] = parameter.detach().cpu().clone()
        return gathered

    @contextmanager
    def _whole(self, parameter: torch.nn.Parameter) -> Iterator[None]:
        if self.config.zero_stage == 3:
            with _deepspeed().zero.GatheredParameters([parameter]):
                yield
        else:
            yield

    def _masters(self) -> list[Tensor]:
        """The tensors this rank's optimiser updates: its shard of the fp32 weights."""
        optimizer = self.engine.optimizer
        if self.config.zero_stage == 3:
            return list(optimizer.fp32_partitioned_groups_flat)
        if self.config.zero_stage:
            return list(optimizer.single_partition_of_fp32_groups)
        return [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def _base_optimizer(self) -> torch.optim.Optimizer:
        optimizer = self.engine.optimizer
        return optimizer.optimizer if self.config.zero_stage else optimizer

    def state(self) -> dict[str, Any]:
        """This rank's optimiser shard: step count, fp32 weights, moments. Tensors and numbers only, copied."""
        moments = self._base_optimizer().state
        shards = [
            {"master": _copied(master), **{k: _copied(v) for k, v in moments[master].items()}}
            for master in self._masters()
        ]
        return {
            "version": STATE_VERSION,
            "steps": self.steps,
            "layout": self._layout(),
            "shards": shards,
            "adapters": {name: _copied(tensor) for name, tensor in self._adapters().items()},
        }

    def _adapters(self) -> dict[str, Tensor]:
        """Trained adapter parameters; empty without adapters."""
        if self.config.lora is None:
            return {}
        return {name: tensor for name, tensor in self.model.named_parameters() if tensor.requires_grad}

    def _layout(self) -> dict[str, int]:
        return {"zero_stage": self.config.zero_stage, "world_size": self.world_size, "rank": self.rank}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores what ``state`` returned, on a model that holds the same checkpoint's weights.

        Raises:
            ValueError: if it was saved with another version, ZeRO stage, number of ranks or model shape.

        With adapters the state holds them, and the model must hold the weights that they were attached to, unmerged.
        """
        masters = self._masters()
        if state["version"] != STATE_VERSION or state["layout"] != self._layout():
            raise ValueError(f"optimiser state of {state['layout']} cannot continue as {self._layout()}")
        if [len(shard["master"]) for shard in state["shards"]] != [len(master) for master in masters]:
            raise ValueError("optimiser state belongs to a model of another shape")
        adapters = self._adapters()
        if adapters.keys() != state["adapters"].keys():
            raise ValueError("optimiser state belongs to a model with other adapters")
        for name, parameter in adapters.items():
            parameter.data.copy_(state["adapters"][name])
        moments = self._base_optimizer().state
        for master, shard in zip(masters, state["shards"], strict=True):
            master.data.copy_(shard["master"])
            kept = {name: value for name, value in shard.items() if name != "master"}
            moments[master] = {name: _placed(name, value, master.device) for name, value in kept.items()}
        self.steps = state["steps"]


def _copied(value: Any) -> Any:
    return value.detach().cpu().clone() if isinstance(value, Tensor) else value


def _placed(name: str, value: Any, device: torch.device) -> Any:
    # AdamW wants its step counter on the CPU, the moments beside the weights.
    return value.clone().to("cpu" if name == "step" else device) if isinstance(value, Tensor) else value


def _deepspeed() -> Any:
    """DeepSpeed with its process group started: the launcher's, or a world of one inside this process."""
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    deepspeed: Any = importlib.import_module("deepspeed")
    if not dist.is_initialized() and "RANK" not in os.environ:
        backend = (
            None if torch.cuda.is_available() else "gloo"
        )  # None: NCCL for GPU tensors, gloo for the rest
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
        os.environ.setdefault("LOCAL_RANK", "0")
    if not deepspeed.comm.is_initialized():
        with _no_compiled_ops(deepspeed):
            deepspeed.init_distributed(verbose=False)
    return deepspeed


@contextmanager
def _no_compiled_ops(deepspeed: Any) -> Iterator[None]:
    """On a CPU, DeepSpeed finds no compiled operation while the block runs, so that gloo reduces and no compiler is needed.

    Else it would compile a shared-memory all-reduce with g++ at the first start (minutes, or an error without a compiler).
    """
    if deepspeed.get_accelerator().device_name() != "cpu":
        yield
        return
    names = vars(deepspeed.ops)
    before = names.get("__compatible_ops__")
    names["__compatible_ops__"] = {}
    try:
        yield
    finally:
        del names["__compatible_ops__"]
        if before is not None:
            names["__compatible_ops__"] = before
