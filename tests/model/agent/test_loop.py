"""What the agent's loop means, locked with scripted policies.

1. Every cycle starts from a context rebuilt from the graph: instruction, question, memory, evidence.
2. Within a cycle each prompt extends the one before it.
3. There is one segment a node, the calls of its cycle; the terminal one, last, holds the answer.
4. The last call has to answer; a rollout without an answer abstains; no prompt is ever shown twice.
5. Vanilla searches once with the question and answers once; closed book never searches.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from memory_graph.budget import Allocation
from memory_graph.graph import Modality
from model.agent.events import (
    AnswerGiven,
    ModelCall,
    ModelReply,
    NodeAdded,
    ObservationAdded,
    ReplyRejected,
    RolloutEnd,
)
from model.agent.loop import Agent
from model.agent.memory.closed_book import ClosedBook
from model.agent.memory.vanilla import Vanilla
from model.agent.memory.vimrag import Vimrag
from model.agent.prompts import COMPACT
from model.config.limits import MINIATURE_LIMITS, Limits
from model.types import Hit, ImageRef, Message, Outcome, Role, Sampling, Task, Trajectory
from tests.model.scripted import ScriptedPolicy, ScriptedRetriever

TASK = Task(
    id="t:1",
    dataset="t",
    question="Which code is on Rakimo's badge?",
    answers=("41",),
    gold=frozenset({"t:page:9"}),
)
TEXT = Hit(
    item_id="t:text:1", dataset="t", modality=Modality.TEXT, title="Belodu", text="Belodu is led by Rakimo."
)
PAGE = Hit(
    item_id="t:page:9", dataset="t", modality=Modality.IMAGE, title="Badges", text="", width=128, height=128
)
CLIP = Hit(
    item_id="t:clip:3",
    dataset="t",
    modality=Modality.VIDEO,
    title="Tour",
    text="a walk",
    width=64,
    height=64,
    duration_s=8.0,
)
RETRIEVER = {
    "who leads Belodu": [TEXT],
    "badge of Rakimo": [PAGE, TEXT, CLIP],
    "nothing": [],
    TASK.question: [PAGE, TEXT],
}
SYSTEM = Message(role=Role.SYSTEM, parts=("Answer from the corpus.",))
ONCE = Message(role=Role.SYSTEM, parts=("Answer from what was found.",))
FIRST = Message(role=Role.USER, parts=("Question: Which code is on Rakimo's badge?",))

SEARCH_1 = Search("n1", ("root",), "who leads Belodu")
NOTE_1 = Memorize("n1", "Belodu is led by Rakimo.", (Mark(1, True, 4),))
SEARCH_2 = Search("n2", ("n1",), "badge of Rakimo")
NOTE_2 = Memorize("n2", "A badge.", (Mark(1, True, 5), Mark(2, True, 2, timestamps=(2.9,))))
ANSWER = Answer(("n2",), "41")


def rollout(script, *, memory=None, limits=MINIATURE_LIMITS, found=None):
    policy, retriever = ScriptedPolicy(script), ScriptedRetriever(RETRIEVER if found is None else found)
    agent = Agent(policy=policy, retriever=retriever, memory=memory or Vimrag(profile=COMPACT), limits=limits)

    async def run():
        return [event async for event in agent.events(TASK)]

    return policy, retriever, asyncio.run(run())


def trajectory_of(events) -> Trajectory:
    assert isinstance(events[-1], RolloutEnd)
    return events[-1].trajectory


def said(action) -> Message:
    return Message(role=Role.ASSISTANT, parts=(action if isinstance(action, str) else render(action),))


def found(*parts) -> Message:
    return Message(role=Role.TOOL, parts=parts)


def page_at(width, height):
    return ImageRef(item_id="t:page:9", width=width, height=height)


def frame_at(time_s):
    return ImageRef(item_id="t:clip:3", width=64, height=64, timestamp_s=time_s)


def test_the_context_of_every_step_of_a_two_hop_rollout():
    policy, retriever, _ = rollout([SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER])

    seen_1 = found("Found:\n[1] Belodu: Belodu is led by Rakimo.")
    memory_1 = "\nMemory:\nn1 <- root | who leads Belodu | Belodu is led by Rakimo."
    rebuilt_1 = Message(role=Role.USER, parts=(FIRST.parts[0] + memory_1,))
    # the passage was noted in n1, so of the second search only the page and the clip are new;
    # four frames of 8 s stand at the centres 1, 3, 5 and 7
    seen_2 = found(
        "Found:\n[1] Badges", page_at(128, 128), "\n[2] Tour: a walk<1.0 seconds>", frame_at(1.0),
        "<3.0 seconds>", frame_at(3.0), "<5.0 seconds>", frame_at(5.0), "<7.0 seconds>", frame_at(7.0),
    )  # fmt: skip
    # the key time 2.9 keeps the frame at 3; both items are below their share, so they have native size
    rebuilt_2 = Message(
        role=Role.USER,
        parts=(
            FIRST.parts[0] + memory_1 + "\nn2 <- n1 | badge of Rakimo | A badge.\nEvidence:\n[n2] Badges",
            page_at(128, 128),
            "\n[n2] Tour<3.0 seconds>",
            frame_at(3.0),
        ),
    )
    assert policy.prompts == [
        (SYSTEM, FIRST),
        (SYSTEM, FIRST, said(SEARCH_1), seen_1),
        (SYSTEM, rebuilt_1),
        (SYSTEM, rebuilt_1, said(SEARCH_2), seen_2),
        (SYSTEM, rebuilt_2),
    ]
    assert retriever.queries == ["who leads Belodu", "badge of Rakimo"]


def test_the_trajectory_has_one_segment_a_node_and_the_terminal_one():
    _, _, events = rollout([SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER])
    trajectory = trajectory_of(events)
    assert [(segment.node_id, len(segment.calls)) for segment in trajectory.segments] == [
        ("n1", 2),
        ("n2", 2),
        (None, 1),
    ]
    assert (trajectory.outcome, trajectory.answer) == (Outcome.ANSWERED, "41")
    assert trajectory.graph.ancestors(trajectory.graph.answer.parents) == {"n1", "n2"}
    assert trajectory.graph.nodes[1].retrieved == ("t:page:9", "t:text:1", "t:clip:3")
    assert (trajectory.policy, trajectory.index, trajectory.memory) == ("scripted", "scripted", "vimrag")
    counters = trajectory.counters
    assert (counters.model_calls, counters.searches, counters.dead_ends, counters.repeated_searches) == (
        5,
        2,
        0,
        0,
    )
    # prompts 4 and 5 hold pictures: 16 + 4 * 4 and 16 + 4 visual tokens
    assert (counters.visual_tokens, counters.overdrawn_images, counters.rejected_actions) == (52, 0, 0)


def test_events_come_in_order_and_end_with_finished():
    _, _, events = rollout([SEARCH_1, NOTE_1, Answer(("n1",), "x")])
    assert [type(event) for event in events] == [
        ModelCall, ModelReply, ObservationAdded, ModelCall, ModelReply, NodeAdded, ModelCall, ModelReply, AnswerGiven, RolloutEnd,
    ]  # fmt: skip
    assert [event.call for event in events if isinstance(event, ModelCall)] == [1, 2, 3]


def test_an_answer_straight_after_a_search_adds_the_pending_node_first():
    _, _, events = rollout([SEARCH_1, Answer(("n1",), "Rakimo")])
    trajectory = trajectory_of(events)
    assert [(s.node_id, [c.text for c in s.calls]) for s in trajectory.segments] == [
        ("n1", [render(SEARCH_1)]),
        (None, [render(Answer(("n1",), "Rakimo"))]),
    ]
    assert trajectory.graph.nodes[0].summary == "" and trajectory.graph.answer.parents == ("n1",)
    assert trajectory.counters.dead_ends == 0
    assert [event.by_answer for event in events if isinstance(event, NodeAdded)] == [True]


def test_a_rejected_reply_is_answered_with_its_error_and_the_calls_stay_in_the_segment():
    policy, _, events = rollout(["no idea", SEARCH_1, NOTE_1, Answer(("n1",), "x")])
    reason = next(event.reason for event in events if isinstance(event, ReplyRejected))
    assert policy.prompts[1] == (SYSTEM, FIRST, said("no idea"), found(reason))
    assert policy.prompts[2][:4] == policy.prompts[1]  # within a cycle each prompt extends the one before
    trajectory = trajectory_of(events)
    assert [len(segment.calls) for segment in trajectory.segments] == [3, 1]
    assert trajectory.counters.rejected_actions == 1


def test_two_re_asks_a_step_then_the_answer_is_forced():
    policy, _, events = rollout(["a", "b", "c", Answer(("root",), "?")])
    assert [request.forced for request in policy.requests] == [False, False, False, True]
    assert policy.prompts[3][-1].parts[0].endswith("\nAnswer now.")
    assert trajectory_of(events).outcome is Outcome.FORCED


def test_a_request_holds_what_the_search_just_made_displayed():
    # before a search, after it, after a refused summary, after the summary: the refusal leaves the results to be acted on
    policy, _, _ = rollout([SEARCH_1, "a note", NOTE_1, Search("n2", ("n1",), "nothing"), ANSWER])
    displayed = [
        None if request.displayed is None else [each.hit.item_id for each in request.displayed]
        for request in policy.requests
    ]
    assert displayed == [None, [TEXT.item_id], [TEXT.item_id], None, []]


def test_a_legal_step_gives_the_re_asks_back():
    script = ["a", "b", SEARCH_1, "c", "d", NOTE_1, Answer(("n1",), "x")]
    assert trajectory_of(rollout(script)[2]).outcome is Outcome.ANSWERED


def test_the_last_call_has_to_answer_and_says_so_in_the_question():
    policy, _, events = rollout(
        [SEARCH_1, NOTE_1, Answer(("n1",), "x")], limits=replace(MINIATURE_LIMITS, calls=3)
    )
    assert policy.prompts[2][-1].role == Role.USER
    assert policy.prompts[2][-1].parts[-1].endswith("Belodu is led by Rakimo.\nAnswer now.")
    assert trajectory_of(events).outcome is Outcome.FORCED


def test_the_last_call_after_a_search_is_told_to_answer_below_the_results():
    policy, _, events = rollout([SEARCH_1, Answer(("n1",), "x")], limits=replace(MINIATURE_LIMITS, calls=2))
    assert policy.prompts[1][-1] == found("Found:\n[1] Belodu: Belodu is led by Rakimo.\nAnswer now.")
    trajectory = trajectory_of(events)
    assert trajectory.outcome is Outcome.FORCED and len(trajectory.graph.nodes) == 1


@pytest.mark.parametrize("last", ["nothing to say", SEARCH_2, NOTE_1])
def test_anything_but_an_answer_in_the_forced_turn_abstains(last):
    _, _, events = rollout([SEARCH_1, last], limits=replace(MINIATURE_LIMITS, calls=2))
    trajectory = trajectory_of(events)
    assert (trajectory.outcome, trajectory.answer, trajectory.graph.answer) == (Outcome.ABSTAINED, "", None)
    assert [(s.node_id, len(s.calls)) for s in trajectory.segments] == [("n1", 1), (None, 1)]


def test_no_prompt_is_shown_twice_whatever_the_policy_does():
    stubborn = [SEARCH_1, NOTE_1] * 5
    policy, _, events = rollout([*stubborn[:9], Answer((), "x")], limits=replace(MINIATURE_LIMITS, calls=10))
    assert len(set(policy.prompts)) == len(policy.prompts) == 10
    assert trajectory_of(events).counters.repeated_searches == 4


def test_a_repeated_query_is_not_searched_again_and_says_so():
    again = Search("n2", ("n1",), "Who leads  BELODU?")
    policy, retriever, events = rollout(
        [SEARCH_1, NOTE_1, again, Memorize("n2", "Nothing."), Answer(("n1",), "x")]
    )
    assert policy.prompts[3][-1] == found("Nothing new.")
    assert retriever.queries == ["who leads Belodu"]
    trajectory = trajectory_of(events)
    assert (trajectory.counters.repeated_searches, trajectory.counters.dead_ends) == (1, 1)
    assert trajectory.graph.nodes[1].retrieved == ()


def test_unknown_parents_are_repaired_and_counted():
    trajectory = trajectory_of(rollout([SEARCH_1, NOTE_1, Answer(("n7",), "x")])[2])
    assert trajectory.graph.answer.parents == ("n1",)
    assert trajectory.counters.repairs == 1


def test_exact_tokens_of_a_reply_travel_without_the_end_token():
    class Tokens(ScriptedPolicy):
        async def complete(self, request):
            drawn = await super().complete(request)
            return replace(
                drawn,
                prompt_ids=(1, 2),
                token_ids=(7, 8, 9),
                logprobs=(-1.0, -2.0, -3.0),
                prompt_tokens=2,
                completion_tokens=3,
            )

    policy = Tokens([SEARCH_1, Answer(("n1",), "x")])
    agent = Agent(
        policy=policy,
        retriever=ScriptedRetriever(RETRIEVER),
        memory=Vimrag(profile=COMPACT),
        limits=MINIATURE_LIMITS,
    )
    trajectory = asyncio.run(agent.run(TASK))
    assert policy.prompts[1][2].token_ids == (7, 8)
    call = trajectory.segments[0].calls[0]
    assert (call.prompt_ids, call.token_ids, call.logprobs) == ((1, 2), (7, 8, 9), (-1.0, -2.0, -3.0))
    assert (trajectory.counters.prompt_tokens, trajectory.counters.completion_tokens) == (4, 6)


def test_every_call_of_a_seeded_rollout_draws_from_its_own_stream():
    def seeds(seed):
        policy = ScriptedPolicy([SEARCH_1, NOTE_1, Answer(("n1",), "x")])
        agent = Agent(
            policy=policy,
            retriever=ScriptedRetriever(RETRIEVER),
            memory=Vimrag(profile=COMPACT),
            sampling=Sampling(temperature=1.0),
        )
        asyncio.run(agent.run(TASK, seed=seed))
        return [request.sampling.seed for request in policy.requests]

    assert len(set(seeds(1))) == 3
    assert seeds(1) == seeds(1) != seeds(2)
    assert seeds(None) == [None, None, None]


def test_vanilla_searches_with_the_question_and_answers_once():
    policy, retriever, events = rollout([Answer(("n1",), "41")], memory=Vanilla(profile=COMPACT))
    results = found(
        "Found:\n[1] Badges", page_at(128, 128), "\n[2] Belodu: Belodu is led by Rakimo.\nAnswer now."
    )  # fmt: skip
    assert policy.prompts == [(ONCE, FIRST, said(Search("n1", ("root",), TASK.question)), results)]
    assert retriever.queries == [TASK.question]
    trajectory = trajectory_of(events)
    assert [(s.node_id, len(s.calls)) for s in trajectory.segments] == [("n1", 0), (None, 1)]
    assert trajectory.graph.nodes[0].retrieved == ("t:page:9", "t:text:1")
    assert (trajectory.memory, trajectory.outcome) == ("vanilla", Outcome.FORCED)


def test_closed_book_never_searches():
    policy, retriever, events = rollout([Answer((), "41")], memory=ClosedBook(profile=COMPACT))
    assert policy.prompts == [(ONCE, Message(role=Role.USER, parts=(FIRST.parts[0] + "\nAnswer now.",)))]
    assert retriever.queries == [] and trajectory_of(events).graph.answer.parents == ("root",)


def test_a_single_answer_that_cannot_be_read_abstains():
    assert trajectory_of(rollout(["41"] * 4, memory=Vanilla(profile=COMPACT))[2]).outcome is Outcome.ABSTAINED


def test_training_shows_every_kept_item_at_its_fixed_share():
    # 81,920 / 5 = 16,384 px = 128 x 128 whatever the priorities
    found_big = {
        "badge of Rakimo": [replace(PAGE, width=512, height=512), replace(CLIP, width=512, height=512)]
    }
    script = [
        Search("n1", (), "badge of Rakimo"),
        Memorize("n1", "s", (Mark(1, True, 5), Mark(2, True, 1, timestamps=(1.0,)))),
        Answer((), "x"),
    ]
    fixed, _, _ = rollout(
        script, memory=Vimrag(profile=COMPACT, allocation=Allocation.FIXED), found=found_big
    )
    sizes = [(p.width, p.height) for p in fixed.prompts[2][1].parts if isinstance(p, ImageRef)]
    assert sizes == [(128, 128), (128, 128)]
    # by energy 5/6 and 1/6 of 81,920: 68,266 px -> sides sqrt = 261 -> 256; 13,653 px -> 116 -> 96
    energy, _, _ = rollout(script, memory=Vimrag(profile=COMPACT), found=found_big)
    sizes = [(p.width, p.height) for p in energy.prompts[2][1].parts if isinstance(p, ImageRef)]
    assert sizes == [(256, 256), (96, 96)]


def test_text_memory_keeps_no_pictures():
    policy, _, _ = rollout(
        [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER],
        memory=Vimrag(profile=COMPACT, allocation=Allocation.NONE),
    )
    assert not [part for part in policy.prompts[4][1].parts if isinstance(part, ImageRef)]


def test_errors_of_the_outside_come_through():
    class Broken(ScriptedRetriever):
        async def search(self, query, **_):
            raise RuntimeError("index is gone")

    agent = Agent(
        policy=ScriptedPolicy([SEARCH_1]),
        retriever=Broken({}),
        memory=Vimrag(profile=COMPACT),
        limits=Limits(),
    )
    with pytest.raises(RuntimeError, match="index is gone"):
        asyncio.run(agent.run(TASK))
