"""Every memory policy is found under its name, says that name, and plays by the same rules."""

from __future__ import annotations

import pytest

from memory_graph.actions import Answer
from model.agent.memory import names
from model.agent.memory.registry import MEMORIES, SINGLE_ANSWER, memory_policy
from model.agent.prompts import COMPACT, FULL
from model.types import Outcome
from tests.model.agent.memory_scene import NOW, play

NAMES = [
    *("closed_book", "vanilla", "react", "mem1", "memagent", "videorag", "universalrag"),
    *("vimrag", "vimrag_text", "vimrag_equal", "vimrag_fixed", "vimrag_by_picture"),
    *("precaption", "raw_visual", "context_caption", "related_visual"),
]


def test_the_names_are_those_that_recipes_and_reports_use():
    assert list(MEMORIES) == list(names.NAMES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_says_the_name_it_is_found_under(name):
    for profile in (COMPACT, FULL):
        assert memory_policy(name, profile=profile).name == name
    assert play(name, [Answer((), "41")]).trajectory.memory == name


def test_an_unknown_name_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ValueError, match=r"unknown memory policy 'hearsay'.*vimrag_text.*related_visual"):
        memory_policy("hearsay", profile=FULL)


@pytest.mark.parametrize("name", sorted(SINGLE_ANSWER - {"universalrag"}))
def test_a_single_answer_is_a_forced_one(name):
    played = play(name, [Answer((), "41")])
    assert (played.forced, played.trajectory.outcome) == ([True], Outcome.FORCED)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SINGLE_ANSWER])
def test_two_re_asks_a_step_then_the_answer_is_forced_under_every_policy(name):
    played = play(name, ["a", "b", "c", Answer((), "?")])
    assert played.forced == [False, False, False, True]
    assert played.prompts[3][-1].parts[0].endswith(NOW)
    assert (played.trajectory.counters.rejected_actions, played.trajectory.outcome) == (3, Outcome.FORCED)
    assert len(set(played.prompts)) == 4
