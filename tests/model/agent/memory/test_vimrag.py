"""What VimRAG's context holds (arXiv 2602.12735), and that of its ablations.

1. A cycle starts from instruction, question, the linearised graph in creation order, and the kept visual items under their
   node ids, frames with their times. Raw observations of earlier cycles are gone.
2. Sizes: by energy (vimrag), evenly (vimrag_equal), at a fixed share that depends on nothing (vimrag_fixed), no pictures at all
   (vimrag_text). No picture ever costs more than its grant.
3. Kept items that are visible, and useful texts, are not shown again; a useless one is.
4. A query is repeated when its words are, or, where a similarity is given, when its meaning is near enough.
5. A context that is too long loses the item of lowest energy first, the oldest among equals; question and graph never go.
6. An observation that is too long alone loses texts first, then frames; marks still name what is shown.
7. Errors stay until the cycle ends; the last call has to answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.actions import Answer, Mark, Memorize, Search
from memory_graph.budget import Allocation, allocate
from memory_graph.energy import energies
from model.agent.context import ContextTooLong
from model.agent.environment import Environment
from model.agent.prompts import FULL
from model.config.limits import MINIATURE_LIMITS
from tests.model.agent.memory_scene import (
    ANSWER,
    ASKED,
    CLIP,
    FIRST_RESULTS,
    NOW,
    PAGE,
    PAGE_SHOWN,
    RESULTS,
    SEARCH_1,
    SEARCH_2,
    SYSTEM,
    TASK,
    TEXT,
    clip_line,
    frame,
    instructed,
    pictures,
    play,
    room,
    said,
    told,
    user,
    words,
)
from tests.model.scripted import ScriptedRetriever

NOTE_1 = Memorize("n1", "Rakimo leads it.", (Mark(1, True, 4), Mark(2, True, 3)))
NOTE_2 = Memorize("n2", "It says 41.", (Mark(1, True, 2, timestamps=(2.9, 5.2)),))
NODE_1 = "\nMemory:\nn1 <- root | who leads Belodu | Rakimo leads it."
NODE_2 = NODE_1 + "\nn2 <- n1 | badge of Rakimo | It says 41."
SCRIPT = [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER]
REBUILT_1 = user(NODE_1 + "\nEvidence:\n[n1] Badges", PAGE_SHOWN)
KEPT_CLIP = ("\n[n2] Tour<3.0 seconds>", frame(3.0), "<5.0 seconds>", frame(5.0))


@pytest.mark.parametrize("memory", ["vimrag", "vimrag_equal", "vimrag_fixed"])
def test_the_context_of_every_step(memory):
    played = play(memory, SCRIPT)
    # 128 x 128 is a fifth of the budget and the clip needs less, so all three allocations show native sizes here
    assert played.prompts == [
        (SYSTEM, ASKED),
        (SYSTEM, ASKED, said(SEARCH_1), told(*FIRST_RESULTS)),
        (SYSTEM, REBUILT_1),
        (SYSTEM, REBUILT_1, said(SEARCH_2), told(*clip_line("Found:\n[1] Tour: a walk"))),
        (SYSTEM, user(NODE_2 + "\nEvidence:\n[n1] Badges", PAGE_SHOWN, *KEPT_CLIP)),
    ]
    assert (played.trajectory.memory, played.segments) == (memory, [("n1", 2), ("n2", 2), (None, 1)])


def test_without_pictures_only_the_summaries_are_left():
    played = play("vimrag_text", SCRIPT)
    of_texts = instructed("Keep a graph of texts.")
    assert played.prompts[2] == (of_texts, user(NODE_1)) and played.prompts[4] == (of_texts, user(NODE_2))
    # a picture that is not kept in view is shown again
    assert played.prompts[3][-1] == told(
        *clip_line("Found:\n[1] Tour: a walk"), "\n[2] Badges: scan", PAGE_SHOWN
    )


def test_sizes_follow_the_allocation():
    # S = 81,920 px. E: newest node, priorities 5 and 1 -> 5/6 and 1/6; a square of 68,266 px has sides 256, of 13,653 px 96.
    # Evenly: 40,960 px -> sides 202, in tokens 192. Fixed: 81,920 / 5 = 16,384 px -> 128.
    found = {
        **RESULTS,
        "badge of Rakimo": [replace(PAGE, width=512, height=512), replace(CLIP, width=512, height=512)],
    }
    note = Memorize("n1", "s", (Mark(1, True, 5), Mark(2, True, 1, timestamps=(3.0,))))

    def sides(memory):
        played = play(memory, [SEARCH_2, note, Answer((), "?")], found=found)
        return [image.width for image in pictures(played.prompts[2])]

    assert sides("vimrag") == [256, 96]
    assert sides("vimrag_equal") == [192, 192]
    assert sides("vimrag_fixed") == [128, 128]
    assert sides("vimrag_text") == []


def test_a_useless_page_is_shown_again():
    note = replace(NOTE_1, marks=(Mark(1, True, 4),))
    played = play("vimrag", [SEARCH_1, note, Search("n2", (), "page again"), NOTE_2, ANSWER])
    assert played.prompts[3][-1] == told("Found:\n[1] Badges: scan", PAGE_SHOWN)


@pytest.mark.parametrize("query", ["page again", "text again"])
def test_hits_that_are_all_in_memory_are_not_shown_again(query):
    played = play(
        "vimrag", [SEARCH_1, NOTE_1, Search("n2", (), query), Memorize("n2", "Nothing new."), ANSWER]
    )
    assert played.prompts[3][-1] == told("Nothing new.")
    assert len(played.trajectory.graph.nodes[1].retrieved) == 1


def shared_words(first, second):
    """Share of equal words: how a test can measure meaning."""
    one, other = set(first.split()), set(second.split())
    return len(one & other) / len(one | other)


def test_a_query_of_near_meaning_is_a_repetition_where_a_similarity_is_given():
    # 3 of 4 words agree
    near = [SEARCH_1, NOTE_1, Search("n2", (), "who really leads Belodu"), Memorize("n2", "Nothing."), ANSWER]
    limits = replace(MINIATURE_LIMITS, similarity=shared_words, same_query=0.75)
    played = play("vimrag", near, limits=limits)
    assert played.prompts[3][-1] == told("Nothing new.") and played.queries == ["who leads Belodu"]
    assert played.trajectory.counters.repeated_searches == 1
    farther = play("vimrag", near, limits=replace(limits, same_query=0.76))
    assert farther.trajectory.counters.repeated_searches == 0
    assert play("vimrag", near).queries == ["who leads Belodu", "who really leads Belodu"]


def test_an_error_is_shown_below_and_gone_after_the_cycle():
    played = play("vimrag", [SEARCH_1, SEARCH_2, NOTE_1, Answer(("n1",), "41")])
    assert played.prompts[2] == (*played.prompts[1], said(SEARCH_2), told(played.reasons[0]))
    assert played.prompts[3] == (SYSTEM, REBUILT_1)


def test_the_last_call_has_to_answer():
    played = play("vimrag", [SEARCH_1, NOTE_1, ANSWER], limits=replace(MINIATURE_LIMITS, calls=3))
    assert played.prompts[2] == (SYSTEM, user(NODE_1 + "\nEvidence:\n[n1] Badges", PAGE_SHOWN, NOW))
    assert played.forced == [False, False, True]


def evidence_at_the_end(context_tokens):
    played = play("vimrag", SCRIPT, limits=room(context_tokens), count=words)
    return [image.item_id for image in pictures(played.prompts[4])]


def test_the_lowest_energy_goes_first():
    # the page: 3/5 * 2 * exp(-0.1) + 0.3 * 0.4 = 1.21; the clip: 2/5 = 0.4. Its two frames go before the older page.
    assert evidence_at_the_end(4_000) == ["t:page:9", "t:clip:3", "t:clip:3"]
    assert evidence_at_the_end(3_000) == ["t:page:9"]
    assert evidence_at_the_end(1_000) == []


def test_question_and_graph_never_go():
    need = len(ASKED.parts[0]) + len(NODE_2)
    assert play("vimrag", SCRIPT, limits=room(need), count=words).trajectory.answer == "41"
    with pytest.raises(ContextTooLong, match=f"need {need} tokens"):
        play("vimrag", SCRIPT, limits=room(need - 1), count=words)


def test_an_observation_that_is_too_long_loses_texts_and_then_frames_and_key_times_name_what_is_left():
    found = {"badge of Rakimo": [replace(TEXT, text="x" * 900), CLIP]}
    note = Memorize("n1", "s", (Mark(2, True, 3, timestamps=(1.0,)),))
    limits = replace(room(10_000, observation_tokens=2_400), passage_chars=600)
    played = play("vimrag", [SEARCH_2, note, Answer((), "?")], limits=limits, found=found, count=words)
    (text, first, _, second) = played.prompts[1][-1].parts
    # 900 characters are halved to 450, 225, 112 and 100; two frames of 8 s stand at 2 and 6
    assert text == f"Found:\n[1] Belodu: {'x' * 100}\n[2] Tour: a walk<2.0 seconds>"
    assert (first, second) == (frame(2.0), frame(6.0))
    assert played.trajectory.graph.nodes[0].items[0].timestamps == (2.0,)


sizes = st.tuples(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 5), st.integers(0, 4))


@given(
    st.lists(sizes, min_size=1, max_size=8),
    st.sampled_from([Allocation.ENERGY, Allocation.EQUAL, Allocation.FIXED]),
)
def test_no_picture_costs_more_than_its_grant(items, allocation):
    hits = [
        replace(CLIP if times else PAGE, item_id=f"t:x:{number}", width=width, height=height)
        for number, (width, height, _, times) in enumerate(items)
    ]
    limits = replace(MINIATURE_LIMITS, top_k=len(hits))
    environment = Environment(TASK, ScriptedRetriever({"q": hits}), limits, allocation=allocation)
    asyncio.run(environment.search(Search("n1", ("root",), "q")))
    marks = tuple(
        Mark(place, True, priority, tuple(2.0 * time for time in range(times)))
        for place, (_, _, priority, times) in enumerate(items, start=1)
    )
    environment.memorize(Memorize("n1", "s", marks))
    grants = allocate(
        environment.graph,
        energies(environment.graph),
        total_pixels=limits.total_pixels,
        top_k=limits.kept_items,
        min_pixels=limits.min_pixels,
        allocation=allocation,
    )
    evidence = environment.evidence()
    assert [(each.node_id, each.item_id) for each in evidence] == list(grants)
    for each in evidence:
        assert sum(image.width * image.height for image in each.images) <= grants[each.node_id, each.item_id]
    assert environment.counters.overdrawn_images == 0


LIKE_1 = Search("n2", ("n1",), "another badge", like="N1")
OTHER = replace(PAGE, item_id="t:image:8", title="Other badge")


def test_a_search_may_ask_for_what_looks_like_kept_pictures():
    script = [SEARCH_1, NOTE_1, LIKE_1, NOTE_2, LIKE_1, NOTE_2, ANSWER]
    found = {**RESULTS, "another badge~t:page:9": [OTHER, PAGE]}
    played = play("vimrag_by_picture", script, found=found, profile=FULL)
    assert played.queries == [
        "who leads Belodu",
        "another badge~t:page:9",
    ]  # the repetition is not searched again
    assert [node.query for node in played.trajectory.graph.nodes][1:] == ["another badge (like n1)"] * 2
    assert played.trajectory.graph.nodes[1].retrieved == ("t:image:8", "t:page:9")
    assert '"like":"n2"' in played.prompts[0][0].parts[0]
    lost = play("vimrag_by_picture", [SEARCH_1, NOTE_1, replace(LIKE_1, like="n7"), ANSWER])
    assert lost.reasons == ["There are no kept pictures under 'n7'; nodes that keep some: n1."]


def test_without_that_choice_or_an_eye_it_is_a_search_by_words(monkeypatch):
    played = play("vimrag", [SEARCH_1, NOTE_1, LIKE_1, NOTE_2, ANSWER], profile=FULL)
    assert played.queries == ["who leads Belodu", "another badge"]
    assert "like" not in played.prompts[0][0].parts[0].split("search - ")[1].split("memorize - ")[0]
    monkeypatch.setattr(ScriptedRetriever, "sees", False)
    blind = play("vimrag_by_picture", [SEARCH_1, NOTE_1, LIKE_1, NOTE_2, ANSWER], profile=FULL)
    assert (blind.queries, blind.prompts[0]) == (played.queries, played.prompts[0])
