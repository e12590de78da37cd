"""A conversation as a file: Markdown, one HTML page that needs nothing beside it, or JSON.

The page has its pictures inside, no script, and a policy that lets it load nothing. Pictures come from whoever exports.
"""

import base64
import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from app.answers.history.records import FINISHED, StoredConversation, StoredTurn
from app.answers.records import AnswerRecord, CitationRecord
from app.answers.rich_text.markdown import answer_html
from memory_graph.drawing.notes import clock
from memory_graph.drawing.svg import CSS as GRAPH_CSS

SHOWN_PICTURES = 12  # of one answer
SHOWN_TIMES = 3
FORMATS = {"md": "text/markdown", "html": "text/html", "json": "application/json"}
_MEDIA = re.compile(r'href="(/v1/media\?[^"]*)"')
_OWN_MARKS = re.compile(r"\s*\[\d{1,3}\]")


class Picture(NamedTuple):
    """An encoded picture."""

    data: bytes
    media_type: str


PictureOf = Callable[[str, float | None], Picture | None]
"""The picture of an item, at a second of its clip; None where there is none (any more)."""

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.55 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2.5rem;border-top:1px solid #8886;padding-top:1rem}
.meta{opacity:.75;font-size:.85rem}.claim[data-verdict="partly"]{text-decoration:underline dotted}
.claim[data-verdict="no source found"]{text-decoration:underline wavy}.doubt{font-size:.8rem;font-style:italic}
table{border-collapse:collapse}td,th{border:1px solid #8888;padding:.2rem .6rem}pre{overflow:auto;padding:.6rem;background:#8882}
figure{margin:1rem 0}img{max-width:100%;border:1px solid #8886}figcaption{font-size:.85rem}
blockquote{border-left:3px solid #8886;margin:.3rem 0;padding-left:.8rem}svg{max-width:100%;height:auto;background:#fff}
"""


def name_of(conversation: StoredConversation, suffix: str) -> str:
    """A plain file name, made of the title's letters."""
    words = re.sub(r"[^a-z0-9]+", "-", conversation.title.lower()).strip("-")[:60].strip("-")
    return f"{words or 'conversation'}.{suffix}"


def exported(conversation: StoredConversation, form: str, picture: PictureOf) -> bytes:
    """The file. Raises ``ValueError`` for a form that is none of ``FORMATS``."""
    match form:
        case "md":
            text = as_markdown(conversation)
        case "html":
            text = as_html(conversation, picture)
        case "json":
            text = json.dumps(conversation.model_dump(), ensure_ascii=False, indent=1) + "\n"
        case _:
            raise ValueError(f"unknown form {form!r}; there are {', '.join(FORMATS)}")
    return text.encode("utf-8", "replace")


def as_markdown(conversation: StoredConversation) -> str:
    """The text of the conversation with its sources."""
    parts = [f"# {_line(conversation.title)}", f"{_day(conversation.created_s)}"]
    for turn in conversation.turns:
        parts += [f"## {_line(turn.question)}", _answer_markdown(turn)]
        if turn.record is not None and turn.record.citations:
            parts.append("\n".join(_source_markdown(each) for each in turn.record.citations))
        if turn.record is not None:
            parts += [f"*{_line(notice)}*" for notice in turn.record.notices if notice]
    return "\n\n".join(filter(None, parts)) + "\n"


def as_html(conversation: StoredConversation, picture: PictureOf) -> str:
    """One page with everything inside."""
    title = html.escape(conversation.title)
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
    turns = "\n".join(_turn_html(turn, picture) for turn in conversation.turns)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}{GRAPH_CSS}</style></head>\n"
        f'<body><h1 dir="auto">{title}</h1><p class="meta">{_day(conversation.created_s)}</p>\n{turns}\n</body></html>\n'
    )


def _answer_markdown(turn: StoredTurn) -> str:
    record = turn.record
    if record is None or not record.answer:
        return f"*{_line(_why(turn))}*"
    pieces: list[str] = []
    done = 0
    for claim in record.claims:
        pieces.append(_OWN_MARKS.sub("", record.answer[done : claim.end]))
        mark = f"[{claim.citation}]" if claim.citation else ""
        doubt = "" if claim.verdict == "supported" else f"*({claim.verdict})*"
        pieces.append("".join(f" {each}" for each in (mark, doubt) if each))
        done = claim.end
    return "".join((*pieces, record.answer[done:]))


def _source_markdown(cited: CitationRecord) -> str:
    place = _place(cited)
    return f"- [{cited.number}] {_line(cited.title or cited.item_id)}{f', {place}' if place else ''}"


def _turn_html(turn: StoredTurn, picture: PictureOf) -> str:
    record = turn.record
    parts = [f'<section><h2 dir="auto">{html.escape(turn.question)}</h2>']
    if record is None or not record.answer:
        parts.append(f"<p><em>{html.escape(_why(turn))}</em></p>")
    else:
        answer = record
        parts.append(answer_html(answer.answer, answer.claims, lambda place: _mark(turn, answer, place)))
    if record is not None:
        parts += [f'<p class="meta">{html.escape(notice)}</p>' for notice in record.notices if notice]
        parts += [_source_html(turn, cited, record) for cited in record.citations]
        shown = list(record.citations[:SHOWN_PICTURES])
        parts += [_figure(cited, picture) for cited in shown if cited.modality != "text"]
    if turn.svg:
        parts.append(
            f"<details><summary>Memory graph</summary>{_self_contained(turn.svg, picture)}</details>"
        )
    parts.append(f'<p class="meta">{html.escape(_facts(turn))}</p></section>')
    return "\n".join(parts)


def _mark(turn: StoredTurn, record: AnswerRecord, place: int) -> str:
    claim = record.claims[place]
    mark = ""
    if claim.citation:
        mark = f' <sup><a href="#s{turn.number}-{claim.citation}">[{claim.citation}]</a></sup>'
    if claim.verdict == "supported":
        return mark
    missing = f": {', '.join(claim.missing)} not found there" if claim.missing else ""
    return f'{mark} <span class="doubt">({html.escape(claim.verdict + missing)})</span>'


def _source_html(turn: StoredTurn, cited: CitationRecord, record: AnswerRecord) -> str:
    place = _place(cited)
    quotes = [each.quote for each in record.claims if each.citation == cited.number and each.quote]
    said = "".join(
        f'<blockquote dir="auto">{html.escape(quote)}</blockquote>' for quote in dict.fromkeys(quotes)
    )
    name = html.escape(cited.title or cited.item_id)
    return f'<div id="s{turn.number}-{cited.number}">[{cited.number}] {name}{f", {place}" if place else ""}{said}</div>'


def _figure(cited: CitationRecord, picture: PictureOf) -> str:
    time = cited.times_s[0] if cited.times_s else None
    found = picture(cited.item_id, time)
    if found is None:
        return ""
    name = html.escape(cited.title or cited.item_id)
    return f'<figure><img alt="{name}" src="{_data(found)}"><figcaption>[{cited.number}] {name}</figcaption></figure>'


def _self_contained(svg: str, picture: PictureOf) -> str:
    """The drawing with its thumbnails inside."""

    def inside(match: re.Match[str]) -> str:
        query = parse_qs(urlsplit(html.unescape(match[1])).query)
        time = float(query["t"][0]) if "t" in query else None
        found = picture(query["item"][0], time) if "item" in query else None
        return "" if found is None else f'href="{_data(found)}"'

    return _MEDIA.sub(inside, svg)


def _data(picture: Picture) -> str:
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"


def _place(cited: CitationRecord) -> str:
    if cited.page is not None:
        return f"page {cited.page}"
    start_s = cited.start_s or 0.0
    if cited.times_s:
        times = [clock(start_s + time) for time in cited.times_s[:SHOWN_TIMES]]
        more = len(cited.times_s) - SHOWN_TIMES
        return ", ".join(times) + (f" and {more} more" if more > 0 else "")
    return "" if cited.start_s is None else clock(start_s)


def _why(turn: StoredTurn) -> str:
    return turn.message or ("no answer was found" if turn.state == FINISHED else f"no answer: {turn.state}")


def _facts(turn: StoredTurn) -> str:
    seconds = f", {turn.record.seconds:.1f} s" if turn.record else ""
    return f"{_day(turn.created_s)}, {turn.model}, memory {turn.memory}, {turn.state}{seconds}"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _line(text: str) -> str:
    return " ".join(text.split())
