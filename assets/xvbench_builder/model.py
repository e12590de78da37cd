"""The served model that describes clips, drafts questions and answers them, and what grades its answers.

Holds the messages; the words are in ``prompts.py``. Frames of a clip are decoded in a thread and kept for the clips that were
used last.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from cachetools import LRUCache

from assets.xvbench_builder import prompts
from assets.xvbench_builder.records import Caption, ClipFile
from infra.llm.captioner import Captioner, CaptionResult
from infra.llm.image_parts import ClipSampling, MessagePart, clip_parts, text_part
from infra.llm.reply_json import quoted
from infra.llm.types import ChatCompleter, Decoding

KEPT_CLIPS = 64  # some 64 x 8 frames of 448 pixels, 30 MB as JPEG
MAX_TOKENS = 2048  # of a reply, thoughts included


class AnswerGrader(Protocol):
    """Compares answers."""

    async def grade(self, question: str, reference: str, answer: str) -> bool | None:
        """Whether ``answer`` states the same as ``reference``; None without a grade. Raises ``EndpointError``."""
        ...


class BuilderModel:
    """One served model in its three roles: describer, drafter, answerer. Everything is decoded greedily.

    Every method raises ``EndpointError`` if there is no reply, and ``MediaError`` if a clip cannot be read.
    """

    def __init__(self, chat: ChatCompleter, sampling: ClipSampling) -> None:
        self._chat, self._captioner, self._sampling = chat, Captioner(chat), sampling
        self._frames: LRUCache[Path, Sequence[MessagePart]] = LRUCache(KEPT_CLIPS)

    async def describe(self, clip: ClipFile) -> CaptionResult:
        """The caption of a clip, or why there is none."""
        return await self._captioner.caption(await self._frame_parts(clip))

    async def draft(self, captions: Sequence[Caption]) -> str:
        """A reply that ``prompts.read_draft`` reads."""
        return await self._reply(prompts.DRAFT, prompts.draft_request(captions))

    async def answer(self, question: str, clips: Sequence[ClipFile]) -> str:
        """A short answer from clips, or from none; empty if the reply holds none."""
        request = quoted({"question": question, "clips": len(clips)})
        parts = [text_part(request)]
        for label, clip in prompts.labels(clips).items():
            parts += [text_part(label), *await self._frame_parts(clip)]
        return prompts.read_answer(await self._reply(prompts.ANSWER, parts if clips else request))

    async def _reply(self, system: str, content: str | Sequence[MessagePart]) -> str:
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": system},
            {"role": "user", "content": content},
        ]
        greedy = Decoding(temperature=0.0, top_p=1.0, max_tokens=MAX_TOKENS)
        return (await self._chat.complete(messages, greedy)).text

    async def _frame_parts(self, clip: ClipFile) -> Sequence[MessagePart]:
        if (parts := self._frames.get(clip.path)) is None:
            parts = self._frames[clip.path] = await asyncio.to_thread(clip_parts, clip.path, self._sampling)
        return parts
