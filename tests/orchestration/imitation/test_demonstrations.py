"""Demonstrations under several memory policies: which are kept, in which order, and that each question needs a plan."""

from collections import Counter
from dataclasses import replace

import pytest

from memory_graph.actions import Answer
from memory_graph.graph import Modality
from memory_graph.parsing import parse
from model.imitation.gold_plan import GoldHop, GoldPlan
from model.imitation.oracle import NOT_ANSWERABLE
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.types import Hit, Outcome, Task
from orchestration.imitation.demonstrations import demonstrate
from orchestration.joins.agents import RunContext
from orchestration.recipes.cold_start import ColdStart
from orchestration.recipes.miniature import quickstart
from tests.model.scripted import ScriptedRetriever

QUESTION = "Who leads Belodu?"
TASK = Task(id="hotpotqa:1", dataset="hotpotqa", question=QUESTION, answers=("Rakimo",))
GOLD = Hit(
    item_id="hotpotqa:para:1",
    dataset="hotpotqa",
    modality=Modality.TEXT,
    title="Belodu",
    text="Rakimo leads Belodu.",
)
HOP = GoldHop(queries=("leader of Belodu",), gold=frozenset({GOLD.item_id}), summary="Rakimo leads it.")
PLANS = {TASK.id: GoldPlan(hops=(HOP,), answer="Rakimo")}


class NoPictures:
    """A corpus of texts has none."""

    def image(self, item_id: str):
        raise KeyError(item_id)

    def frame(self, item_id: str, timestamp_s: float):
        raise KeyError(item_id)


def demonstrated(recipe: ColdStart, found: dict[str, list[Hit]], plans=PLANS):
    world = RunContext(recipe=quickstart(), retriever=ScriptedRetriever(found), media=NoPictures())
    encoder, told = PromptEncoder(build_tokenizer(["Belodu"])), []
    shown = demonstrate(
        world, encoder, [TASK], plans, recipe, lambda what, done, total: told.append((done, total))
    )
    return shown, told


CAREFUL = ColdStart(passes=2, noise=0.0)
EVERYWHERE = {"leader of Belodu": [GOLD], QUESTION: [GOLD]}


def test_every_policy_gives_its_own_demonstrations_policy_after_policy():
    names = ("vimrag", "react", "mem1", "memagent", "vanilla", "universalrag")
    shown, told = demonstrated(replace(CAREFUL, memories=names), EVERYWHERE)
    # what imitates VimRAG learns the prompts of training, whose sizes depend on no energy
    assert [each.memory for each in shown] == [
        name for name in ("vimrag_fixed", *names[1:]) for _ in range(CAREFUL.passes)
    ]
    assert {each.answer for each in shown} == {"Rakimo"} and told[-1] == (12, 12)


def test_by_default_every_way_to_remember_is_demonstrated_the_graph_first():
    shown, _ = demonstrated(CAREFUL, EVERYWHERE)
    assert shown[0].memory == "vimrag_fixed"  # as in training: its prompts do not depend on energies
    others = (
        "react",
        "mem1",
        "memagent",
        "closed_book",
        "vanilla",
        "videorag",
        "universalrag",
        "vimrag_text",
        "precaption",
        "raw_visual",
        "context_caption",
    )
    assert Counter(each.memory for each in shown) == dict.fromkeys(("vimrag_fixed", *others), 2)


def test_only_right_answers_are_kept():
    # the question itself finds nothing, so a policy that searches once cannot answer
    shown, _ = demonstrated(replace(CAREFUL, memories=("vanilla", "react")), {"leader of Belodu": [GOLD]})
    assert {each.memory for each in shown} == {"react"}


def test_who_never_searches_is_shown_to_say_so_whatever_the_question():
    shown, _ = demonstrated(replace(CAREFUL, memories=("closed_book",)), EVERYWHERE)
    assert [each.answer for each in shown] == [NOT_ANSWERABLE] * 2
    assert not any(each.correct for each in shown)


def test_a_single_answer_counts_though_it_is_a_forced_one():
    shown, _ = demonstrated(replace(CAREFUL, memories=("vanilla",)), EVERYWHERE)
    assert {each.outcome for each in shown} == {Outcome.FORCED}


def test_of_a_rollout_whose_calls_ran_out_its_end_is_imitated():
    lost = replace(CAREFUL, passes=4, noise=0.99, memories=("vimrag", "memagent", "react"))
    shown, _ = demonstrated(lost, {"leader of Belodu": []})
    assert {each.memory for each in shown} == {"vimrag_fixed", "memagent", "react"}
    assert {each.outcome for each in shown} == {Outcome.FORCED}
    for each in shown:
        (segment,) = each.segments
        action = parse(segment.calls[-1].text).action
        assert isinstance(action, Answer) and action.text == NOT_ANSWERABLE


def test_a_question_without_a_plan_is_refused():
    with pytest.raises(ValueError, match="no plan"):
        demonstrated(CAREFUL, EVERYWHERE, plans={})


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="unknown memory policy 'hearsay'"):
        demonstrated(replace(CAREFUL, memories=("hearsay",)), EVERYWHERE)
    with pytest.raises(ValueError, match="cold start"):
        ColdStart(memories=())
