"""A served model as the judge of answers: right, wrong, or no verdict.

Holds asking, caching, time and counting; the words are in ``judge_prompt.py``. Only the judge's own reply is read for a
grade, never the answer that is graded. No verdict is never a wrong answer: whoever evaluates counts it apart.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from typing import Protocol
from weakref import WeakValueDictionary

from pydantic import TypeAdapter

from model.evaluation.judge_prompt import PROMPT_HASH, grading_messages, read_grade, references_of, reminded
from model.policies.chat_endpoint import CompletingEndpoint
from model.types import Sampling, Task

logger = logging.getLogger(__name__)


class VerdictCache(Protocol):
    """Texts by key, shared by runs; called from worker threads. The first text of a key stays."""

    def find(self, key: str) -> str | None:
        """The text of a key, or None."""
        ...

    def keep(self, key: str, value: str) -> None:
        """Store a text unless the key has one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeVerdict:
    """What a judge decided, and all that is needed to see why."""

    correct: bool
    judge: str = ""  # the model's name, as it was asked for
    prompt: str = ""  # hash of the words it was asked in
    reply: str = ""  # of the judge, whole

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> JudgeVerdict:
        """The inverse. Raises ``ValueError`` for anything else."""
        return _VERDICT.validate_json(text, strict=True)


_VERDICT = TypeAdapter(JudgeVerdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCounts:
    """What a judge did; every grading is counted in exactly one of the first five."""

    asked: int = 0  # verdicts the judge gave
    cached: int = 0  # verdicts that were there already
    ungradable: int = 0  # nothing to ask: no published answer, or an empty prediction, which is wrong
    abstained: int = 0  # the judge replied without a grade, twice
    failed: int = 0  # no reply in time, an error, or given up on
    reminded: int = 0  # gradings in which it had to be asked for its grade


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """How a judge is asked."""

    timeout_s: float = 120.0
    """One verdict, the reminder and all retries of the client included."""
    max_tokens: int = 1024
    """Reasoning and grade."""
    patience: int = 8
    """Failures in a row after which the judge is taken for gone: then one grading at a time still asks, and the others
    end at once without a verdict, so that a batch ends in time. One reply ends this.
    """

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.max_tokens < 1 or self.patience < 1:
            raise ValueError(f"judge settings out of range: {self}")


class JudgeGrader:
    """``Grader`` by a judge model. Use it from one event loop.

    Args:
        endpoint: the judge; temperature 0 is asked for.
        model: its name, part of every verdict and of its key.
        cache: verdicts of earlier runs; None keeps none.
        settings: time, length, patience.
        failures: errors of the endpoint that leave a question without a verdict, as being late does; any other error
            comes through, because the next question would fail alike.
    """

    def __init__(
        self,
        endpoint: CompletingEndpoint,
        *,
        model: str,
        cache: VerdictCache | None = None,
        settings: JudgeSettings | None = None,
        failures: tuple[type[Exception], ...] = (),
    ) -> None:
        if not model:
            raise ValueError("a judge needs the name of its model: verdicts are kept under it")
        self._endpoint, self._model = endpoint, model
        self._cache = cache
        self._settings = settings or JudgeSettings()
        self._failures: tuple[type[Exception], ...] = (TimeoutError, *failures)
        self._in_a_row = 0
        self._probing = False
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.tally = JudgeCounts()

    @property
    def fingerprint(self) -> str:
        """``judge:<model>:<hash of its prompt>``; verdicts of equal fingerprints can be compared."""
        return f"judge:{self._model}:{PROMPT_HASH}"

    async def grade(self, task: Task, answer: str) -> bool | None:
        """True or False; None without a verdict. An empty answer is wrong without asking."""
        if not answer.strip() and references_of(task):
            self._count("ungradable")
            return False
        verdict = await self.verdict(task, answer)
        return None if verdict is None else verdict.correct

    async def verdict(self, task: Task, answer: str) -> JudgeVerdict | None:
        """The verdict with the judge's reply; None if nothing can be asked or the judge gives none."""
        references = references_of(task)
        if not references:
            self._count("ungradable")
            return None
        key = self._key(task.question, references, answer)
        lock = self._busy.setdefault(key, asyncio.Lock())  # rollouts of one question often answer alike
        try:
            async with asyncio.timeout(self._settings.timeout_s), lock:
                if (known := await self._find(key)) is not None:
                    self._count("cached")
                    return known
                return await self._ask_or_give_up(key, task.question, references, answer)
        except self._failures as error:
            self._in_a_row += 1
            self._count("failed")
            logger.warning("no verdict on %s: %s", task.id, str(error) or type(error).__name__)
            return None

    async def _ask_or_give_up(
        self, key: str, question: str, references: tuple[str, ...], answer: str
    ) -> JudgeVerdict | None:
        gone = self._in_a_row >= self._settings.patience
        if gone and self._probing:
            self._count("failed")
            return None
        self._probing = self._probing or gone
        try:
            grade, reply = await self._ask(question, references, answer)
        finally:
            self._probing = self._probing and not gone
        self._in_a_row = 0
        if grade is None:
            self._count("abstained")
            return None
        self._count("asked")
        verdict = JudgeVerdict(correct=grade, judge=self._model, prompt=PROMPT_HASH, reply=reply)
        if self._cache is not None:
            await asyncio.to_thread(self._cache.keep, key, verdict.to_json())
        return verdict

    async def _ask(self, question: str, references: tuple[str, ...], answer: str) -> tuple[bool | None, str]:
        """The grade and the reply that holds it, asked for a second time if there is none."""
        options = Sampling(temperature=0.0, top_p=1.0, max_tokens=self._settings.max_tokens)
        messages = grading_messages(question, references, answer)
        first = (await self._endpoint.complete(messages, options)).text
        if (grade := read_grade(first)) is not None:
            return grade, first
        self._count("reminded")
        second = (await self._endpoint.complete(reminded(messages, first), options)).text
        return read_grade(second), second

    async def _find(self, key: str) -> JudgeVerdict | None:
        text = None if self._cache is None else await asyncio.to_thread(self._cache.find, key)
        try:
            return None if text is None else JudgeVerdict.from_json(text)
        except ValueError:
            return None  # of another program; it is asked anew

    def _key(self, question: str, references: tuple[str, ...], answer: str) -> str:
        parts = [self._model, PROMPT_HASH, question, list(references), answer]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _count(self, name: str) -> None:
        self.tally = replace(self.tally, **{name: getattr(self.tally, name) + 1})
