"""What an entry point is told: which root, which run, which recipe; as JSON on its command line.

Holds the record and the names of a run's artifacts. No secrets: S3 keys stay in the environment.
"""

from dataclasses import dataclass

from orchestration.recipes.options import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """One run. ``name`` is the folder of its checkpoints, metrics, trajectories and report below the root."""

    root: str
    name: str
    recipe: Recipe

    def __post_init__(self) -> None:
        if not self.name or any(part in self.name for part in ("/", "..", " ")):
            raise ValueError(f"a run's name is one folder name, got {self.name!r}")

    @property
    def cold_start_checkpoints(self) -> str:
        """Directory of the supervised checkpoints; each lies in a folder named by its step."""
        return f"checkpoints/{self.name}-cold-start"

    @property
    def ggpo_checkpoints(self) -> str:
        """Directory of the reinforcement learning checkpoints; each lies in a folder named by its update."""
        return f"checkpoints/{self.name}-ggpo"

    @property
    def demonstrations(self) -> str:
        """Directory of the rollouts that the cold start imitates, with the replies of a teacher that were paid for."""
        return f"trajectories/{self.name}-cold-start"

    @property
    def trajectories(self) -> str:
        """Directory of the rollouts of the evaluation; one file a method."""
        return f"trajectories/{self.name}"

    @property
    def rollouts(self) -> str:
        """Directory of the rollouts that were trained on; one file an update."""
        return f"trajectories/{self.name}-ggpo"

    @property
    def metrics(self) -> str:
        """Directory of the metric files: one JSON line a training step, one JSON document an evaluation."""
        return f"metrics/{self.name}"

    @property
    def report(self) -> str:
        """Directory of the rendered report."""
        return f"reports/{self.name}"
