"""The body of a chat request, and what a server was found not to take.

Every server knows the messages and the length limit; some refuse a seed, a nucleus or a temperature with status 400. What
one refuses is left out from then on, with a warning.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from infra.llm.errors import ServerError, is_too_long
from infra.llm.types import ChatMessages, DecodingOptions

logger = logging.getLogger(__name__)

OPTIONAL = ("seed", "top_p", "stream_options", "temperature")
_COMPLAINT = re.compile(
    r"un(supported|known|recogni[sz]ed|expected)|not (supported|support|permitted|allowed|recogni[sz]ed)|invalid|extra",
    re.IGNORECASE,
)


class RequestBodyBuilder:
    """Builds bodies for one endpoint; remembers what it refuses."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._length_key = "max_tokens"
        self.refused: frozenset[str] = frozenset()

    def body(
        self, model: str, messages: ChatMessages, request: DecodingOptions, *, stream: bool
    ) -> dict[str, Any]:
        """The JSON of one request. A nucleus of 1 is everybody's default and is not sent."""
        body: dict[str, Any] = {
            "model": model,
            "messages": list(messages),
            "stream": stream,
            self._length_key: request.max_tokens,
            "temperature": request.temperature,
        }
        if request.top_p < 1:
            body["top_p"] = request.top_p
        if request.seed is not None:
            body["seed"] = request.seed
        if stream:
            body["stream_options"] = {"include_usage": True}
        return {name: value for name, value in body.items() if name not in self.refused}

    def adapt(self, words: ServerError, body: Mapping[str, Any]) -> bool:
        """Whether the refusal of ``body`` is about something that can be left out; from now on it is."""
        if is_too_long(words):
            return False
        if (
            "max_completion_tokens" in words.message
            and "max_tokens" in body
            and _COMPLAINT.search(words.message)
        ):
            self._length_key = "max_completion_tokens"
            logger.warning("%s: max_tokens is sent as max_completion_tokens from now on", self._where)
            return True
        named = next((name for name in OPTIONAL if name in body and _names(words, name)), None)
        if named is None:
            return False
        self.refused |= {named}
        logger.warning("%s: %s is refused and left out from now on", self._where, named)
        return True


def _names(words: ServerError, parameter: str) -> bool:
    """Whether a refusal is about ``parameter``: its field says so, or its text quotes or blames it."""
    if words.param:
        return words.param == parameter
    if re.search(rf"['\"`]{parameter}['\"`]", words.message):
        return True
    blamed = re.search(rf"(?<![\w-]){parameter}(?![\w-])", words.message)
    return blamed is not None and _COMPLAINT.search(words.message) is not None
