"""Wire text and the reading of model output: the canonical form, every repaired slip, and hostile input."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memory_graph.actions import Action, Answer, Mark, Memorize, Search, render
from memory_graph.parsing import MAX_TEXT_CHARS, ActionError, parse

SEARCH = Search("n1", ("root",), "who leads Belodu")
MEMORIZE = Memorize("n1", "Found.", (Mark(1, True, 5), Mark(2, False, 1), Mark(3, True, 4, (7.5, 22.5))))
ANSWER = Answer(("n1", "n2"), "Rakimo")


def test_the_wire_text_is_fixed():
    assert render(SEARCH) == (
        '<tool_call>{"name":"search","arguments":{"id":"n1","parents":["root"],"query":"who leads Belodu"}}'
        "</tool_call>"
    )
    assert render(MEMORIZE) == (
        '<tool_call>{"name":"memorize","arguments":{"id":"n1","summary":"Found.","items":['
        '{"item":1,"useful":1,"priority":5},{"item":2,"useful":0,"priority":1},'
        '{"item":3,"useful":1,"priority":4,"timestamps":[7.5,22.5]}]}}</tool_call>'
    )
    assert (
        render(ANSWER)
        == '<tool_call>{"name":"answer","arguments":{"parents":["n1","n2"],"answer":"Rakimo"}}</tool_call>'
    )
    assert render(Answer(("root",), "Zürich")).count("Zürich") == 1  # not escaped to ASCII


TEXTS = st.text(max_size=30) | st.lists(
    st.sampled_from(
        [
            "</tool_call>",
            "<tool_call>",
            "</think>",
            "<think>",
            "<|im_end|>",
            "\\",
            '"',
            "'",
            "{",
            "}",
            "\n",
            "a",
        ]
    ),
    max_size=6,
).map("".join)
IDS = st.lists(TEXTS, max_size=3).map(tuple)
MARKS = st.builds(
    Mark,
    st.integers(1, 9),
    st.booleans(),
    st.integers(1, 5),
    st.lists(st.floats(0, 60), max_size=3).map(tuple),
)
ACTIONS = (
    st.builds(Search, TEXTS, IDS, TEXTS)
    | st.builds(Memorize, TEXTS, TEXTS, st.lists(MARKS, max_size=3).map(tuple))
    | st.builds(Answer, IDS, TEXTS)
)
REASONING = st.text(alphabet="abc .,:'\n", max_size=30)


@given(ACTIONS, REASONING)
def test_parsing_gives_the_rendered_action_back_without_repairs(action: Action, reasoning: str):
    assert parse(reasoning + render(action)) == (action, reasoning.strip(), ())


@given(ACTIONS)
def test_the_wire_text_holds_one_pair_of_tags_and_no_special_token(action: Action):
    text = render(action)
    assert text.count("<tool_call>") == text.count("</tool_call>") == 1
    assert "<|" not in text and "<think>" not in text and "</think>" not in text
    assert "\n" not in text
    name = json.loads(text.removeprefix("<tool_call>").removesuffix("</tool_call>"))["name"]
    assert name == {"Search": "search", "Memorize": "memorize", "Answer": "answer"}[type(action).__name__]


def call(name: str, arguments: str) -> str:
    return f'<tool_call>{{"name": "{name}", "arguments": {arguments}}}</tool_call>'


FIELDS = '{"id": "n1", "parents": ["root"], "query": "who leads Belodu"}'


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (call("search", FIELDS), ()),
        ("First I look.\n" + call("search", FIELDS), ()),
        (
            f'<tool_call>\n```json\n{{"name": "search", "arguments": {FIELDS}}}\n```\n</tool_call>',
            (),
        ),
        (f'{{"name": "search", "arguments": {FIELDS}}}', ("bare JSON",)),
        (f'The set {{1, 2}} is no call. {{"name": "search", "arguments": {FIELDS}}}', ("bare JSON",)),
        (f'```json\n{{"name": "search", "arguments": {FIELDS}}}\n```', ("fenced JSON",)),
        (call("search", FIELDS).removesuffix("</tool_call>"), ("closing tag missing",)),
        (call("search", FIELDS).replace("}}</", "}</"), ("closing bracket added",)),
        (call("search", FIELDS).replace('"', "'"), ("single quotes",)),
        (call("search", FIELDS.replace('"}', '",}')), ("trailing comma",)),
        (call("search", FIELDS.replace('"query"', "query")), ("bare key",)),
        (call("search", FIELDS.replace('"id": "n1", ', '"id": "n1", "note": None, ')), ("Python literal",)),
        (call("search", json.dumps(FIELDS)), ("arguments as a string",)),
        (call("search", FIELDS.replace('["root"]', '"root"')), ("ids not a list",)),
        (call("search", FIELDS.replace('["root"]', '{"id": "root"}')), ("ids not a list",)),
        (call("Search", FIELDS), ("action name",)),
        (call("a_ret", FIELDS), ("action name",)),
        (call("search", FIELDS).replace('"name"', '"tool"'), ()),
        (call("search", FIELDS).replace('"arguments"', '"parameters"'), ("arguments key",)),
        (f"<tool_call>{FIELDS}</tool_call>", ("arguments beside the name", "action name")),
        (f'<tool_call>{{"name": "search", {FIELDS[1:]}</tool_call>', ("arguments beside the name",)),
        (f'<tool_call>{{"search": {FIELDS}}}</tool_call>', ("action name",)),
        (
            f'{{"type": "function", "function": {{"name": "search", "arguments": {FIELDS}}}}}',
            ("bare JSON", "function wrapper removed"),
        ),
        (call("search", FIELDS.replace('"query"', '"q"')), ("query key",)),
        (call("search", FIELDS) + call("answer", '{"answer": "x"}'), ("later calls ignored",)),
        (f"<think>A draft: {call('answer', '{}')}</think>" + call("search", FIELDS), ()),
        (call("search", FIELDS) + "\nThat should do.", ()),
    ],
)
def test_slips_of_small_models_are_repaired_and_named(text, repairs):
    parsed = parse(text)
    assert parsed.action == SEARCH
    assert parsed.repairs == repairs


def test_a_missing_id_is_left_to_legalise():
    assert parse(call("search", '{"parents": ["root"], "query": "q"}')).action == Search("", ("root",), "q")
    assert parse(call("answer", '{"answer": "x"}')).action == Answer((), "x")


def test_what_a_search_is_to_look_like_is_read_and_written():
    search = Search("n2", ("n1",), "same badge", like="n1")
    assert (parse(render(search)).action, search.asked) == (search, "same badge (like n1)")
    assert "like" not in render(SEARCH)
    for stated, read in (('["n1"]', "n1"), ("1", "n1"), ("null", ""), ('""', ""), ("{}", "")):
        fields = f'{{"id": "n2", "parents": ["n1"], "query": "same badge", "like": {stated}}}'
        assert parse(call("search", fields)) == (replace(search, like=read), "", ())


def test_ids_may_be_numbers_or_one_text():
    assert parse(call("search", '{"id": 3, "parents": [1, "n2"], "query": "q"}')).action == Search(
        "n3", ("n1", "n2"), "q"
    )
    assert parse(call("answer", '{"parents": "n1, n2", "answer": 7}')).action == Answer(("n1", "n2"), "7")
    assert parse(call("answer", '{"parents": [["n1"], null], "answer": "x"}')).action == Answer((), "x")


@pytest.mark.parametrize(
    ("items", "marks"),
    [
        ("[]", ()),
        ('[{"item": 1, "useful": true, "priority": 5}]', (Mark(1, True, 5),)),
        ('[{"item": "2", "useful": "no", "priority": "4"}]', (Mark(2, False, 4),)),
        ('[{"index": 1, "u": 1, "p": 2}]', (Mark(1, True, 2),)),
        ('[{"item": 1, "priority": 9}, {"item": 2, "priority": -3}]', (Mark(1, True, 5), Mark(2, True, 1))),
        ('[{"item": 1, "useful": 1}]', (Mark(1, True, 3),)),
        ('[{"item": 1, "useful": 0}]', (Mark(1, False, 1),)),
        ('[{"item": 1}]', (Mark(1, True, 3),)),
        ("[1, 3]", (Mark(1, True, 3), Mark(3, True, 3))),
        ('{"item": 1, "useful": 1, "priority": 5}', (Mark(1, True, 5),)),
        ('{"1": {"useful": 1, "priority": 5}, "2": 0}', (Mark(1, True, 5), Mark(2, False, 1))),
        ('[{"item": 0, "useful": 1}, {"item": 1.5}, {"item": null}, "x", [], null]', ()),
        (
            '[{"item": 1, "priority": 5, "timestamps": ["12.0 seconds", "<7.5 seconds>", "1:02"]}]',
            (Mark(1, True, 5, (12.0, 7.5, 62.0)),),
        ),
        ('[{"item": 1, "useful": 1, "priority": 5, "timestamps": 12}]', (Mark(1, True, 5, (12.0,)),)),
        (
            '[{"item": 1, "priority": 5, "timestamps": [-1, null, 1e400, "soon", 3]}]',
            (Mark(1, True, 5, (3.0,)),),
        ),
    ],
)
def test_marks_are_read_in_the_shapes_that_models_give_them(items, marks):
    assert parse(call("memorize", f'{{"id": "n1", "summary": "s", "items": {items}}}')).action == Memorize(
        "n1", "s", marks
    )


def test_a_backslash_that_escapes_nothing_is_kept():
    parsed = parse(call("search", r'{"id": "n1", "parents": ["root"], "query": "\alpha \"x\" \u00e9"}'))
    assert parsed.action == Search("n1", ("root",), '\\alpha "x" é')
    assert parsed.repairs == ("unknown escape",)


def test_lone_surrogates_never_leave_the_parser():
    parsed = parse(call("search", r'{"id": "n1", "parents": ["root"], "query": "\ud83d\ude00 \ud800"}'))
    assert parsed.action == Search("n1", ("root",), "😀 \ufffd")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no call was found"),
        ("I do not know.", "no call was found"),
        ("<tool_call>search for it</tool_call>", "no call was found"),
        (call("zoom", '{"query": "x"}'), "none of search, memorize, answer"),
        (call("search", '{"id": "n1"}'), 'search needs "query"'),
        (call("search", '{"query": {"a": 1}}'), 'search needs "query"'),
        (call("memorize", '{"id": "n1"}'), 'memorize needs "summary"'),
        (call("answer", '{"parents": ["n1"]}'), 'answer needs "answer"'),
        ('<tool_call>{"name": "search", "arguments": {"query": "cut off', "a string does not end"),
        (call("search", '"{broken"'), "arguments are broken"),
        ('<tool_call>{"a":' + '{"a":' * 20 + "1" + "}" * 21, "nested too deeply"),
        ('<tool_call>{"a": 1' + "0" * 100 + "}", "number is too long"),
        (f"<think>{call('search', FIELDS)}</think> I am done.", "no call was found"),
        ("x" * (MAX_TEXT_CHARS + 1), "longer than"),
    ],
)
def test_what_stays_unclear_is_refused_with_a_hint(text, message):
    with pytest.raises(ActionError, match=message) as refusal:
        parse(text)
    assert len(str(refusal.value)) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["id", "parents", "query", "summary", "items", "answer", "item", "useful", "priority", "timestamps"]
)


@given(st.sampled_from(["search", "memorize", "answer"]), st.dictionaries(KEYS, JSON, max_size=6))
@example("memorize", {"summary": "s", "items": {"summary": {"item": float("inf")}}})
def test_any_json_under_known_keys_is_an_action_or_an_action_error(name: str, arguments: dict):
    _parse_or_refuse(f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>")


PIECES = st.sampled_from(
    [
        "<tool_call>",
        "</tool_call>",
        "```json",
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        ":",
        ",",
        "\\",
        "name",
        '"name":"search"',
        '"arguments":',
        '"query":"x"',
        "null",
        "1e9",
        "<think>",
        "</think>",
        "\n",
        " ",
        "\\u",
        "\\ud800",
        "é",
        "\x00",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_is_an_action_or_an_action_error(text: str):
    _parse_or_refuse(text)


@given(ACTIONS, st.data())
def test_a_damaged_call_is_an_action_or_an_action_error(action: Action, data: st.DataObject):
    text = render(action)
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 8)))
    _parse_or_refuse(text[:start] + data.draw(PIECES) + text[stop:])


def _parse_or_refuse(text: str) -> None:
    try:
        parsed = parse(text)
    except ActionError as refusal:
        assert len(str(refusal)) < 300
        return
    render(parsed.action).encode("utf-8")  # what comes out can be written anywhere


FULL = 950_000  # characters, just below the limit


@pytest.mark.parametrize(
    "unit",
    [
        '{"a":',
        '{"',
        "{a",
        "{",
        "[",
        '{"a":[',
        "<tool_call>",
        "<tool_call>{",
        '<tool_call>{"a":1}</tool_call>',
        "```",
        "```{",
        '{"a":1}',
        "\\",
        "'",
        '{"\\',
        "<tool_call> ",
        "``` ",
        "{ ",
        "<think>",
        "</think>",
        '{"name":"search",',
        '{"a":1' + "0" * 30,
    ],
)
def test_hostile_input_costs_bounded_time(unit: str):
    started = time.process_time()
    with pytest.raises(ActionError):
        parse(unit * (FULL // len(unit)))
    assert (
        time.process_time() - started < 5.0
    )  # about 1 s at worst on a slow core; quadratic work would take hours


def test_one_giant_string_is_refused_quickly():
    started = time.process_time()
    with pytest.raises(ActionError, match="string does not end"):
        parse('<tool_call>{"name":"search","arguments":{"query":"' + "x" * FULL + '"}}</tool_call>')
    assert time.process_time() - started < 5.0


def test_the_official_tool_names_are_read():
    search = parse(
        '<tool_call>{"name":"add_search_node","arguments":{"id":"n1","parents":["root"],"query":"x"}}</tool_call>'
    )
    assert search.action == Search("n1", ("root",), "x")
    answer = parse(
        '<tool_call>{"name":"add_answer_node","arguments":{"parents":["n1"],"answer":"41"}}</tool_call>'
    )
    assert answer.action == Answer(("n1",), "41")
