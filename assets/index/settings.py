"""What is indexed, by which embedders, and where it goes: one record, which the index in use remembers.

Holds the choices and the embedders they stand for; what they do is in ``build.py`` and ``stores.py``.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from assets.index.spaces import Embedders
from infra.embedders.config import EmbedderConfig, EmbedderKind, embedder_config, make_embedder
from infra.embedders.types import Modality, VisionEmbedder, sees
from infra.storage.root import Storage

STORES = ("lance", "weaviate")
QUANTIZERS = ("none", "rq", "sq", "bq")
KEEP_S = 3600.0
MINIATURE_EYE = "models/miniature_eye"  # below the root


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """The choices of one index."""

    store: str = "lance"
    quantizer: str = "none"
    """Of vectors on a server; decided when a collection is made."""
    embedder: EmbedderConfig = EmbedderConfig()  # noqa: RUF009 - it is frozen
    """Of words."""
    vision: EmbedderConfig | None = None
    """Of pages, pictures and clips; without it they are found by their words alone."""
    datasets: tuple[str, ...] | None = None
    """Some of those with a finished corpus; None for all."""
    keep_s: float = KEEP_S
    """How long an index stays that is no longer in use; the one before the newest stays in any case."""

    def __post_init__(self) -> None:
        for name, value, known in (("store", self.store, STORES), ("quantizer", self.quantizer, QUANTIZERS)):
            if value not in known:
                raise ValueError(f"unknown {name} {value!r}; known: {', '.join(known)}")

    def to_json(self) -> dict[str, Any]:
        """What an index remembers: all but what is asked of one build."""
        return {
            "store": self.store,
            "quantizer": self.quantizer,
            "embedder": _stored(self.embedder),
            "vision": self.vision and _stored(self.vision),
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """The record that ``to_json`` wrote; what is missing is the default. Raises ``ValueError`` for what cannot be."""
        vision = fields.get("vision")
        return cls(
            store=fields.get("store", "lance"),
            quantizer=fields.get("quantizer", "none"),
            embedder=EmbedderConfig.model_validate(fields.get("embedder") or {}),
            vision=None if vision is None else EmbedderConfig.model_validate(vision),
        )


def vision_config(storage: Storage, name: str, **options: object) -> EmbedderConfig | None:
    """The record for what people name as the embedder of pixels: ``none``, ``miniature``, a folder or an address.

    Raises:
        ValueError: for what cannot be, or ``miniature`` at a remote root.
    """
    if name == "none":
        return None
    if name != "miniature":
        return embedder_config(name, **options)
    eye = own_eye(storage, **options)
    if eye is None:
        raise ValueError(f"no miniature eye at {storage.path(MINIATURE_EYE)!r}; the job `eye` makes one")
    return eye


def own_eye(storage: Storage, **options: object) -> EmbedderConfig | None:
    """The record for the eye of the miniature below the root; None where there is none."""
    folder = storage.local_path(MINIATURE_EYE)
    return embedder_config(str(folder), **options) if folder is not None and folder.is_dir() else None


def at_home(storage: Storage, settings: IndexSettings) -> IndexSettings:
    """The choices with the eye of the root where the root lies now, for a root may be moved or copied."""
    vision, folder = settings.vision, storage.local_path(MINIATURE_EYE)
    if vision is None or folder is None or not (vision.path or "").endswith(f"/{MINIATURE_EYE}"):
        return settings
    return (
        replace(settings, vision=vision.model_copy(update={"path": str(folder)}))
        if folder.is_dir()
        else settings
    )


def embedders_of(settings: IndexSettings, *, threads: int | None = None) -> Embedders:
    """The embedders of the choices; nothing is loaded yet. One that does both is one object.

    Args:
        settings: the choices.
        threads: of the embedder of words, where it is MiniLM and the choice leaves them open.

    Raises:
        EmbedderError: if a folder holds no model that can embed.
        ValueError: if the embedder of pixels cannot see.
    """
    words = settings.embedder
    if words.kind is EmbedderKind.MINILM and words.threads is None and threads is not None:
        words = words.model_copy(update={"threads": threads})
    text = make_embedder(words)
    if settings.vision is None:
        return Embedders(text=text)
    same = settings.vision == settings.embedder
    return Embedders(text=text, vision=_seeing(text if same else make_embedder(settings.vision)))


def _seeing(embedder: Any) -> VisionEmbedder:
    if not sees(embedder, Modality.IMAGE):
        raise ValueError(
            f"the embedder {embedder.space!r} reads no pictures; name another one for them, or none"
        )
    return embedder


def _stored(config: EmbedderConfig) -> dict[str, Any]:
    """As JSON; a folder by its whole path, for the next build may run elsewhere."""
    path = config.path and str(Path(config.path).resolve())
    return config.model_copy(update={"path": path}).model_dump(mode="json", exclude_defaults=True)
