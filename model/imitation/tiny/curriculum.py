"""The curriculum of a tiny model before it meets the protocol: to copy, to look up facts, to read images.

Trained directly on trajectories a model of this size learns nothing; in this order it learns in minutes (docs/decisions). Each
sampler makes one example from a random generator; names are new in every example, so that no answer can be remembered.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from memory_graph.actions import Answer, render
from model.imitation.oracle import NOT_ANSWERABLE
from model.imitation.supervised import SftExample
from model.policies.chat_template import PixelBatch, PromptEncoder
from model.types import ImageRef, Message, Role

FEW_OPEN = 2  # open questions of one example, at most

ExampleSampler = Callable[[random.Random], SftExample]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageExample:
    """A corpus item with images: title, images (with seconds, for frames), and questions about it."""

    title: str
    images: tuple[tuple[Image.Image, float | None], ...]
    facts: tuple[tuple[str, str], ...]  # (question, answer)
    reading: str  # everything that its images show, in a fixed order


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """How a fact is stated (``{0}`` and ``{1}`` are names) and how it is asked for (``{0}``; the answer is ``{1}``)."""

    statement: str
    question: str


class ExampleBuilder:
    """Builds one example from context and target tokens."""

    def __init__(self, encoder: PromptEncoder) -> None:
        self._encoder = encoder
        self._ids: list[int] = []
        self._loss_mask: list[bool] = []

    def add_context(self, ids: Sequence[int]) -> None:
        """Append tokens that carry no loss."""
        self._ids.extend(ids)
        self._loss_mask.extend([False] * len(ids))

    def add_target(self, ids: Sequence[int]) -> None:
        """Append tokens to predict."""
        self._ids.extend(ids)
        self._loss_mask.extend([True] * len(ids))

    def add_exchange(self, message: Message, reply: str) -> None:
        """One exchange: the user's turn is context, the assistant's reply and its end token are the target."""
        self.add_context(self._encoder.turn(message))
        opening = self._encoder.turn(Message(role=Role.ASSISTANT, parts=("",)))
        self.add_context(opening[:-2])
        self.add_target((*self._encoder.text_ids(reply), opening[-2]))
        self.add_context(opening[-1:])

    def example(self, pixels: PixelBatch) -> SftExample:
        """The finished example."""
        return SftExample(tuple(self._ids), tuple(self._loss_mask), pixels)


def repetition(
    token_ids: Sequence[int], *, length: int = 96, longest_period: int = 24, alphabet: int | None = None
) -> ExampleSampler:
    """Continue a random token sequence that repeats: trains attention heads that copy.

    With a small ``alphabet`` every token of a sequence has several successors, so that only a longer stretch of context tells
    which one follows, as the words of many facts do.
    """

    def sample(rng: random.Random) -> SftExample:
        letters = token_ids if alphabet is None else rng.sample(token_ids, alphabet)
        period = [rng.choice(letters) for _ in range(rng.randint(6, longest_period))]
        ids = (period * (length // len(period) + 1))[:length]
        return SftExample(
            tuple(ids), tuple(place >= len(period) for place in range(length)), PromptEncoder.no_pixels()
        )

    return sample


def look_up(
    encoder: PromptEncoder,
    relations: Sequence[Relation],
    name: Callable[[random.Random], str],
    *,
    facts: int,
    questions: float = 1.0,
) -> ExampleSampler:
    """Recall each of ``facts`` stated facts with unseen names, in another order.

    A share ``questions`` is asked for; the others are only to be completed ("The leader of Belodu is" ...), which a model that
    copies learns first.
    """

    def sample(rng: random.Random) -> SftExample:
        stated = [(rng.choice(relations), name(rng), name(rng)) for _ in range(facts)]
        builder = ExampleBuilder(encoder)
        lines = "".join(
            f"\n[{1 + place % 3}] {r.statement.format(a, b)}" for place, (r, a, b) in enumerate(stated)
        )
        builder.add_context(encoder.turn(Message(role=Role.TOOL, parts=(f"Found:{lines}",))))
        for relation, subject, value in rng.sample(stated, k=facts):
            if rng.random() < questions:
                question = Message(role=Role.USER, parts=(f"Question: {relation.question.format(subject)}",))
                builder.add_exchange(question, render(Answer(parents=("n1",), text=value)))
            else:
                opening = relation.statement.split("{1}")[0].format(subject).rstrip()
                builder.add_context(encoder.text_ids(f"\n{opening}"))
                builder.add_target(encoder.text_ids(f" {value}."))
        return builder.example(PromptEncoder.no_pixels())

    return sample


def read_out(encoder: PromptEncoder, draw_item: Callable[[random.Random], ImageExample]) -> ExampleSampler:
    """Write everything that the images of one item show."""

    def sample(rng: random.Random) -> SftExample:
        item, images, builder = draw_item(rng), _ExampleImages(), ExampleBuilder(encoder)
        message = Message(role=Role.USER, parts=("\nEvidence:", *images.evidence(1, item)))
        builder.add_exchange(message, item.reading)
        return builder.example(encoder.pixels(images.refs, images, keep=False))

    return sample


def perception(
    encoder: PromptEncoder,
    draw_item: Callable[[random.Random], ImageExample],
    *,
    max_items: int,
    questions: int = 4,
) -> ExampleSampler:
    """Answer questions about one to ``max_items`` items whose images are evidence."""

    def sample(rng: random.Random) -> SftExample:
        items = [draw_item(rng) for _ in range(rng.randint(1, max_items))]
        images, builder = _ExampleImages(), ExampleBuilder(encoder)
        parts = [part for number, item in enumerate(items, start=1) for part in images.evidence(number, item)]
        facts = [(f"n{number}", fact) for number, item in enumerate(items, start=1) for fact in item.facts]
        for turn, (node, (question, answer)) in enumerate(rng.sample(facts, k=min(questions, len(facts)))):
            evidence = ("\nEvidence:", *parts) if turn == 0 else ()
            message = Message(role=Role.USER, parts=(f"Question: {question}", *evidence))
            builder.add_exchange(message, render(Answer(parents=(node,), text=answer)))
        return builder.example(encoder.pixels(images.refs, images, keep=False))

    return sample


class _ExampleImages:
    """``MediaSource`` of the images of one example, addressed by their order."""

    def __init__(self) -> None:
        self._images: list[Image.Image] = []
        self.refs: list[ImageRef] = []

    def evidence(self, number: int, item: ImageExample) -> list[str | ImageRef]:
        """The parts of a message that show ``item`` as evidence of node ``number``."""
        parts: list[str | ImageRef] = [f"\n[n{number}] {item.title}"]
        for image, seconds in item.images:
            parts.extend([] if seconds is None else [f"<{seconds:.1f} seconds>"])
            parts.append(self._add(image))
        return parts

    def _add(self, image: Image.Image) -> ImageRef:
        ref = ImageRef(item_id=str(len(self.refs)), width=image.width, height=image.height)
        self._images.append(image)
        self.refs.append(ref)
        return ref

    def image(self, item_id: str) -> Image.Image:
        return self._images[int(item_id)]

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        raise KeyError((item_id, timestamp_s))


def permute_names(example: SftExample, forms: Sequence[Sequence[int]], rng: random.Random) -> SftExample:
    """The same example in a world with other names: syllables are permuted, alike in all their written forms.

    ``forms[f][s]`` is the token of syllable ``s`` in form ``f`` (start of a word, inside one, ...).
    """
    order = list(range(len(forms[0])))
    rng.shuffle(order)
    permuted = {form[place]: form[order[place]] for form in forms for place in range(len(order))}
    return example._replace(ids=tuple(permuted.get(token, token) for token in example.ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageEntry:
    """Facts of one name as (sentence, question, answer), and questions that no sentence answers."""

    title: str
    stated: tuple[tuple[str, str, str], ...]
    open: tuple[str, ...]


def passages(
    encoder: PromptEncoder, entry: Callable[[random.Random], PassageEntry], *, entries: int
) -> ExampleSampler:
    """Answer every question about ``entries`` names whose sentences are shown as search results, in any order.

    Two facts of one name differ only in their relation, so the name alone decides no answer.
    """

    def sample(rng: random.Random) -> SftExample:
        drawn = [entry(rng) for _ in range(entries)]
        lines = [line for passage in drawn for line in _lines(passage, rng)]
        rng.shuffle(lines)
        results = "".join(f"\n[{1 + place % 3}] {line}" for place, line in enumerate(lines))
        builder = ExampleBuilder(encoder)
        builder.add_context(encoder.turn(Message(role=Role.TOOL, parts=(f"Found:{results}",))))
        for question, answer in _questions(drawn, rng):
            message = Message(role=Role.USER, parts=(f"Question: {question}",))
            builder.add_exchange(message, render(Answer(parents=("n1",), text=answer)))
        return builder.example(PromptEncoder.no_pixels())

    return sample


def _lines(entry: PassageEntry, rng: random.Random) -> list[str]:
    """One or two sentences a passage, under the name."""
    sentences, lines = [sentence for sentence, _, _ in entry.stated], []
    while sentences:
        count = rng.randint(1, 2)
        lines.append(f"{entry.title}: {' '.join(sentences[:count])}")
        sentences = sentences[count:]
    return lines


def _questions(entries: Sequence[PassageEntry], rng: random.Random) -> list[tuple[str, str]]:
    questions = [(question, answer) for entry in entries for _, question, answer in entry.stated]
    unanswered = [(question, NOT_ANSWERABLE) for entry in entries for question in entry.open]
    questions += rng.sample(unanswered, min(FEW_OPEN, len(unanswered)))
    rng.shuffle(questions)
    return questions
