"""From raw folders to the published corpus: which datasets, and from where.

Formats live in ``parsers/``, folding of equal content in ``merge.py``, tars in ``shards.py``; what was built is read by
``read.py``.
"""

import errno
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from assets.corpus import shards
from assets.corpus.completeness import DatasetCopy, compare
from assets.corpus.dataset import DATASETS, Dataset
from assets.corpus.item import SCHEMA_VERSION
from assets.corpus.merge import CorpusMerger, DatasetReport
from assets.corpus.ocr_prefetch import OcrPrefetch
from assets.parsers.files.raw_folder import RawFolder
from assets.parsers.images import read_by
from assets.parsers.types import ParseContext, ParsedRecord
from infra.errors import nearest_name
from infra.limits import MAX_SHARD_BYTES
from infra.media import ocr_reader
from infra.progress import ProgressListener, silent
from infra.storage import manifest
from infra.storage.lock import only_writer
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.workers.local import WorkerEngine

MINIATURE = "miniature"  # what the miniature writes beside its nine folders
FULL = (errno.ENOSPC, errno.EDQUOT)
PRODUCER = f"assets.corpus/{SCHEMA_VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusReport:
    """What a build made, by dataset."""

    root: str
    datasets: Mapping[str, DatasetReport]
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Folders of the raw one that are named as no dataset is, with the name that is nearest, or ""."""

    def copies(self, name: str) -> tuple[DatasetCopy, ...]:
        """The editions of a dataset in its raw folder, against the published ones."""
        return compare(self.datasets[name].found, DATASETS[name].expected_counts)

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints: ``{"datasets": {name: {"items", "questions", "skipped", "copies"}}, "ignored", "root"}``."""
        shown = {
            name: {
                "items": report.items,
                "questions": report.questions,
                "skipped": dict(report.skipped),
                "copies": {
                    copy.edition: {
                        "found": copy.found,
                        "published": copy.expected,
                        "extent": copy.extent.value,
                    }
                    for copy in self.copies(name)
                },
            }
            for name, report in self.datasets.items()
        }
        return {"datasets": shown, "ignored": sorted(self.ignored), "root": self.root}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """What all datasets of one build share."""

    storage: Storage
    context: ParseContext
    engine: WorkerEngine | None
    progress: ProgressListener
    max_shard_bytes: int


def build_corpus(  # noqa: PLR0913 - what may differ from build to build, by name
    raw: Path,
    storage: Storage,
    *,
    datasets: Sequence[str] | None = None,
    settings: ParseContext | None = None,
    engine: WorkerEngine | None = None,
    progress: ProgressListener = silent,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> CorpusReport:
    """Build the corpus of every dataset that ``raw`` has a folder of, or of those named.

    A dataset is replaced as a whole when its new build is finished; what cannot be read is counted by its
    reason. With an ``engine`` the OCR of a dataset runs on it ahead of the rest (``ocr_prefetch.py``); the bytes are the same.

    Raises:
        ValueError: if a dataset is unknown or its folder missing or empty, if the root lies within one of
            the folders, if another process builds one of them, or if nothing at all could be read.
    """
    folders = _folders(raw, datasets)
    _refuse_root_within(folders, storage)
    build = _Build(
        storage=storage,
        context=settings or read_by(ocr_reader()),
        engine=engine,
        progress=progress,
        max_shard_bytes=max_shard_bytes,
    )
    reports = {name: _built(build, DATASETS[name], folder) for name, folder in folders.items()}
    if not any(report.items or report.questions for report in reports.values()):
        reasons = {name: dict(report.skipped) for name, report in reports.items()}
        raise ValueError(f"nothing in {raw} could be read; skipped: {reasons}")
    ignored = {} if datasets else _ignored(raw)
    return CorpusReport(root=storage.root, datasets=reports, ignored=ignored)


def _built(build: _Build, dataset: Dataset, folder: Path) -> DatasetReport:
    """Build one dataset from its raw folder; published only if it has an item or a question."""
    name, storage = dataset.name, build.storage
    with only_writer(storage, f"corpus/{name}"):
        context = {field.name: getattr(build.context, field.name) for field in fields(ParseContext)}
        if not context["ocr_model"]:
            del context["ocr_model"]  # the corpora of earlier versions have none
        params = {
            **context,
            "ocr": build.context.ocr is not None,
            "dataset": name,
            "max_shard_bytes": build.max_shard_bytes,
        }
        inputs = {"raw": fingerprint(folder, stage=f"{name}: hash", progress=build.progress)}
        made = {"producer": PRODUCER, "params": params, "inputs": inputs}
        try:
            with _reading(build, dataset, folder, params, inputs) as context:
                return _published(name, dataset.records(folder, context), storage, made, build.progress)
        except OSError as error:
            if error.errno not in FULL or error.filename:
                raise
            raise OSError(
                error.errno, error.strerror, storage.root
            ) from error  # else nobody knows which disk


def _reading(
    build: _Build, dataset: Dataset, folder: Path, params: Mapping[str, Any], inputs: Mapping[str, str]
) -> AbstractContextManager[ParseContext]:
    """What the parser is told; with an engine, OCR that was done before."""
    if build.engine is None:
        return nullcontext(build.context)
    prefetch = OcrPrefetch(
        storage=build.storage,
        dataset=dataset,
        folder=folder,
        engine=build.engine,
        params=params,
        inputs=inputs,
        progress=build.progress,
    )
    return prefetch.reading(build.context)


def _published(
    name: str,
    records: Iterator[ParsedRecord],
    storage: Storage,
    made: Mapping[str, Any],
    progress: ProgressListener,
) -> DatasetReport:
    """Write shards, then corpus, and publish both, unless there is nothing to publish."""
    with publish(storage, f"corpus/{name}", **made, versioned=True) as corpus:
        with publish(storage, shards.directory(name), **made, versioned=True) as media:
            writer = shards.ShardWriter(media, name, max_bytes=made["params"]["max_shard_bytes"])
            merger = CorpusMerger(corpus, writer)
            merger.take(records, stage=f"{name}: read", progress=progress)
            report = merger.resolve(stage=f"{name}: write", progress=progress)
            if not report.items and not report.questions:
                media.abandon()
                corpus.abandon()
        if media.manifest is not None:
            corpus.inputs["shards"] = manifest.digest(media.manifest)
        corpus.counts.update(_counts(report))
    return report


def fingerprint(folder: Path, *, stage: str = "hash", progress: ProgressListener = silent) -> str:
    """Hash of the names and contents of all files below ``folder`` that a parser may read, in hex."""
    files = RawFolder(folder).files
    hashed = hashlib.sha256()
    for done, file in enumerate(files, start=1):
        hashed.update(f"{file.name}\0{manifest.sha256_of(file.path)}\n".encode())
        progress(stage, done, len(files))
    return hashed.hexdigest()


def _refuse_root_within(folders: Mapping[str, Path], storage: Storage) -> None:
    """A root inside a raw folder would be read as raw data by the next build."""
    root = storage.local_path()
    for name, folder in folders.items():
        if root is not None and root.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the root {root} lies in the raw folder of {name}; choose one outside {folder}")


def _nearest(name: str, *, cutoff: float) -> str:
    return nearest_name(name.lower().replace("-", "_"), DATASETS, cutoff=cutoff)


def _ignored(raw: Path) -> dict[str, str]:
    folders = sorted(path.name for path in raw.iterdir() if path.is_dir() and not path.name.startswith("."))
    return {name: _nearest(name, cutoff=0.75) for name in folders if name not in (*DATASETS, MINIATURE)}


def _folders(raw: Path, names: Sequence[str] | None) -> dict[str, Path]:
    if not raw.is_dir():
        raise ValueError(f"no raw folder at {raw}")
    for name in names or ():
        if name not in DATASETS:
            nearest = _nearest(name, cutoff=0.5)
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            raise ValueError(f"unknown dataset {name!r}{hint}; known: {', '.join(DATASETS)}")
    wanted = list(dict.fromkeys(names)) if names else [name for name in DATASETS if (raw / name).is_dir()]
    if not wanted:
        near = {name: nearest for name, nearest in _ignored(raw).items() if nearest}
        hint = (
            "; rename " + ", ".join(f"{name!r} to {nearest!r}" for name, nearest in near.items())
            if near
            else ""
        )
        raise ValueError(f"{raw} holds no folder of a known dataset; known: {', '.join(DATASETS)}{hint}")
    for name in wanted:
        if not (raw / name).is_dir():
            raise ValueError(f"no folder {name!r} in {raw}; each dataset lies in a folder of its name")
        if not any((raw / name).iterdir()):
            raise ValueError(f"the raw folder of {name} is empty: {raw / name}")
    return {name: raw / name for name in wanted}


def _counts(report: DatasetReport) -> dict[str, int]:
    counts: dict[str, int] = {}
    record: dict[str, Any] = asdict(report)
    for name, value in record.items():
        parts: dict[str, int] = value if isinstance(value, dict) else {"": value}
        counts.update({f"{name}/{part}".rstrip("/"): count for part, count in parts.items()})
    return counts
