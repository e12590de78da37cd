"""What the first hour on a real vLLM or SGLang server must show, as a list that says ok or what is wrong::

    python benchmarks/first_hour.py --endpoint http://127.0.0.1:8000/v1 --kind vllm --model policy --checkpoint FOLDER

``--checkpoint`` is the folder the server was started with: the same tokens are scored here by plain transformers, in fp32.
``--weights FOLDER``, another checkpoint of the shape that the server sees under that path, is loaded, compared and taken
back. Prints one line a check and a JSON line at the end; exit code 1 when any failed. Written against vLLM's
``/inference/v1/generate`` and ``/collective_rpc`` (documented for 0.18 to 0.32) and SGLang's ``/generate`` and
``/update_weights_from_disk`` (documented for 0.5); no live server was at hand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

from infra.llm.errors import EndpointUnavailableError, RequestRefusedError
from infra.llm.tokens.client import TokenClient
from infra.llm.tokens.sglang import SglangClient
from infra.llm.tokens.types import TokenReply, TokenServerSettings
from model.policies.chat_template import PromptEncoder, visual_tokens
from model.policies.image_uris import png_uri
from model.policies.token_endpoint import TokenRequest
from model.types import ImageRef, Message, Role, Sampling
from orchestration.rollouts.weight_sync import DiskSync, FolderSync

MEAN_NATS, MAX_NATS = 0.05, 1.0  # what ``bf16_parity`` allows
TOKENS = 16


class Failed(Exception):
    """A check that the server does not pass; the message says how."""


@dataclass
class Hour:
    """One server and what it is held against."""

    client: TokenClient
    kind: str
    model: str
    encoder: PromptEncoder
    checkpoint: Path
    weights: Path | None

    async def reply(
        self, *, forbid: tuple[int, ...] = (), length: int = TOKENS, **sampling: object
    ) -> TokenReply:
        """A reply to one fixed prompt; greedy unless said otherwise."""
        options = Sampling(**{"temperature": 0.0, "top_p": 1.0, "max_tokens": length, **sampling})  # type: ignore[arg-type]
        request = TokenRequest(
            token_ids=self.prompt, images=(), offsets=(), options=options, eos_id=self.encoder.eos_id,
            forbidden_ids=(self.encoder.image_id, *forbid),
        )  # fmt: skip
        return await self.client.generate(self.model, request)

    @property
    def prompt(self) -> tuple[int, ...]:
        """Always the same."""
        asked = Message(role=Role.USER, parts=("Name three colours of the rainbow, then stop.",))
        return self.encoder.encode([asked]).ids

    @torch.no_grad()
    def apart(self, reply: TokenReply, folder: Path) -> tuple[float, float]:
        """Mean and largest difference of the reply's log-probabilities from those of the weights in ``folder`` (nats)."""
        model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
        ids = torch.tensor([[*self.prompt, *reply.token_ids]])
        kinds = torch.zeros_like(ids, dtype=torch.int)
        scores = model(input_ids=ids, mm_token_type_ids=kinds).logits[0].double().log_softmax(-1)
        start = len(self.prompt)
        differences = [
            abs(float(scores[start + place - 1, token]) - reply.logprobs[place])
            for place, token in enumerate(reply.token_ids)
        ]
        return statistics.fmean(differences), max(differences)

    async def named(self) -> str:
        """The model is there under the name that requests will use."""
        names = await self.client.models()
        if self.model not in names:
            raise Failed(f"it serves {', '.join(names) or 'nothing'}, not {self.model}")
        return ", ".join(names)

    async def tokens(self) -> str:
        """As many token ids as log-probabilities, no more than asked for, and an end token at the end alone."""
        reply = await self.reply()
        if len(reply.token_ids) > TOKENS or self.encoder.eos_id in reply.token_ids[:-1]:
            raise Failed(f"{len(reply.token_ids)} tokens, end token before the end: {reply.token_ids}")
        return f"{len(reply.token_ids)} tokens, finish reason {reply.finish_reason}"

    async def repeated(self) -> str:
        """The same seed draws the same tokens, another one others."""
        first, again, other = [await self.reply(temperature=1.0, seed=seed) for seed in (1, 1, 2)]
        if first.token_ids != again.token_ids:
            raise Failed(
                "the same seed drew other tokens: rollouts cannot be repeated (training does not need it)"
            )
        if first.token_ids == other.token_ids:
            raise Failed("another seed drew the same tokens: the seed is ignored")
        return "seeds count"

    async def forbidden(self) -> str:
        """A barred token is not drawn."""
        favourite = (await self.reply(length=1)).token_ids[0]
        if favourite == self.encoder.eos_id:
            return "the first token is the end: nothing to bar"
        barred = (await self.reply(length=1, forbid=(favourite,))).token_ids[0]
        if barred == favourite:
            raise Failed(
                f"token {favourite} was drawn although its bias was -100: image placeholders could be sampled"
            )
        return f"{favourite} gave way to {barred}"

    async def parity(self) -> str:
        """Log-probabilities are those of the checkpoint, of the distribution before any bias."""
        reply = await self.reply(temperature=1.0, seed=3)
        mean, most = self.apart(reply, self.checkpoint)
        if mean > MEAN_NATS or most > MAX_NATS:
            raise Failed(
                f"log-probabilities differ by {mean:.3g} nats on average, at most {most:.3g}: other weights, or scaled"
            )
        return f"mean difference {mean:.2g} nats, largest {most:.2g}"

    async def together(self) -> str:
        """Eight requests at once give what one gives."""
        alone = await self.reply()
        many = await asyncio.gather(*(self.reply() for _ in range(8)))
        others = sum(each.token_ids != alone.token_ids for each in many)
        if others:
            raise Failed(
                f"{others} of 8 equal greedy requests at once drew other tokens than one alone: batches change results"
            )
        return "8 of 8 alike"

    async def picture(self) -> str:
        """A picture takes as many tokens there as here."""
        ref = ImageRef(item_id="p", width=96, height=64)
        image = await self.client.render(self.model, png_uri(Image.new("RGB", (96, 64), "orange")))
        if image.num_tokens != visual_tokens(ref):
            raise Failed(
                f"96x64 px are {image.num_tokens} tokens there and {visual_tokens(ref)} here: other limits of pixels"
            )
        return f"{image.num_tokens} tokens"

    async def reloaded(self) -> str:
        """Other weights are loaded and taken back; each time the log-probabilities follow."""
        assert self.weights is not None, "asked only with weights"
        sync = (DiskSync if self.kind == "sglang" else FolderSync)(self.weights.parent, model=self.model)
        said = []
        for folder in (self.weights, self.checkpoint):
            sync._path = folder.resolve()
            await sync.load(self.client)
            mean, _ = self.apart(await self.reply(temperature=1.0, seed=4), folder)
            if mean > MEAN_NATS:
                raise Failed(
                    f"log-probabilities are {mean:.3g} nats from those of {folder}: weights were not loaded, or cached"
                )
            said.append(f"{mean:.2g}")
        return f"mean differences {', '.join(said)} nats"


def checks(hour: Hour) -> dict[str, Callable[[], Awaitable[str]]]:
    """In the order in which one failing explains the next."""
    found: dict[str, Callable[[], Awaitable[str]]] = {
        "model is served": hour.named, "tokens in, tokens out": hour.tokens, "log-probabilities": hour.parity,
        "barred tokens": hour.forbidden, "seeds": hour.repeated, "eight at once": hour.together,
    }  # fmt: skip
    if hour.kind == "vllm":
        found["picture"] = hour.picture
    if hour.weights is not None:
        found["weights reloaded"] = hour.reloaded
    return found


async def run(hour: Hour) -> dict[str, dict[str, object]]:
    """Every check, whatever becomes of the others."""
    results: dict[str, dict[str, object]] = {}
    for name, check in checks(hour).items():
        try:
            results[name] = {"ok": True, "said": await check()}
        except (Failed, RequestRefusedError, EndpointUnavailableError) as error:
            results[name] = {"ok": False, "said": str(error)}
        print(f"{'ok    ' if results[name]['ok'] else 'FAILED'} {name}: {results[name]['said']}", flush=True)
    await hour.client.close()
    return results


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What a first hour on a real rollout server must show.")
    parser.add_argument("--endpoint", required=True, help="up to and with /v1")
    parser.add_argument("--kind", choices=("vllm", "sglang"), default="vllm")
    parser.add_argument("--model", default="policy", help="name in requests")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="the folder that the server was started with"
    )
    parser.add_argument(
        "--weights", type=Path, help="another checkpoint of that shape, to be loaded and taken back"
    )
    arguments = parser.parse_args(given)
    settings = TokenServerSettings(base_url=arguments.endpoint)
    client = SglangClient(settings) if arguments.kind == "sglang" else TokenClient(settings)
    encoder = PromptEncoder(AutoTokenizer.from_pretrained(arguments.checkpoint))
    hour = Hour(client, arguments.kind, arguments.model, encoder, arguments.checkpoint, arguments.weights)
    results = asyncio.run(run(hour))
    print(json.dumps({"name": "first_hour", "kind": arguments.kind, "checks": results}))
    return 0 if all(each["ok"] for each in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
