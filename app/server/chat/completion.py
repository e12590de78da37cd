"""A finished rollout as OpenAI's chat completion: text with ``[1]`` behind the sentences, annotations, and our record beside it.

Source of the form: https://platform.openai.com/docs/api-reference/chat (``url_citation`` as its search models send it).
``vimrag`` holds what has no place there: the citations with item, page and seconds, and the verdict on each sentence.
"""

import time
from typing import Any
from urllib.parse import quote, urlencode

from app.answers.cited_text import CitedSentence, cited_sentences
from app.answers.events import EndEvent, StartEvent
from app.answers.records import CitationRecord
from app.answers.terminal import citation_title
from app.server.chat.body import MODEL


class Completion:
    """The objects of one answer. ``base`` is the address under which the client reached this server, without a slash."""

    def __init__(self, start: StartEvent, model: str, base: str) -> None:
        self.id = f"chatcmpl-{start.ask_id}"
        self._start, self._model, self._base = start, model, base
        self._created = int(time.time())

    def whole(self, end: EndEvent) -> dict[str, Any]:
        """The answer in one object."""
        sentences = list(cited_sentences(end))
        message = {
            "role": "assistant",
            "content": "".join(each.whole for each in sentences) + self.tail(end),
            "refusal": None,
            "annotations": self.annotations(end, sentences),
        }
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return {**self._head("chat.completion"), "choices": [choice], **self.ending(end)}

    def chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        """A piece of a stream."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def usage_chunk(self, end: EndEvent) -> dict[str, Any]:
        """The last piece of a stream whose client asked for the count of tokens."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage(end)}

    def ending(self, end: EndEvent) -> dict[str, Any]:
        """Usage and our record."""
        return {"usage": usage(end), "vimrag": self.record(end)}

    def record(self, end: EndEvent) -> dict[str, Any]:
        """What OpenAI's form has no place for."""
        citations = [{**each.model_dump(), "url": self.url(each)} for each in end.citations]
        claims = [each.model_dump() for each in end.claims]
        whole = end.model_dump(include={"outcome", "answer", "seconds", "tokens_estimated", "notices"})
        start = self._start
        names = {"ask_id": start.ask_id, "model": start.model, "index": start.index, "memory": start.memory}
        return {**names, **whole, "citations": citations, "claims": claims}

    def annotations(self, end: EndEvent, sentences: list[CitedSentence]) -> list[dict[str, Any]]:
        """One for each mark in the text; offsets are characters of the content."""
        by_number = {citation.number: citation for citation in end.citations}
        return [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": each.mark_start,
                    "end_index": each.mark_end,
                    "title": citation_title(by_number[each.citation]),
                    "url": self.url(by_number[each.citation]),
                },
            }
            for each in sentences
            if each.citation in by_number
        ]

    def tail(self, end: EndEvent) -> str:
        """The sources as a list of links, for clients that show nothing but the text; the reason where there is no answer."""
        if not end.answer.strip():
            calls = end.counters.model_calls
            return f"No answer: the model gave none that could be read, in {calls} call{'s' * (calls != 1)} ({end.outcome})."
        links = [f"[{each.number}] [{_label(each)}]({self.url(each)})" for each in end.citations]
        return "\n\nSources:\n" + "\n".join(f"- {link}" for link in links) if links else ""

    def url(self, citation: CitationRecord) -> str:
        """Where this server shows the source: the picture of the page, the frame at the cited second, or the item's text."""
        if citation.modality == "text":
            return f"{self._base}/v1/items/{quote(citation.item_id, safe='')}"
        parameters = {"item": citation.item_id, "width": "2048", "height": "2048"}
        if citation.times_s:
            parameters["t"] = f"{citation.times_s[0]:g}"  # seconds from the start of the clip
        return f"{self._base}/v1/media?{urlencode(parameters)}"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self._created, "model": self._model}


def usage(end: EndEvent) -> dict[str, int]:
    """Tokens of all calls of the rollout."""
    read, written = end.counters.prompt_tokens, end.counters.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def model_names(datasets: list[str]) -> list[str]:
    """What ``/v1/models`` lists: all datasets together, and each by itself."""
    return [MODEL, *(f"{MODEL}/{name}" for name in datasets)]


def _label(citation: CitationRecord) -> str:
    """A title that cannot end its Markdown link."""
    return "".join(" " if char in "[]()\\`<>" else char for char in citation_title(citation))
