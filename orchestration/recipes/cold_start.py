"""Options of a cold start: demonstrations of the oracle, of a teacher behind an endpoint, and rejection sampling.

Holds frozen data only; the work is done in ``orchestration/imitation``.
"""

from dataclasses import dataclass, field

from orchestration.shipped import shipped

SHIPPED = shipped("checkpoints")
"""Checkpoints that come with the repository, and with the wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImitationOptions:
    """Optimiser steps on segments of right rollouts, on top of a model that is there already."""

    steps: int = 200
    batch_size: int = 32
    """Segments of one step."""
    learning_rate: float = 3e-4
    """The highest; it falls to nothing, or to a tenth with the tiny model."""
    lora_rank: int | None = None
    """With a model from elsewhere: train adapters of this rank and merge them; 0 all weights; None as in ``Ggpo.engine``."""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size) < 1 or self.learning_rate <= 0 or (self.lora_rank or 0) < 0:
            raise ValueError(f"imitation out of range: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherOptions:
    """A served model that is asked the training questions; its right rollouts are imitated in the student's own tokens."""

    endpoint: str
    """OpenAI-compatible address up to and with the version; the key, if any, is VIMRAG_TEACHER_API_KEY."""
    model: str = ""
    """Empty: the only model the server lists."""
    memories: tuple[str, ...] = ("vimrag",)
    """Memory policies it answers under."""
    samples: int = 1
    """Rollouts of one question under one memory policy."""
    questions: int | None = None
    """Questions of each dataset, at most; None is all."""
    per_question: int = 1
    """Right rollouts of one question that are imitated, at most."""
    balance: float | None = 2.0
    """Rollouts of one dataset, at most, in medians of the datasets; None is without limit."""
    temperature: float = 0.6
    max_tokens: int = 2048
    """Tokens of one reply, reasoning included."""
    thoughts: bool = False
    """Whether the reasoning before a call is imitated too."""
    concurrency: int = 8
    """Requests under way at once."""
    timeout_s: float = 120.0
    """One attempt of a request."""
    max_requests: int | None = 20_000
    """Replies that are ever paid for, over all runs of this name; retries of this run count as well."""
    most_failed: float = 0.1
    """Share of rollouts that may end in an error; with more the run ends, and goes on where it was when it is started again."""
    imitation: ImitationOptions = field(default_factory=ImitationOptions)
    """For a start from a checkpoint or a base model; from nothing the teacher's rollouts take the place of the oracle's."""
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.samples, self.per_question, self.max_tokens, self.concurrency)
        limits = [limit for limit in (self.questions, self.max_requests) if limit is not None]
        if not self.endpoint or not self.memories or min(*counts, *limits) < 1:
            raise ValueError(
                f"a teacher needs an address, memory policies and counts of at least 1, got {self}"
            )
        if not 0 <= self.most_failed <= 1 or self.temperature < 0 or self.timeout_s <= 0:
            raise ValueError(f"teacher out of range: {self}")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("several rollouts of a question at temperature 0 are the same: ask for one")


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectionSampling:
    """The policy answers the training questions itself; right rollouts are imitated, mixed with demonstrations."""

    rounds: int = 1
    """Times it answers and learns; each time with the weights of the round before."""
    samples: int = 8
    """Rollouts of one question."""
    temperature: float = 1.0
    questions: int | None = None
    """Questions of each dataset, at most; None is all."""
    memories: tuple[str, ...] = ("vimrag",)
    """Memory policies it answers under."""
    per_question: int = 2
    """Right rollouts of one question that are imitated, at most."""
    balance: float | None = 2.0
    """Rollouts of one dataset, at most, in medians of the datasets; None is without limit."""
    only_kept_segments: bool = False
    """Leave out the segments that GGPO's mask prunes: searches that the right answer does not rest on."""
    demonstrations: float = 0.5
    """Share of examples that are demonstrations, where there are any: the teacher's, else the oracle's."""
    imitation: ImitationOptions = field(default_factory=ImitationOptions)
    """Of each round."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.rounds, self.samples, self.per_question, self.questions or 1) < 1 or not self.memories:
            raise ValueError(f"rejection sampling needs memory policies and counts of at least 1, got {self}")
        if not 0 <= self.demonstrations < 1 or self.temperature <= 0:
            raise ValueError(f"rejection sampling out of range: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """Supervised learning on demonstrations, from nothing or from a checkpoint that ships."""

    shipped: str | None = "miniature"
    """Folder below ``checkpoints/`` of the repository to start from; None trains from random weights."""
    further: bool = False
    """Go on from ``shipped`` with the stages of demonstrations, instead of starting from it as it is."""
    base: str | None = None
    """Folder below the root with a model as its makers publish it, to start from instead; nothing is downloaded."""
    passes: int = 2
    """Demonstrations of one training question under one memory policy, each with noise of its own."""
    memories: tuple[str, ...] = (
        "vimrag",
        "react",
        "mem1",
        "memagent",
        "closed_book",
        "vanilla",
        "videorag",
        "universalrag",
        "vimrag_text",
        "precaption",
        "raw_visual",
        "context_caption",
    )
    """Memory policies that are demonstrated: each that has an instruction of its own, and what shares one with another turn."""
    stage_steps: int = 2000
    """Optimiser steps of each stage before the demonstrations, at most; its threshold or own limit may end it earlier."""
    clean_steps: int = 2000
    """Optimiser steps on demonstrations with ``clean_noise``, in which reading is learnt; 0 leaves them out."""
    clean_noise: float = 0.15
    """The noise of those."""
    steps: int = 200
    """Optimiser steps on demonstrations with ``noise``, which decide how the policy acts before it is rewarded."""
    noise: float = 0.8
    """Share of planned searches that become a dead end, a repeat or an over-broad query; about 0.8 in real trajectories
    (arXiv 2602.12735, third pilot study)."""
    repair: float = 0.1
    """Share of replies that are said wrongly first, refused, and said rightly after the error; only the right one is learnt. A
    policy that never saw an error text goes on after it with whatever comes next."""
    most_refused: float | None = None
    """Share of the validation's replies that may be refused after the last stage of demonstrations, and after each stage of a
    teacher or of rejection sampling; with more the run ends."""
    teacher: TeacherOptions | None = None
    """Demonstrations from a served model; None leaves them to the oracle where one knows the plans."""
    rejection: RejectionSampling | None = None
    """Rounds of learning from right rollouts of its own, after the demonstrations."""
    seed: int = 0

    def __post_init__(self) -> None:
        shares_fit = all(
            0 <= share < 1 for share in (self.noise, self.clean_noise, self.repair, self.most_refused or 0)
        )
        if (
            min(self.passes, self.stage_steps, self.steps) < 1
            or self.clean_steps < 0
            or (self.further and (self.shipped is None or self.base is not None))
            or not shares_fit
            or not self.memories
        ):
            raise ValueError(f"cold start out of range: {self}")
