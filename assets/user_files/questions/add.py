"""Adding questions of one's own to a root: all of a file or none of it, then corpus and index in line with them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assets.user_files import ledger, parsed_files, publishing
from assets.user_files.questions import records
from assets.user_files.questions.lines import MAX_LINE_BYTES, LineFault, read_lines
from infra.embedders.types import Embedder
from infra.progress import ProgressListener, silent
from infra.storage.lock import only_writer
from infra.storage.root import Storage

SHOWN = 50  # faults that an error tells


class BadLinesError(ValueError):
    """Lines that are no questions; every fault is in ``faults``, and the first are in the text."""

    def __init__(self, path: Path, faults: tuple[LineFault, ...]) -> None:
        told = [f"line {fault.line}: {fault.fault}" for fault in faults[:SHOWN]]
        more = [f"and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
        super().__init__(
            f"nothing was added, {path} has {len(faults):,} faults: " + "; ".join((*told, *more))
        )
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedQuestions:
    """What was added, and what there is now."""

    added: int
    total: int
    splits: Mapping[str, int]
    without_file: int
    """Questions that name no file: they can be answered and graded, but what was found cannot be judged."""


def add_questions(
    storage: Storage,
    path: Path,
    *,
    anew: bool = False,
    progress: ProgressListener = silent,
    embedder: Embedder | None = None,
) -> AddedQuestions:
    """Add the questions of a JSONL to the dataset ``documents``; with ``anew`` they take the place of those that are there.

    Raises:
        BadLinesError: if a line is no question; nothing is added then.
        ValueError: if there are no files of one's own, no questions in the file, or another run is writing to the root.
    """
    with only_writer(storage, parsed_files.FOLDER):
        files = ledger.read(storage)
        if not files:
            raise ValueError(
                f"no files of your own at {storage.root}: vimrag ingest FILES --root {storage.root}"
            )
        before = [] if anew else records.read(storage)
        with path.open("rb") as file:
            read = read_lines(_lines(file), storage, files, before)
        if read.faults:
            raise BadLinesError(path, read.faults)
        if not read.questions:
            raise ValueError(f"{path} holds no question")
        now = [*before, *read.questions]
        records.write(storage, now)
        publishing.publish_corpus(storage, files, progress)
        publishing.update_index(storage, embedder, progress)
    return AddedQuestions(
        added=len(read.questions),
        total=len(now),
        splits=dict(Counter(question.split for question in now)),
        without_file=sum(not question.file for question in now),
    )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long only as much as shows it."""
    while line := file.readline(MAX_LINE_BYTES + 2):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + 2)
