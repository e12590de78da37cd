"""Which embedder is used, as one record that is stored as JSON, and the embedder it stands for.

Holds choices, their validation and ``make_embedder``; torch is loaded by no one here, but with the first vector of a local
model. Keys are never part of it: the record names the environment variable that holds one.
"""

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.embedders.endpoint_requests import RequestStyle
from infra.embedders.minilm import MiniLmEmbedder
from infra.embedders.types import Embedder
from infra.errors import EmbedderError

KEY_VARIABLE = "VIMRAG_EMBEDDER_API_KEY"
_SPACE = re.compile(r"[a-z][a-z0-9_]{0,62}")


class EmbedderKind(StrEnum):
    """Where vectors come from."""

    MINILM = "minilm"  # words, on the CPU, nothing to download
    LOCAL = "local"  # a folder: Qwen3-VL-Embedding, GVE, a miniature eye
    ENDPOINT = "endpoint"  # a server with /v1/embeddings


class EmbedderConfig(BaseModel):
    """One embedder. None takes what the model's folder, its family or the server's settings say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: EmbedderKind = EmbedderKind.MINILM
    path: str | None = None
    """Folder of a local model."""
    url: str | None = None
    """Address of a server, up to and with ``/v1``."""
    model: str | None = None
    """Name at the server; None is the only one it lists."""
    space: str | None = None
    """Name of the vectors' space; None derives one from folder, model or kind."""
    dim: int | None = Field(default=None, ge=1, le=65_536)
    """First values of a vector that are kept, for models trained for it (Matryoshka)."""
    dtype: str = Field(default="float32", pattern="^(float32|bfloat16)$")
    device: str = "auto"
    style: RequestStyle = RequestStyle.AUTO
    """How a server is asked; ``auto`` finds out whether it sees."""
    query_instruction: str | None = None
    document_instruction: str | None = None
    query_prefix: str = ""
    document_prefix: str = ""
    max_image_pixels: int | None = Field(default=None, ge=1024)
    max_frame_pixels: int | None = Field(default=None, ge=1024)
    max_frames: int | None = Field(default=None, ge=1, le=768)
    batch_tokens: int = Field(default=8192, ge=1)
    """Of one batch of a local model, padding included."""
    batch_items: int = Field(default=64, ge=1)
    """Texts of one request to a server."""
    concurrency: int = Field(default=8, ge=1)
    requests_per_minute: float | None = Field(default=None, gt=0)
    key_variable: str = Field(default=KEY_VARIABLE, pattern="^[A-Z][A-Z0-9_]*$")
    price: float | None = Field(default=None, ge=0)
    """Of a million tokens, in any one currency."""
    threads: int | None = Field(default=None, ge=1)
    """Texts that MiniLM embeds at once; None is OMP_NUM_THREADS, else the cores."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        wanted = {EmbedderKind.LOCAL: "path", EmbedderKind.ENDPOINT: "url"}.get(self.kind)
        for name in ("path", "url"):
            if (getattr(self, name) is not None) != (name == wanted):
                asked = "needs" if name == wanted else "takes no"
                raise ValueError(f"an embedder of kind {self.kind} {asked} {name}")
        if self.model is not None and self.kind is not EmbedderKind.ENDPOINT:
            raise ValueError(f"an embedder of kind {self.kind} takes no model")
        if self.space is not None and not _SPACE.fullmatch(self.space):
            raise ValueError(f"a space is named by small letters, digits and _, got {self.space!r}")
        return self

    @property
    def space_name(self) -> str:
        """``space``, or a name made of the folder's, the model's or the kind's."""
        if self.space is not None:
            return self.space
        source = Path(self.path).name if self.path else self.model or self.kind
        words = re.sub(r"[^a-z0-9]+", "_", source.rpartition("/")[2].lower()).strip("_")[:60]
        return words if _SPACE.fullmatch(words) else f"e_{words}"

    def to_json(self) -> str:
        """JSON of what differs from the defaults; ``from_json`` reads it back."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The record that ``to_json`` wrote.

        Raises:
            ValueError: naming the field that cannot be.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ValueError(explained(error)) from None


def embedder_config(name: str, **choices: object) -> EmbedderConfig:
    """The record for a name as people write it: ``minilm``, a folder, or an address; ``choices`` are further fields.

    Raises:
        ValueError: naming the field that cannot be.
    """
    if name == EmbedderKind.MINILM:
        place: dict[str, object] = {"kind": EmbedderKind.MINILM}
    elif name.startswith(("http://", "https://")):
        place = {"kind": EmbedderKind.ENDPOINT, "url": name}
    else:
        place = {"kind": EmbedderKind.LOCAL, "path": name}
    given = {key: value for key, value in choices.items() if value is not None}
    try:
        return EmbedderConfig.model_validate(place | given)
    except ValidationError as error:
        raise ValueError(explained(error)) from None


def explained(error: ValidationError) -> str:
    """The first complaint of a record in one line."""
    first = error.errors(include_url=False, include_input=True)[0]
    place = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    return f"embedder: {place} {first['input']!r}: {reason}" if place else f"embedder: {reason}"


def make_embedder(config: EmbedderConfig, *, environment: Mapping[str, str] | None = None) -> Embedder:
    """The embedder a record stands for; nothing is loaded or asked yet.

    Raises:
        EmbedderError: if the folder holds no model that can embed.
        ValueError: for an address or a ``dim`` that cannot be.
    """
    if config.kind is EmbedderKind.MINILM:
        if config.dim not in (None, 384):
            raise ValueError(f"MiniLM has 384 values and no shorter vectors, got dim {config.dim}")
        return MiniLmEmbedder(num_threads=config.threads)
    if config.kind is EmbedderKind.LOCAL:
        return _local(config)
    return _endpoint(config, os.environ if environment is None else environment)


def _local(config: EmbedderConfig) -> Embedder:
    from infra.embedders.qwen_vl.embedder import QwenVlEmbedder
    from infra.embedders.qwen_vl.settings import QwenVlSettings

    folder = config.path or ""
    if not Path(folder).is_dir():
        raise EmbedderError(
            f"there is no folder {folder!r}; download a model first: "
            "huggingface-cli download Qwen/Qwen3-VL-Embedding-2B --local-dir FOLDER"
        )
    return QwenVlEmbedder(
        QwenVlSettings(
            folder=folder,
            space=config.space_name,
            dim=config.dim,
            dtype=config.dtype,
            device=config.device,
            max_image_pixels=config.max_image_pixels,
            max_frame_pixels=config.max_frame_pixels,
            max_frames=config.max_frames,
            batch_tokens=config.batch_tokens,
            query_instruction=config.query_instruction,
            document_instruction=config.document_instruction,
        )
    )


def _endpoint(config: EmbedderConfig, environment: Mapping[str, str]) -> Embedder:
    from infra.embedders.endpoint import EndpointEmbedder, EndpointEmbedderSettings
    from infra.llm.types import ChatSettings
    from infra.llm.usage import Prices

    server = ChatSettings(
        base_url=config.url or "",
        model=config.model or "",
        api_key=environment.get(config.key_variable) or None,
        key_variable=config.key_variable,
        concurrency=config.concurrency,
        requests_per_minute=config.requests_per_minute,
        prices=None if config.price is None else Prices(prompt=config.price, completion=0.0),
    )
    stated = {
        name: getattr(config, name)
        for name in (
            "query_instruction", "document_instruction", "max_image_pixels", "max_frame_pixels", "max_frames",
        )
        if getattr(config, name) is not None
    }  # fmt: skip
    return EndpointEmbedder(
        EndpointEmbedderSettings(
            server=server,
            space=config.space_name,
            style=config.style,
            dim=config.dim,
            query_prefix=config.query_prefix,
            document_prefix=config.document_prefix,
            batch_items=config.batch_items,
            **stated,
        )
    )
