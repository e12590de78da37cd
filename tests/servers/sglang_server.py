"""A server that speaks SGLang's native protocol on loopback, over the same real model as ``vllm_server.py``.

Bodies and answers as in SGLang's documentation (native API; "SGLang for RL Systems"): ``/generate`` with ``input_ids``,
``/update_weights_from_disk``, ``/pause_generation`` and ``/continue_generation``. Fields it does not know are an error, so that
a client cannot send what a real server would ignore.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tests.servers.vllm_server import VllmServer

SAMPLING = {"temperature", "top_p", "max_new_tokens", "ignore_eos", "stop_token_ids", "no_stop_trim", "skip_special_tokens",
            "logit_bias", "sampling_seed"}  # fmt: skip
REQUEST = {"input_ids", "sampling_params", "return_logprob"}


@dataclass
class SglangServer(VllmServer):
    """The server."""

    paused: bool = False
    weight_version: str = "default"
    log: list[str] = field(default_factory=list)

    def info(self) -> dict[str, Any]:
        return {"model_path": str(self.checkpoint), "served_model_name": "policy", "is_generation": True,
                "weight_version": self.weight_version}  # fmt: skip

    def get(self, path: str) -> tuple[int, Any]:
        return (200, self.info()) if path == "/get_model_info" else (404, {"detail": "Not Found"})

    def answer(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        with self._lock:
            self.asked.append((path, body))
            routes: dict[str, Callable[[Mapping[str, Any]], tuple[int, Any]]] = {
                "/generate": self._native,
                "/pause_generation": lambda body: self._pause(body["mode"]),
                "/continue_generation": lambda _: self._pause(None),
                "/update_weights_from_disk": self._from_disk,
            }
            return routes[path](body) if path in routes else (404, {"detail": "Not Found"})

    def _native(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        asked = body["sampling_params"]
        if unknown := (body.keys() - REQUEST) | (asked.keys() - SAMPLING):
            return 400, {"error": {"message": f"unknown fields {sorted(unknown)}"}}
        if self.paused:
            return 503, {"error": {"message": "generation is paused"}}
        drawn = self._drawn({
            "token_ids": body["input_ids"],
            "sampling_params": {**asked, "max_tokens": asked["max_new_tokens"], "seed": asked.get("sampling_seed")},
        })  # fmt: skip
        (choice,) = drawn["choices"]
        ids = choice["token_ids"]
        scored = [
            [each["logprob"], token, None]
            for each, token in zip(choice["logprobs"]["content"], ids, strict=True)
        ]
        reason = (
            {"type": "stop", "matched": ids[-1]}
            if choice["finish_reason"] == "stop"
            else {"type": "length", "length": len(ids)}
        )
        facts = {"id": "r", "finish_reason": reason, "prompt_tokens": len(body["input_ids"]), "completion_tokens": len(ids),
                 "output_token_logprobs": scored, "weight_version": self.weight_version}  # fmt: skip
        return 200, self.changes({"text": "", "output_ids": ids, "meta_info": facts})

    def _pause(self, mode: str | None) -> tuple[int, Any]:
        if mode not in (None, "abort", "retract", "in_place"):
            return 400, {"error": {"message": f"no mode {mode}"}}
        self.paused = mode is not None
        return 200, {"status": "ok"}

    def _from_disk(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        folder = Path(body["model_path"])
        if not (folder / "model.safetensors").exists():
            return 400, {
                "success": False,
                "message": f"Failed to get weights iterator: {folder}",
                "num_paused_requests": 0,
            }
        self.model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        self.weight_version = body.get("weight_version") or "default"
        return 200, {
            "success": True,
            "message": "Succeeded to update model weights.",
            "num_paused_requests": 0,
        }
