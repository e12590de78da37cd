"""What a weak model says instead of a legal action: texts that the environment refuses and asks about again.

Pure functions of the action that was meant. Only what is really refused is here; ids that are unknown or taken, parents
that do not exist and marks that are missing are repaired in place by ``memory_graph.legality`` and never asked about.
"""

import json
import random
from dataclasses import replace
from enum import StrEnum
from typing import Any

from memory_graph.actions import CLOSE_TAG, OPEN_TAG, Action, Answer, Memorize, Search, render
from memory_graph.graph import ROOT

_NAMES: dict[type[Action], str] = {Search: "search", Memorize: "memorize", Answer: "answer"}
_FIELDS: dict[type[Action], str] = {Search: "query", Memorize: "summary", Answer: "text"}
"""The text that an action cannot do without."""
UNKNOWN_ACTION = "inspect"
UNKNOWN_PLACE = "library"


class Mistake(StrEnum):
    """A kind of refused reply."""

    WORDS = "words"  # the content in plain words, no call
    COLON = "colon"  # JSON without a colon
    CUT = "cut"  # JSON that ends inside a text
    NAME = "name"  # a call of an action that does not exist
    EMPTY = "empty"  # an empty query, summary or answer
    MISSING = "missing"  # a call without query, summary or answer
    TURN = "turn"  # a summary where there is nothing to summarise, a search where a summary is due
    PLACE = "place"  # a router's choice of a place that does not exist


def mistakes(*, routing: bool) -> tuple[Mistake, ...]:
    """The kinds that are refused, in a fixed order; ``routing`` when the action meant is a router's choice of a place."""
    return tuple(kind for kind in Mistake if routing or kind is not Mistake.PLACE)


def corrupted(action: Action, kind: Mistake) -> str:
    """What is said instead of ``action``. ``ValueError`` for a place where no search was meant."""
    if kind is Mistake.WORDS:
        return _content(action)[1]
    if kind is Mistake.EMPTY:
        return render(_with_content(action, ""))
    if kind is Mistake.TURN:
        return render(_out_of_turn(action))
    if kind is Mistake.PLACE:
        if not isinstance(action, Search):
            raise ValueError("only a search can name a place")
        return render(_with_content(action, UNKNOWN_PLACE))
    return _damaged(action, kind)


def _damaged(action: Action, kind: Mistake) -> str:
    """A call with a part missing or wrong."""
    text, (key, content) = render(action), _content(action)
    field = f'"{key}":'
    if kind is Mistake.COLON:
        return text.replace(field, f'"{key}" ', 1)
    if kind is Mistake.CUT:
        start = text.index(field) + len(field) + 1  # behind the opening quote
        return text[: start + len(content) // 2]
    if kind is Mistake.NAME:
        return text.replace(f'"name":"{_NAMES[type(action)]}"', f'"name":"{UNKNOWN_ACTION}"', 1)
    return _without(text, key)


def sample_mistake(action: Action, rng: random.Random, *, routing: bool = False) -> str:
    """One of the kinds, each as likely as the others."""
    return corrupted(action, rng.choice(mistakes(routing=routing)))


def _content(action: Action) -> tuple[str, str]:
    """Key and text of what an action cannot do without."""
    field = _FIELDS[type(action)]
    return "answer" if isinstance(action, Answer) else field, getattr(action, field)


def _with_content(action: Action, content: str) -> Action:
    changed: dict[str, Any] = {_FIELDS[type(action)]: content}
    return replace(action, **changed)


def _without(text: str, key: str) -> str:
    call = json.loads(text.removeprefix(OPEN_TAG).removesuffix(CLOSE_TAG))
    del call["arguments"][key]
    return OPEN_TAG + json.dumps(call, ensure_ascii=False, separators=(",", ":")) + CLOSE_TAG


def _out_of_turn(action: Action) -> Action:
    if isinstance(action, Memorize):
        return Search(action.id, (ROOT,), action.summary)
    return Memorize(action.id if isinstance(action, Search) else "n1", _content(action)[1])
