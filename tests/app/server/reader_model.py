"""What a model says that searches for the crane once, keeps the best page, and answers."""

from __future__ import annotations

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from tests.servers.openai_server import Messages, OpenAIServer, Spoken, text_of

QUERY = "crane opened"
ANSWER = "1931"


class QuietServer(OpenAIServer):
    """Says nothing on standard error when a client hangs up, for tests that read what is said there."""

    def __enter__(self) -> QuietServer:
        super().__enter__()
        assert self._http is not None
        self._http.handle_error = lambda request, client_address: None
        return self


def reply(messages: Messages) -> Spoken:
    """The next reply of the rollout that ``messages`` show."""
    whole = "\n".join(map(text_of, messages))
    if text_of(messages[-1]).startswith("Search results"):
        found = text_of(messages[-1]).count("\n[")
        marks = tuple(Mark(item=n, useful=n == 1, priority=5 if n == 1 else 1) for n in range(1, found + 1))
        return Spoken(
            text="The first one says it.\n"
            + render(Memorize(id="n1", summary="It opened in 1931.", marks=marks))
        )
    if "n1 <-" in whole:
        return Spoken(text="I know enough.\n" + render(Answer(parents=("n1",), text=ANSWER)))
    return Spoken(text="I have to look it up.\n" + render(Search(id="n1", parents=("root",), query=QUERY)))
