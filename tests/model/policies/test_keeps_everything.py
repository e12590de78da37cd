"""Every result is kept, at the priority that was stated; nothing else of a reply changes."""

from __future__ import annotations

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from memory_graph.parsing import parse
from model.policies.keeps_everything import keeping_all


def test_what_was_called_useless_or_not_judged_is_kept_too():
    said = Memorize(id="n1", summary="seen", marks=(Mark(1, True, 5, (2.0,)), Mark(2, False, 3)))
    kept = parse(keeping_all(f"<think>hm</think>{render(said)}", 3)).action
    assert kept == Memorize(
        id="n1", summary="seen", marks=(Mark(1, True, 5, (2.0,)), Mark(2, True, 3), Mark(3, True, 1))
    )


def test_other_replies_stay_as_they_are():
    for said in (
        render(Search(id="n1", parents=("root",), query="q")),
        render(Answer(parents=("n1",), text="a")),
        "no call",
    ):
        assert keeping_all(said, 3) == said
