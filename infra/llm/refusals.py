"""What a refusal is about, told from its words: a prompt that is too long, pictures, the way of answering.

Holds the wordings that servers are known to use (OpenAI, vLLM, SGLang, llama.cpp, Ollama, LM Studio, TGI, hosted ones). Pure;
the errors are in ``errors.py``.
"""

import re
from typing import NamedTuple

LEAST_REPLY = 256  # tokens; a shorter reply is no use, so the prompt has to give way

_TOO_LONG = re.compile(
    r"context (length|window|size|limit)|maximum context|maximum model length|max_model_len|max_seq_len"
    r"|(prompt|input|inputs|request|messages?|conversation|multimodal prompt|batch)\b[^.]{0,60}\b(is |are )?too (long|large)"
    r"|too (long|large) for (the |this |requested )?(model|context)"
    r"|\b(is|are) too large to process|exceed\w*[^.]{0,40}(context|token)"
    r"|exceed\w*[^.]{0,60}(maximum|allowed|input|prompt|sequence) length|input (data )?may exceed"
    r"|(input|prompt|sequence) length[^.]{0,40}(should|must|exceed|longer|greater)"
    r"|range of (input|prompt) length|must (be|have) (<=|less than|at most|fewer than) \d+ ?(tokens?)?\. given"
    r"|(reduce|shorten) (the length of )?(the|your) (\w+ )?(prompt|messages|input)"
    r"|(prompt|input)[^.]{0,60}longer than|(input|prompt|output) (or output )?tokens must be reduced",
    re.IGNORECASE,
)
_TOO_LONG_CODES = (
    "context_length_exceeded",
    "exceed_context_size",
    "prompt_too_long",
    "context_window_exceeded",
)
_TOO_MANY_PICTURES = re.compile(r"at most (\d+) (image|multimodal|picture)|too many images", re.IGNORECASE)
_PICTURE = r"(image_url|images?|vision|visual|pictures?|multi-?modal)"
_NOT_TAKEN = (
    r"(not |n't |un)(be )?support|unsupported|not (enabled|allowed|available|permitted|accept)|unknown variant|unknown part"
    r"|only (supported|available) (by|for|in)|no endpoints|missing|not (a )?(multi|vision)|unexpected|can ?not"
)
_NO_PICTURES = re.compile(
    rf"mmproj|not an? (multi-?modal|vision)|\b{_PICTURE}\b[^.]{{0,80}}({_NOT_TAKEN})"
    rf"|({_NOT_TAKEN})[^.]{{0,80}}\b{_PICTURE}\b|at most 0 image",
    re.IGNORECASE,
)
_TEXT_ONLY_CONTENT = re.compile(
    r"content\b[^.]{0,40}must be a string|valid string|expected a string", re.IGNORECASE
)
_DAMAGED_PICTURE = re.compile(
    r"(load|decode|download|fetch|process|open|identify)[^.]{0,40}image|(invalid|corrupt|broken)[^.]{0,20}image"
    r"|image[^.]{0,40}(format|size|dimension|resolution|pixels|base64)",
    re.IGNORECASE,
)
_ONLY_STREAMS = re.compile(
    r"only (support|allow|accept|work)\w*[^.]{0,30}stream|non-?stream\w*[^.]{0,60}(not|n't|must|disab|unsupport)"
    r"|for non-?stream|stream\w*[^.]{0,20}(must|should|needs to|has to) be (set to )?(true|enabled|on)"
    r"|(must|should|please)[^.]{0,40}(enable|set|use)[^.]{0,20}\bstream|streaming is (required|mandatory)",
    re.IGNORECASE,
)
_NEVER_STREAMS = re.compile(
    r"(?<!non-)(?<!non )\bstream\w*[^.]{0,40}(not |n't |un)(be )?support"
    r"|(not |n't |un)support\w*[^.]{0,40}\bstream|verified to stream",
    re.IGNORECASE,
)
_THINKING_OFF = re.compile(r"enable_thinking[^.]{0,40}(must|should|has to)[^.]{0,20}false", re.IGNORECASE)
_MOST_REPLY = re.compile(r"at most (\d{2,9})( completion| output)? tokens", re.IGNORECASE)
_CONTEXT = re.compile(
    r"(?:maximum context length|max_model_len|context length|model length)\D{0,24}(\d{2,9})", re.I
)
_IN_MESSAGES = re.compile(
    r"\((\d{1,9}) in the messages|(?:has|have|contains?) (\d{1,9}) (?:input|prompt) tokens", re.IGNORECASE
)
_NUMBERS = re.compile(r"(?<![\w.])\d{3,9}(?![\w.]*\d)")


class PromptLength(NamedTuple):
    """Tokens as a refusal states them; 0 where it does not."""

    sent: int = 0
    most: int = 0


def is_too_long(message: str, code: str = "") -> bool:
    """Whether the prompt, with its reply, is longer than the server takes."""
    return _TOO_LONG.search(message) is not None or any(known in code for known in _TOO_LONG_CODES)


def is_too_many_pictures(message: str) -> bool:
    """Whether it takes pictures, but fewer in one prompt."""
    found = _TOO_MANY_PICTURES.search(message)
    return found is not None and found[1] != "0"


def is_about_pictures(message: str, param: str | None = None) -> bool:
    """Whether a server says that it reads no pictures, in any of the known ways.

    ``param`` is the field that the refusal of a prompt with pictures names; None if there were none in the prompt.
    """
    if is_too_many_pictures(message):
        return False
    if _NO_PICTURES.search(message):
        return "mmproj" in message or not _DAMAGED_PICTURE.search(message)
    if param is None:
        return False
    return _TEXT_ONLY_CONTENT.search(message) is not None and "content" in (param or message)


def wants_stream(message: str) -> bool:
    """Whether only streamed replies are given."""
    return _ONLY_STREAMS.search(message) is not None and not _NEVER_STREAMS.search(message)


def wants_no_stream(message: str) -> bool:
    """Whether no streamed replies are given."""
    return _NEVER_STREAMS.search(message) is not None and not _ONLY_STREAMS.search(message)


def wants_no_thinking(message: str) -> bool:
    """Whether thinking has to be switched off, as hosted Qwen models word it."""
    return _THINKING_OFF.search(message) is not None


def room_for_reply(message: str) -> int | None:
    """The longest reply that would have been taken for this prompt; None if the refusal does not say or it is too short."""
    if (most := _MOST_REPLY.search(message)) and not _CONTEXT.search(message):
        return int(most[1])
    context, sent = _CONTEXT.search(message), _IN_MESSAGES.search(message)
    if context is None or sent is None:
        return None
    room = int(context[1]) - int(sent[1] or sent[2])
    return room if room >= LEAST_REPLY else None


def stated_length(message: str) -> PromptLength:
    """The two largest numbers of a refusal for length: what was sent, and what is taken."""
    numbers = sorted({int(number) for number in _NUMBERS.findall(message)}, reverse=True)
    return PromptLength(numbers[0], numbers[1]) if len(numbers) > 1 else PromptLength()
