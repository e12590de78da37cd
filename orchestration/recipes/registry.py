"""A run is a function that returns frozen data: which world, which cold start, how many updates, what is evaluated.

Holds choices and their units only; what they mean is implemented in ``assets`` and ``model``. Imports neither, so that the
code location stays light. The shapes for real models follow with the recipes for GPUs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from orchestration.recipes.cold_start_options import RejectionSampling, TeacherOptions
from orchestration.recipes.reward_options import RewardTerms
from orchestration.recipes.rollout_options import ServedRollouts


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniatureWorlds:
    """How many invented worlds are written."""

    train: int = 8
    """Worlds whose questions are trained on."""
    val: int = 2
    """Worlds that choose between checkpoints."""
    test: int = 4
    """Unseen worlds that results are reported on."""
    questions: int = 4
    """Questions of one world in each dataset, about."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test, self.questions) < 1:
            raise ValueError(f"a miniature needs at least one world of each split and one question: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """Supervised learning on demonstrations, from nothing or from a checkpoint that ships."""

    shipped: str | None = "miniature"
    """Folder below ``checkpoints/`` of the repository to start from; None trains from random weights."""
    base: str | None = None
    """Folder below the root with a model as its makers publish it, to start from instead; nothing is downloaded."""
    passes: int = 2
    """Demonstrations of one training question under one memory policy, each with noise of its own."""
    memories: tuple[str, ...] = (
        "vimrag",
        "react",
        "mem1",
        "memagent",
        "vanilla",
        "videorag",
        "universalrag",
    )
    """Memory policies that are demonstrated, in this order."""
    stage_steps: int = 2000
    """Optimiser steps of each stage before the demonstrations, at most; its threshold or own limit may end it earlier."""
    clean_steps: int = 2000
    """Optimiser steps on demonstrations with ``clean_noise``, in which reading is learnt."""
    clean_noise: float = 0.15
    """The noise of those."""
    steps: int = 200
    """Optimiser steps on demonstrations with ``noise``, which decide how the policy acts before it is rewarded."""
    noise: float = 0.8
    """Share of planned searches that become a dead end, a repeat or an over-broad query; about 0.8 in real trajectories
    (arXiv 2602.12735, third pilot study)."""
    repair: float = 0.0
    """Share of replies that are said wrongly first, refused, and said rightly after the error; only the right one is learnt."""
    teacher: TeacherOptions | None = None
    """Demonstrations from a served model; None leaves them to the oracle where one knows the plans."""
    rejection: RejectionSampling | None = None
    """Rounds of learning from right rollouts of its own, after the demonstrations."""
    seed: int = 0

    def __post_init__(self) -> None:
        shares_fit = all(0 <= share < 1 for share in (self.noise, self.clean_noise, self.repair))
        if (
            min(self.passes, self.stage_steps, self.clean_steps, self.steps) < 1
            or not shares_fit
            or not self.memories
        ):
            raise ValueError(f"cold start out of range: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ggpo:
    """Reinforcement learning by rollouts under DeepSpeed."""

    algorithm: str = "ggpo"
    """Key of ``model.config.algorithm.ALGORITHMS``."""
    reward: RewardTerms = field(default_factory=RewardTerms)
    """What a rollout is worth. Right or wrong in pruning and drawing is the verdict, whatever the weights."""
    kl_coefficient: float = 0.0
    """Weight of the divergence from the cold start, nats a token. It holds what the cold start is sure of, such as the form of
    a reply, and costs a second forward pass, of segments without an advantage too, and the pictures shared between them."""
    normalise_std: bool | None = None
    """Whether the centred rewards of a question are divided by their deviation; None is the algorithm's own."""
    denominator: str | None = None
    """What the sum over the segments of a question is divided by, a value of ``model.config.algorithm.Denominator``; None is the
    algorithm's own."""
    clip_low: float | None = None
    """Lower clip distance of the ratio; None is the algorithm's own. GGPO's 3e-4 suits segments of a thousand tokens."""
    clip_high: float | None = None
    """Upper clip distance; None is the algorithm's own."""
    updates: int = 12
    """Policy updates; each has rollouts of its own."""
    questions: int = 16
    """Questions of one update."""
    group_size: int = 8
    """Rollouts of one question."""
    learning_rate: float = 2e-4
    warmup_steps: int = 0
    """Optimiser steps in which the learning rate rises."""
    decay: bool = False
    """Let the learning rate fall linearly to zero over the rest of the run, so that its last weights are no noisy ones; the
    number of updates is then part of what the run is."""
    adam_epsilon: float = 1e-8
    """Of Adam's denominator. Near the root mean square of the gradients (1e-4 in the miniature) a weight whose gradient is mere
    noise hardly moves; far below it every weight moves by the learning rate."""
    mini_batches: int = 1
    """Optimiser steps of one update."""
    resamples: int = 0
    """Rounds in which questions whose rollouts are all worth the same, which teach nothing, are replaced by others; with any,
    such questions do not enter the update."""
    by_success: bool = False
    """Draw questions that are answered rightly now and then more often than the others."""
    temperature: float = 1.0
    """Of sampling during rollouts, and of the distributions in the ratio."""
    served: ServedRollouts | None = None
    """Servers that roll out; None: the model under training does, in its own process."""
    overlap: bool = False
    """Roll out the next update's questions while an update is computed, with the weights before it."""
    reproducible: bool = True
    """Decode and search in step, so that on a CPU equal runs draw equal tokens and a resumed one repeats the uninterrupted one
    bit for bit; without it a request joins the running batch at once, which keeps a GPU busier."""
    checkpoint_every: int = 6
    """Updates between two checkpoints; at each, the validation questions are answered."""
    keep_last: int = 1
    """Newest checkpoints that stay; a run goes on from the last one."""
    keep_every: int = 0
    """Updates between checkpoints that stay for good, a multiple of ``checkpoint_every``; 0 keeps the best and the last."""
    validation: int = 4
    """Validation questions of each dataset; they choose the checkpoint that is evaluated."""
    zero_stage: int = 2
    ranks: int = 1
    """Processes, one a device; on a CPU one is fastest."""
    hostfile: str | None = None
    """File of ``host slots=devices`` lines for training on several machines; None stays on this one."""
    bf16: bool = False
    lora_rank: int = 0
    """Train adapters of this rank; 0 trains the weights themselves."""
    train_vision: bool = True
    """Train the vision tower too; with adapters it never is."""
    offload_optimizer: bool = False
    """Keep optimiser and master weights in main memory."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass."""
    token_budget: int = 16_384
    """Padded tokens of one micro-batch, at most, unless a single segment is longer."""
    logit_tokens: int = 1024
    """Loss tokens whose logits exist at once."""
    kept_visual_tokens: int = 131_072
    """Visual tokens whose features a rank keeps during an optimiser step, at most; 0 keeps none (``model.config.algorithm``)."""
    seed: int = 0

    def __post_init__(self) -> None:
        if (
            min(
                self.updates,
                self.questions,
                self.mini_batches,
                self.checkpoint_every,
                self.keep_last,
                self.validation,
                self.ranks,
                self.token_budget,
                self.logit_tokens,
            )
            < 1
        ):
            raise ValueError(f"counts must be at least 1: {self}")
        if min(self.resamples, self.lora_rank, self.kept_visual_tokens, self.warmup_steps) < 0:
            raise ValueError(
                f"resamples, lora_rank, kept_visual_tokens and warmup_steps must not be negative: {self}"
            )
        if not 0 <= self.kl_coefficient < math.inf:
            raise ValueError(f"kl_coefficient must not be negative: {self}")
        _require_positive(self, "adam_epsilon", "learning_rate", "temperature")
        low, high = self.clip_low, self.clip_high
        if (low is not None and not 0 < low < 1) or (high is not None and not 0 < high < math.inf):
            raise ValueError(f"clip distances must be positive, the lower below 1: {self}")
        if self.keep_every < 0 or self.keep_every % self.checkpoint_every:
            raise ValueError(
                f"keep_every must be a multiple of checkpoint_every, {self.checkpoint_every}, got {self.keep_every}"
            )
        if self.group_size < 2:
            raise ValueError(f"group_size must be at least 2 to have a baseline, got {self.group_size}")


def _require_positive(options: Ggpo, *names: str) -> None:
    for name in names:
        if not 0 < (value := getattr(options, name)) < math.inf:
            raise ValueError(f"{name} must be positive, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOptions:
    """Which methods answer how many unseen questions."""

    methods: tuple[str, ...] = ("closed_book", "vanilla", "cold_start", "ggpo")
    """Rows of the result table: memory policies with the cold start's weights, then the checkpoints."""
    questions: int = 16
    """Questions of each dataset, at most; the same ones for every method."""
    concurrency: int = 128
    """Rollouts at once, and at most so many in one batch of the model."""
    resamples: int = 10_000
    """Of the bootstrap behind the confidence intervals."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.questions, self.concurrency, self.resamples) < 1 or not self.methods:
            raise ValueError(f"an evaluation needs methods, questions, rollouts and resamples: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The devices a recipe is made for; figures of their makers for dense bf16 and memory bandwidth."""

    name: str
    devices: int
    memory_gib: float
    teraflops: float
    gigabytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One whole run."""

    name: str
    worlds: MiniatureWorlds = field(default_factory=MiniatureWorlds)
    cold_start: ColdStart = field(default_factory=ColdStart)
    ggpo: Ggpo = field(default_factory=Ggpo)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    profile: str = "compact"
    """Prompts and limits of a rollout: ``compact`` for the tiny model, ``full`` for real ones."""
    max_tokens: int = 96
    """Tokens of one completion, at most."""
    device: str = "cpu"
    """DeepSpeed accelerator: ``cpu`` or ``cuda``."""
    threads: int = 2
    """CPU threads of one process."""
    model: str = "tiny"
    """Key of ``model.training.model_shape.SHAPES``; ``tiny`` is the miniature's own."""
    machine: Machine | None = None
    """None is any two CPU cores."""


def quickstart() -> Recipe:
    """Minutes on two cores, from the cold start that ships."""
    return Recipe(name="quickstart", ggpo=Ggpo(learning_rate=3e-4, warmup_steps=2, decay=True))


def miniature() -> Recipe:
    """The training study: the cold start learnt from random weights, more worlds and updates. About three hours on two cores."""
    base = quickstart()
    return replace(
        base,
        name="miniature",
        worlds=replace(base.worlds, train=32, test=8),
        cold_start=replace(base.cold_start, shipped=None),
        ggpo=replace(base.ggpo, updates=100),
        evaluation=replace(base.evaluation, questions=48),
    )


def rejection() -> Recipe:
    """The quickstart with a round of rejection sampling before GGPO. Not run as a whole: its parts were, see docs/training.md."""
    base = quickstart()
    return replace(base, name="rejection", cold_start=replace(base.cold_start, rejection=RejectionSampling()))


def gain() -> Recipe:
    """What gained most in docs/log.md: more worlds, larger updates, gold and form in the reward. A quarter of an hour."""
    base = quickstart()
    return replace(
        base,
        name="gain",
        worlds=replace(base.worlds, train=48, val=4, test=8, questions=8),
        ggpo=replace(
            base.ggpo,
            reward=RewardTerms(judge=0.6, format=0.1, retrieval=0.3),
            updates=14,
            questions=24,
            checkpoint_every=7,
            validation=8,
            reproducible=False,
        ),
        evaluation=replace(base.evaluation, methods=("cold_start", "ggpo"), questions=32),
        threads=1,
    )


def policies() -> Recipe:
    """The first pilot study: every memory policy with the cold start's weights on the same unseen questions; no training."""
    base = quickstart()
    every = (
        "closed_book",
        "vanilla",
        "videorag",
        "universalrag",
        "react",
        "mem1",
        "memagent",
        "vimrag_text",
        "vimrag_equal",
        "cold_start",
    )
    return replace(
        base,
        name="policies",
        worlds=replace(base.worlds, train=1, val=1, test=8),
        evaluation=replace(base.evaluation, methods=every, questions=32),
    )


RTX_4090 = Machine(name="1x RTX 4090 24 GB", devices=1, memory_gib=24, teraflops=165, gigabytes_per_s=1008)
H100 = Machine(name="1x H100 80 GB", devices=1, memory_gib=80, teraflops=989, gigabytes_per_s=3350)


def qwen3_vl_4b_24gb() -> Recipe:
    """Qwen3-VL-4B with adapters on one device of 24 GB. Not run: no GPU was at hand."""
    base = quickstart()
    return replace(
        base,
        name="qwen3_vl_4b_24gb",
        cold_start=replace(base.cold_start, shipped=None, base="models/Qwen3-VL-4B-Instruct"),
        ggpo=Ggpo(
            updates=200,
            questions=8,
            group_size=8,
            learning_rate=1e-5,
            mini_batches=2,
            resamples=1,
            checkpoint_every=20,
            zero_stage=1,
            reproducible=False,
            bf16=True,
            lora_rank=32,
            train_vision=False,
            gradient_checkpointing=True,
            token_budget=8192,
            logit_tokens=512,
        ),
        evaluation=replace(base.evaluation, questions=100, concurrency=16),
        profile="full",
        max_tokens=1024,
        device="cuda",
        threads=8,
        model="qwen3-vl-4b",
        machine=RTX_4090,
    )


def qwen3_vl_8b_80gb() -> Recipe:
    """Qwen3-VL-8B with adapters on one device of 80 GB. Not run: no GPU was at hand."""
    small = qwen3_vl_4b_24gb()
    return replace(
        small,
        name="qwen3_vl_8b_80gb",
        cold_start=replace(small.cold_start, base="models/Qwen3-VL-8B-Instruct"),
        ggpo=replace(small.ggpo, questions=32, token_budget=32_768, logit_tokens=1024),
        evaluation=replace(small.evaluation, concurrency=64),
        model="qwen3-vl-8b",
        machine=H100,
    )


def qwen3_vl_8b_8x80gb() -> Recipe:
    """Qwen3-VL-8B, all weights, on eight devices of 80 GB. Not run: no GPU was at hand."""
    single = qwen3_vl_8b_80gb()
    return replace(
        single,
        name="qwen3_vl_8b_8x80gb",
        ggpo=replace(single.ggpo, learning_rate=1e-6, zero_stage=2, ranks=8, lora_rank=0, train_vision=True),
        machine=replace(H100, name="8x H100 80 GB", devices=8),
    )


def qwen3_vl_8b_16x80gb() -> Recipe:
    """The same on two machines that a hostfile names. Not run: no GPU was at hand."""
    one = qwen3_vl_8b_8x80gb()
    return replace(
        one,
        name="qwen3_vl_8b_16x80gb",
        ggpo=replace(one.ggpo, ranks=16, hostfile="hostfile", questions=64),
        machine=replace(H100, name="2 x 8x H100 80 GB", devices=16),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    recipe.__name__: recipe
    for recipe in (
        quickstart,
        miniature,
        gain,
        policies,
        rejection,
        qwen3_vl_4b_24gb,
        qwen3_vl_8b_80gb,
        qwen3_vl_8b_8x80gb,
        qwen3_vl_8b_16x80gb,
    )
}


def recipe(name: str) -> Recipe:
    """The recipe called ``name``; ``ValueError`` names those there are."""
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name]()
