"""Texts, images and clips to vectors by a Qwen-VL of a local folder: the state of the last token, normalised.

Qwen3-VL-Embedding 2B and 8B, GVE 3B and 7B, and the miniature eye are used alike. In float32 a vector does not depend on
what else is in its batch (to 1e-4); in bfloat16 it does in the last bits of that type. The weights are loaded when the
first vector is asked for; name, width, modalities and fingerprint need none.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL.Image import Image

from infra.embedders.qwen_vl.batches import batches_by_tokens
from infra.embedders.qwen_vl.checkpoint import fingerprint, load_model, read_checkpoint
from infra.embedders.qwen_vl.inputs import QwenVlInputs
from infra.embedders.qwen_vl.prompts import Prompt
from infra.embedders.qwen_vl.settings import QwenVlSettings
from infra.embedders.types import Clip, Modality, RefusedInputError
from infra.errors import EmbedderError, boundary
from infra.vector_stores.types import Vectors

if TYPE_CHECKING:
    from torch import nn


class QwenVlEmbedder:
    """``VisionEmbedder`` over a local folder.

    Raises:
        EmbedderError: if the folder is no checkpoint of a known family.
        ValueError: for a ``dim`` that the model does not have.
    """

    def __init__(self, settings: QwenVlSettings) -> None:
        self.settings = settings
        self._lock = Lock()
        self._loaded: Any = None  # the model, once it is needed
        self._checkpoint = read_checkpoint(Path(settings.folder))
        self.inputs = QwenVlInputs(self._checkpoint, settings)
        width, defaults = self._checkpoint.width, self._checkpoint.defaults
        self._dim = settings.dim or width
        if self._dim > width:
            raise ValueError(f"the model gives {width} values, dim {self._dim} is more")
        if self._dim < width and not defaults.is_matryoshka:
            raise ValueError(f"this family is not trained for shorter vectors: leave dim at {width}")

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return self._dim

    @property
    def space(self) -> str:
        """Name of the space, from the settings."""
        return self.settings.space

    @property
    def fingerprint(self) -> str:
        """See ``checkpoint.fingerprint``."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._checkpoint, self.settings)

    @property
    def modalities(self) -> frozenset[Modality]:
        """What the tokenizer has placeholders for."""
        return self.inputs.modalities

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """``[N, dim]``, unit length; a text beyond ``max_tokens`` is cut at its end."""
        return self._vectors([self.inputs.document(text) for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """``[N, dim]``, unit length, by the instruction of queries."""
        return self._vectors([self.inputs.query(text) for text in texts])

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """``[N, dim]``, unit length."""
        return self._seen(images, self.inputs.image)

    def encode_image_queries(self, images: Sequence[Image]) -> Vectors:
        """``[N, dim]``, unit length, by the instruction of queries."""
        return self._seen(images, partial(self.inputs.image, is_query=True))

    def encode_clips(self, clips: Sequence[Clip]) -> Vectors:
        """``[N, dim]``, unit length, one vector a clip."""
        return self._seen(clips, self.inputs.clip)

    def _seen(self, inputs: Sequence[Any], prompt_of: Callable[[Any], Prompt]) -> Vectors:
        """Vectors of images or clips; so many are cut into patches ahead as fill two batches."""
        parts: list[Vectors] = []
        prompts: list[Prompt] = []
        for position, shown in enumerate(inputs):
            try:
                prompts.append(prompt_of(shown))
            except (ValueError, OSError) as cause:
                raise RefusedInputError(position, str(cause)) from cause
            if sum(len(prompt.ids) for prompt in prompts) >= 2 * self.settings.batch_tokens:
                parts.append(self._vectors(prompts))
                prompts = []
        return np.concatenate([*parts, self._vectors(prompts)])

    def _vectors(self, prompts: Sequence[Prompt]) -> Vectors:
        vectors = np.zeros((len(prompts), self.dim), dtype=np.float32)
        lengths = [len(prompt.ids) for prompt in prompts]
        batches = batches_by_tokens(lengths, max_tokens=self.settings.batch_tokens)
        with boundary(EmbedderError, f"embed with {self._checkpoint.folder.name}"):
            for batch in batches:
                vectors[batch] = self._embed([prompts[at] for at in batch])
        if not np.isfinite(vectors).all():
            bad = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
            raise EmbedderError(
                f"{self._checkpoint.folder.name} gave a vector that is not finite for input {bad}"
            )
        return vectors

    def _embed(self, prompts: Sequence[Prompt]) -> Vectors:
        import torch

        from infra.embedders.qwen_vl.forward import pooled

        with torch.inference_mode():
            return pooled(self._model, prompts, dim=self.dim).cpu().numpy()

    @property
    def _model(self) -> "nn.Module":
        """The weights, loaded once, whichever thread asks first."""
        with self._lock:
            if self._loaded is None:
                device = _device(self.settings.device)
                self._loaded = load_model(self._checkpoint, dtype=self.settings.dtype, device=device)
            return self._loaded

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}  # weights do not travel; the other side loads its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["settings"])


def _device(stated: str) -> str:
    import torch

    if stated != "auto":
        return stated
    return "cuda" if torch.cuda.is_available() else "cpu"
