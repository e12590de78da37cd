"""The stages of the tiny model's cold start, over the words and images of the miniature.

Holds the order, the thresholds and the sizes; samplers are ``model.imitation.tiny.curriculum``, facts and images
``assets.miniature.primer``. The measurements behind the numbers are in docs/log.md.
"""

import random
from collections.abc import Callable

from transformers import PreTrainedTokenizerFast

from assets.miniature import primer
from assets.miniature.lexicon import GIFTS, MATERIALS, REGIONS, ROLES, STEPS, SYLLABLES, all_fragments
from model.imitation.stages import TrainingStage, mixture
from model.imitation.supervised import SftExample
from model.imitation.tiny.curriculum import (
    ExampleSampler,
    ImageExample,
    PassageEntry,
    Relation,
    look_up,
    passages,
    perception,
    permute_names,
    read_out,
    repetition,
)
from model.imitation.tiny.shape import TinyShape
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder

SHAPE = TinyShape(width=128, heads=4, feed_forward=352)  # 1.8 million parameters
CLEAN_STAGE, LAST_STAGE = "clean_demonstrations", "demonstrations"
FORMS: tuple[Callable[[str], str], ...] = (str, str.capitalize, lambda syllable: f" {syllable.capitalize()}")
TEXT_VALUES = (STEPS, ROLES, MATERIALS, REGIONS, GIFTS)  # no image shows them, so they may be permuted too


def miniature_tokenizer() -> PreTrainedTokenizerFast:
    """Every fragment of the miniature, and the protocol."""
    return build_tokenizer(all_fragments())


def syllable_forms(encoder: PromptEncoder) -> list[list[int]]:
    """Tokens of all syllables: inside a name, at its start, and at its start after a space."""
    return [[encoder.text_ids(form(syllable))[0] for syllable in SYLLABLES] for form in FORMS]


def _draw_item(rng: random.Random) -> ImageExample:
    return ImageExample(**primer.view(rng)._asdict())


def value_forms(encoder: PromptEncoder) -> list[list[list[int]]]:
    """Tokens of the values that only texts state, one list of forms a kind: alone and after a space."""
    return [
        [[encoder.text_ids(lead + value)[0] for value in values] for lead in ("", " ")]
        for values in TEXT_VALUES
    ]


def random_entry(rng: random.Random) -> PassageEntry:
    """A random entry of the primer as a ``PassageEntry``."""
    drawn = primer.entry(rng)
    return PassageEntry(
        title=drawn.title,
        stated=tuple((s.sentence, s.question, s.answer) for s in drawn.stated),
        open=drawn.open,
    )


def _passages(encoder: PromptEncoder, entries: int) -> ExampleSampler:
    return passages(encoder, random_entry, entries=entries)


def _facts(encoder: PromptEncoder, number: int, *, questions: float = 0.5) -> ExampleSampler:
    relations = [
        Relation(statement=statement, question=question) for statement, question in primer.NAME_RELATIONS
    ]
    return look_up(encoder, relations, primer.random_name, facts=number, questions=questions)


def primary_stages(encoder: PromptEncoder) -> tuple[TrainingStage, ...]:
    """To copy, to copy ambiguous text, to complete, to look up, to read images, to choose among them."""
    syllables = [token for form in syllable_forms(encoder) for token in form]
    copying = {"count_spans": False, "learning_rate": 3e-3}
    single, three = (perception(encoder, _draw_item, max_items=number) for number in (1, 3))
    reading = read_out(encoder, _draw_item)
    return (
        TrainingStage(
            name="copy",
            sampler=repetition(syllables, length=64, longest_period=10),
            threshold=0.85,
            max_steps=1500,
            **copying,
        ),
        TrainingStage(
            name="copy_in_context",
            sampler=repetition(syllables, longest_period=20, alphabet=6),
            threshold=0.93,
            max_steps=1500,
            **copying,
        ),
        TrainingStage(
            name="complete", sampler=_facts(encoder, 4, questions=0.0), threshold=0.95, max_steps=600
        ),
        TrainingStage(name="look_up_4", sampler=_facts(encoder, 4), threshold=0.9, max_steps=800),
        TrainingStage(name="look_up_8", sampler=_facts(encoder, 8), threshold=0.93, max_steps=800),
        TrainingStage(
            name="tell_apart",
            sampler=mixture([_passages(encoder, 1), _passages(encoder, 3)], [0.3, 0.7]),
            threshold=0.93,
            max_steps=800,
        ),
        TrainingStage(
            name="read",
            sampler=mixture([reading, _facts(encoder, 6)], [0.9, 0.1]),
            threshold=0.97,
            max_steps=1000,
            batch_size=48,
            learning_rate=2e-3,
            count_spans=False,
        ),
        TrainingStage(
            name="see",
            sampler=mixture([single, reading, _facts(encoder, 8)], [0.6, 0.2, 0.2]),
            threshold=0.85,
            max_steps=300,
            learning_rate=2e-3,
        ),
        TrainingStage(
            name="compare",
            sampler=mixture([three, reading, _facts(encoder, 8)], [0.6, 0.2, 0.2]),
            threshold=0.85,
            max_steps=300,
            learning_rate=2e-3,
        ),
    )


def demonstration_stage(
    encoder: PromptEncoder, demonstrations: ExampleSampler, *, steps: int, name: str = LAST_STAGE
) -> TrainingStage:
    """Whole trajectories with names permuted in every example, mixed with passages and images.

    The clean stage has more of the latter, to learn to read search results; the last one imitates the demonstrations.
    """
    texts = mixture([_passages(encoder, 1), _passages(encoder, 3)], [0.25, 0.75])
    images = mixture(
        [perception(encoder, _draw_item, max_items=3), read_out(encoder, _draw_item)], [0.65, 0.35]
    )
    shares = [0.5, 0.2, 0.3] if name == CLEAN_STAGE else [0.8, 0.1, 0.1]
    rate = 2e-3 if name == CLEAN_STAGE else 7e-4
    return TrainingStage(
        name=name,
        sampler=mixture([with_permuted_names(encoder, demonstrations), texts, images], shares),
        threshold=1.0,
        max_steps=steps,
        learning_rate=rate,
        final_rate=rate / 10,
    )


def with_permuted_names(encoder: PromptEncoder, sampler: ExampleSampler) -> ExampleSampler:
    """The same examples with other names, and with other values of the kinds that only texts state."""
    names, values = syllable_forms(encoder), value_forms(encoder)

    def sample(rng: random.Random) -> SftExample:
        example = permute_names(sampler(rng), names, rng)
        for forms in values:
            example = permute_names(example, forms, rng)
        return example

    return sample
