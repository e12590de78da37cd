"""An agent over one root and one model, as ``ask`` and ``serve`` use it.

Holds the joining only; what an agent does is ``model.agent.loop``. Roots are opened by ``corpus_handle.py``, models by
``models.py``.
"""

from collections.abc import Sequence
from dataclasses import replace

from app.answers.corpus_handle import Snapshot
from app.answers.models import AnswerModel
from app.errors import UsageError
from assets.user_files.records import DATASET as OWN_FILES
from infra.errors import unknown_name
from model.agent.loop import Agent
from model.agent.memory.names import TRAINED
from model.agent.memory.registry import MEMORIES, memory_policy
from model.config.limits import BY_PROFILE
from orchestration.joins.adapters import IndexRetriever

DEFAULT_MEMORY = "vimrag"
OFFERED = tuple(name for name in MEMORIES if name != TRAINED)
"""Memory policies to choose from; the one of training differs from ``vimrag`` in its allocation only."""


def require_memory(name: str) -> None:
    """Raise ``UsageError`` unless there is a memory policy of that name; it names the nearest one."""
    if name not in MEMORIES:
        raise UsageError(unknown_name("memory policy", name, OFFERED))


def open_agent(
    snapshot: Snapshot,
    model: AnswerModel,
    memory: str = DEFAULT_MEMORY,
    *,
    calls: int | None = None,
    datasets: Sequence[str] | None = None,
    files: Sequence[str] | None = None,
) -> Agent:
    """An agent over one snapshot, within the limits that fit the model's prompts.

    ``files``: keys of a person's own files; the store gives rows of these and of nothing else.

    Raises:
        UsageError: if there is no such memory policy.
    """
    require_memory(memory)
    limits = BY_PROFILE[model.profile.name]
    retriever = snapshot.retriever
    if files is not None:
        datasets = [OWN_FILES] if datasets is None or OWN_FILES in datasets else []
    if datasets is not None:
        retriever = IndexRetriever(snapshot.index, datasets=datasets, parents=files)
    return Agent(
        policy=model.policy(snapshot.media),
        retriever=retriever,
        memory=memory_policy(memory, profile=model.profile, count_tokens=model.count_tokens),
        limits=limits if calls is None else replace(limits, calls=calls),
        sampling=model.sampling,
        for_reader=True,
        sight=model.sight,
    )
