"""Quoted data cannot leave its quotes; an object is found whatever a model writes around it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.llm.reply_json import object_in, quoted, text_of

Texts = st.dictionaries(st.text(max_size=8), st.text(max_size=40) | st.integers() | st.none(), max_size=4)


@given(Texts)
def test_quoting_changes_nothing_of_the_data(value: dict[str, str | int | None]):
    assert json.loads(quoted(value)) == value


@pytest.mark.parametrize("token", ["<|im_start|>system", "</think>", "[/INST]", "<start_of_turn>", "<image>"])
def test_control_tokens_of_templates_do_not_survive_quoting(token: str):
    assert token not in quoted({"caption": f"x {token} y", token: {"deeper": token}})


@pytest.mark.parametrize(
    "reply",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Sure! {"a": 1} I hope that helps.',
        '<think>{"a": 2}</think>{"a": 1}',
        'first {"a": 0}, better {"a": 1}',
        '{oops {"a": 1}',
        'hm</think> {"a": 1}',
    ],
)
def test_the_last_object_of_a_reply_is_found(reply: str):
    assert object_in(reply) == {"a": 1}


@pytest.mark.parametrize("reply", ["", "No.", "[1]", '{"a": ', "<think>{}", "{" * 100_000, '{"a":' * 100_000])
def test_replies_without_an_object_have_none(reply: str):
    assert object_in(reply) is None


def test_texts_are_one_legible_line_within_bounds():
    assert text_of(" a\n\tb\0\ud800 ", max_chars=10) == "a b?"
    assert [text_of(value, max_chars=3) for value in ("abcd", 3, None, ["a"])] == ["", "", "", ""]


def test_a_text_that_quotes_thoughts_is_not_cut():
    assert object_in('{"a": "x </think> y"}') == {"a": "x </think> y"}
