"""What an audit of credit judges, with which policy, on which rollouts.

Holds options only and loads no torch, so that the command line reads them here.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from model.config.limits import LIMITS
from orchestration.recipes.cold_start import SHIPPED
from orchestration.recipes.options import MiniatureWorlds

SPLITS = ("test", "val", "train")
WORLDS = MiniatureWorlds(train=1, val=8, test=8, questions=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditStudy:
    """One audit."""

    root: Path
    checkpoint: str = "miniature"
    """The policy: a folder below ``checkpoints/`` of the repository."""
    weights: Path | None = None
    """A checkpoint folder of a run instead."""
    trajectories: tuple[Path, ...] = ()
    """Files of rollouts that were made already, with this very policy; then nothing is rolled out."""
    split: str = "test"
    """Whose questions are asked: one set of worlds to choose on, another to confirm."""
    limits: str = ""
    """Key of ``model.config.limits.LIMITS``; empty: those of the miniature."""
    datasets: tuple[str, ...] = ()
    """Whose questions are asked; none means all."""
    questions: int = 32
    """Of each dataset, at most."""
    group_size: int = 8
    """Rollouts of one question."""
    folds: int = 8
    temperature: float = 1.0
    objectives: tuple[str, ...] = ()
    """Names; none means all."""
    files: tuple[Path, ...] = ()
    """Python files, each with a function ``weights(rollout, group)``."""
    parameters: str = ""
    """Regular expression: only weights with such names are looked at."""
    seed: int = 0
    threads: int = 2
    """Of torch, over all processes."""
    workers: int = 0
    """Processes; 0: one a thread for a small policy, one for any other."""
    worlds: MiniatureWorlds = WORLDS
    """The invented worlds, unless the root holds a corpus already."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers must not be negative, got {self.workers}")
        if min(self.questions, self.folds, self.threads) < 1 or self.group_size < 2 or self.temperature <= 0:
            raise ValueError(
                f"an audit needs questions, folds, two rollouts of each and a positive temperature: {self}"
            )
        if self.split not in SPLITS:
            raise ValueError(f"unknown split {self.split!r}; known: {', '.join(SPLITS)}")
        if self.limits and self.limits not in LIMITS:
            raise ValueError(f"unknown limits {self.limits!r}; known: {', '.join(LIMITS)}")
        if missing := [str(path) for path in (*self.trajectories, *self.files) if not path.exists()]:
            raise ValueError(f"no such file: {', '.join(missing)}")
        if self.weights is None and not any((SHIPPED / self.checkpoint).glob("*/manifest.json")):
            known = ", ".join(sorted(path.name for path in SHIPPED.iterdir())) if SHIPPED.is_dir() else "none"
            raise ValueError(f"no checkpoint {self.checkpoint!r} ships; there are: {known}")

    @property
    def name(self) -> str:
        """Of its rollouts and its document."""
        policy = self.checkpoint if self.weights is None else self.weights.name
        return f"{policy}-{self.split}-{self.questions}"

    def command(self) -> list[str]:
        """The command line of the process that makes the audit."""
        from orchestration.launch.commands import Script, entry_point

        return [sys.executable, "-m", *entry_point(Script.CREDIT, self)]
