"""The words of both profiles: what the compact one must be exactly, and what the full one must teach."""

from __future__ import annotations

import re

import pytest

from memory_graph.actions import Answer, Memorize, Search
from memory_graph.parsing import parse
from model.prompts import COMPACT, FULL, PROFILES
from model.tiny.tokenizer import build_tokenizer, protocol_fragments

CALL = re.compile(r"<tool_call>\{.*?\}</tool_call>")


def test_compact_strings_are_exactly_those_of_the_tiny_vocabulary():
    assert COMPACT.system == "Answer from the corpus."
    fragments = set(protocol_fragments())
    fixed = (
        COMPACT.system,
        COMPACT.memory,
        COMPACT.evidence,
        COMPACT.found,
        COMPACT.nothing_new,
        COMPACT.answer_now,
    )
    assert fragments.issuperset(fixed)
    tokenizer = build_tokenizer(["x"])
    assert [len(tokenizer.encode(text, add_special_tokens=False)) for text in fixed] == [1] * 6


def test_the_full_instruction_shows_one_example_of_each_action_and_each_parses_without_repair():
    examples = [parse(text) for text in CALL.findall(FULL.system)]
    assert [type(example.action) for example in examples] == [Search, Memorize, Answer]
    assert all(not example.repairs for example in examples)


def test_the_single_answer_instruction_teaches_the_answer_only():
    examples = [parse(text).action for text in CALL.findall(FULL.system_single)]
    assert [type(example) for example in examples] == [Answer]
    assert "memorize" not in FULL.system_single


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_a_profile_is_found_under_its_name(profile):
    assert PROFILES[profile.name] is profile
