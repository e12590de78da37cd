"""The environment's second rules, each beside the first: what a repeat returns, what counts as known, who is re-asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memory_graph.actions import Answer, Mark, Memorize, Search
from model.config.limits import MINIATURE_LIMITS, SEARCHING_LIMITS, Limits
from model.imitation.tiny.tokenizer import MAX_NODES
from model.types import Outcome
from tests.model.agent.memory_scene import NOTE_1, PAGE_SHOWN, SEARCH_1, SEARCH_2, play, told

FIRST, SECOND = replace(MINIATURE_LIMITS, rules=1), MINIATURE_LIMITS
AGAIN = Search("n2", ("n1",), "Who leads  BELODU?")
NOTE_2 = Memorize("n2", "The page.", (Mark(1, True, 3),))
END = Answer(("n1",), "41")


def test_a_repeated_query_shows_what_it_found_and_is_not_known():
    # the text was noted in the summary, the page was judged useless: only the page comes again, with a notice
    script = [SEARCH_1, NOTE_1, AGAIN, NOTE_2, END]
    played = play("vimrag", script, limits=SECOND)
    assert played.prompts[3][-1] == told("Nothing new.\nFound:\n[1] Badges: scan", PAGE_SHOWN)
    assert played.queries == ["who leads Belodu"]
    assert played.trajectory.counters.repeated_searches == 1
    node = played.trajectory.graph.nodes[1]
    assert node.retrieved == ("t:page:9",) and [item.item_id for item in node.items] == ["t:page:9"]


def test_under_the_first_rules_a_repeated_query_returned_nothing():
    script = [SEARCH_1, NOTE_1, AGAIN, Memorize("n2", "Nothing."), END]
    played = play("vimrag", script, limits=FIRST)
    assert played.prompts[3][-1] == told("Nothing new.")
    assert played.trajectory.graph.nodes[1].retrieved == ()


def test_a_repeat_of_what_is_all_known_has_nothing_new():
    keep_all = Memorize("n1", "Both.", (Mark(1, True, 4), Mark(2, True, 4)))
    played = play("vimrag", [SEARCH_1, keep_all, AGAIN, Memorize("n2", "Nothing."), END], limits=SECOND)
    assert played.prompts[3][-1] == told("Nothing new.")


@pytest.mark.parametrize(("rules", "comes_again"), [(1, False), (2, True)])
def test_a_kept_picture_that_is_shown_smaller_than_among_results_is_observed_again(
    rules: int, comes_again: bool
):
    # memory grants 32 x 32 px of the page, an observation 128 x 128
    limits = replace(MINIATURE_LIMITS, rules=rules, total_pixels=2048, min_pixels=0)
    keep = Memorize("n1", "Both.", (Mark(1, True, 4), Mark(2, True, 4)))
    look = Search("n2", ("n1",), "page again")
    note = Memorize("n2", "Seen.", (Mark(1, True, 3),) if comes_again else ())
    played = play("vimrag", [SEARCH_1, keep, look, note, END], limits=limits)
    shown = told("Found:\n[1] Badges: scan", PAGE_SHOWN) if comes_again else told("Nothing new.")
    assert played.prompts[3][-1] == shown


def test_a_kept_picture_that_is_shown_in_full_is_known():
    keep = Memorize("n1", "Both.", (Mark(1, True, 4), Mark(2, True, 4)))
    script = [SEARCH_1, keep, Search("n2", ("n1",), "page again"), Memorize("n2", "Nothing."), END]
    assert play("vimrag", script, limits=SECOND).prompts[3][-1] == told("Nothing new.")


@pytest.mark.parametrize("memory", ["closed_book", "vanilla", "videorag"])
def test_who_only_answers_is_re_asked_after_an_unreadable_reply(memory: str):
    played = play(memory, ["no idea", Answer(("root",), "41")], limits=SECOND)
    assert (played.trajectory.outcome, played.trajectory.answer) == (Outcome.FORCED, "41")
    assert played.trajectory.counters.rejected_actions == 1
    assert len(played.reasons) == 1
    once = play(memory, ["no idea"], limits=FIRST)
    assert once.trajectory.outcome is Outcome.ABSTAINED


def test_the_router_is_re_asked_for_its_answer_too():
    script = [Search("n1", ("root",), "paragraph"), "no idea", Answer(("n1",), "41")]
    played = play("universalrag", script, limits=SECOND)
    assert played.trajectory.answer == "41"


def test_who_only_answers_is_not_re_asked_for_ever():
    # two re-asks, and one more call that has to answer, like everybody else
    played = play("closed_book", ["no idea"] * 4, limits=SECOND)
    assert played.trajectory.outcome is Outcome.ABSTAINED
    assert played.trajectory.counters.model_calls == 4


def test_twelve_searches_fit_the_searching_limits_and_the_names_of_nodes():
    # a search and a summary each, an answer, and one call more
    assert SEARCHING_LIMITS.calls >= 2 * MAX_NODES + 1
    assert SEARCHING_LIMITS.context_tokens == 3072
    assert MINIATURE_LIMITS.calls == 10  # the shipped checkpoint's


def test_rules_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match="rules of the environment are 1 or 2"):
        Limits(rules=3)


def test_two_searches_are_two_searches():
    assert play("vimrag", [SEARCH_1, NOTE_1, SEARCH_2, Memorize("n2", "x"), END]).queries[1] == SEARCH_2.query
