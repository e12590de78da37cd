"""What one rollout may use: calls, pixels, tokens, text.

Holds numbers and their checks only; ``environment.py`` and the memory policies apply them, and every policy gets the same ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from memory_graph.energy import DECAY, FEEDBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one rollout may use. Pixels are those the model sees; 1,024 of them cost one visual token."""

    calls: int = 20
    """Model calls; the last one has to answer."""
    re_asks: int = 2
    """Rejected actions of one step that are answered with their error; the next one leads to the forced
    answer.
    """
    top_k: int = 3
    """Items a search returns."""
    total_pixels: int = 5 * 256 * 1024
    """S_total: all kept evidence together."""
    kept_items: int = 5
    """K: items of memory that are shown at most; a clip is one item."""
    min_pixels: int = 64 * 1024
    """A smaller grant is dropped and shared out again."""
    observation_pixels: int = 256 * 1024
    """One image among search results."""
    frame_pixels: int = 49 * 1024
    """One frame of a clip among search results: 224 x 224."""
    max_frames: int = 32
    """Frames of a clip among search results."""
    frames_per_s: float = 1.0
    """Sampling rate of clips shorter than ``max_frames`` intervals."""
    passage_chars: int = 6000
    """Text shown of one search result, and the longest text state of the policies that keep one."""
    context_tokens: int = 16_384
    """Length of a rebuilt context, or of the history before the newest observation; what does not fit is left out in the
    order of the memory policy. One observation and the replies to it come on top.
    """
    observation_tokens: int = 12_288
    """Length of one observation; a longer one is shortened (``truncation.py``)."""
    decay: float = DECAY
    """lambda of Eq. 6: how an item's energy falls with every later node."""
    feedback: float = FEEDBACK
    """gamma of Eq. 7: the share of its children's energy that comes back to a node."""
    by_priority: bool = True
    """Whether what the model said of an item (p of Eq. 6) counts; without it every item counts alike."""
    by_topology: bool = True
    """Whether the children of a node (1 + outdegree of Eq. 6) count."""
    similarity: Callable[[str, str], float] | None = field(default=None, compare=False)
    """How alike two queries are in meaning, up to 1; None compares their words only. A function, so it is not stored."""
    same_query: float = 0.95
    """Two queries at least so alike count as one."""
    rules: int = 2
    """What the environment does, as a version, so that a record says by which it was made. 1, which all records before had: a
    repeated query returns nothing; a kept picture that is visible is not observed again, however small it is shown; who is asked
    once and answers unreadably has had the only chance. 2: a repeated query returns what it found that is not known; a
    picture is known if it is shown at least as large as among results; a single answer is re-asked like any reply."""

    def __post_init__(self) -> None:
        counts = (
            self.calls,
            self.top_k,
            self.kept_items,
            self.max_frames,
            self.passage_chars,
            self.context_tokens,
            self.observation_tokens,
        )
        if min(counts) < 1:
            raise ValueError(f"limits that count must be at least 1: {self}")
        if self.re_asks < 0 or self.min_pixels < 0 or self.frames_per_s <= 0 or not 0 < self.same_query <= 1:
            raise ValueError(f"limits out of range: {self}")
        if self.rules not in (1, 2):
            raise ValueError(f"rules of the environment are 1 or 2, got {self.rules}")
        if min(self.total_pixels, self.observation_pixels, self.frame_pixels) < 1024:
            raise ValueError(f"a pixel limit below one visual token (1,024 px) shows nothing: {self}")


MINIATURE_LIMITS = Limits(
    calls=10,
    total_pixels=5 * 16 * 1024,
    min_pixels=4 * 1024,
    observation_pixels=16 * 1024,
    frame_pixels=4 * 1024,
    max_frames=4,
    passage_chars=600,
    context_tokens=2048,
    observation_tokens=2048,
)

SEARCHING_LIMITS = replace(MINIATURE_LIMITS, calls=26, context_tokens=3072)
"""The miniature with room for twelve searches, as many as its tokenizer has names of nodes: for policies whose searches are as
noisy as in the paper. The shipped checkpoint was trained within ten calls and keeps them."""

BY_PROFILE = {"compact": MINIATURE_LIMITS, "full": Limits()}
LIMITS = {**BY_PROFILE, "searching": SEARCHING_LIMITS}
"""What a recipe may name."""
"""By the name of the prompts (``model.agent.prompts.PROFILES``)."""
