"""What a model is shown: turns built from a question, a graph, evidence and search results.

Pure functions of records; state and budgets live in ``environment.py``, fixed words in ``prompts.py``. The
context is built from scratch each cycle, so nothing here remembers anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from memory_graph.budget import TOKEN_PIXELS, shown_size, shrink
from memory_graph.graph import MemoryGraph, SearchNode, VisualItem
from memory_graph.linearise import linearise, one_line
from model.agent.prompts import Profile
from model.types import IMAGE_MARK, Completion, DisplayedHit, ImageRef, Message, Role, Task, Turn

TITLE_CHARS = 300  # of the title of an item; a corpus may hold anything
CHARS_PER_TOKEN = 3  # below the 3.5-4.5 of English, so that the estimate errs towards too many

Part: TypeAlias = str | ImageRef
TokenCounter: TypeAlias = Callable[[Sequence[Message]], int]


class ContextTooLong(ValueError):
    """The question and the graph alone exceed the context window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayedEvidence:
    """One kept item as it is shown: the frames or the image, at the sizes its grant allows, or a text in their place."""

    node_id: str
    item_id: str
    title: str
    images: tuple[ImageRef, ...]
    energy: float = 0.0  # what decides which evidence goes first when the context is too long
    text: str = ""


def evidence_of(
    node: SearchNode, display: DisplayedHit, *, images: tuple[ImageRef, ...] = (), text: str = ""
) -> DisplayedEvidence:
    """A result of the search ``node`` as evidence of that node."""
    hit = display.hit
    return DisplayedEvidence(node_id=node.id, item_id=hit.item_id, title=hit.title, images=images, text=text)


def frame_times(duration_s: float, *, max_frames: int, frames_per_s: float) -> tuple[float, ...]:
    """Centres of equal intervals of a clip, in seconds: at the sampling rate, 1 to ``max_frames`` of them.

    Raises:
        ValueError: if the clip has no duration.
    """
    if duration_s <= 0:
        raise ValueError(f"a clip needs a duration, got {duration_s} s")
    return even_times(duration_s, min(max_frames, max(1, round(duration_s * frames_per_s))))


def even_times(duration_s: float, number: int) -> tuple[float, ...]:
    """Centres of ``number`` equal intervals of a clip, in seconds."""
    return tuple(round((place + 0.5) * duration_s / number, 3) for place in range(number))


def sized(
    item_id: str, width: int, height: int, *, pixels: int, timestamp_s: float | None = None
) -> ImageRef:
    """An image shrunk to at most ``pixels``; sides are multiples of 32 px."""
    size = shrink(width, height, pixels)
    return ImageRef(item_id=item_id, width=size.width, height=size.height, timestamp_s=timestamp_s)


def granted_images(item: VisualItem, pixels: int) -> tuple[ImageRef, ...]:
    """A kept item at the size that its grant buys; the frames of a video share the grant equally."""
    width, height = shown_size(item, pixels)
    times: tuple[float | None, ...] = item.timestamps or (None,)
    return tuple(
        ImageRef(item_id=item.item_id, width=width, height=height, timestamp_s=time_s) for time_s in times
    )


def gather_evidence(
    graph: MemoryGraph,
    grants: Mapping[tuple[str, str], int],
    energies: Mapping[tuple[str, str], float],
    titles: Mapping[str, str],
) -> tuple[DisplayedEvidence, ...]:
    """Every granted item, by creation of its node, then in the order it was kept."""
    return tuple(
        DisplayedEvidence(
            node_id=node.id,
            item_id=item.item_id,
            title=titles.get(item.item_id, item.item_id),
            images=granted_images(item, grants[node.id, item.item_id]),
            energy=energies.get((node.id, item.item_id), 0.0),
        )
        for node in graph.nodes
        for item in node.items
        if (node.id, item.item_id) in grants
    )


def question_parts(profile: Profile, task: Task) -> tuple[Part, ...]:
    """The question; choices follow it where its own text does not hold them."""
    text = profile.question + task.question
    if any(choice not in task.question for choice in task.choices):
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        text += "".join(
            f"\n({letter}) {one_line(choice)}" for letter, choice in zip(letters, task.choices, strict=False)
        )
    return (text,)


def state_parts(
    profile: Profile, task: Task, graph: MemoryGraph, evidence: Sequence[DisplayedEvidence]
) -> tuple[Part, ...]:
    """Question, linearised graph and evidence: all that is left of earlier cycles."""
    parts: list[Part] = [*question_parts(profile, task)]
    if graph.nodes:
        parts.append(profile.memory + linearise(graph))
    return joined((*parts, *evidence_parts(profile.evidence, evidence)))


def evidence_parts(heading: str, evidence: Sequence[DisplayedEvidence]) -> tuple[Part, ...]:
    """Kept items under the ids of their nodes; nothing at all where there are none."""
    parts: list[Part] = [heading] if evidence else []
    for item in evidence:
        parts.append(f"\n[{item.node_id}] {headline(item.title, one_line(item.text))}")
        parts.extend(_image_parts(item.images))
    return tuple(parts)


def observation_parts(
    profile: Profile, shown: Sequence[DisplayedHit], *, repeated: bool, passage_chars: int
) -> tuple[Part, ...]:
    """Numbered search results, behind a notice if they were found before, or the notice that there is nothing new."""
    if not shown:
        return (profile.repeated if repeated else profile.nothing_new,)
    parts: list[Part] = [f"{profile.found_before}\n" if repeated else "", profile.found]
    for place, display in enumerate(shown, start=1):
        line = headline(display.hit.title, excerpt(display.hit.text, passage_chars))
        parts.append(f"\n[{place}] {line}")
        parts.extend(_image_parts(display.images))
    return joined(parts)


def excerpt(text: str, chars: int) -> str:
    """The beginning of untrusted text on one line, at most ``chars`` long; the work does not grow with the text."""
    return one_line(text[: 4 * chars])[:chars]


def headline(title: str, text: str) -> str:
    """Title of an item, and its text if there is one, which has to be on one line already."""
    return excerpt(title, TITLE_CHARS) + (f": {text}" if text else "")


def _image_parts(images: Sequence[ImageRef]) -> list[Part]:
    parts: list[Part] = []
    for image in images:
        if image.timestamp_s is not None:
            parts.append(f"<{image.timestamp_s:.1f} seconds>")
        parts.append(image)
    return parts


def joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The same content with neighbouring texts merged, so that one content has one tokenisation."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def opening_turns(instruction: str, parts: Sequence[Part]) -> tuple[Message, ...]:
    """How a context begins: the instruction, then question and memory as one turn."""
    return (
        Message(role=Role.SYSTEM, parts=(instruction,)),
        Message(role=Role.USER, parts=joined(parts)),
    )


def with_said(messages: Sequence[Message], said: str) -> tuple[Message, ...]:
    """The conversation with what was said earlier before its question, the first turn of the user."""
    at = next((at for at, message in enumerate(messages) if message.role is Role.USER), None)
    if not said or at is None:
        return tuple(messages)
    asked = messages[at]
    told = Message(role=asked.role, parts=joined((said, *asked.parts)))
    return (*messages[:at], told, *messages[at + 1 :])


def with_notice(messages: Sequence[Message], notice: str) -> tuple[Message, ...]:
    """The conversation with ``notice`` at the end of its last turn."""
    *earlier, last = messages
    return (*earlier, Message(role=last.role, parts=joined((*last.parts, notice))))


def reply_turn(completion: Completion) -> Message:
    """What the model said, as a turn of the conversation, with its exact tokens except the end token."""
    drawn = completion.token_ids
    kept = drawn[:-1] if drawn and completion.finish_reason == "stop" else drawn
    return Message(role=Role.ASSISTANT, parts=(completion.text,), token_ids=kept)


def render_turns(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """The conversation as text for a reader, with a ``IMAGE_MARK`` for each image; none in the texts themselves."""
    return tuple(
        Turn(
            role=message.role,
            text="".join(
                IMAGE_MARK if isinstance(part, ImageRef) else part.replace(IMAGE_MARK, "\ufffd")
                for part in message.parts
            ),
        )
        for message in messages
    )


def num_visual_tokens(messages: Sequence[Message]) -> int:
    """Visual tokens of all images in a conversation."""
    return sum(
        part.width * part.height // TOKEN_PIXELS
        for message in messages
        for part in message.parts
        if isinstance(part, ImageRef)
    )


def estimate_tokens(messages: Sequence[Message]) -> int:
    """Upper-leaning estimate of a conversation's length where no tokenizer is at hand."""
    chars = sum(len(part) for message in messages for part in message.parts if isinstance(part, str))
    return chars // CHARS_PER_TOKEN + num_visual_tokens(messages) + 8 * len(messages)


def fit(
    build: Callable[[tuple[DisplayedEvidence, ...]], tuple[Message, ...]],
    evidence: Sequence[DisplayedEvidence],
    *,
    max_tokens: int,
    count: TokenCounter = estimate_tokens,
) -> tuple[DisplayedEvidence, ...]:
    """The evidence that fits: the lowest energy goes first, the oldest among equals.

    Question and graph never go.

    Raises:
        ContextTooLong: if the context exceeds ``max_tokens`` without any evidence.
    """
    kept = list(evidence)
    while (length := count(build(tuple(kept)))) > max_tokens:
        if not kept:
            raise ContextTooLong(
                f"question and memory graph need {length} tokens, the context allows {max_tokens}"
            )
        kept.remove(min(kept, key=lambda item: item.energy))
    return tuple(kept)
