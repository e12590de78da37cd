"""Examples are solved from their context only: every target stands in what is shown, and names never repeat."""

import random

import pytest
from PIL import Image

from model.imitation.tiny.curriculum import (
    ImageExample,
    Relation,
    look_up,
    perception,
    permute_names,
    read_out,
    repetition,
)
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder

SYLLABLES = ("ba", "de", "fi", "go", "lu")
WORDS = ("The", " leader", " of", " is", " Who", " the", "?", ".", " ", "red", " What", " colour", "Badge")


def name(rng: random.Random) -> str:
    return "".join(rng.sample(SYLLABLES, 3)).capitalize()


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    capitals = [syllable.capitalize() for syllable in SYLLABLES]
    return PromptEncoder(build_tokenizer([*SYLLABLES, *capitals, *(f" {c}" for c in capitals), *WORDS]))


def targets(example, encoder: PromptEncoder) -> list[str]:
    """The target runs as text."""
    runs, current = [], []
    for token, flag in zip([*example.ids, 0], [*example.loss_mask, False], strict=True):
        if flag:
            current.append(token)
        elif current:
            runs.append(encoder.decode(current))
            current = []
    return runs


def test_a_repetition_is_learnt_from_its_second_period_on():
    example = repetition([7, 8, 9], length=30, longest_period=6)(random.Random(0))
    first = example.loss_mask.index(True)
    assert all(example.ids[place] == example.ids[place - first] for place in range(first, 30))
    assert not any(example.loss_mask[:first])


def test_an_ambiguous_repetition_uses_only_its_alphabet():
    example = repetition(range(100), length=64, longest_period=20, alphabet=4)(random.Random(1))
    assert len(set(example.ids)) <= 4


def test_every_looked_up_answer_stands_in_the_facts(encoder: PromptEncoder):
    relation = Relation(statement="The leader of {0} is {1}.", question="Who is the leader of {0}?")
    example = look_up(encoder, [relation], name, facts=3)(random.Random(2))
    shown = encoder.tokenizer.decode(example.ids).split("Question:")[0]
    answers = [run.split('"answer":"')[1].split('"')[0] for run in targets(example, encoder)]
    assert len(answers) == 3
    assert all(f"is {answer}." in shown for answer in answers)


def test_images_of_an_example_have_their_placeholders(encoder: PromptEncoder):
    image = Image.new("RGB", (64, 32), "red")
    item = ImageExample(
        title="Badge",
        images=((image, None), (image, 7.5)),
        facts=((" What colour?", "red"),),
        reading="red",
    )
    asked = perception(encoder, lambda rng: item, max_items=1)(random.Random(0))
    read = read_out(encoder, lambda rng: item)(random.Random(0))
    for example in (asked, read):
        assert example.ids.count(encoder.image_id) == 2 * 2  # two images of two tokens
        assert example.pixels.grid_thw.tolist() == [[1, 2, 4], [1, 2, 4]]
    assert targets(read, encoder) == ["red"]


def test_renaming_swaps_syllables_alike_in_all_forms(encoder: PromptEncoder):
    forms = [[encoder.text_ids(form(s))[0] for s in SYLLABLES] for form in (str, str.capitalize)]
    relation = Relation(statement="The leader of {0} is {1}.", question="Who is the leader of {0}?")
    example = look_up(encoder, [relation], name, facts=2)(random.Random(3))
    renamed = permute_names(example, forms, random.Random(4))
    back = {}
    for old, new in zip(example.ids, renamed.ids, strict=True):
        assert back.setdefault(old, new) == new  # one token always becomes the same one
    for syllable in range(len(SYLLABLES)):
        lower, upper = (back.get(form[syllable]) for form in forms)
        if lower is not None and upper is not None:
            assert forms[0].index(lower) == forms[1].index(upper)
    assert renamed.loss_mask == example.loss_mask
