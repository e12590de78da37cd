"""Calls in the forms that chat templates other than ours teach: a name before JSON, XML parameters, keywords in brackets.

Covered are the published forms of Qwen3-Coder, Seed and Hermes (``<function=..><parameter=..>``), Llama
(``<function=..>{..}``, ``[search(query="..")]``), Mistral (``[TOOL_CALLS]search[ARGS]{..}``), DeepSeek, Kimi, GLM, MiniMax
(``<invoke name="..">``), gpt-oss (``to=functions.search .. <|message|>{..}``) and ReAct. Plain JSON, fenced or not, is read by
``parsing.py``, which also decides what the names mean. Work is bounded by ``MAX_WORK_CHARS``.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from memory_graph.lenient_json import (
    MAX_CHARS,
    Json,
    JsonError,
    JsonReading,
    read_keywords,
    read_object,
    read_value,
)

MAX_WORK_CHARS = 2 * MAX_CHARS
MIN_ATTEMPT_CHARS = 16  # what starting an attempt counts, so that a wall of openings is given up early
VERBATIM = frozenset({"query", "search_query", "q", "summary", "answer", "final_answer", "text", "response"})
"""Parameters that are text whatever they look like: an answer of ``1961`` is not a number."""

_BAR = r"[|\uff5c]"
_SPACED = r"[\s_\u2581]"
_HEADED = tuple(
    re.compile(pattern)
    for pattern in (
        r"to=(?:functions\.)?(\w{1,40})(?:(?!<\|message\|>)[^{]){0,80}<\|message\|>\s*(?=\{)",  # gpt-oss
        r"functions\.(\w{1,40}):\d{1,6}\s{0,9}<\|tool_call_argument_begin\|>\s*(?=\{)",  # Kimi
        rf"<{_BAR}tool{_SPACED}call{_SPACED}begin{_BAR}>(?:function<{_BAR}tool{_SPACED}sep{_BAR}>)?(\w{{1,40}})"
        rf"(?:<{_BAR}tool{_SPACED}sep{_BAR}>)?\s*(?:```\w*\s*)?(?=\{{)",  # DeepSeek
        r"\[TOOL_CALLS\]\s{0,9}(\w{1,40})(?:\[CALL_ID\]\w{1,64})?(?:\[ARGS\])?\s*(?=\{)",  # Mistral
        r"<function=[\"']?(\w{1,40})[\"']?>\s*(?=\{)",  # Llama
        r"<tool_call>\s{0,9}(\w{1,40})\s*(?:```\w*\s*)?(?=\{)",  # Hunyuan
        r"\bAction:\s{0,9}(\w{1,40})\s{1,9}Action Input:\s*(?:```\w*\s*)?(?=\{)",  # ReAct
    )
)
_TAG = r"(?:[\w:|\uff5c]{1,20}[:|\uff5c])?"  # minimax:invoke, |DSML|invoke
_XML_OPEN = re.compile(rf"<{_TAG}(?:function|invoke)\s?(?:=|name=)\s?[\"']?([\w.]{{1,40}})[\"']?\s?>")
_XML_CLOSE = re.compile(rf"</{_TAG}(?:function|invoke|tool_call)>")
_PARAMETER = re.compile(
    rf"<{_TAG}param(?:eter)?\s?(?:=|name=)\s?[\"']?(\w{{1,40}})[\"']?(?:\s[a-z]+=\"\w{{0,9}}\")?\s?>"
)
_PARAMETER_END = re.compile(rf"</{_TAG}param(?:eter)?>")
_GLM_OPEN = re.compile(r"<tool_call>\s{0,9}(\w{1,40})\s{0,9}(?=<arg_key>)")
_GLM_CLOSE = re.compile(r"</tool_call>")
_GLM_PARAMETER = re.compile(r"<arg_key>\s{0,9}(\w{1,40})\s{0,9}</arg_key>\s{0,9}<arg_value>")
_GLM_PARAMETER_END = re.compile(r"</arg_value>")
_KEYWORDS = re.compile(r"(?<![\w.])(\w{1,40})(?:\.call)?(?=\(\s{0,9}\w{1,40}\s{0,9}=)")


class WrittenCall(NamedTuple):
    """A call as it is written; ``start`` is where its opening begins, ``form`` what is noted as a repair."""

    name: str
    arguments: dict[str, Json]
    start: int
    form: str
    repairs: tuple[str, ...] = ()


class _Tags(NamedTuple):
    """How one kind of template marks a call with parameters."""

    opening: re.Pattern[str]
    closing: re.Pattern[str]
    parameter: re.Pattern[str]
    parameter_end: re.Pattern[str]


_MARKED = (
    _Tags(_XML_OPEN, _XML_CLOSE, _PARAMETER, _PARAMETER_END),
    _Tags(_GLM_OPEN, _GLM_CLOSE, _GLM_PARAMETER, _GLM_PARAMETER_END),
)


def marked_calls(text: str, start: int) -> Iterator[WrittenCall]:
    """Calls from ``start`` on whose openings no prose has: XML parameters first, then names before JSON."""
    for tags in _MARKED:
        yield from _parameter_calls(text, start, tags)
    for pattern in _HEADED:
        yield from _calls(text, start, pattern, read_object, "name before the JSON")


def keyword_calls(text: str, start: int) -> Iterator[WrittenCall]:
    """Calls from ``start`` on that are written as in Python, with keywords: ``search(query="..", parents=["root"])``."""
    return _calls(text, start, _KEYWORDS, read_keywords, "keywords in brackets")


def _calls(
    text: str, start: int, pattern: re.Pattern[str], read: Callable[[str, int], JsonReading], form: str
) -> Iterator[WrittenCall]:
    """Calls whose arguments ``read`` finds behind each opening."""
    work = 0
    for opening in pattern.finditer(text, start):
        try:
            reading = read(text, opening.end())
            end = reading.end
            yield WrittenCall(opening[1], reading.value, opening.start(), form, reading.repairs)
        except JsonError as error:
            end = error.end
        work += max(end - opening.end(), MIN_ATTEMPT_CHARS)
        if work > MAX_WORK_CHARS:
            return


def _parameter_calls(text: str, start: int, tags: _Tags) -> Iterator[WrittenCall]:
    work = 0
    for opening in tags.opening.finditer(text, start):
        arguments, end = _parameters(text, opening.end(), tags)
        if arguments:
            yield WrittenCall(opening[1], arguments, opening.start(), "XML parameters")
        work += max(end - opening.end(), MIN_ATTEMPT_CHARS)
        if work > MAX_WORK_CHARS:
            return


def _parameters(text: str, start: int, tags: _Tags) -> tuple[dict[str, Json], int]:
    """The parameters of a call whose opening ends at ``start``, and where the call ends; a closing tag may be missing."""
    stop = min(len(text), start + MAX_CHARS)
    for pattern in (tags.closing, tags.opening):
        found = pattern.search(text, start, stop)
        stop = found.start() if found else stop
    arguments: dict[str, Json] = {}
    openings = list(tags.parameter.finditer(text, start, stop))
    for place, opening in enumerate(openings):
        end = openings[place + 1].start() if place + 1 < len(openings) else stop
        closing = tags.parameter_end.search(text, opening.end(), end)
        arguments[opening[1]] = _value(opening[1], text[opening.end() : closing.start() if closing else end])
    return arguments, stop


def _value(name: str, written: str) -> Json:
    """A parameter: text if its name says so or it is nothing else, else the JSON it holds."""
    written = written.strip()
    if name in VERBATIM:
        return written
    try:
        return read_value(written)
    except JsonError:
        return written
