"""What a recipe wants to be there before it starts. Holds wishes only; ``orchestration.preflight`` looks."""

from dataclasses import dataclass

EMBEDDERS = ("minilm", "local", "endpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """The pieces around a run that are no part of it: its retriever, its judge, its time."""

    embedder: str | None = None
    """Kind of the embedder of words that the index was built with (``minilm``, ``local``, ``endpoint``); None takes any."""
    sees: bool = False
    """Whether pages, pictures and clips must be found by their looks too."""
    judge_model: str | None = None
    """The judge behind VIMRAG_JUDGE_ENDPOINT, by the name of its model; "" is any judge, None lets the metrics grade."""
    hours: float | None = None
    """What the run may take by the plan, on the recipe's devices; None is without limit."""

    def __post_init__(self) -> None:
        if self.embedder is not None and self.embedder not in EMBEDDERS:
            raise ValueError(f"unknown kind of embedder {self.embedder!r}; known: {', '.join(EMBEDDERS)}")
        if self.hours is not None and self.hours <= 0:
            raise ValueError(f"a limit of hours is positive, got {self.hours}")
