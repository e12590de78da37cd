"""A hundred thousand damaged, hostile and random model outputs: an action that fits the graph, or an ``ActionError``.

The bulk is made by a seeded generator, whose inputs are cheap and the same on every run; hypothesis looks where that does not.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from memory_graph.graph import AnswerNode, MemoryGraph, Modality, SearchNode
from memory_graph.parsing import MAX_TEXT_CHARS, ActionError, LegalAction, PendingObservation, legalise, parse

INPUTS = 100_000
EXAMPLES = 1_000

GRAPH = MemoryGraph(
    question="Who?",
    nodes=(
        SearchNode(id="n1", parents=("root",), query="a"),
        SearchNode(id="n2", parents=("n1", "root"), query="b"),
    ),
)
PENDING = PendingObservation(
    search=Search("n3", ("n2",), "c"), modalities=(Modality.IMAGE, Modality.VIDEO, Modality.TEXT)
)
STATES = (
    (MemoryGraph(question="Who?"), None),
    (GRAPH, None),
    (GRAPH, PENDING),
    (GRAPH.finish(AnswerNode(parents=("n2",), text="x")), None),
)

VALID = tuple(
    render(action)
    for action in (
        Search("n1", ("root",), "who leads Belodu"),
        Search("n3", ("n1", "n2"), 'a "quoted" \\ query, <|im_end|> 😀'),
        Memorize("n1", "Found.", (Mark(1, True, 5), Mark(2, False, 1), Mark(3, True, 4, (7.5, 22.5)))),
        Memorize("n3", "Nothing relevant."),
        Answer(("n1", "n2"), "Rakimo"),
        Answer(("root",), "\n".join(["Zürich", "東京"])),
    )
)
# what models, templates and attackers put where it does not belong
PIECES = (
    *(
        "<tool_call>",
        "</tool_call>",
        "<tool_call",
        "</tool_",
        "<function_call>",
        "<|im_end|>",
        "<|im_",
        "</s>",
    ),
    *(
        "<think>",
        "</think>",
        "```",
        "```json\n",
        "{",
        "}",
        "[",
        "]",
        "{{",
        "]]",
        ":",
        ",",
        '"',
        "'",
        "\\",
        "\\u",
    ),
    *("\\ud800", "\\udfff\\ud800", "\ud83d", "\udc00", "\x00", "\u2028", "\ufffd", "\ufeff", "\u202e", "😀"),
    *('{"a":' * 12, "[" * 40, '{"name":', '"arguments":', '"items":', '"parents":', '"timestamps":[1,2]'),
    *("true", "None", "NaN", "Infinity", "-0", "1e999", "-1e-999", "9" * 40, "0x10", "1_000", "½", "٣"),
    *("n1", "n999999", "root", "", " ", "\t\n", "null", "name", "search", "answer", "memorize", "a" * 200),
)


def legal(text: str, place: int) -> LegalAction:
    """What the environment does with a reply."""
    graph, pending = STATES[place % len(STATES)]
    return legalise(parse(text).action, graph, pending=pending)


def check(text: str, place: int) -> str:
    """The name of the action, or of the refusal; anything else comes through."""
    try:
        action = legal(text, place).action
    except ActionError as error:
        assert 0 < len(str(error)) < 1000
        return "refused"
    graph, pending = STATES[place % len(STATES)]
    render(action).encode()  # no lone surrogate is left
    if isinstance(action, Search):
        graph.add(SearchNode(id=action.id, parents=action.parents, query=action.query))
    elif isinstance(action, Answer):
        known = {*graph.ids, *([pending.search.id] if pending else [])}
        assert known.issuperset(action.parents) and action.text.strip()
    else:
        assert pending is not None and action.id == pending.search.id
        assert all(1 <= mark.item <= len(pending.modalities) for mark in action.marks)
    return type(action).__name__


def mutated(rng: random.Random) -> str:
    """A valid call, cut, doubled, spliced and sprinkled."""
    text = rng.choice(VALID)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        text = rng.choice(MUTATIONS)(text, rng)
    return text


def _insert(text: str, rng: random.Random) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice(PIECES) + text[at:]


def _delete(text: str, rng: random.Random) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + text[at + rng.randint(1, 12) :]


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randint(0, len(text))]


def _repeat(text: str, rng: random.Random) -> str:
    at, length = rng.randint(0, len(text)), rng.randint(1, 30)
    return text[:at] + text[at : at + length] * rng.randint(2, 20) + text[at + length :]


def _replace(text: str, rng: random.Random) -> str:
    at = rng.randint(0, max(0, len(text) - 1))
    return text[:at] + chr(rng.choice((rng.randint(0, 127), rng.randint(0, 0x10FFFF)))) + text[at + 1 :]


def _splice(text: str, rng: random.Random) -> str:
    other = rng.choice(VALID)
    return text[: rng.randint(0, len(text))] + other[rng.randint(0, len(other)) :]


def _many(text: str, rng: random.Random) -> str:
    return "\n".join(rng.choice((text, rng.choice(VALID))) for _ in range(rng.randint(2, 6)))


def _scatter(text: str, rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 12))) + text


MUTATIONS = (_insert, _insert, _delete, _cut, _repeat, _replace, _splice, _many, _scatter)


@pytest.mark.timeout(600)  # of processor time it needs a thirtieth
def test_a_hundred_thousand_damaged_calls_are_read_or_refused():
    rng = random.Random(20260)
    seen = Counter(check(mutated(rng), number) for number in range(INPUTS))
    assert sum(seen.values()) == INPUTS
    # the generator reaches every way out; an unread hundred thousand would prove nothing
    assert all(seen[name] > INPUTS // 100 for name in ("Search", "Memorize", "Answer", "refused")), seen


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from((*PIECES, *VALID)) | st.text(st.characters(), max_size=8), max_size=14).map(
        "".join
    ),
    st.integers(0, len(STATES) - 1),
)
def test_any_mixture_is_read_or_refused(text: str, place: int):
    check(text, place)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(PIECES), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["search", "memorize", "answer"]), JSON, JSON, st.integers(0, len(STATES) - 1))
def test_any_value_in_any_field_is_read_or_refused(name: str, one: object, other: object, place: int):
    fields = {"id": one, "parents": other, "query": one, "summary": other, "items": one, "answer": other}
    call = repr({"name": name, "arguments": fields})  # Python's notation: quotes and literals need repair
    check(f"<tool_call>{call}</tool_call>", place)


# one family a line; each is made as long as asked
LONG: dict[str, Callable[[int], str]] = {
    "nested objects": lambda n: "<tool_call>" + '{"a":' * (n // 5),
    "nested lists": lambda n: '<tool_call>{"name":' + "[" * n,
    "opening tags": lambda n: "<tool_call>" * (n // 11),
    "half tags": lambda n: "<tool_call" * (n // 10),
    "tags and braces": lambda n: "<tool_call>{" * (n // 12),
    "calls without a name": lambda n: '<tool_call>{"a":1}</tool_call>' * (n // 30),
    "calls of other tools": lambda n: '<tool_call>{"name":"ls"}' * (n // 24),
    "valid calls": lambda n: VALID[0] * (n // len(VALID[0])),
    "a string without an end": lambda n: '<tool_call>{"name":"' + "a" * n,
    "backslashes": lambda n: '<tool_call>{"name":"' + "\\" * n,
    "quotes": lambda n: "<tool_call>{" + '"' * n,
    "escapes": lambda n: '<tool_call>{"name":"answer","answer":"' + "\\ud800" * (n // 6) + '"}',
    "spaces": lambda n: "<tool_call>" + " " * n + "{",
    "fences": lambda n: "```" * (n // 3),
    "fences and words": lambda n: "```json " * (n // 8),
    "a fence and a word": lambda n: "```" + "a" * n,
    "thoughts": lambda n: "<think>" * (n // 7) + "</think>",
    "a list of ids": lambda n: (
        '<tool_call>{"name":"answer","arguments":{"answer":"x","parents":["n1"' + ',"n1"' * (n // 5) + "]}}"
    ),
    "a list of marks": lambda n: (
        '<tool_call>{"name":"memorize","arguments":{"summary":"x","items":[1' + ",1" * (n // 2) + "]}}"
    ),
    "digits": lambda n: '<tool_call>{"name":"search","arguments":{"query":' + "9" * n,
    "keys": lambda n: '<tool_call>{"name":"answer"' + ',"a":1' * (n // 6),
    "surrogates": lambda n: "\ud800" * n,
    "nothing": lambda n: "a" * n,
}


def seconds(text: str) -> float:
    """Of this thread alone."""
    start = time.thread_time()
    check(text, 2)
    return time.thread_time() - start


@pytest.mark.parametrize("family", LONG)
def test_twice_the_input_costs_about_twice_the_work(family: str):
    # 8 times the length: 8 times the work if it is linear, 64 times if it is quadratic; what is too short to time is padded
    for short in (8_000, MAX_TEXT_CHARS // 8):
        texts = [LONG[family](size) for size in (short, 8 * short - 100)]
        best = [float("inf"), float("inf")]
        for _ in range(5):  # readings, until the best of them are clear of the limit
            best = [min(time_s, seconds(text)) for time_s, text in zip(best, texts, strict=True)]
            less, more = (max(time_s, 2e-4) for time_s in best)
            if more < 24 * less:
                break
        else:
            pytest.fail(f"{family}: {less} s for {short} characters, {more} s for 8 times as many")


@pytest.mark.parametrize("family", LONG)
def test_memory_stays_within_a_few_times_the_input(family: str):
    text = LONG[family](MAX_TEXT_CHARS - 100)
    tracemalloc.start()
    check(text, 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 * MAX_TEXT_CHARS, peak


def test_what_is_longer_than_the_limit_is_refused_unread():
    with pytest.raises(ActionError, match="longer than"):
        parse(VALID[0] + "a" * MAX_TEXT_CHARS)
