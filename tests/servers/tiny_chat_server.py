"""A checkpoint of ours behind the chat protocol on loopback: what a person with a served model has.

    python -m tests.servers.tiny_chat_server checkpoints/miniature/000012

Prompts come as text and data URIs and are cut by the checkpoint's own template; replies are drawn by ``TransformersPolicy``. Its
name is ``tiny``. Requests that wait together are decoded together.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from model.policies.transformers_policy import TransformersPolicy
from model.types import ImageRef, Message, PolicyRequest, Role, Sampling, Task
from orchestration.joins.agents import load
from tests.servers.openai_server import Answer, Fault, OpenAIServer, Received, Spoken

NAME = "tiny"
ROLES = {role.value: role for role in Role}


class SentPictures:
    """A media source of what came with requests, by content."""

    def __init__(self) -> None:
        self._images: dict[str, Image.Image] = {}

    def keep(self, image: Image.Image) -> ImageRef:
        key = hashlib.sha256(image.tobytes()).hexdigest()
        self._images.setdefault(key, image.convert("RGB"))
        return ImageRef(item_id=key, width=image.width, height=image.height)

    def image(self, item_id: str) -> Image.Image:
        return self._images[item_id]

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        raise KeyError(item_id)


class TinyChatServer(OpenAIServer):
    """The server of one checkpoint."""

    def __init__(self, checkpoint: Path) -> None:
        super().__init__(models=(NAME,))
        torch.set_num_threads(1)
        loaded = load(checkpoint)
        self._media = SentPictures()
        self._policy = TransformersPolicy(loaded.model, loaded.encoder(), self._media)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def respond(self, received: Received) -> Answer:
        body = received.body
        sampling = Sampling(
            temperature=body.get("temperature", 0.0),
            top_p=body.get("top_p", 1.0),
            max_tokens=body.get("max_tokens") or body.get("max_completion_tokens") or 96,
            seed=body.get("seed"),
        )
        images = iter(received.images)
        messages = tuple(self._message(each, images) for each in received.messages)
        task = Task(id="chat", dataset="chat", question="", answers=(), kind="text")
        request = PolicyRequest(messages=messages, task=task, sampling=sampling)
        try:
            reply = asyncio.run_coroutine_threadsafe(self._policy.complete(request), self._loop).result()
        except ValueError as error:
            return Fault(status=400, body={"error": {"message": str(error)}})
        tokens = (len(reply.prompt_ids), len(reply.token_ids))
        return Spoken(text=reply.text, finish_reason=reply.finish_reason, tokens=tokens, piece_chars=1 << 16)

    def _message(self, told: Mapping[str, Any], images: Any) -> Message:
        content = told["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        return Message(
            role=ROLES[told["role"]],
            parts=tuple(
                each["text"] if each["type"] == "text" else self._media.keep(next(images)) for each in parts
            ),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    arguments = parser.parse_args()
    with TinyChatServer(arguments.checkpoint) as server:
        print(server.base_url, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
