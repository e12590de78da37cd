"""Records that travel between the agent, its policy, the rollout store and the trainer.

Holds frozen data only: no model, no pixels, no behaviour. Pixels are fetched by ``ImageRef`` from a ``MediaSource``
(``protocols.py``), so a trajectory stays small and yet rebuilds the very same inputs bit for bit.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from memory_graph.budget import Allocation
from memory_graph.credit import Credit
from memory_graph.graph import MemoryGraph, Modality
from model.config.algorithm import Algorithm
from model.config.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One question for the agent. ``gold`` and ``answers`` are seen by rewards and oracles, never by a policy."""

    id: str
    dataset: str
    question: str
    answers: tuple[str, ...]
    kind: str = "text"  # value of assets.corpus.question.AnswerKind
    choices: tuple[str, ...] = ()
    gold: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One retrieved corpus item, as the agent is shown it."""

    item_id: str
    dataset: str
    modality: Modality
    title: str
    text: str
    score: float = 0.0
    width: int = 0  # native pixels of the image, or of one frame
    height: int = 0
    duration_s: float = 0.0
    start_s: float = 0.0  # of the clip within its video
    parent: str = ""  # document, deck or video it is a part of


@dataclass(frozen=True, slots=True, kw_only=True)
class HitFilter:
    """Which items a search may find; None where anything goes."""

    dataset: str | None = None
    modality: Modality | None = None
    kinds: tuple[str, ...] | None = None  # as ``model.item_ids.id_kind`` says
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """An image at the size the model is to see. ``timestamp_s`` selects a frame of a clip (seconds from the clip's start)."""

    item_id: str
    width: int
    height: int
    timestamp_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayedHit:
    """One search result as it is shown; its place in the observation, from 1, is what a mark names."""

    hit: Hit
    images: tuple[ImageRef, ...] = ()
    interval_s: float = 0.0  # between observed frames of a clip


class Role(StrEnum):
    """Whose turn it is."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn; ``parts`` interleaves text and images in reading order.

    ``token_ids`` carries the exact tokens of an assistant turn that a local policy generated, end token excluded, so that
    the turn is never tokenised again; it is empty for every other turn.
    """

    role: Role
    parts: tuple[str | ImageRef, ...]
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a policy draws tokens. Temperature 0 is greedy."""

    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 512
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.max_tokens < 1:
            raise ValueError(f"sampling out of range: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRequest:
    """What a policy is asked: a conversation, and beside it what a scripted policy would have to read out of its words."""

    messages: tuple[Message, ...]
    task: Task
    sampling: Sampling = field(default_factory=Sampling)
    forced: bool = False  # only an answer is accepted
    displayed: tuple[DisplayedHit, ...] | None = (
        None  # by the search just made, in order; None after anything else
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a policy returned for one request. Token fields are empty when the policy is a remote endpoint."""

    text: str
    prompt_ids: tuple[int, ...] = ()  # image placeholders already expanded
    token_ids: tuple[int, ...] = ()  # generated, end token included when drawn
    logprobs: tuple[
        float, ...
    ] = ()  # log-probability of each generated token under the temperature it was drawn at (1 for greedy), natural log
    images: tuple[ImageRef, ...] = ()  # in placeholder order
    finish_reason: str = "stop"  # "stop" | "length"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False  # whether the tokens are an estimate, because the server did not count them
    least_prompt_tokens: int = (
        0  # more than ``prompt_tokens`` where the server surely dropped some of the prompt
    )


class Outcome(StrEnum):
    """How a rollout ended."""

    ANSWERED = "answered"
    FORCED = "forced"  # answered because the calls ran out
    ABSTAINED = "abstained"  # no answer even when forced
    FAILED = "failed"  # infrastructure error; carries no reward


IMAGE_MARK = "\ufffc"  # the Unicode object replacement character stands for an image in rendered text


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a prompt as text: every image is one ``IMAGE_MARK``, in the order of the call's ``images``."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One model call inside a segment: the exact tokens and pixels, and the prompt as it reads."""

    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    images: tuple[ImageRef, ...]
    text: str = ""
    turns: tuple[Turn, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    rejected: bool = False  # whether the environment refused the reply and said why


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One node-construction unit of a rollout (arXiv 2602.12735): every call that started from one rebuilt context.

    ``calls`` are in order; each call's prompt extends the previous prompt and completion, so the last call's prompt plus its
    tokens is the whole token sequence of the segment and earlier calls locate the other loss spans in it.
    """

    node_id: str | None  # None for the terminal (answer) segment
    calls: tuple[Call, ...]
    credit: Credit | None = None  # as training decided it; None where the rollout was not trained on


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a rollout did, for reports and for the noise studies."""

    model_calls: int = 0
    searches: int = 0
    repeated_searches: int = 0
    dead_ends: int = 0  # finalised nodes without a useful item
    repairs: int = 0  # slips repaired in place
    rejected_actions: int = 0  # re-asked
    prompt_tokens: int = 0
    completion_tokens: int = 0
    visual_tokens: int = 0
    overdrawn_images: int = 0  # images whose true cost exceeded the grant; always 0 by construction
    pictures_as_words: int = (
        0  # results with pictures that were shown as words, because the policy reads none
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One finished rollout: everything that rewards, the trainer, the viewer and a re-grade need."""

    task: Task
    graph: MemoryGraph
    segments: tuple[Segment, ...]
    outcome: Outcome
    answer: str = ""
    policy: str = ""  # policy fingerprint
    memory: str = "vimrag"  # memory policy name
    allocation: Allocation = Allocation.ENERGY  # how the memory policy granted pixels
    limits: Limits = field(default_factory=Limits)
    index: str = ""  # retriever fingerprint
    reward: float | None = None  # None = unscored
    correct: bool | None = None
    metric: bool | None = None  # verdict of the dataset's own metric, beside a judge's in ``correct``
    advantage: float | None = None  # within its group; None outside of training
    algorithm: Algorithm | None = None  # the objective it was trained with; None outside of training
    counters: Counters = field(default_factory=Counters)
    error: str = ""
