"""Reads an action out of model output: free reasoning text, then one JSON object between tool-call tags.

Repairs the slips that small models make and names each repair, and reads calls as other templates teach them
(``call_forms.py``); what stays unclear is refused with a text for
the model. Work is bounded on any input (``MAX_TEXT_CHARS``, the limits of ``lenient_json.py``, and
``MAX_WORK_CHARS`` over all attempts at one output). Whether the action fits the graph is decided by
``legality.py``; its names are offered here as well.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from memory_graph.actions import Action, ActionError, Answer, Memorize, Search, render
from memory_graph.call_forms import (
    MAX_WORK_CHARS,
    MIN_ATTEMPT_CHARS,
    WrittenCall,
    keyword_calls,
    marked_calls,
)
from memory_graph.fields import first, ids_of, marks_of, text_of
from memory_graph.legality import LegalAction, PendingObservation, legalise
from memory_graph.lenient_json import Json, JsonError, JsonReading, read_object

__all__ = ["ActionError", "LegalAction", "ParsedAction", "PendingObservation", "legalise", "parse", "render"]

MAX_TEXT_CHARS = 1_000_000

FORMAT_HINT = 'Write one call: <tool_call>{"name": ..., "arguments": {...}}</tool_call>'

_NAMES = {
    "search": (
        "search",
        "a_ret",
        "retrieve",
        "retrieval",
        "search_corpus",
        "add_search",
        "search_node",
        "add_search_node",
    ),
    "memorize": (
        "memorize",
        "memorise",
        "a_mem",
        "memory",
        "summarize",
        "summarise",
        "summarize_and_memorize",
    ),
    "answer": ("answer", "a_ans", "final_answer", "finish", "final", "submit", "add_answer_node"),
}
_ALIASES = {alias: name for name, aliases in _NAMES.items() for alias in aliases}
_NAME_KEYS = ("name", "tool", "action", "tool_name", "function")
_ARGUMENT_KEYS = ("arguments", "args", "parameters", "params", "input", "action_input")
_QUERY_KEYS = ("query", "search_query", "q")
_SUMMARY_KEYS = ("summary", "summarize", "summarise")
_ANSWER_KEYS = ("answer", "final_answer", "text", "response")
_TELLING_KEYS = {"search": _QUERY_KEYS, "memorize": _SUMMARY_KEYS, "answer": ("answer", "final_answer")}

BARE = "bare JSON"

_THOUGHT_END = "</think>"
_OTHER_THOUGHTS = (
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<thinking>", "</thinking>"),
)
_THINK_TAG = re.compile(r"</?think>")
_NAME_NOISE = re.compile(r"\A(?:functions?\.)?(.*?)(?:<[|\uff5c].*|:\d+)?\Z", re.DOTALL)
_TAGGED = re.compile(r"<(?:tool_?call|function_?call)>\s*(?:```\w*\s*)?(?=\{)", re.IGNORECASE)
_FENCED = re.compile(r"```\w*\s*(?=\{)")
_BARE = re.compile(r"(?=\{\s*[\"'\w])")
_TAG_FORM, *_JSON_FORMS = ((_TAGGED, ""), (_FENCED, "fenced JSON"), (_BARE, BARE))  # the most canonical first
_WRAPPERS = ("function", "tool_call", "function_call", "tool_calls")
_CLOSING = re.compile(r"\s*(?:```\s*)?</(?:tool_?call|function_?call)>", re.IGNORECASE)


class ParsedAction(NamedTuple):
    """An action, the text before its call, and what was repaired; canonical text needs no repair."""

    action: Action
    reasoning: str
    repairs: tuple[str, ...]


class _Call(NamedTuple):
    """A named call that was found in the text; ``start`` is where its tag, fence or brace begins."""

    name: str
    arguments: dict[str, Json]
    start: int
    repairs: list[str]


class _Attempt(NamedTuple):
    """Reading at one brace stopped at ``end``; nothing before ``read_to`` needs another try."""

    call: _Call | None
    end: int
    read_to: int
    refusal: str


def parse(text: str) -> ParsedAction:
    """The first action of ``text``; what a closed thinking block holds is reasoning, never the action.

    Repaired: JSON without tags or in a code fence, the slips of ``lenient_json.py``, names and keys under
    obvious aliases, arguments as a JSON string or beside the name, parents or items that are not lists,
    priorities out of range. A missing id is left empty for ``legalise``.

    Raises:
        ActionError: no call, unreadable JSON, an unknown action, or a missing query, summary or answer.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise ActionError(f"The output is longer than {MAX_TEXT_CHARS} characters.")
    call = _find_call(text)
    action = _build(call.name, call.arguments, call.repairs)
    reasoning = _THINK_TAG.sub("", text[: call.start]).strip()
    return ParsedAction(action, reasoning, tuple(dict.fromkeys(call.repairs)))


def _find_call(text: str) -> _Call:
    offset, work = _end_of_thought(text), _Work()
    call = (
        _json_call(text, offset, work, _TAG_FORM)
        or _written_call(marked_calls(text, offset), work)
        or next(filter(None, (_json_call(text, offset, work, form) for form in _JSON_FORMS)), None)
        or _written_call(keyword_calls(text, offset), work)
    )
    if call is None:
        raise ActionError(f"Not a legal action: {work.refusal or 'no call was found'}. {FORMAT_HINT}")
    return call


def _end_of_thought(text: str) -> int:
    thought_end = text.find(_THOUGHT_END)
    if thought_end >= 0:
        return thought_end + len(_THOUGHT_END)
    opened = text[:200].lstrip()
    for opening, closing in _OTHER_THOUGHTS:
        if opened.startswith(opening):
            return max(0, text.find(closing))
    return 0


@dataclass(slots=True)
class _Work:
    """What the attempts at one output have cost so far, and the first reason why one failed."""

    chars: int = 0
    refusal: str = ""


def _json_call(text: str, offset: int, work: _Work, form: tuple[re.Pattern[str], str]) -> _Call | None:
    """A JSON object with a name, opened in this form."""
    pattern, slip = form
    read_to = offset
    for opening in pattern.finditer(text, offset):
        if work.chars > MAX_WORK_CHARS:
            break
        if opening.end() < read_to:  # inside an object that was read and is no call
            continue
        attempt = _attempt(text, opening, slip)
        if attempt.call is not None:
            return attempt.call
        read_to = attempt.read_to
        work.chars += max(attempt.end - opening.end(), MIN_ATTEMPT_CHARS)
        work.refusal = work.refusal or ("" if slip == BARE else attempt.refusal)
    return None


def _written_call(calls: Iterable[WrittenCall], work: _Work) -> _Call | None:
    """The first of the calls in other forms that names an action."""
    for written in calls:
        if name := _ALIASES.get(_spelling(written.name)):
            return _Call(name, written.arguments, written.start, [written.form, *written.repairs])
        work.refusal = work.refusal or "the action is none of search, memorize, answer"
    return None


def _attempt(text: str, opening: re.Match[str], slip: str) -> _Attempt:
    brace = opening.end()
    try:
        reading = read_object(text, brace)
    except JsonError as error:  # a call may still stand inside what is broken
        return _Attempt(None, error.end, brace, f"the JSON is broken, {error}")
    call = _named(reading, opening.start(), slip, text)
    return _Attempt(call, reading.end, reading.end, "the action is none of search, memorize, answer")


def _named(reading: JsonReading, start: int, slip: str, text: str) -> _Call | None:
    repairs = [*reading.repairs]
    if slip:
        repairs.append(slip)
    elif not (closing := _CLOSING.match(text, reading.end)):
        repairs.append("closing tag missing")
    elif _TAGGED.search(text, closing.end()):
        repairs.append("later calls ignored")
    body = reading.value
    wrapped = first(body, _WRAPPERS)
    if isinstance(wrapped, list) and wrapped:
        wrapped = wrapped[0]
    if isinstance(wrapped, dict):
        inner = wrapped.get("function")
        body = inner if isinstance(inner, dict) else wrapped
        repairs.append("function wrapper removed")
    name = _action_name(body, repairs)
    if name is None:
        return None
    return _Call(name, _arguments(body, repairs), start, repairs)


def _action_name(body: dict[str, Json], repairs: list[str]) -> str | None:
    stated = first(body, _NAME_KEYS)
    if isinstance(stated, str):
        spelling = _spelling(stated)
        if spelling != stated or spelling not in _NAMES:
            repairs.append("action name")
        return _ALIASES.get(spelling)
    for key, value in body.items():
        if key in _ALIASES and isinstance(value, dict):  # {"search": {...}}
            body["arguments"] = value
            repairs.append("action name")
            return _ALIASES[key]
    arguments = _arguments(body, repairs)
    for name, telling in _TELLING_KEYS.items():
        if first(arguments, telling) is not None:
            repairs.append("action name")
            return name
    return None


def _spelling(name: str) -> str:
    """A name without what templates put around it: ``functions.search:0``, ``search<|channel|>commentary``."""
    named = _NAME_NOISE.match(name.strip())
    return (named[1] if named else name).strip().casefold().replace("-", "_").replace(" ", "_")


def _arguments(body: dict[str, Json], repairs: list[str]) -> dict[str, Json]:
    stated = first(body, _ARGUMENT_KEYS)
    if isinstance(stated, str) and stated.lstrip().startswith("{"):
        repairs.append("arguments as a string")
        try:
            stated = read_object(stated, stated.index("{")).value
        except JsonError as error:
            raise ActionError(
                f"Not a legal action: the arguments are broken JSON, {error}. {FORMAT_HINT}"
            ) from error
    if isinstance(stated, dict):
        if "arguments" not in body:
            repairs.append("arguments key")
        return stated
    repairs.append("arguments beside the name")
    return {key: value for key, value in body.items() if key not in _NAME_KEYS}


def _build(name: str, arguments: dict[str, Json], repairs: list[str]) -> Action:
    if name == "search":
        query = _text(arguments, _QUERY_KEYS, name, repairs)
        like = next(iter(ids_of(arguments.get("like"), [])), "")
        return Search(_node_id(arguments), _parents(arguments, repairs), query, like)
    if name == "memorize":
        summary = _text(arguments, _SUMMARY_KEYS, name, repairs)
        return Memorize(_node_id(arguments), summary, marks_of(arguments, repairs))
    return Answer(_parents(arguments, repairs), _text(arguments, _ANSWER_KEYS, name, repairs))


def _node_id(arguments: dict[str, Json]) -> str:
    stated = first(arguments, ("id", "node_id", "node"))
    if isinstance(stated, str):
        return stated
    return next(iter(ids_of(stated, [])), "")


def _parents(arguments: dict[str, Json], repairs: list[str]) -> tuple[str, ...]:
    return ids_of(first(arguments, ("parents", "parent", "parent_ids", "parent_id")), repairs)


def _text(arguments: dict[str, Json], keys: tuple[str, ...], name: str, repairs: list[str]) -> str:
    text = text_of(first(arguments, keys))
    if text is None:
        raise ActionError(f'Not a legal action: {name} needs "{keys[0]}" as a text. {FORMAT_HINT}')
    if keys[0] not in arguments:
        repairs.append(f"{keys[0]} key")
    return text
