"""A policy that says prepared texts and a retriever that finds prepared hits, for tests.

Neither looks at anything but the call number and the query.
"""

from collections.abc import Mapping, Sequence

from memory_graph.actions import Action, render
from model.item_ids import id_kind
from model.protocols import ANYWHERE
from model.types import Completion, Hit, HitFilter, ImageRef, Message, PolicyRequest


class ScriptedPolicy:
    """Replies to the n-th call about a question with its n-th text, and keeps what it was shown.

    Args:
        script: texts or actions in order, for any question; or one such sequence per task id.
    """

    def __init__(self, script: Sequence[str | Action] | Mapping[str, Sequence[str | Action]]) -> None:
        self._script = script
        self._said: dict[str, int] = {}
        self.requests: list[PolicyRequest] = []

    @property
    def prompts(self) -> list[tuple[Message, ...]]:
        """What it was shown, call by call."""
        return [request.messages for request in self.requests]

    @property
    def fingerprint(self) -> str:
        """Scripts have no weights."""
        return "scripted"

    async def complete(self, request: PolicyRequest) -> Completion:
        """The next text. Raises ``ValueError`` when the script is used up."""
        task_id = request.task.id
        lines = self._script[task_id] if isinstance(self._script, Mapping) else self._script
        place = self._said.get(task_id, 0)
        if place >= len(lines):
            raise ValueError(
                f"the script for {task_id!r} has {len(lines)} replies, another one was asked for"
            )
        self._said[task_id] = place + 1
        self.requests.append(request)
        line = lines[place]
        images = tuple(
            part for message in request.messages for part in message.parts if isinstance(part, ImageRef)
        )
        return Completion(text=line if isinstance(line, str) else render(line), images=images)


class ScriptedRetriever:
    """Finds what it was told a query finds; nothing for any other query. Keeps the queries."""

    def __init__(self, found: Mapping[str, Sequence[Hit]]) -> None:
        self._found = found
        self.queries: list[str] = []

    @property
    def fingerprint(self) -> str:
        """Scripts have no index."""
        return "scripted"

    @property
    def sees(self) -> bool:
        """Looks like: whatever was told of the query and the pictures together."""
        return True

    async def search(
        self, query: str, *, top_k: int, where: HitFilter = ANYWHERE, like: Sequence[str] = ()
    ) -> list[Hit]:
        """The first ``top_k`` prepared hits that ``where`` allows; of a search by pictures those of ``query~picture``."""
        self.queries.append("~".join((query, *like)))
        hits = self._found.get(self.queries[-1], ())
        return [hit for hit in hits if _allows(where, hit)][:top_k]


def _allows(where: HitFilter, hit: Hit) -> bool:
    wanted = (where.dataset, where.modality, where.parent)
    has = (hit.dataset, hit.modality, hit.parent)
    fits = all(value in (None, own) for value, own in zip(wanted, has, strict=True))
    return fits and (where.kinds is None or id_kind(hit.item_id) in where.kinds)
