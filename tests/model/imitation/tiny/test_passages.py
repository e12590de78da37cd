"""The passages of an example decide every answer, and questions that they leave open are not answered."""

import random

import pytest

from assets.miniature import primer
from model.imitation.tiny.curriculum import PassageEntry, passages
from model.policies.chat_template import PromptEncoder
from orchestration.imitation import pretraining_stages
from tests.assets.miniature.fragments import split_fragments

LEFT_OPEN = "Not answerable"


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    return PromptEncoder(pretraining_stages.miniature_tokenizer())


def exchanges(encoder: PromptEncoder, entry, *, entries: int, seed: int) -> tuple[str, dict[str, str]]:
    """What is shown, and the taught answer of each question."""
    example = passages(encoder, entry, entries=entries)(random.Random(seed))
    shown, *asked = encoder.tokenizer.decode(example.ids).split("Question: ")
    return shown, {turn.split("<|im_end|>")[0]: turn.split('"answer":"')[1].split('"')[0] for turn in asked}


def test_a_relation_tells_two_facts_of_one_name_apart(encoder: PromptEncoder):
    stated = (
        ("The leader of Badego is Lutima.", "Who is the leader of Badego?", "Lutima"),
        ("The founder of Badego is Sizote.", "Who is the founder of Badego?", "Sizote"),
    )
    entry = PassageEntry(title="Badego", stated=stated, open=("Where does Badego meet?",))
    shown, answers = exchanges(encoder, lambda rng: entry, entries=1, seed=0)
    assert answers == {
        "Who is the leader of Badego?": "Lutima",
        "Who is the founder of Badego?": "Sizote",
        "Where does Badego meet?": LEFT_OPEN,
    }
    assert all(sentence in shown for sentence, _, _ in stated)


@pytest.mark.parametrize("seed", range(20))
def test_every_answer_is_shown_or_left_open(encoder: PromptEncoder, seed: int):
    shown, answers = exchanges(encoder, pretraining_stages.random_entry, entries=3, seed=seed)
    for answer in answers.values():
        assert answer == LEFT_OPEN or all(word in shown for word in answer.split(", "))


def test_every_word_of_an_entry_is_one_of_the_miniature():
    rng = random.Random(1)
    for drawn in (primer.entry(rng) for _ in range(200)):
        for text in (drawn.title, *drawn.open, *(part for stated in drawn.stated for part in stated)):
            assert split_fragments(text)


def test_a_video_is_asked_about_by_its_own_clock():
    rng = random.Random(2)
    view = primer.workshop_video("Badego", rng)
    minute = view.title.split()[-1][:2]
    shown = view.reading.split()
    for question, letter in view.facts:
        clock = question.split(" at ")[1][:5]
        scene = int(clock[3:]) // 15
        choice = question.split(f"({letter}) ")[1].split("\n")[0]
        assert clock.startswith(minute)
        assert choice in shown[2 * scene : 2 * scene + 2]


def test_renaming_changes_what_texts_tell_and_nothing_that_pictures_show(encoder: PromptEncoder):
    for forms in pretraining_stages.value_forms(encoder):
        assert all(len(set(form)) == len(form) for form in forms)
    kinds = [token for forms in pretraining_stages.value_forms(encoder) for form in forms for token in form]
    pictured = {encoder.text_ids(f" {word}")[0] for word in (*primer.COLOURS, *primer.MARKS, *primer.GOODS)}
    assert not pictured & set(kinds)
