"""Markdown of a model as HTML that may stand in a page: no markup of its own, no pictures, links to the web only.

The end of each checked sentence travels through the parser as two characters that no text has: a space that is none of
Markdown's, so that emphasis beside it is read as ever, and a private one that says which sentence it was.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin

from app.answers.rich_text.formulas import mathml

MOST_CHARS = 200_000
SCHEMES = ("http", "https", "mailto")
_SPACE, _FIRST = "\u205f", 0xE100
_MARK = re.compile(f"{_SPACE}([\ue100-\ue2ff])")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_OWN_MARKS = re.compile(r"\s*\[\d{1,3}\]")  # that a model wrote itself, of numbers nobody else knows
_BLOCKS = frozenset(("p", "li", "td", "th", "h3", "h4", "h5", "blockquote", "ul", "ol", "table"))


class CheckedSentence(Protocol):
    """What is needed of a claim: where it stands in the answer, in characters, and its verdict."""

    @property
    def start(self) -> int: ...  # noqa: D102

    @property
    def end(self) -> int: ...  # noqa: D102

    @property
    def verdict(self) -> str: ...  # noqa: D102


Mark = Callable[[int], str]
"""The HTML behind a sentence, by its place among the claims."""


def no_mark(place: int) -> str:
    """Nothing stands behind a sentence."""
    return ""


def page_mark(place: int) -> str:
    """Where the page puts the number of the source, and what is doubtful of the sentence."""
    return f'<span class="mark" data-claim="{place}"></span>'


def answer_html(answer: str, claims: Sequence[CheckedSentence] = (), mark: Mark = no_mark) -> str:
    """The answer as HTML; each sentence of ``claims`` in ``<span class="claim">``, followed by what ``mark`` says."""
    text = _PRIVATE.sub("\ufffd", answer[:MOST_CHARS])
    rendering = _Rendering(claims, mark)
    return rendering.html(_parser().parse(_marked(text, claims)))


def _marked(text: str, claims: Sequence[CheckedSentence]) -> str:
    """The text with a mark at the end of each claim; in a row of a table before its last bar."""
    pieces: list[str] = []
    done = 0
    for place, claim in enumerate(claims[: 0xE2FF - _FIRST]):
        if not done <= claim.end <= len(text):
            continue
        piece = _OWN_MARKS.sub("", text[done : claim.end])
        is_said = bool(_OWN_MARKS.sub("", text[claim.start : claim.end]).strip())
        sign = _SPACE + chr(_FIRST + place)
        line = piece.rpartition("\n")[2]
        if not is_said:
            pieces.append(piece)  # nothing but a mark that the model wrote
        elif line.endswith("|") and line.count("|") > 1:
            pieces.append(f"{piece[:-1]}{sign}|")
        else:
            pieces.append(piece + sign)
        done = claim.end
    return "".join((*pieces, text[done:]))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 30})
    parser.enable(["table", "strikethrough"]).disable(["image", "html_block", "html_inline", "reference"])
    dollarmath_plugin(parser, allow_space=False, allow_digits=False, double_inline=True)
    texmath_plugin(parser, delimiters="brackets")
    return parser


@dataclass(slots=True)
class _Rendering:
    claims: Sequence[CheckedSentence]
    mark: Mark
    is_heading: bool = False
    """Inside of a heading of a text or a table, which claims nothing."""

    def html(self, tokens: Sequence[Token]) -> str:
        return "".join(self._block(token) for token in tokens)

    def _block(self, token: Token) -> str:
        match token.type:
            case "inline":
                return "".join(self._inline(token.children or []))
            case "fence" | "code_block":
                return f"<pre><code>{html.escape(_plain(token.content))}</code></pre>"
            case "math_block" | "math_block_label" | "math_block_eqno":
                return f'<div class="formula-block">{mathml(_plain(token.content), is_block=True)}</div>'
            case "hr":
                return "<hr>"
            case "heading_open" | "th_open":
                self.is_heading = True
            case "heading_close" | "th_close":
                self.is_heading = False
        return _tag(token)

    def _inline(self, children: Sequence[Token]) -> Iterator[str]:
        following = _following(children)
        for child, claim in zip(children, following, strict=True):
            match child.type:
                case "text":
                    yield from self._text(child.content, claim)
                case "softbreak" | "hardbreak":
                    yield "<br>"
                case "code_inline":
                    yield f"<code>{html.escape(_plain(child.content))}</code>"
                    yield from self._marks(child.content)
                case "math_inline" | "math_single":
                    yield mathml(_plain(child.content), is_block=False)
                case "math_inline_double":
                    yield mathml(_plain(child.content), is_block=True)
                case _:
                    yield _tag(child)

    def _text(self, text: str, after: int | None) -> Iterator[str]:
        """A run of text, cut where sentences end; what is behind the last end belongs to ``after``."""
        parts = _MARK.split(text)
        for run, sign in zip(parts[::2], [*parts[1::2], ""], strict=True):
            place = ord(sign) - _FIRST if sign else after
            if run:
                yield self._claim(run, place)
            if sign:
                yield self._behind(ord(sign) - _FIRST)

    def _claim(self, run: str, place: int | None) -> str:
        if place is None or place >= len(self.claims) or self.is_heading or not run.strip():
            return html.escape(run)
        lead = run[: len(run) - len(run.lstrip())]
        verdict = html.escape(self.claims[place].verdict)
        return (
            f'{html.escape(lead)}<span class="claim" data-claim="{place}" data-verdict="{verdict}">'
            f"{html.escape(run[len(lead) :])}</span>"
        )

    def _marks(self, text: str) -> Iterator[str]:
        for sign in _MARK.findall(text):
            yield self._behind(ord(sign) - _FIRST)

    def _behind(self, place: int) -> str:
        return self.mark(place) if place < len(self.claims) and not self.is_heading else ""


def _following(children: Sequence[Token]) -> list[int | None]:
    """For each part of a line the claim whose end is the first one behind it."""
    found: list[int | None] = []
    behind: int | None = None
    for child in reversed(children):
        found.append(behind)
        signs = _MARK.findall(child.content) if child.type in ("text", "code_inline") else []
        if signs:
            behind = ord(signs[0]) - _FIRST
    return found[::-1]


def _plain(text: str) -> str:
    return _MARK.sub("", text)


def _tag(token: Token) -> str:
    """An opening or a closing tag; headings begin below those of the page."""
    name = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h5", "h5": "h5", "h6": "h5"}.get(token.tag, token.tag)
    if not name or token.hidden:
        return ""
    if token.nesting < 0:
        return f"</{name}>"
    return f"<{name}{''.join(_attributes(name, token.attrs))}>"


def _attributes(name: str, given: dict[str, Any]) -> Iterator[str]:
    if name == "a":
        address = _plain(str(given.get("href", "")))
        if urlsplit(address).scheme in SCHEMES:
            yield f' href="{html.escape(address)}" target="_blank" rel="noopener noreferrer nofollow"'
    if name in _BLOCKS:
        yield ' dir="auto"'
    align = re.fullmatch(r"text-align:(left|right|center)", str(given.get("style", "")))
    if align:
        yield f' class="{align[1]}"'
    if name == "ol" and str(given.get("start", "")).isdigit():
        yield f' start="{given["start"]}"'
