"""Sentences beside their sources: the benchmark of made pairs, and the ways in which numbers, names and denials are written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answers.support.checking import Passage, Verdict, check, sentences
from app.answers.support.quantities import quantities

CHINESE = "\u6865\u6881\u4e8e1931\u5e74\u5f00\u653e\u3002"  # the bridge opened in 1931
PAIRS = Path(__file__).with_name("support_pairs.tsv")


class Pair(NamedTuple):
    part: str  # "tuned" or "held", which nothing was tuned on
    kind: str  # "supported", "altered" (one wrong number or name), "unrelated"
    answer: str
    source: str


def pairs(part: str) -> list[Pair]:
    rows = (line.split("\t") for line in PAIRS.read_text(encoding="utf-8").splitlines())
    return [pair for row in rows if (pair := Pair(*row)).part == part]


def verdict(answer: str, source: str, question: str = "") -> Verdict:
    """The worst of its sentences."""
    worst = (Verdict.NONE, Verdict.PARTLY, Verdict.SUPPORTED)
    claims = check(answer, [Passage(item_id="s", title="", text=source)], context=question)
    return min((claim.verdict for claim in claims), key=worst.index)


@pytest.mark.parametrize(("part", "number"), [("tuned", 60), ("held", 20)])
def test_wrong_numbers_and_names_are_told_from_right_ones(part: str, number: int):
    table = Counter((pair.kind, verdict(pair.answer, pair.source)) for pair in pairs(part))
    assert table.total() == number
    kinds = Counter(pair.kind for pair in pairs(part))
    flagged = {kind: kinds[kind] - table[kind, Verdict.SUPPORTED] for kind in kinds}
    recall = flagged["altered"] / kinds["altered"]
    precision = flagged["altered"] / (flagged["altered"] + flagged["supported"])
    supported = kinds["supported"] - flagged["supported"]
    badge = supported / (
        supported + kinds["altered"] - flagged["altered"] + table["unrelated", Verdict.SUPPORTED]
    )
    unrelated = table["unrelated", Verdict.NONE] / kinds["unrelated"]
    print(
        f"\n{part}: wrong numbers and names: precision {precision:.3f}, recall {recall:.3f}; badge 'supported': precision"
        f" {badge:.3f}, recall {supported / kinds['supported']:.3f}; unrelated without a source: {unrelated:.3f}"
    )
    assert recall >= 0.9 and badge >= 0.9 and unrelated >= 0.9
    assert precision >= (0.9 if part == "tuned" else 0.85)  # held apart: 7 of each, so one miss is 0.125


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12,345", "12 345"),
        ("12.345,5", "12,345.5"),
        ("1'234", "1234"),
        ("3.2 million", "3,200,000"),
        ("forty-two", "42"),
        ("12 %", "12 percent"),
        ("\u20ac5", "5 euros"),
        ("1.5 km", "1,500 m"),
        ("90 minutes", "1.5 hours"),
        ("3 March 1961", "1961-03-03"),
        ("March 1961", "03.03.1961"),
        ("1961", "on 3 March 1961"),
        ("2:30 pm", "14:30"),
        ("about 3,000", "2,987"),
        ("two years", "24 months"),
    ],
)
def test_one_quantity_is_known_in_two_writings(one: str, other: str):
    [said] = quantities(one)
    assert said.stands_in(quantities(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12,345", "12,354"),
        ("5 km", "5 m"),
        ("5 euros", "5 dollars"),
        ("3 March 1961", "5 March 1961"),
        ("3 March 1961", "3 March 1962"),
        ("2:30 pm", "2:30 am"),
        ("12 percent", "12.5 percent"),
        ("about 3,000", "3,400"),
        ("15", "50"),
    ],
)
def test_two_quantities_are_told_apart(one: str, other: str):
    [said] = quantities(one)
    assert not said.stands_in(quantities(other))


@pytest.mark.parametrize(
    ("answer", "source", "expected"),
    [
        ("The warranty covers water damage.", "The warranty does not cover water damage.", Verdict.PARTLY),
        ("Prices decreased by 5 %.", "Prices increased by 5 %.", Verdict.PARTLY),
        (CHINESE, f"\u8fd9\u5ea7{CHINESE}", Verdict.SUPPORTED),
        ("1931", "The crane opened in 1931.", Verdict.SUPPORTED),
        ("1932", "The crane opened in 1931.", Verdict.NONE),
        ("yes", "The crane opened in 1931.", Verdict.NONE),
    ],
)  # fmt: skip
def test_denials_opposites_and_answers_of_a_word(answer: str, source: str, expected: Verdict):
    assert verdict(answer, source, "When did the crane open?") is expected


def test_a_sentence_whose_words_stand_there_and_say_something_else_is_not_supported():
    # as a small model wrote it over a manual: nothing but words of it, and no number or name to hold on to
    source = "Press the Up button to open the list of programs and then go to Settings > Down button."
    answer = "When you press and hold the down button, the list goes down and goes on down until the button comes up."
    assert verdict(answer, source) is Verdict.PARTLY


def test_the_place_is_the_sentence_that_says_it_and_its_span_is_exact():
    text = "Bees dance. The crane opened in 1931. It is red.\nThe crane was painted in 1950."
    [claim] = check("The crane opened in 1931.", [Passage(item_id="a", title="", text=text)])
    assert claim.quote == "The crane opened in 1931." == text[claim.quote_start : claim.quote_end]
    [claim] = check("The crane opened in 1950.", [Passage(item_id="a", title="", text=text)])
    assert claim.verdict is Verdict.PARTLY and claim.missing == ("1950",)


def test_each_sentence_goes_to_the_source_that_holds_it():
    passages = [
        Passage(item_id="a", title="", text="The crane opened in 1931."),
        Passage(item_id="b", title="", text="Entry costs 12 euros for adults."),
    ]
    claims = check("Entry costs \u20ac12. The crane opened in 1931. Whales sing.", passages)
    assert [(claim.item_id, claim.verdict.value) for claim in claims] == [
        ("b", "supported"),
        ("a", "supported"),
        ("", "no source found"),
    ]


def test_abbreviations_and_numbers_end_no_sentence_and_no_answer_makes_no_claim():
    text = "Dr. Miller paid approx. 3.5 million. He left on 3. March."
    assert [text[each.start : each.end] for each in sentences(text)] == [
        "Dr. Miller paid approx. 3.5 million.",
        "He left on 3. March.",
    ]
    assert check("Not answerable.", [Passage(item_id="a", title="", text="x")]) == ()


@given(st.text(max_size=300), st.text(max_size=600))
def test_any_answer_beside_any_source_has_spans_within_both(answer: str, source: str):
    for claim in check(answer, [Passage(item_id="a", title="t", text=source)]):
        assert answer[claim.start : claim.end] == claim.text
        assert source[claim.quote_start : claim.quote_end] == claim.quote
