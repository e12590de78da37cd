"""The words of both profiles: what the compact one must be exactly, and what the full one must teach."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from assets.miniature.lexicon import all_fragments
from memory_graph.actions import Answer, Memorize, Search
from memory_graph.parsing import parse
from model.agent.memory.universalrag import NO_SEARCH, ROUTES
from model.agent.prompts import COMPACT, FULL, PROFILES, Profile
from model.imitation.tiny import tokenizer as tokenizer_module
from model.imitation.tiny.tokenizer import SHARED_INSTRUCTION, build_tokenizer, protocol_fragments
from model.policies.chat_template import PromptEncoder
from orchestration.imitation.pretraining_stages import syllable_forms

CALL = re.compile(r"<tool_call>\{.*?\}</tool_call>")


INSTRUCTIONS = [each.name for each in fields(Profile) if each.name.startswith("system")]
WITHOUT_MEMORIZE = ("system_single", "system_router", "system_history")


def test_compact_strings_are_exactly_those_of_the_tiny_vocabulary():
    instructions = [getattr(COMPACT, name) for name in INSTRUCTIONS]
    assert set(instructions) == {SHARED_INSTRUCTION, *tokenizer_module.INSTRUCTIONS}
    assert len(set(instructions)) == len(instructions)  # each policy hears whose turn it is
    fragments = {*protocol_fragments(), *tokenizer_module.INSTRUCTIONS}
    fixed = {getattr(COMPACT, each.name) for each in fields(Profile)} - {COMPACT.name, COMPACT.question, ""}
    assert fragments.issuperset(fixed) and "Question:" in fragments
    tokenizer = build_tokenizer(["x"])
    assert {text: len(tokenizer.encode(text, add_special_tokens=False)) for text in fixed} == dict.fromkeys(
        fixed, 1
    )


def test_a_place_is_one_token_that_no_permutation_of_names_touches():
    tokenizer = build_tokenizer(all_fragments())
    places = {tuple(tokenizer.encode(place, add_special_tokens=False)) for place in (NO_SEARCH, *ROUTES)}
    assert {len(each) for each in places} == {1} and len(places) == len(tokenizer_module.PLACES)
    assert not {token for (token,) in places} & {
        token for form in syllable_forms(PromptEncoder(tokenizer)) for token in form
    }


def test_the_full_instructions_differ_from_policy_to_policy():
    assert len({getattr(FULL, name) for name in INSTRUCTIONS}) == len(INSTRUCTIONS)


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_every_full_instruction_shows_each_of_its_actions_once_and_each_parses_without_repair(name):
    examples = [parse(text) for text in CALL.findall(getattr(FULL, name))]
    actions = {
        "system_single": [Answer],
        "system_router": [Search, Answer],
        "system_history": [Search, Answer],
    }
    assert [type(each.action) for each in examples] == actions.get(name, [Search, Memorize, Answer])
    assert all(not each.repairs for each in examples)
    assert ("memorize" in getattr(FULL, name)) is (name not in WITHOUT_MEMORIZE)
    assert "Not answerable" in getattr(FULL, name)


def test_the_router_is_told_every_place_and_its_example_is_one():
    assert all(f"{place} (" in FULL.system_router for place in (NO_SEARCH, *ROUTES))
    example = parse(CALL.findall(FULL.system_router)[0]).action
    assert isinstance(example, Search) and example.query in ROUTES


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
