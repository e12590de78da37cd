"""The stages of the tiny model's cold start, over the words and pictures of the miniature.

Holds the order, the thresholds and the sizes; lessons are ``model.imitation.tiny.curriculum``, facts and pictures
``assets.miniature.primer``. What was measured while choosing them stands in docs/log.md.
"""

import random
from collections.abc import Callable

from transformers import PreTrainedTokenizerFast

from assets.miniature import primer
from assets.miniature.lexicon import GIFTS, MATERIALS, REGIONS, ROLES, STEPS, SYLLABLES, all_fragments
from model.imitation.stages import TrainingStage, mixture
from model.imitation.supervised import SftExample
from model.imitation.tiny.curriculum import (
    ImageExample,
    Lesson,
    Relation,
    look_up,
    perception,
    read_out,
    rename,
    repetition,
)
from model.imitation.tiny.passages import PassageEntry, passages
from model.imitation.tiny.shape import TinyShape
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder

SHAPE = TinyShape(width=128, heads=4, feed_forward=352)  # 1.8 million parameters
CLEAN_STAGE, LAST_STAGE = "clean_demonstrations", "demonstrations"
FORMS: tuple[Callable[[str], str], ...] = (str, str.capitalize, lambda syllable: f" {syllable.capitalize()}")
TOLD_VALUES = (
    STEPS,
    ROLES,
    MATERIALS,
    REGIONS,
    GIFTS,
)  # that no picture shows, so that they may be renamed too


def tokenizer() -> PreTrainedTokenizerFast:
    """Every fragment of the miniature, and the protocol."""
    return build_tokenizer(all_fragments())


def syllable_forms(encoder: PromptEncoder) -> list[list[int]]:
    """Tokens of all syllables: inside a name, at its start, and at its start after a space."""
    return [[encoder.text_ids(form(syllable))[0] for syllable in SYLLABLES] for form in FORMS]


def _see(rng: random.Random) -> ImageExample:
    return ImageExample(**primer.view(rng)._asdict())


def value_forms(encoder: PromptEncoder) -> list[list[list[int]]]:
    """Tokens of the values that only texts tell, one list of forms a kind: alone and after a space."""
    return [
        [[encoder.text_ids(lead + value)[0] for value in values] for lead in ("", " ")]
        for values in TOLD_VALUES
    ]


def draw_entry(rng: random.Random) -> PassageEntry:
    """A random entry of the primer, as a lesson takes it."""
    drawn = primer.entry(rng)
    return PassageEntry(
        title=drawn.title,
        stated=tuple((s.sentence, s.question, s.answer) for s in drawn.stated),
        open=drawn.open,
    )


def _passages(encoder: PromptEncoder, entries: int) -> Lesson:
    return passages(encoder, draw_entry, entries=entries)


def _facts(encoder: PromptEncoder, number: int, *, questions: float = 0.5) -> Lesson:
    relations = [Relation(statement=stated, question=asked) for stated, asked in primer.NAME_RELATIONS]
    return look_up(encoder, relations, primer.random_name, facts=number, questions=questions)


def primary_stages(encoder: PromptEncoder) -> tuple[TrainingStage, ...]:
    """To copy, to copy what is ambiguous, to complete, to look up, to read pictures, to choose among them."""
    syllables = [token for form in syllable_forms(encoder) for token in form]
    copying = {"whole_spans": False, "learning_rate": 3e-3}
    one, three = (perception(encoder, _see, most_sights=number) for number in (1, 3))
    reading = read_out(encoder, _see)
    return (
        TrainingStage(
            name="copy",
            lesson=repetition(syllables, length=64, longest_period=10),
            threshold=0.85,
            max_steps=1500,
            **copying,
        ),
        TrainingStage(
            name="copy_in_context",
            lesson=repetition(syllables, longest_period=20, alphabet=6),
            threshold=0.93,
            max_steps=1500,
            **copying,
        ),
        TrainingStage(
            name="complete", lesson=_facts(encoder, 4, questions=0.0), threshold=0.95, max_steps=600
        ),
        TrainingStage(name="look_up_4", lesson=_facts(encoder, 4), threshold=0.9, max_steps=800),
        TrainingStage(name="look_up_8", lesson=_facts(encoder, 8), threshold=0.93, max_steps=800),
        TrainingStage(
            name="tell_apart",
            lesson=mixture([_passages(encoder, 1), _passages(encoder, 3)], [0.3, 0.7]),
            threshold=0.93,
            max_steps=800,
        ),
        TrainingStage(
            name="read",
            lesson=mixture([reading, _facts(encoder, 6)], [0.9, 0.1]),
            threshold=0.97,
            max_steps=1000,
            batch_size=48,
            learning_rate=2e-3,
            whole_spans=False,
        ),
        TrainingStage(
            name="see",
            lesson=mixture([one, reading, _facts(encoder, 8)], [0.6, 0.2, 0.2]),
            threshold=0.85,
            max_steps=300,
            learning_rate=2e-3,
        ),
        TrainingStage(
            name="compare",
            lesson=mixture([three, reading, _facts(encoder, 8)], [0.6, 0.2, 0.2]),
            threshold=0.85,
            max_steps=300,
            learning_rate=2e-3,
        ),
    )


def demonstration_stage(
    encoder: PromptEncoder, demonstrated: Lesson, *, steps: int, name: str = LAST_STAGE
) -> TrainingStage:
    """Whole trajectories, in worlds that are renamed for every example, with passages and pictures that leave nothing to noise.

    The clean stage teaches to read what searches find, the last one to act as noisily as the demonstrations do.
    """
    told = mixture([_passages(encoder, 1), _passages(encoder, 3)], [0.25, 0.75])
    pictures = mixture([perception(encoder, _see, most_sights=3), read_out(encoder, _see)], [0.65, 0.35])
    weights = [0.5, 0.2, 0.3] if name == CLEAN_STAGE else [0.8, 0.1, 0.1]
    rate = 2e-3 if name == CLEAN_STAGE else 7e-4
    return TrainingStage(
        name=name,
        lesson=mixture([renamed(encoder, demonstrated), told, pictures], weights),
        threshold=1.0,
        max_steps=steps,
        learning_rate=rate,
        final_rate=rate / 10,
    )


def renamed(encoder: PromptEncoder, demonstrated: Lesson) -> Lesson:
    """The same examples with other names, and other values of what only texts tell."""
    names, values = syllable_forms(encoder), value_forms(encoder)

    def lesson(rng: random.Random) -> SftExample:
        example = rename(demonstrated(rng), names, rng)
        for forms in values:
            example = rename(example, forms, rng)
        return example

    return lesson
