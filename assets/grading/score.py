"""The verdict on one answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``value`` is the dataset's own metric, ``correct`` the binary reading for rewards and accuracy."""

    value: float
    """0..1, best over the references."""
    correct: bool
    metric: str
    """What ``value`` is: "f1", "anls", "rouge_l", ..."""
    explanation: str = ""
    """One line: what was compared with what."""

    def __post_init__(self) -> None:
        """Refuse what is no share of one."""
        if not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a score lies in 0..1, got {self.value}")
