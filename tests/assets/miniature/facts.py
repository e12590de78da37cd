"""What pieces of evidence say and show, by name: sentences taken apart, pictures found by their captions.

Holds gathering only; pictures are read by ``template_ocr.py``, questions answered by ``solver.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from assets.miniature.templates.videos import CLIP_SECONDS

SENTENCES: tuple[tuple[str, str], ...] = (
    ("leader", r"The leader of (\w+) is (\w+)\."),
    ("maker", r"The maker of (\w+) is (\w+)\."),
    ("founder", r"The founder of (\w+) is (\w+)\."),
    ("boss", r"The boss of (\w+) is (\w+)\."),
    ("job", r"The job of (\w+) is (\w+)\."),
    ("works", r"(\w+) works at (\w+)\."),
    ("opened", r"(?<!of )\b(\w+) opened in (\d{4})\."),
    ("lives", r"(\w+) lives in (\w+)\."),
    ("made", r"(\w+) is made of (\w+)\."),
    ("stands", r"(\w+) stands in (\w+)\."),
    ("meets", r"(\w+) meets in (\w+)\."),
    ("lies", r"(\w+) lies in the (\w+)\."),
    ("sells", r"(\w+) sells (\w+)\."),
    ("workers", r"(\w+) has (\d+) workers\."),
)
STEPS = r"To build (\w+) first (\w+), then (\w+), last (\w+)\."
CAPTIONS: tuple[tuple[str, str], ...] = (
    ("badge", r"Badge of (\w+)\."),
    ("door", r"Door of (\w+)\."),
    ("dial", r"Dial of (\w+)\."),
    ("output", r"Output: (\w+)"),
    ("stock", r"Stock: (\w+)"),
)
CLIP_TITLE, FILM_TITLE, PAGE_TITLE = r"(\w+) make", r"(\w+) film", r"\w+ report"


class UnknownFactError(LookupError):
    """The evidence neither says nor shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerceivedItem:
    """One retrieved item as an agent perceives it: ``times`` are seconds from the start of a clip's video, one a picture."""

    title: str
    text: str
    images: tuple[Image.Image, ...] = ()
    times: tuple[float, ...] = ()


class Facts:
    """A collection of evidence, asked by relation and name."""

    def __init__(self, evidence: Sequence[PerceivedItem]) -> None:
        self._said: dict[tuple[str, str], str] = {}
        self._shown: dict[tuple[str, str], PerceivedItem] = {}
        self._films: dict[str, list[PerceivedItem]] = {}
        for piece in evidence:
            text = " ".join(piece.text.split())
            self._listen(text)
            if piece.images:
                self._look(piece, text)

    def _listen(self, text: str) -> None:
        for relation, pattern in SENTENCES:
            for name, value in re.findall(pattern, text):
                self._said[relation, name] = value
        for name, *steps in re.findall(STEPS, text):
            self._said["build", name] = ", ".join(steps)

    def _look(self, piece: PerceivedItem, text: str) -> None:
        for kind, pattern in CAPTIONS:
            if match := re.search(pattern, text):
                self._shown[kind, match[1]] = piece
        if match := re.fullmatch(CLIP_TITLE, piece.title):
            self._shown["clip", match[1]] = piece
        if match := re.match(FILM_TITLE, piece.title):
            self._films.setdefault(match[1], []).append(piece)

    def stated(self, relation: str, name: str) -> str:
        """What some sentence says. Raises ``UnknownFactError``."""
        if (relation, name) not in self._said:
            raise UnknownFactError(f"{relation} of {name}")
        return self._said[relation, name]

    def image(self, kind: str, name: str) -> Image.Image:
        """The picture with that caption. Raises ``UnknownFactError``."""
        return self._piece(kind, name).images[0]

    def on_page(self, kind: str, name: str) -> bool:
        """Whether the picture is a page of a report. Raises ``UnknownFactError``."""
        return re.fullmatch(PAGE_TITLE, self._piece(kind, name).title) is not None

    def shown(self, kind: str, title: str) -> list[str]:
        """The names under the pictures of a kind whose item has this title."""
        return [
            name for (found, name), piece in self._shown.items() if found == kind and piece.title == title
        ]

    def clip(self, name: str) -> tuple[Image.Image, ...]:
        """The frames of a device's video. Raises ``UnknownFactError``."""
        return self._piece("clip", name).images

    def moment(self, name: str, second: float) -> Image.Image:
        """The frame of a workshop's film nearest to ``second``, of the clip of that minute. Raises ``UnknownFactError``."""
        shown = [
            pair
            for piece in self._films.get(name, ())
            for pair in zip(piece.times, piece.images, strict=True)
        ]
        frames = [frame for frame in shown if frame[0] // CLIP_SECONDS == second // CLIP_SECONDS]
        if not frames:
            raise UnknownFactError(f"{second} s of the film of {name}")
        return min(frames, key=lambda frame: abs(frame[0] - second))[1]

    def _piece(self, kind: str, name: str) -> PerceivedItem:
        if (kind, name) not in self._shown:
            raise UnknownFactError(f"{kind} of {name}")
        return self._shown[kind, name]
