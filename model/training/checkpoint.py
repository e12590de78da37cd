"""Checkpoints that plain transformers can load, and that a run can continue from exactly.

A directory ``<root>/<update, six digits>/`` holds safetensors, configuration and tokenizer as ``from_pretrained`` wants them,
``README.md`` as its model card, ``progress.json``, one ``state/rank-*.pt`` a rank (optimiser shard and random state; tensors and
numbers only, loaded with ``weights_only``), and ``manifest.json`` with the hash of every file. It is written under a temporary
name and renamed, so it is whole or absent. Uploading it elsewhere is the caller's.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from model.config.schedule import Retention
from model.training.atomic import partial_path, replacing
from model.training.engine import DeepSpeedEngine
from model.training.model_card import CARD, model_card

SCHEMA_VERSION = 1
MANIFEST, PROGRESS, STATE = "manifest.json", "progress.json", "state"
ADOPTED = frozenset({".json", ".txt", ".jinja", ".safetensors"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress:
    """How far a run is."""

    update: int
    """Policy updates done."""
    steps: int
    """Optimiser steps done."""
    score: float | None = None
    """Held-out score at this point, higher is better; None when it was not measured."""
    data_order: Mapping[str, Any] = field(default_factory=dict)
    """State that the caller needs to go on with the next question; JSON values."""


def save(  # noqa: PLR0913 - all that a checkpoint holds
    root: Path,
    *,
    engine: DeepSpeedEngine,
    tokenizer: PreTrainedTokenizerBase,
    progress: TrainingProgress,
    params: Mapping[str, Any] | None = None,
    retention: Retention | None = None,
    inputs: Mapping[str, str] | None = None,
) -> Path:
    """Writes a checkpoint and removes those that ``retention`` gives up. A collective: every rank calls it.

    Args:
        root: directory of the run's checkpoints, seen by all ranks.
        engine: whose weights and optimiser are saved.
        tokenizer: saved beside the weights.
        progress: goes with them; its update names the directory.
        params: of the run, for the manifest; JSON values.
        retention: by default the last and the best stay.
        inputs: fingerprints of what the run was made from, for the manifest.

    Returns:
        The checkpoint's directory. One of the same update is replaced.
    """
    target = root / f"{progress.update:06d}"
    first = engine.rank == 0
    with (
        _writing(target, progress, params, inputs) if first else nullcontext(partial_path(target)) as partial
    ):
        if first:
            (partial / STATE).mkdir()
        engine.barrier()
        state = {"engine": engine.state(), "random": torch.get_rng_state()}
        torch.save(state, partial / STATE / f"rank-{engine.rank:05d}.pt")
        weights = engine.weights()
        if first:
            engine.model.save_pretrained(partial, state_dict=weights)
            tokenizer.save_pretrained(partial)
        engine.barrier()
    if first:
        prune(root, retention or Retention())
    engine.barrier()
    return target


def save_weights(
    root: Path,
    *,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    progress: TrainingProgress,
    params: Mapping[str, Any] | None = None,
    weights: Mapping[str, torch.Tensor] | None = None,
) -> Path:
    """Writes a checkpoint without optimiser state, as supervised stages leave it; returns its directory.

    ``weights`` stand in for the model's own, e.g. with its adapters merged.
    """
    target = root / f"{progress.update:06d}"
    with _writing(target, progress, params) as partial:
        model.save_pretrained(partial, state_dict=None if weights is None else dict(weights))
        tokenizer.save_pretrained(partial)
    return target


def adopt(folder: Path, target: Path) -> Path:
    """Publishes a model folder from elsewhere as a checkpoint of update 0; returns its directory.

    Only what ``from_pretrained`` reads safely is taken: JSON, text and safetensors, no pickles, no code.
    """
    with _writing(target, TrainingProgress(update=0, steps=0), {"adopted": folder.name}) as partial:
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.suffix in ADOPTED:
                shutil.copy2(file, partial / file.name)
    return target


@contextmanager
def _writing(
    target: Path,
    progress: TrainingProgress,
    params: Mapping[str, Any] | None,
    inputs: Mapping[str, str] | None = None,
) -> Iterator[Path]:
    """A folder for the files of a checkpoint; progress and manifest join them when the block ends, then it is published."""
    with replacing(target) as partial:
        partial.mkdir()
        yield partial
        _write_json(partial / PROGRESS, asdict(progress))
        card = model_card(partial, progress, params or {}, inputs or {})
        (partial / CARD).write_text(card, encoding="utf-8")
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "producer": "model.checkpoint",
            "params": dict(params or {}),
            "inputs": dict(inputs or {}),
            "files": _files(partial),
            "counts": {"updates": progress.update, "steps": progress.steps},
        }
        _write_json(partial / MANIFEST, manifest)


def restore(path: Path, *, engine: DeepSpeedEngine) -> TrainingProgress:
    """Restores optimiser and random state of this rank; the engine's model must hold the checkpoint's weights already.

    Raises:
        ValueError: if the checkpoint is not whole, or belongs to another layout of ranks (see ``DeepSpeedEngine.load_state``).
    """
    progress = read(path)
    file = path / STATE / f"rank-{engine.rank:05d}.pt"
    if not file.exists():
        raise ValueError(f"{path} holds no state of rank {engine.rank}; it was saved by fewer ranks")
    state = torch.load(file, weights_only=True, map_location="cpu")
    engine.load_state(state["engine"])
    torch.set_rng_state(state["random"])
    return progress


def read(path: Path) -> TrainingProgress:
    """Progress of a whole checkpoint.

    Raises:
        ValueError: if it has no manifest, or a file is missing or differs from it.
    """
    for entry in manifest_of(path)["files"]:
        file = path / entry["name"]
        if not file.exists() or file.stat().st_size != entry["size"] or _sha256(file) != entry["sha256"]:
            raise ValueError(
                f"checkpoint {path} is damaged: {entry['name']} is missing or differs from its manifest"
            )
    return TrainingProgress(**_read_json(path / PROGRESS))


def latest(root: Path) -> Path | None:
    """The finished checkpoint of the highest update, or None."""
    return max(_finished(root), default=None)


def best(root: Path) -> Path | None:
    """The finished checkpoint of the highest score, the later one of equals; None when none is scored."""
    scored = [(score, path) for path in _finished(root) if (score := _score(path)) is not None]
    return max(scored)[1] if scored else None


def prune(root: Path, retention: Retention) -> tuple[Path, ...]:
    """Removes the checkpoints that ``retention`` does not keep; returns what it removed."""
    finished = _finished(root)
    kept = set(finished[-retention.keep_last :])
    if retention.keep_best and (best_path := best(root)) is not None:
        kept.add(best_path)
    if retention.every:
        kept.update(path for path in finished if int(path.name) % retention.every == 0)
    removed = tuple(path for path in finished if path not in kept)
    for path in removed:
        # renamed first: killed in the middle, no half checkpoint is left under a name that is trusted
        path.rename(path.with_name(f".{path.name}.removed"))
    for folder in root.glob(".*.removed"):
        shutil.rmtree(folder)
    return removed


def _finished(root: Path) -> list[Path]:
    if not root.exists():
        return []
    return sorted(path for path in root.iterdir() if path.name.isdigit() and (path / MANIFEST).exists())


def _score(path: Path) -> float | None:
    score = _read_json(path / PROGRESS)["score"]
    return None if score is None or math.isnan(score) else float(score)


def manifest_of(path: Path) -> dict[str, Any]:
    """The manifest of a finished checkpoint: ``params`` of its run, ``inputs`` that it was made from, ``files``."""
    return _read_json(path / MANIFEST)


def _files(directory: Path) -> list[dict[str, Any]]:
    names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    return [
        {"name": name, "size": (directory / name).stat().st_size, "sha256": _sha256(directory / name)}
        for name in names
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"no finished checkpoint at {path.parent}: it has no {path.name}") from None
    except json.JSONDecodeError as cause:
        raise ValueError(f"checkpoint {path.parent} is damaged: {path.name}: {cause}") from cause
