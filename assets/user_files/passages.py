"""Texts in passages that can be retrieved: whole paragraphs, each passage under one heading.

Holds the cutting of plain text and Markdown; which characters a file holds is ``encodings.py``. Passages for embedding, which
overlap and end anywhere, are those of ``assets.index.analysis``.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

HEADING_CHARACTERS = 120
CHARACTERS_A_WORD = 12  # more than words of any prose have: bounds what has no spaces
FRONT_MATTER_LINES = 200  # at most; a rule at the very top may never be closed
# every pattern is linear in the line, for lines may be hostile
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?=[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]{0,3}\s+|[。！？]\s*|\n\s*")
_WORD = re.compile(r"\S+\s*")


class TextPassage(NamedTuple):
    """``heading`` is the nearest one above it; empty where there is none."""

    heading: str
    text: str


class Heading(NamedTuple):
    """A heading of a Markdown text, without its markup."""

    text: str


def passages(text: str, *, markdown: bool, max_words: int) -> list[TextPassage]:
    """Passages of at most ``max_words`` words in text order; nothing of the text is lost.

    A paragraph is cut only if it alone is longer, and then between sentences where that is possible. Two ideographs
    count as a word. A heading with nothing below it goes in front of the passage that follows.
    """
    packing = _PassageBuilder(max_words)
    for block in markdown_blocks(text) if markdown else _paragraphs(text.split("\n")):
        packing.add(block)
    return packing.finished()


class _PassageBuilder:
    """The passages so far and the one being filled."""

    def __init__(self, max_words: int) -> None:
        self._max = max_words
        self._done: list[TextPassage] = []
        self._heading = ""
        self._heading_is_bare = False  # nothing below it yet
        self._blocks: list[str] = []
        self._words = 0.0

    def add(self, block: str | Heading) -> None:
        if isinstance(block, str):
            for piece in pieces(block, self._max):
                self._append(piece)
            self._heading_is_bare = False
            return
        if self._heading_is_bare:
            self._append(self._heading)
        else:
            self._close()
        self._heading, self._heading_is_bare = block.text, True

    def finished(self) -> list[TextPassage]:
        if self._heading_is_bare:
            self._append(self._heading)
        self._close()
        return self._done

    def _append(self, piece: str) -> None:
        if self._blocks and self._words + num_words(piece) > self._max:
            self._close()
        self._blocks.append(piece)
        self._words += num_words(piece)

    def _close(self) -> None:
        if self._blocks:
            self._done.append(TextPassage(self._heading, "\n\n".join(self._blocks)))
            self._blocks, self._words = [], 0.0


def num_words(text: str) -> float:
    """The words of a text; two ideographs are one, and so are ``CHARACTERS_A_WORD`` of whatever has no spaces."""
    ideographs = 0 if text.isascii() else len(_IDEOGRAPHS.findall(text))
    return max(len(text.split()) + ideographs / 2, len(text) / CHARACTERS_A_WORD)


def pieces(block: str, max_words: int) -> list[str]:
    """The block, cut as gently as it can be if it is longer than a passage."""
    if num_words(block) <= max_words:
        return [block]
    parts: list[str] = []
    for sentence in _sentences(block):
        if num_words(sentence) <= max_words:
            parts.append(sentence)
            continue
        for word in _WORD.findall(sentence):
            # characters: right for ideographs, short enough for anything
            step = len(word) if num_words(word) <= max_words else 2 * max_words
            parts.extend(word[at : at + step] for at in range(0, len(word), step))
    return [piece for piece in map(str.strip, _packed(parts, max_words)) if piece]


def _sentences(block: str) -> Iterator[str]:
    """The block in sentences and lines, each with the white space behind it."""
    start = 0
    for end in _SENTENCE_END.finditer(block):
        yield block[start : end.end()]
        start = end.end()
    yield block[start:]


def _packed(parts: Iterable[str], max_words: int) -> Iterator[str]:
    held: list[str] = []
    words = 0.0
    for part in parts:
        if held and words + num_words(part) > max_words:
            yield "".join(held)
            held, words = [], 0.0
        held.append(part)
        words += num_words(part)
    yield "".join(held)


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            held.append(line.rstrip())
        elif held:
            yield "\n".join(held)
            held = []


def markdown_blocks(text: str) -> Iterator[str | Heading]:
    """Paragraphs and headings in order; a fenced block is one paragraph whatever it holds."""
    lines = text.split("\n")
    front = _front_matter(lines)
    yield from _paragraphs(lines[:front])
    held: list[str] = []
    fence = ""
    for line in lines[front:]:
        heading = None if fence else _heading(line, held)
        if heading is not None or (not fence and not line.strip()):
            if held:
                yield "\n".join(held)
            held = []
            if heading and heading.text:
                yield heading
            continue
        fence = _fence_after(line, fence)
        held.append(line.rstrip())
    yield from _paragraphs(held) if not fence else iter(("\n".join(held),))


def _heading(line: str, held: list[str]) -> Heading | None:
    """The heading that ``line`` is, or that it makes of the line before, which is then taken out of ``held``."""
    if match := _HEADING.match(line):
        text = line[match.end() :].strip()
        body = text.rstrip("#")
        closed = body != text and (not body or body[-1].isspace())  # "C#" is a name, "Setup ##" is not
        return Heading(_plain(body if closed else text))
    if len(held) == 1 and _UNDERLINE.fullmatch(line) and not _FENCE.match(held[0]):
        return Heading(_plain(held.pop()))
    return None


def _plain(markup: str) -> str:
    cut = markup[: 10 * HEADING_CHARACTERS]
    text = " ".join(_EMPHASIS.sub("", _LINK.sub(r"\1", cut)).split())
    return text if len(text) <= HEADING_CHARACTERS else text[: HEADING_CHARACTERS - 1].rstrip() + "…"


def _fence_after(line: str, fence: str) -> str:
    """The marks that the open code block waits for after ``line``; empty outside of one."""
    match = _FENCE.match(line)
    if match is None:
        return fence
    if not fence:
        return match.group(1)
    closes = match.group(1).startswith(fence) and not line[match.end() :].strip()
    return "" if closes else fence


def _front_matter(lines: list[str]) -> int:
    """How many lines the block of metadata at the very top has, with the lines of dashes around it."""
    if lines[0].rstrip() != "---":
        return 0
    inside = enumerate(lines[1:FRONT_MATTER_LINES], start=2)
    ends = (number for number, line in inside if line.rstrip() in ("---", "..."))
    return next(ends, 0)
