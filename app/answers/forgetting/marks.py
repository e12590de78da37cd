"""What a document can be recognised by wherever it was copied to: its key, its place, its hash, and runs of its words.

A run is five words one after the other (ten signs where a script has no spaces), whatever stands between them and however
they are written. Runs that other documents have as well are no mark of this one. A shorter quotation is not recognised.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assets.user_files import parsed_files
from assets.user_files.ledger import FileLedger
from assets.user_files.paths import file_key
from infra.storage.root import Storage

WORDS, SIGNS = 5, 10
_SIGN = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # of scripts without spaces
_WORD = re.compile(rf"[{_SIGN}]|[^\W_{_SIGN}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Names are looked for as they are, runs in the words of a text."""

    names: frozenset[str]
    runs: frozenset[str]

    def in_text(self, text: str) -> bool:
        """Whether the text mentions the document or quotes it."""
        return any(name in text for name in self.names) or any(run in self.runs for run in runs_of(text))

    def in_bytes(self, data: bytes) -> bool:
        """The same of bytes of any kind, read as UTF-8 where they are none."""
        return any(name.encode() in data for name in self.names) or self.in_text(
            data.decode("utf-8", "replace")
        )


def runs_of(text: str) -> Iterator[str]:
    """Every run of a text, in small letters and one space apart."""
    words = _WORD.findall(text.lower())
    for start in range(len(words) - WORDS + 1):
        run = words[start : start + WORDS]
        if all(len(word) == 1 for word in run):
            run = words[start : start + SIGNS]
            if len(run) < SIGNS:
                continue
        yield " ".join(run)


def marks_of(storage: Storage, locations: Iterable[str], files: FileLedger) -> Marks:
    """The marks of the files at ``locations``; of one that is forgotten already only its names are known."""
    wanted = list(locations)
    names = {name for location in wanted for name in (location, file_key(location))}
    kept = {files[each].kept for each in wanted if each in files}
    others = {file.kept for location, file in files.items() if location not in wanted}
    names |= {files[each].source for each in wanted if each in files} | (kept - others)
    runs = set(_runs(storage, kept - others))
    if runs:
        runs.difference_update(_runs(storage, others))
    return Marks(names=frozenset(filter(None, names)), runs=frozenset(runs))


def _runs(storage: Storage, kept: Iterable[str]) -> Iterator[str]:
    for name in kept:
        if parsed_files.about(storage, name) is not None:
            for parsed in parsed_files.items(storage, name):
                yield from runs_of(parsed.item.text)
