"""A reply from its chunks, or from one whole answer: text, reasoning, tool calls, tokens.

Pure functions of JSON that a server sent and that may be anything. Reasoning which a server sends apart from the reply
(``reasoning_content`` of DeepSeek, vLLM, SGLang and llama.cpp; ``reasoning`` of others) goes in front of it between
``<think>`` and ``</think>``, as the same models write it where no server takes it apart: an agent reads an action only after
the first closing tag. A call that a server took out of the text is written back into it, since the agent's actions are text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CHARS_PER_TOKEN = 3  # below the 3.5-4.5 of English, so that the estimate errs towards too many
TOKENS_PER_IMAGE = 256  # an image of 512 x 512 at 32 x 32 pixels a token

_THINK_TAG = re.compile(r"</?think>", re.IGNORECASE)
_OPEN, _CLOSE = "<think>\n", "\n</think>\n"


class TokenUsage(NamedTuple):
    """Tokens as the server counted them."""

    prompt: int
    completion: int


class MalformedReplyError(ValueError):
    """The server sent something that is no chat completion."""


class ReplyAssembler:
    """Takes chunks in order; what ``take`` and ``end`` yield is together the text of the reply."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._thinking = False
        self._has_content = False  # reasoning that comes after the reply has begun is left out
        self._tag = ""  # the start of what may be a tag within reasoning
        self._calls: list[_ToolCall] = []
        self.finish_reason = ""
        self.model = ""
        self.usage: TokenUsage | None = None

    @property
    def text(self) -> str:
        """Everything yielded so far."""
        return "".join(self._pieces)

    def take(self, chunk: object) -> Iterator[str]:
        """The text one chunk adds; a chunk without choices adds none. Raises ``MalformedReplyError`` for what is no object."""
        if not isinstance(chunk, dict):
            raise MalformedReplyError("a chunk that is no object")
        if isinstance(model := chunk.get("model"), str) and model:
            self.model = model[:200]
        self.usage = _usage(chunk.get("usage")) or self.usage
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                yield from self._choice(choice)

    def end(self) -> Iterator[str]:
        """What is still to come once no chunk follows: the end of the reasoning, calls taken out of the text."""
        if self._thinking:
            yield self._thought()
        for call in self._calls:
            arguments = "".join(call.arguments) or "{}"
            yield self._emit(
                f'<tool_call>{{"name": {json.dumps(call.name)}, "arguments": {arguments}}}</tool_call>'
            )
        self._calls = []

    def become(self, other: ReplyAssembler) -> None:
        """Take over a reply that came whole."""
        self._pieces, self.finish_reason = [other.text], other.finish_reason
        self.model, self.usage = other.model, other.usage

    def _choice(self, choice: dict[str, Any]) -> Iterator[str]:
        message = choice.get("delta") or choice.get("message")
        if isinstance(message, dict):
            reasoning = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
            if reasoning:
                yield from self._reasoning(reasoning)
            if content := _text(message.get("content")):
                yield from self._content(content)
            self._tool_calls(message.get("tool_calls"))
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.finish_reason = "length" if reason in ("length", "max_tokens") else "stop"

    def _reasoning(self, text: str) -> Iterator[str]:
        if self._has_content:
            return
        if not self._thinking:
            self._thinking = True
            yield self._emit(_OPEN)
        text = _THINK_TAG.sub(" ", self._tag + text)
        cut = len(text)
        if (start := text.rfind("<")) >= 0 and _may_become_tag(text[start:]):
            cut = start
        text, self._tag = text[:cut], text[cut:]
        if text:
            yield self._emit(text)

    def _thought(self) -> str:
        """Close the reasoning; from now on there is only the reply."""
        rest, self._tag = self._tag, ""
        self._thinking, self._has_content = False, True
        return self._emit(rest + _CLOSE)

    def _content(self, text: str) -> Iterator[str]:
        if self._thinking and not text.isspace():
            yield self._thought()
        if not self._thinking:
            self._has_content = self._has_content or not text.isspace()
            yield self._emit(text)

    def _emit(self, piece: str) -> str:
        self._pieces.append(piece)
        return piece

    def _tool_calls(self, calls: object) -> None:
        for place, call in enumerate(calls if isinstance(calls, list) else ()):
            if not isinstance(call, dict) or not isinstance(function := call.get("function"), dict):
                continue
            index, call_id = call.get("index"), _text(call.get("id"))
            known = self._call(index if isinstance(index, int) else place, call_id)
            known.name = known.name or _text(function.get("name"))
            arguments = function.get("arguments")
            known.arguments.append(json.dumps(arguments) if isinstance(arguments, dict) else _text(arguments))

    def _call(self, index: int, call_id: str) -> _ToolCall:
        """The call that a piece belongs to: the newest of its index, unless the piece bears another id.

        Some servers send every call of a reply under index 0.
        """
        for known in reversed(self._calls):
            if known.index == index and (not call_id or not known.id or known.id == call_id):
                known.id = known.id or call_id
                return known
        self._calls.append(_ToolCall(index, call_id))
        return self._calls[-1]


@dataclass(slots=True)
class _ToolCall:
    """A call that a server took out of the text, as far as it has come."""

    index: int
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)


def _may_become_tag(text: str) -> bool:
    return any(tag.startswith(text.lower()) for tag in ("<think>", "</think>"))


def _text(content: object) -> str:
    """Text of a content that is a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return ""


def _usage(stated: object) -> TokenUsage | None:
    if not isinstance(stated, dict):
        return None
    prompt, completion = stated.get("prompt_tokens"), stated.get("completion_tokens", 0)
    if not isinstance(prompt, int) or not isinstance(completion, int) or min(prompt, completion) < 0:
        return None
    return TokenUsage(prompt, completion)


def estimated_usage(messages: object, text: str) -> TokenUsage:
    """Tokens of a prompt and its reply where the server does not count them; errs towards too many."""
    return TokenUsage(_prompt_estimate(messages), -(-len(text) // CHARS_PER_TOKEN))


def least_tokens(messages: object) -> int:
    """Tokens that no tokenizer gets below for the words of a conversation; what pictures cost is the model's affair."""
    return sum(len(content.get("text", "").split()) for content in _contents(messages)) * 9 // 10


def has_pictures(messages: object) -> bool:
    """Whether any turn of a conversation holds a picture."""
    return any("image_url" in content for content in _contents(messages))


def _contents(messages: object) -> Iterator[Mapping[str, Any]]:
    for message in messages if isinstance(messages, list | tuple) else ():
        content = message["content"]
        yield from [{"text": content}] if isinstance(content, str) else content


def _prompt_estimate(messages: object) -> int:
    chars = images = 0
    for content in _contents(messages):
        chars += len(content.get("text", ""))
        images += "image_url" in content
    return chars // CHARS_PER_TOKEN + images * TOKENS_PER_IMAGE
