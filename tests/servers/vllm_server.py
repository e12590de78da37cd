"""A server that speaks vLLM's token protocol on loopback, backed by a real model through plain transformers.

    with VllmServer(checkpoint) as server:
        ...  # a client of server.base_url

Renders pictures, draws tokens with a loop of its own (full forward passes, no code of the policies under test), loads
adapters and weights from folders when told to. ``faults`` makes it misbehave: each is a function of path and answer.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

BASE = "policy"


@dataclass(frozen=True)
class Fault:
    """What comes instead of the answer; status 0 is silence until the server is closed."""

    status: int = 200
    body: Any = None


Fails = Callable[[str, Mapping[str, Any]], Fault | None]


@dataclass
class VllmServer:
    """The server. ``changes`` rewrites what ``/inference/v1/generate`` answers."""

    checkpoint: Path
    lora: bool = True
    dev_mode: bool = True
    fails: Fails = lambda path, body: None
    changes: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    min_pixels: int = 32 * 32
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http: ThreadingHTTPServer | None = None
        self._port = 0
        self.adapters: dict[str, dict[str, torch.Tensor]] = {}
        self._scales: dict[str, float] = {}
        self.start_over()
        self.tokenizer = AutoTokenizer.from_pretrained(self.checkpoint)
        self._image_id = self.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        self._processor = Qwen2VLImageProcessorPil(
            patch_size=16,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
            size={"shortest_edge": self.min_pixels, "longest_edge": 1 << 24},
        )

    def start_over(self) -> None:
        """As after a crash: the weights it was started with, no adapters."""
        self.model = Qwen3VLForConditionalGeneration.from_pretrained(
            self.checkpoint, dtype=torch.float32
        ).eval()
        self.adapters.clear()

    @property
    def base_url(self) -> str:
        """For clients; ends in /v1."""
        return f"http://127.0.0.1:{self._port}/v1"

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.asked]

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    def serve(self) -> None:
        """Listen; again on the same port after ``die``."""
        self._closing.clear()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._http.daemon_threads = True
        self._port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def die(self) -> None:
        """Stop listening."""
        self._closing.set()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def stall(self) -> None:
        """Say nothing until the server is closed."""
        self._closing.wait(timeout=60)

    def get(self, path: str) -> tuple[int, Any]:
        """Status and body of what is only read."""
        names = [BASE, *self.adapters]
        return 200 if path == "/v1/models" else 404, {"data": [{"id": name} for name in names]}

    def answer(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """Status and body."""
        with self._lock:
            self.asked.append((path, body))
            routes: dict[str, Callable[[Mapping[str, Any]], tuple[int, Any]]] = {
                "/inference/v1/generate": self._generate,
                "/v1/chat/completions/render": self._render,
            }
            if self.lora:
                routes |= {"/v1/load_lora_adapter": self._load, "/v1/unload_lora_adapter": self._unload}
            if self.dev_mode:
                routes |= {"/collective_rpc": self._rpc, "/reset_prefix_cache": lambda _: (200, "")}
            return routes[path](body) if path in routes else (404, {"detail": "Not Found"})

    def _render(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        (part,) = body["messages"][0]["content"]
        head, _, data = part["image_url"]["url"].partition(",")
        assert head == "data:image/png;base64"
        image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        cut = self._processor(images=[image], return_tensors="pt")
        buffer = io.BytesIO()
        np.savez(buffer, pixels=cut["pixel_values"].numpy(), grid=cut["image_grid_thw"].numpy())
        length = int(cut["image_grid_thw"].prod()) // 4
        return 200, {
            "token_ids": [0, *[self._image_id] * length],
            "features": {
                "mm_hashes": {"image": [hashlib.sha256(data.encode()).hexdigest()]},
                "mm_placeholders": {"image": [{"offset": 1, "length": length}]},
                "kwargs_data": {"image": [base64.b64encode(buffer.getvalue()).decode()]},
            },
        }

    def _generate(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        name = body["model"]
        if name != BASE and name not in self.adapters:
            return 404, {"error": {"message": f"The model `{name}` does not exist.", "code": 404}}
        if name != BASE:
            with _adapted(self.model, self.adapters[name], self._scales[name]):
                return 200, self.changes(self._drawn(body))
        return 200, self.changes(self._drawn(body))

    @torch.inference_mode()
    def _drawn(self, body: Mapping[str, Any]) -> dict[str, Any]:
        asked, ids = body["sampling_params"], list(body["token_ids"])
        vision = self._vision(body.get("features"), ids)
        random = np.random.default_rng(asked.get("seed"))
        drawn: list[int] = []
        scored: list[dict[str, Any]] = []
        while len(drawn) < asked["max_tokens"] and not (drawn and drawn[-1] in asked["stop_token_ids"]):
            tokens = torch.tensor([ids + drawn])
            kinds = (tokens == self._image_id).int()
            out = self.model(input_ids=tokens, mm_token_type_ids=kinds, logits_to_keep=1, **vision)
            logits = out.logits[0, -1].double()
            scores = torch.log_softmax(logits, dim=-1)
            for token, bias in asked["logit_bias"].items():
                logits[int(token)] += bias
            token = _pick(logits, asked, random)
            drawn.append(token)
            scored.append({"token": f"token_id:{token}", "logprob": float(scores[token]), "top_logprobs": []})
        reason = "stop" if drawn[-1] in asked["stop_token_ids"] else "length"
        choice = {"index": 0, "token_ids": drawn, "logprobs": {"content": scored}, "finish_reason": reason}
        return {"request_id": "r", "choices": [choice]}

    def _vision(self, features: Mapping[str, Any] | None, ids: Sequence[int]) -> dict[str, torch.Tensor]:
        if features is None:
            return {}
        loaded = [np.load(io.BytesIO(base64.b64decode(data))) for data in features["kwargs_data"]["image"]]
        for place in features["mm_placeholders"]["image"]:
            span = ids[place["offset"] : place["offset"] + place["length"]]
            assert set(span) == {self._image_id} and len(span) == place["length"]
        return {
            "pixel_values": torch.from_numpy(np.concatenate([each["pixels"] for each in loaded])),
            "image_grid_thw": torch.from_numpy(np.concatenate([each["grid"] for each in loaded])),
        }

    def _load(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        name, folder = body["lora_name"], Path(body["lora_path"])
        if name in self.adapters:
            return 400, {"error": {"message": f"The lora adapter '{name}' has already been loaded."}}
        if not (folder / "adapter_config.json").exists():
            return 404, {"error": {"message": f"Loading lora {name} failed: no adapter model at {folder}"}}
        settings = json.loads((folder / "adapter_config.json").read_text())
        self.adapters[name] = load_file(folder / "adapter_model.safetensors")
        self._scales[name] = settings["lora_alpha"] / settings["r"]
        return 200, f"Success: LoRA adapter '{name}' added successfully."

    def _unload(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        if self.adapters.pop(body["lora_name"], None) is None:
            return 404, {"error": {"message": "The lora adapter cannot be found in the model."}}
        return 200, "Success: removed."

    def _rpc(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        if body["method"] != "reload_weights":
            return 500, {"error": {"message": f"no method {body['method']}"}}
        folder = Path(body["kwargs"]["weights_path"])
        # not from_pretrained, which two servers in one process cannot call at once
        unknown = self.model.load_state_dict(
            load_file(folder / "model.safetensors"), strict=False
        ).unexpected_keys
        return (
            (500, {"error": {"message": f"unknown weights {unknown}"}})
            if unknown
            else (200, {"results": [None]})
        )


class _adapted:
    """The model with ``scale * B A`` added to the layers that an adapter names, for as long as it is entered."""

    def __init__(self, model: torch.nn.Module, adapter: Mapping[str, torch.Tensor], scale: float) -> None:
        layers = dict(model.named_modules())
        self._changes = []
        for key in sorted(adapter):
            if key.endswith(".lora_A.weight"):
                layer = layers[key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")]
                low = adapter[key.replace(".lora_A.", ".lora_B.")] @ adapter[key]
                self._changes.append((layer, layer.weight.data, low * scale))

    def __enter__(self) -> None:
        for layer, plain, update in self._changes:
            layer.weight.data = plain + update

    def __exit__(self, *_: object) -> None:
        for layer, plain, _ in self._changes:
            layer.weight.data = plain


def _pick(logits: torch.Tensor, asked: Mapping[str, Any], random: np.random.Generator) -> int:
    if not asked["temperature"]:
        return int(logits.argmax())
    assert asked["top_p"] == 1.0, "this server draws from the whole distribution"
    chances = torch.softmax(logits / asked["temperature"], dim=-1).numpy()
    return int(random.choice(len(chances), p=chances / chances.sum()))


class _Handler(BaseHTTPRequestHandler):
    owner: VllmServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        self._send(*self.owner.get(self.path))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
        fault = self.owner.fails(self.path, body)
        if fault is None:
            return self._send(*self.owner.answer(self.path, body))
        if not fault.status:
            self.owner.stall()
            self.close_connection = True
            return
        self._send(fault.status, fault.body)

    def _send(self, status: int, body: Any) -> None:
        is_text = isinstance(body, str)
        data = body.encode() if is_text else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if is_text else "application/json")
        self.send_header("Content-Length", str(len(data)))
        with suppress(BrokenPipeError, ConnectionResetError):  # nobody waits any more
            self.end_headers()
            self.wfile.write(data)
