"""What a tiny model learns before it meets the protocol: to copy, to look up, to read pictures.

Trained directly on trajectories a model of this size learns nothing; in this order it learns in minutes (docs/decisions). Each
lesson draws one example from a random generator; a stage ends at its threshold. Names are drawn anew for every example, so
a lesson can only be passed by looking, never by remembering.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from memory_graph.actions import Answer, render
from model.imitation.supervised import SftExample
from model.policies.chat_template import PixelBatch, PromptEncoder
from model.types import ImageRef, Message

Lesson = Callable[[random.Random], SftExample]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageExample:
    """One corpus item to look at: its title, its pictures (with seconds, for frames), and what can be asked about it."""

    title: str
    pictures: tuple[tuple[Image.Image, float | None], ...]
    facts: tuple[tuple[str, str], ...]  # (question, answer)
    reading: str  # all that its pictures show, in a fixed order


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """How a fact is stated (``{0}`` and ``{1}`` are names) and how it is asked for (``{0}``; the answer is ``{1}``)."""

    statement: str
    question: str


class ExampleBuilder:
    """Builds one example from pieces that are shown and pieces that are learnt."""

    def __init__(self, encoder: PromptEncoder) -> None:
        self._encoder = encoder
        self._ids: list[int] = []
        self._learn: list[bool] = []

    def show(self, ids: Sequence[int]) -> None:
        """Append tokens that carry no loss."""
        self._ids.extend(ids)
        self._learn.extend([False] * len(ids))

    def teach(self, ids: Sequence[int]) -> None:
        """Append tokens to be predicted."""
        self._ids.extend(ids)
        self._learn.extend([True] * len(ids))

    def ask(self, message: Message, reply: str) -> None:
        """One exchange: the user's turn is shown, the assistant's reply and its end are taught."""
        self.show(self._encoder.turn(message))
        opening = self._encoder.turn(Message(role="assistant", parts=("",)))
        self.show(opening[:-2])
        self.teach((*self._encoder.text_ids(reply), opening[-2]))
        self.show(opening[-1:])

    def example(self, pixels: PixelBatch) -> SftExample:
        """The finished example."""
        return SftExample(tuple(self._ids), tuple(self._learn), pixels)


def repetition(
    token_ids: Sequence[int], *, length: int = 96, longest_period: int = 24, alphabet: int | None = None
) -> Lesson:
    """Continue a random token sequence that repeats: what makes attention heads that copy.

    With a small ``alphabet`` every token of a sequence has several successors, so that only a longer stretch of context tells
    which one follows, as the words of many facts do.
    """

    def lesson(rng: random.Random) -> SftExample:
        letters = token_ids if alphabet is None else rng.sample(token_ids, alphabet)
        period = [rng.choice(letters) for _ in range(rng.randint(6, longest_period))]
        ids = (period * (length // len(period) + 1))[:length]
        return SftExample(
            tuple(ids), tuple(place >= len(period) for place in range(length)), PromptEncoder.no_pixels()
        )

    return lesson


def look_up(
    encoder: PromptEncoder,
    relations: Sequence[Relation],
    name: Callable[[random.Random], str],
    *,
    facts: int,
    questions: float = 1.0,
) -> Lesson:
    """Recall each of ``facts`` stated facts with unseen names, in an order of its own.

    A share ``questions`` is asked for; the others are only to be completed ("The leader of Belodu is" ...), which a model that
    copies learns first and builds on.
    """

    def lesson(rng: random.Random) -> SftExample:
        stated = [(rng.choice(relations), name(rng), name(rng)) for _ in range(facts)]
        sequencer = ExampleBuilder(encoder)
        lines = "".join(
            f"\n[{1 + place % 3}] {r.statement.format(a, b)}" for place, (r, a, b) in enumerate(stated)
        )
        sequencer.show(encoder.turn(Message(role="tool", parts=(f"Found:{lines}",))))
        for relation, subject, value in rng.sample(stated, k=facts):
            if rng.random() < questions:
                question = Message(role="user", parts=(f"Question: {relation.question.format(subject)}",))
                sequencer.ask(question, render(Answer(parents=("n1",), text=value)))
            else:
                opening = relation.statement.split("{1}")[0].format(subject).rstrip()
                sequencer.show(encoder.text_ids(f"\n{opening}"))
                sequencer.teach(encoder.text_ids(f" {value}."))
        return sequencer.example(PromptEncoder.no_pixels())

    return lesson


def read_out(encoder: PromptEncoder, see: Callable[[random.Random], ImageExample]) -> Lesson:
    """Say all that one pictured item shows: the most that a picture can teach for its tokens."""

    def lesson(rng: random.Random) -> SftExample:
        sight, gallery, sequencer = see(rng), _Gallery(), ExampleBuilder(encoder)
        sequencer.ask(Message(role="user", parts=("\nEvidence:", *gallery.shown(1, sight))), sight.reading)
        return sequencer.example(encoder.pixels(gallery.refs, gallery, keep=False))

    return lesson


def perception(
    encoder: PromptEncoder,
    see: Callable[[random.Random], ImageExample],
    *,
    most_sights: int,
    questions: int = 4,
) -> Lesson:
    """Answer questions about one to ``most_sights`` pictured items shown as evidence."""

    def lesson(rng: random.Random) -> SftExample:
        sights = [see(rng) for _ in range(rng.randint(1, most_sights))]
        gallery = _Gallery()
        parts = [
            part for number, sight in enumerate(sights, start=1) for part in gallery.shown(number, sight)
        ]
        asked = [(f"n{number}", fact) for number, sight in enumerate(sights, start=1) for fact in sight.facts]
        sequencer = ExampleBuilder(encoder)
        for turn, (node, (question, answer)) in enumerate(rng.sample(asked, k=min(questions, len(asked)))):
            evidence = ("\nEvidence:", *parts) if turn == 0 else ()
            message = Message(role="user", parts=(f"Question: {question}", *evidence))
            sequencer.ask(message, render(Answer(parents=(node,), text=answer)))
        return sequencer.example(encoder.pixels(gallery.refs, gallery, keep=False))

    return lesson


class _Gallery:
    """Pictures of one example, addressed by their order."""

    def __init__(self) -> None:
        self._pictures: list[Image.Image] = []
        self.refs: list[ImageRef] = []

    def shown(self, number: int, sight: ImageExample) -> list[str | ImageRef]:
        """The parts of a message that show ``sight`` as evidence of node ``number``."""
        parts: list[str | ImageRef] = [f"\n[n{number}] {sight.title}"]
        for picture, seconds in sight.pictures:
            parts.extend([] if seconds is None else [f"<{seconds:.1f} seconds>"])
            parts.append(self._add(picture))
        return parts

    def _add(self, picture: Image.Image) -> ImageRef:
        ref = ImageRef(item_id=str(len(self.refs)), width=picture.width, height=picture.height)
        self._pictures.append(picture)
        self.refs.append(ref)
        return ref

    def image(self, item_id: str) -> Image.Image:
        return self._pictures[int(item_id)]

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        raise KeyError((item_id, timestamp_s))


def rename(example: SftExample, forms: Sequence[Sequence[int]], rng: random.Random) -> SftExample:
    """The same example in a world with other names: syllables are permuted, alike in all their written forms.

    ``forms[f][s]`` is the token of syllable ``s`` in form ``f`` (start of a word, inside one, ...).
    """
    order = list(range(len(forms[0])))
    rng.shuffle(order)
    swap = {form[place]: form[order[place]] for form in forms for place in range(len(order))}
    return example._replace(ids=tuple(swap.get(token, token) for token in example.ids))
