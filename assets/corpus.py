"""From raw folders to the published corpus: which datasets, from where, and reading what was built.

Formats live in ``parsers/``, folding of equal content in ``gathering.py``, tars in ``shards.py``, search in
``index.py``.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assets import shards, tables
from assets.dataset import DATASETS, Dataset, ParseContext, Skipped
from assets.gathering import ITEMS, QUESTIONS, SKIPPED, DatasetReport, Gathering, Progress, silent
from assets.item import SCHEMA_VERSION, Item
from assets.question import Question
from infra import manifest
from infra.limits import MAX_SHARD_BYTES
from infra.manifest import publish
from infra.ocr import RapidOcr
from infra.storage import Storage

PRODUCER = f"assets.corpus/{SCHEMA_VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusReport:
    """What a build made, by dataset."""

    root: str
    datasets: Mapping[str, DatasetReport]

    def to_json(self) -> dict[str, Any]:
        """``{"datasets": {name: {"items", "questions", "skipped"}}, "root"}``: what ``--json`` prints."""
        shown = {
            name: {"items": report.items, "questions": report.questions, "skipped": dict(report.skipped)}
            for name, report in self.datasets.items()
        }
        return {"datasets": shown, "root": self.root}


def build_corpus(
    raw: Path,
    storage: Storage,
    *,
    datasets: Sequence[str] | None = None,
    settings: ParseContext | None = None,
    progress: Progress = silent,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> CorpusReport:
    """Build the corpus of every dataset that ``raw`` has a folder of, or of those named.

    A dataset is replaced as a whole when its new build is finished; what cannot be read is counted by its
    reason.

    Raises:
        ValueError: if a dataset is unknown or its folder missing or empty, or if nothing at all could be
            read.
    """
    folders = _folders(raw, datasets)
    context = settings or ParseContext(ocr=RapidOcr().text)
    shared: dict[str, Any] = {"progress": progress, "max_shard_bytes": max_shard_bytes}
    reports = {
        name: build_dataset(DATASETS[name], folder, storage, context, **shared)
        for name, folder in folders.items()
    }
    if not any(report.items or report.questions for report in reports.values()):
        reasons = {name: dict(report.skipped) for name, report in reports.items()}
        raise ValueError(f"nothing in {raw} could be read; skipped: {reasons}")
    return CorpusReport(root=storage.root, datasets=reports)


def build_dataset(
    dataset: Dataset,
    folder: Path,
    storage: Storage,
    context: ParseContext,
    *,
    progress: Progress = silent,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> DatasetReport:
    """Build one dataset from its raw folder; published only if it has an item or a question."""
    made: dict[str, Any] = {
        "producer": PRODUCER,
        "params": {**_params(context), "dataset": dataset.name, "max_shard_bytes": max_shard_bytes},
        "inputs": {"raw": fingerprint(folder, stage=f"{dataset.name}: hash", progress=progress)},
    }
    with publish(storage, f"corpus/{dataset.name}", **made) as corpus:
        with publish(storage, shards.directory(dataset.name), **made) as media:
            writer = shards.ShardWriter(media, dataset.name, max_bytes=max_shard_bytes)
            gathering = Gathering(corpus, writer)
            gathering.take(dataset.records(folder, context), stage=f"{dataset.name}: read", progress=progress)
            report = gathering.resolve(stage=f"{dataset.name}: write", progress=progress)
            if not report.items and not report.questions:
                media.abandon()
                corpus.abandon()
        if media.manifest is not None:
            corpus.inputs["shards"] = manifest.digest(media.manifest)
        corpus.counts.update(_counts(report))
    return report


def built_datasets(storage: Storage) -> tuple[str, ...]:
    """The datasets whose corpus is finished, in name order."""
    names = storage.list("corpus")
    return tuple(name for name in names if storage.exists(f"corpus/{name}/{manifest.MANIFEST}"))


def read_items(storage: Storage, dataset: str) -> Iterator[Item]:
    """The items of a finished corpus in build order, streamed; ``ValueError`` if it is not finished."""
    return (tables.item_of(row) for row in _read(storage, dataset, ITEMS))


def read_questions(storage: Storage, dataset: str) -> Iterator[Question]:
    """The questions of a finished corpus in build order, streamed; ``ValueError`` if it is not finished."""
    return (tables.question_of(row) for row in _read(storage, dataset, QUESTIONS))


def read_skipped(storage: Storage, dataset: str) -> Iterator[Skipped]:
    """What the build of a finished corpus could not use, streamed; ``ValueError`` if it is not finished."""
    return (Skipped(**row) for row in _read(storage, dataset, SKIPPED))


def _read(storage: Storage, dataset: str, name: str) -> Iterator[dict[str, Any]]:
    manifest.read(storage, f"corpus/{dataset}").entry(name)
    with storage.open(f"corpus/{dataset}/{name}") as file:
        yield from tables.rows(file)


def fingerprint(folder: Path, *, stage: str = "hash", progress: Progress = silent) -> str:
    """Hash of the names and contents of all files below ``folder`` (hidden ones left out), in hex."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    hashed = hashlib.sha256()
    for done, path in enumerate(files, start=1):
        hashed.update(f"{path.relative_to(folder).as_posix()}\0{manifest.sha256_of(path)}\n".encode())
        progress(stage, done, len(files))
    return hashed.hexdigest()


def _folders(raw: Path, names: Sequence[str] | None) -> dict[str, Path]:
    if not raw.is_dir():
        raise ValueError(f"no raw folder at {raw}")
    for name in names or ():
        if name not in DATASETS:
            close = difflib.get_close_matches(name, DATASETS, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"unknown dataset {name!r}{hint}; known: {', '.join(DATASETS)}")
    wanted = list(dict.fromkeys(names)) if names else [name for name in DATASETS if (raw / name).is_dir()]
    if not wanted:
        raise ValueError(f"{raw} holds no folder of a known dataset; known: {', '.join(DATASETS)}")
    for name in wanted:
        if not (raw / name).is_dir():
            raise ValueError(f"no folder {name!r} in {raw}; each dataset lies in a folder of its name")
        if not any((raw / name).iterdir()):
            raise ValueError(f"the raw folder of {name} is empty: {raw / name}")
    return {name: raw / name for name in wanted}


def _params(context: ParseContext) -> dict[str, Any]:
    values = {name: getattr(context, name) for name in context.__slots__}
    return values | {"ocr": context.ocr is not None}


def _counts(report: DatasetReport) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, value in asdict(report).items():
        parts = value if isinstance(value, dict) else {"": value}
        counts.update({f"{name}/{part}".rstrip("/"): count for part, count in parts.items()})
    return counts
