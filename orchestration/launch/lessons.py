"""The stages of the tiny model's cold start, over the words and pictures of the miniature.

Holds the order, the thresholds and the sizes; lessons are ``model.tiny.curriculum``, facts and pictures
``assets.miniature.primer``. What was measured while choosing them stands in docs/log.md.
"""

import random
from collections.abc import Callable

from transformers import PreTrainedTokenizerFast

from assets.miniature import primer
from assets.miniature.lexicon import SYLLABLES, all_fragments
from model.cold_start import Stage, mixture
from model.encoding import Encoder
from model.supervised import Example
from model.tiny.config import TinyShape
from model.tiny.curriculum import Lesson, Relation, Sight, look_up, perception, read_out, rename, repetition
from model.tiny.tokenizer import build_tokenizer

SHAPE = TinyShape(width=128, heads=4, feed_forward=352)  # 1.8 million parameters
LAST_STAGE = "demonstrations"
FORMS: tuple[Callable[[str], str], ...] = (str, str.capitalize, lambda syllable: f" {syllable.capitalize()}")


def tokenizer() -> PreTrainedTokenizerFast:
    """Every fragment of the miniature, and the protocol."""
    return build_tokenizer(all_fragments())


def syllable_forms(encoder: Encoder) -> list[list[int]]:
    """Tokens of all syllables: inside a name, at its start, and at its start after a space."""
    return [[encoder.text_ids(form(syllable))[0] for syllable in SYLLABLES] for form in FORMS]


def _see(rng: random.Random) -> Sight:
    return Sight(**primer.view(rng)._asdict())


def _facts(encoder: Encoder, number: int, *, questions: float = 0.5) -> Lesson:
    relations = [Relation(statement=stated, question=asked) for stated, asked in primer.NAME_RELATIONS]
    return look_up(encoder, relations, primer.random_name, facts=number, questions=questions)


def primary_stages(encoder: Encoder) -> tuple[Stage, ...]:
    """To copy, to copy what is ambiguous, to complete, to look up, to read pictures, to choose among them."""
    syllables = [token for form in syllable_forms(encoder) for token in form]
    copying = {"whole_spans": False, "learning_rate": 3e-3}
    one, three = (perception(encoder, _see, most_sights=number) for number in (1, 3))
    reading = read_out(encoder, _see)
    return (
        Stage(
            name="copy",
            lesson=repetition(syllables, length=64, longest_period=10),
            threshold=0.85,
            max_steps=1500,
            **copying,
        ),
        Stage(
            name="copy_in_context",
            lesson=repetition(syllables, longest_period=20, alphabet=6),
            threshold=0.93,
            max_steps=1500,
            **copying,
        ),
        Stage(name="complete", lesson=_facts(encoder, 4, questions=0.0), threshold=0.95, max_steps=600),
        Stage(name="look_up_4", lesson=_facts(encoder, 4), threshold=0.9, max_steps=800),
        Stage(name="look_up_8", lesson=_facts(encoder, 8), threshold=0.93, max_steps=800),
        Stage(
            name="read",
            lesson=mixture([reading, _facts(encoder, 6)], [0.9, 0.1]),
            threshold=0.97,
            max_steps=1000,
            batch_size=48,
            learning_rate=2e-3,
            whole_spans=False,
        ),
        Stage(
            name="see",
            lesson=mixture([one, reading, _facts(encoder, 8)], [0.6, 0.2, 0.2]),
            threshold=0.85,
            max_steps=300,
            learning_rate=2e-3,
        ),
        Stage(
            name="compare",
            lesson=mixture([three, reading, _facts(encoder, 8)], [0.6, 0.2, 0.2]),
            threshold=0.85,
            max_steps=300,
            learning_rate=2e-3,
        ),
    )


def demonstration_stage(encoder: Encoder, demonstrated: Lesson, *, steps: int) -> Stage:
    """Whole trajectories, in worlds that are renamed for every example, with some reading so that it is not forgotten."""
    forms = syllable_forms(encoder)

    def renamed(rng: random.Random) -> Example:
        return rename(demonstrated(rng), forms, rng)

    pictures = mixture([perception(encoder, _see, most_sights=2), read_out(encoder, _see)], [0.5, 0.5])
    return Stage(
        name=LAST_STAGE,
        lesson=mixture([renamed, pictures], [0.85, 0.15]),
        threshold=1.0,
        max_steps=steps,
        learning_rate=2e-3,
        final_rate=2e-4,
        batch_size=24,
    )
