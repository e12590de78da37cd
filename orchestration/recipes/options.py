"""What a run is: which worlds, which cold start, how it is trained, what is evaluated, on which devices.

Holds choices and their units only. Whatever the algorithm, its optimiser, the layout over devices and the reward can be told
is a record of ``model.config``, nested here; what the choices mean is implemented in ``assets`` and ``model``.
"""

from dataclasses import dataclass, field

from assets.miniature.world import HOPS
from model.config.algorithm import Algorithm
from model.config.engine import EngineConfig, Hardware
from model.config.limits import LIMITS
from model.config.reward import RewardWeights
from model.config.schedule import Retention, Schedule
from model.config.watch import WatchLimits
from orchestration.recipes.cold_start import ColdStart
from orchestration.recipes.requirements import Requirements

SYNCS = ("adapter", "folder", "transfer")
SERVER_KINDS = ("vllm", "sglang")


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
    hops: int = 2
    """Searches of the longest question that passages answer. With 3 or 4 HotpotQA asks such questions only, and every fact they
    rest on has a decoy: what was so first."""

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test, self.questions) < 1:
            raise ValueError(f"a miniature needs at least one world of each split and one question: {self}")
        if self.hops not in HOPS:
            raise ValueError(f"the longest question has one of {HOPS} hops: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRollouts:
    """Servers (vLLM, SGLang) that roll out; their weights are refreshed after each update.

    docs/training.md says how to start them.
    """

    servers: tuple[str, ...]
    """Up to and with the version, e.g. ``http://127.0.0.1:8000/v1``; the key, if any, is VIMRAG_API_KEY."""
    model: str
    """The model's name as the servers list it; it has the weights that training starts from."""
    kind: str = "vllm"
    """``vllm``, or ``sglang`` (prompts without pictures, sync ``folder``)."""
    sync: str = "adapter"
    """How weights get there: ``adapter`` (LoRA, through a folder), ``folder`` (all weights, through a folder), ``transfer``
    (all weights, from device to device by vLLM's own client)."""
    shared: str | None = None
    """Folder that the trainer and all servers see under this path; None: ``served/<run>`` below a root on disk."""
    rollout_timeout_s: float = 900.0
    """A rollout that takes longer has failed."""
    request_timeout_s: float = 300.0
    """One request to one server."""

    def __post_init__(self) -> None:
        if not self.servers or not self.model:
            raise ValueError(f"served rollouts need servers and the name of their model: {self}")
        if self.kind not in SERVER_KINDS:
            raise ValueError(f"unknown kind of server {self.kind!r}; known: {', '.join(SERVER_KINDS)}")
        if self.sync not in SYNCS:
            raise ValueError(f"unknown sync {self.sync!r}; known: {', '.join(SYNCS)}")
        if min(self.rollout_timeout_s, self.request_timeout_s) <= 0:
            raise ValueError(f"time limits must be positive: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ggpo:
    """Reinforcement learning by rollouts under DeepSpeed."""

    algorithm: Algorithm = field(default_factory=Algorithm)
    """The objective, and how many rollouts a question gets; start from one of ``model.config.algorithm.ALGORITHMS``."""
    reward: RewardWeights = field(default_factory=RewardWeights)
    """What a rollout is worth."""
    schedule: Schedule = field(default_factory=Schedule)
    """Updates, optimiser steps, learning rates and the seed of the run."""
    engine: EngineConfig = field(default_factory=EngineConfig)
    """Layout over the ranks, what is trained, and the temperature of the rollouts."""
    retention: Retention = field(default_factory=Retention)
    """Which checkpoints stay."""
    watch: WatchLimits = field(default_factory=WatchLimits)
    """What stops the run red."""
    questions: int = 16
    """Questions of one update."""
    resamples: int = 0
    """Rounds in which questions whose rollouts are all worth the same, which teach nothing, are replaced by others; with any,
    such questions do not enter the update."""
    by_success: bool = False
    """Draw questions that are answered rightly now and then more often than the others."""
    served: ServedRollouts | None = None
    """Servers that roll out; None: the model under training does, in its own process."""
    overlap: bool = False
    """Roll out the next update's questions while an update is computed, with the weights before it."""
    reproducible: bool = True
    """Decode and search in step, so that on a CPU equal runs draw equal tokens and a resumed one repeats the uninterrupted one
    bit for bit; without it a request joins the running batch at once, which keeps a GPU busier."""
    checkpoint_every: int = 6
    """Updates between two checkpoints; at each, the validation questions are answered."""
    validation: int = 4
    """Validation questions of each dataset; they choose the checkpoint that is evaluated."""
    ranks: int = 1
    """Processes, one a device; on a CPU one is fastest."""
    hostfile: str | None = None
    """File of ``host slots=devices`` lines for training on several machines; None stays on this one."""

    def __post_init__(self) -> None:
        if min(self.questions, self.checkpoint_every, self.validation, self.ranks) < 1 or self.resamples < 0:
            raise ValueError(
                f"questions, checkpoint_every, validation and ranks must be at least 1, resamples not negative: {self}"
            )
        if self.retention.every % self.checkpoint_every:
            raise ValueError(
                f"checkpoints kept for good are a multiple of checkpoint_every, {self.checkpoint_every}, apart, "
                f"got {self.retention.every}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOptions:
    """Which methods answer how many unseen questions."""

    methods: tuple[str, ...] = ("closed_book", "vanilla", "cold_start", "ggpo")
    """Rows of the result table: memory policies with the cold start's weights, then the checkpoints."""
    questions: int = 16
    """Questions of each dataset, at most; the same ones for every method."""
    concurrency: int = 128
    """Rollouts at once, and at most so many in one batch of the model."""
    workers: int = 1
    """Methods answered side by side, each in a process with its share of the threads: for tiny models on a few cores."""
    resamples: int = 10_000
    """Of the bootstrap behind the confidence intervals."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.questions, self.concurrency, self.workers, self.resamples) < 1 or not self.methods:
            raise ValueError(
                f"an evaluation needs methods, questions, rollouts, workers and resamples: {self}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One whole run."""

    name: str
    question_set: str = "default"
    """Which questions train, choose and measure (`vimrag questions`); the miniature has its own."""
    worlds: MiniatureWorlds = field(default_factory=MiniatureWorlds)
    cold_start: ColdStart = field(default_factory=ColdStart)
    ggpo: Ggpo = field(default_factory=Ggpo)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    profile: str = "compact"
    """Prompts and limits of a rollout: ``compact`` for the tiny model, ``full`` for real ones."""
    limits: str = ""
    """Key of ``model.config.limits.LIMITS``; empty: those of the profile."""
    datasets: tuple[str, ...] = ()
    """Datasets whose questions train, choose and measure; none means all. The index holds every dataset."""
    max_tokens: int = 96
    """Tokens of one completion, at most."""
    device: str = "cpu"
    """DeepSpeed accelerator: ``cpu`` or ``cuda``."""
    threads: int = 2
    """CPU threads of one process."""
    model: str = "tiny"
    """Key of ``model.training.model_shape.SHAPES``; ``tiny`` is the miniature's own."""
    machine: Hardware | None = None
    """The devices it is made for; None is any two CPU cores."""

    def __post_init__(self) -> None:
        if self.limits and self.limits not in LIMITS:
            raise ValueError(f"unknown limits {self.limits!r}; known: {', '.join(LIMITS)}")

    requires: Requirements = field(default_factory=Requirements)
    """What must be there before it starts (`vimrag preflight`)."""
