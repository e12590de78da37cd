"""Options of a recipe about where rollouts and demonstrations come from. Holds frozen data only, no addresses but those given."""

from dataclasses import dataclass

SYNCS = ("adapter", "folder", "transfer")
SOURCES = ("oracle", "teacher", "own")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRollouts:
    """vLLM servers that roll out; their weights are refreshed after each update. docs/training.md says how to start them."""

    servers: tuple[str, ...]
    """Up to and with the version, e.g. ``http://127.0.0.1:8000/v1``; the key, if any, is VIMRAG_API_KEY."""
    model: str
    """The model's name as the servers list it; it has the weights that training starts from."""
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
        if self.sync not in SYNCS:
            raise ValueError(f"unknown sync {self.sync!r}; known: {', '.join(SYNCS)}")
        if min(self.rollout_timeout_s, self.request_timeout_s) <= 0:
            raise ValueError(f"time limits must be positive: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstrations:
    """Whose rollouts a cold start imitates; only right ones are."""

    source: str = "oracle"
    """``oracle`` (knows the gold; the miniature only), ``teacher`` (a served model), ``own`` (rejection sampling from the
    policy itself)."""
    endpoint: str = ""
    """The teacher's address up to and with the version; the key, if any, is VIMRAG_API_KEY."""
    model: str = ""
    """The teacher's model; empty: the only one that the endpoint lists."""
    samples: int = 4
    """Rollouts of one question by a teacher or the policy itself."""
    keep: int = 2
    """Different right rollouts of one question that are imitated, at most."""
    temperature: float = 1.0
    """Of the teacher's or the policy's rollouts."""
    pruned: bool = False
    """Leave out the steps of right rollouts that their answer does not rest on (Eq. 11 of arXiv 2602.12735)."""
    questions: int = 0
    """Training questions that are rolled out, at most; 0 takes all."""
    concurrency: int = 16
    """Rollouts of a teacher at once."""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"unknown source {self.source!r} of demonstrations; known: {', '.join(SOURCES)}")
        if (self.source == "teacher") != bool(self.endpoint):
            raise ValueError("an endpoint is given exactly when the demonstrations are a teacher's")
        if min(self.samples, self.keep, self.concurrency) < 1 or self.questions < 0 or self.temperature < 0:
            raise ValueError(f"demonstrations out of range: {self}")
