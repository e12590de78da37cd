"""Describer, drafter and answerer by a served model.

Holds the messages; the words are in ``prompts.py``. Pictures of a clip are decoded in a thread and kept for the clips
that were looked at last.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cachetools import LRUCache

from assets.xvbench_builder import prompts
from assets.xvbench_builder.records import Caption, ClipFile
from infra.llm.captioner import Captioner, CaptionResult
from infra.llm.image_parts import ClipSampling, MessagePart, clip_parts, text_part
from infra.llm.reply_json import object_in, text_of, without_thoughts
from infra.llm.types import ChatCompleter, Decoding

KEPT_CLIPS = 64  # some 64 x 8 frames of 448 pixels, 30 MB as JPEG
MAX_TOKENS = 2048  # of a reply, thoughts included
MAX_ANSWER_CHARS = 2_000


class ClipImages:
    """The frames of clips as parts of messages."""

    def __init__(self, look: ClipSampling) -> None:
        self._look = look
        self._kept: LRUCache[Path, Sequence[MessagePart]] = LRUCache(KEPT_CLIPS)

    async def of(self, clip: ClipFile) -> Sequence[MessagePart]:
        """Of one clip. Raises ``MediaError``."""
        if (parts := self._kept.get(clip.path)) is None:
            parts = self._kept[clip.path] = await asyncio.to_thread(clip_parts, clip.path, self._look)
        return parts


class ServedDescriber:
    """``Describer`` through the captioner."""

    def __init__(self, chat: ChatCompleter, pictures: ClipImages) -> None:
        self._captioner, self._pictures = Captioner(chat), pictures

    async def describe(self, clip: ClipFile) -> CaptionResult:
        """See ``Describer``."""
        return await self._captioner.caption(await self._pictures.of(clip))


class ServedDrafter:
    """``Drafter``, drawn greedily: another group of clips is another question."""

    def __init__(self, chat: ChatCompleter) -> None:
        self._chat = chat

    async def draft(self, captions: Sequence[Caption]) -> str:
        """See ``Drafter``."""
        messages = [
            {"role": "system", "content": prompts.DRAFT},
            {"role": "user", "content": prompts.draft_request(captions)},
        ]
        return (await self._chat.complete(messages, _greedy())).text


class ServedAnswerer:
    """``Answerer``, drawn greedily. A reply that is no JSON is taken at its word, for refusing is an answer too."""

    def __init__(self, chat: ChatCompleter, pictures: ClipImages) -> None:
        self._chat, self._pictures = chat, pictures

    async def answer(self, question: str, clips: Sequence[ClipFile]) -> str:
        """See ``Answerer``."""
        parts = [text_part(prompts.answer_request(question, len(clips)))]
        for label, clip in prompts.labels(clips).items():
            parts += [text_part(label), *await self._pictures.of(clip)]
        content = parts if clips else parts[0]["text"]
        messages = [{"role": "system", "content": prompts.ANSWER}, {"role": "user", "content": content}]
        return read_answer((await self._chat.complete(messages, _greedy())).text)


def read_answer(reply: str) -> str:
    """The answer in a reply; empty if there is none."""
    found = object_in(reply)
    said = (
        found["answer"]
        if found is not None and "answer" in found
        else without_thoughts(reply)[:MAX_ANSWER_CHARS]
    )
    return text_of(str(said) if isinstance(said, int | float) else said, max_chars=MAX_ANSWER_CHARS)


def _greedy() -> Decoding:
    return Decoding(temperature=0.0, top_p=1.0, max_tokens=MAX_TOKENS)
