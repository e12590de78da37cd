"""Options of a recipe about where rollouts come from. Holds frozen data only, no addresses but those given."""

from dataclasses import dataclass

SYNCS = ("adapter", "folder", "transfer")


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
