"""Requests for embeddings and what comes back, as JSON. Pure functions; nothing is sent here.

Two styles are in use. ``input`` takes a list of texts (OpenAI, vLLM, text-embeddings-inference, Infinity, llama.cpp).
``messages`` takes one conversation, with images (vLLM's pooling runner): the server's chat template makes of it the prompt that
a vision-language embedder was trained with, for texts too.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from infra.vector_stores.types import Vectors

JSON = dict[str, Any]


class RequestStyle(StrEnum):
    """How a server is asked."""

    AUTO = "auto"  # ``messages`` if two pictures of other colours get other vectors, else ``input``
    INPUT = "input"
    MESSAGES = "messages"


class MalformedAnswerError(ValueError):
    """The server sent something that is no list of embeddings."""


class BadVectorError(ValueError):
    """The vector of one input cannot be used. ``position`` is its place in the request."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


def input_body(model: str, texts: Sequence[str]) -> JSON:
    """A request for the vectors of some texts."""
    return {"model": model, "input": list(texts), "encoding_format": "float"}


def messages_body(model: str, parts: Sequence[Mapping[str, Any]], instruction: str) -> JSON:
    """A request for the vector of one conversation: instruction, user's parts, an opened reply closed by the model's own end.

    The last three fields are vLLM's; they make the prompt equal to the one of Qwen3-VL-Embedding's own helper.
    """
    messages = [
        {"role": "system", "content": [{"type": "text", "text": instruction}]},
        {"role": "user", "content": list(parts)},
        {"role": "assistant", "content": [{"type": "text", "text": ""}]},
    ]
    return {
        "model": model,
        "messages": messages,
        "encoding_format": "float",
        "continue_final_message": True,
        "add_special_tokens": True,
    }


def vectors_of(answer: object, count: int) -> Vectors:
    """The vectors ``[count, D]`` of an answer in the order of the request, unit length.

    Raises:
        MalformedAnswerError: for another number of vectors, unclear order, or different widths.
        BadVectorError: for a vector that is not finite or has no direction.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise MalformedAnswerError("an answer without a list of embeddings")
    if len(data) != count:
        raise MalformedAnswerError(f"{len(data)} vectors for {count} inputs")
    rows = [_values(entry.get("embedding")) for entry in _ordered(data)]
    if len({len(row) for row in rows}) > 1:
        raise MalformedAnswerError(f"vectors of {sorted({len(row) for row in rows})} values in one answer")
    vectors_ND = np.stack(rows) if rows else np.zeros((0, 0))
    for position, row in enumerate(vectors_ND):
        if not np.isfinite(row).all():
            raise BadVectorError(position, "its vector is not finite")
        if not row.any():
            raise BadVectorError(position, "its vector is zero")
    return unit(vectors_ND)


def unit(vectors_ND: np.ndarray, dim: int | None = None) -> Vectors:
    """The first ``dim`` values of each row, at unit length, in float32."""
    kept = vectors_ND[:, :dim].astype(np.float64)
    return (kept / np.linalg.norm(kept, axis=1, keepdims=True)).astype(np.float32)


def prompt_tokens(answer: object) -> int | None:
    """Tokens the server counted; None if it does not say."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None
    for name in ("prompt_tokens", "total_tokens"):
        count = usage.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            return count
    return None


def _ordered(data: list[JSON]) -> list[JSON]:
    """By ``index`` where the server states one; servers that answer out of order do."""
    places = [place for entry in data if isinstance(place := entry.get("index"), int)]
    if not places and not any("index" in entry for entry in data):
        return data
    if sorted(places) != list(range(len(data))):
        raise MalformedAnswerError("the index of each vector is not clear")
    return sorted(data, key=lambda entry: entry["index"])


def _values(stated: object) -> np.ndarray:
    """A vector as a list of numbers, or as the base64 of little-endian float32; null is what some servers send for NaN."""
    if isinstance(stated, str):
        try:
            return np.frombuffer(base64.b64decode(stated, validate=True), dtype="<f4").astype(np.float64)
        except ValueError as cause:  # binascii.Error is one
            raise MalformedAnswerError("an embedding that is no base64 of float32") from cause
    if not isinstance(stated, list) or not stated:
        raise MalformedAnswerError("an entry without an embedding")
    if isinstance(stated[0], list):  # llama.cpp without pooling: one vector a token
        raise MalformedAnswerError("a vector for each token: start the server with pooling")
    if not all(value is None or isinstance(value, int | float) for value in stated):
        raise MalformedAnswerError("an embedding that is no list of numbers")
    return np.array([math.nan if value is None else float(value) for value in stated])
