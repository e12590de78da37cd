"""What this package needs of a chat server, and a conversation as the server's JSON.

Holds the Protocols of the client (``infra`` satisfies them) and the JSON of messages. Images come as data
URIs from ``endpoint_policy.py``.
"""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from model.types import ImageRef, Message, Role, Sampling

ChatMessage = dict[str, Any]


class ChatReplyLike(Protocol):
    """A reply of a server."""

    @property
    def text(self) -> str:
        """Reasoning that the server keeps apart stands in front, between ``<think>`` and ``</think>``."""
        ...

    @property
    def finish_reason(self) -> str:
        """``stop`` or ``length``."""
        ...

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, images included."""
        ...

    @property
    def completion_tokens(self) -> int:
        """Tokens of the reply, reasoning included."""
        ...

    @property
    def model(self) -> str:
        """The model as the server calls it."""
        ...

    @property
    def estimated(self) -> bool:
        """Whether the tokens are an estimate."""
        ...

    @property
    def least_prompt_tokens(self) -> int:
        """Tokens that the prompt has at least, where the server counted fewer; 0 otherwise."""
        ...


class CompletingEndpoint(Protocol):
    """A client of one served model that gives whole replies; it limits, retries and counts by itself."""

    async def complete(self, messages: Sequence[Mapping[str, Any]], request: Sampling) -> ChatReplyLike:
        """The whole reply."""
        ...


class ChatEndpoint(CompletingEndpoint, Protocol):
    """One that streams as well."""

    def stream(
        self, messages: Sequence[Mapping[str, Any]], request: Sampling
    ) -> AsyncGenerator[str | ChatReplyLike]:
        """Pieces of the reply's text, then the reply."""
        ...


# What chat templates of Qwen, Llama, Mistral, Gemma, Phi, DeepSeek, InternVL and LLaVA use to open and close turns and to
# place images. A server tokenises the rendered template as a whole, so these strings inside a passage would be control
# tokens: a page of the corpus could speak as the system.
_CONTROL = re.compile(
    r"<(?=[|\uff5c])|<(?=/?(?:s|bos|eos|pad|unk|image|video|audio|img|img_context|image_soft_token)>)"
    r"|<(?=(?:start|end)_of_(?:turn|image)>)|<(?=<?/?sys>>)"
    r"|\[(?=/?(?:inst|system_prompt|available_tools|tool_calls|tool_results|tool_content|img|img_break|img_end)\])",
    re.IGNORECASE,
)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_EMPTY_TURN = "(no reply)"  # some servers refuse an empty turn


def escape_control_tokens(text: str) -> str:
    """The text with a space after the first character of whatever a chat template could take for a control token."""
    return _CONTROL.sub(lambda match: match.group() + " ", text)


def chat_messages(messages: Sequence[Message], image_uris: Mapping[ImageRef, str]) -> list[ChatMessage]:
    """The conversation as the protocol's JSON; ``image_uris`` holds a data URI for each image in it.

    The agent's ``tool`` turns become user turns, since no server is asked for native tool calls, and neighbouring turns of
    one role become one, since many templates want the roles to alternate. A turn without images is plain text, which
    every server takes. Reasoning is left out of earlier assistant turns: the models that write it are not to be shown it.
    """
    turns: list[tuple[str, list[str | ImageRef]]] = []
    for message in messages:
        role = "user" if message.role == Role.TOOL else message.role
        parts = [_without_thought(part) if role == "assistant" else part for part in message.parts]
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(("\n\n", *parts))
        else:
            turns.append((role, parts))
    return [{"role": role, "content": _content(parts, image_uris)} for role, parts in turns]


def strip_thinking(text: str, *, may_be_open: bool = False) -> str:
    """A reply without the reasoning in front of it.

    If it ``may_be_open``, a template may have opened the reasoning before the reply, and nothing is left of a reply whose
    reasoning never ends.
    """
    if not may_be_open:
        return _THOUGHT.sub("", text)
    _, ended, rest = text.rpartition("</think>")
    return "" if not ended and text.lstrip().startswith("<think>") else rest


def _without_thought(part: str | ImageRef) -> str | ImageRef:
    return strip_thinking(part) if isinstance(part, str) else part


def _content(parts: Sequence[str | ImageRef], image_uris: Mapping[ImageRef, str]) -> str | list[ChatMessage]:
    content: list[ChatMessage] = []
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            content.append({"type": "text", "text": escape_control_tokens(text)})
        content.append({"type": "image_url", "image_url": {"url": image_uris[part]}})
        text = ""
    if not content:
        return escape_control_tokens(text) if text.strip() else _EMPTY_TURN
    return [*content, {"type": "text", "text": escape_control_tokens(text)}] if text else content
