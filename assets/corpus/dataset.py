"""The registry of the nine datasets: name, parser and what a complete copy of it counts.

Holds no parsing; each format lives in ``parsers/``, what parsers yield in ``parsers/types.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assets.corpus.completeness import compare
from assets.parsers import (
    hotpotqa,
    lvbench,
    mmlongbench_doc,
    slidevqa,
    squad,
    videorag,
    webqa,
    xvbench,
)
from assets.parsers.types import EditionCounts, ParseContext, ParsedRecord, Parser, SkippedRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One benchmark: how its raw folder is read and what is known about the published files."""

    name: str
    parse: Parser
    reads_images: bool = False
    """True if its parser asks for OCR, which may then run ahead of it on several workers."""
    expected_counts: dict[str, int] = field(default_factory=dict)
    """Questions of each edition (a split, or a version of it) as published; see ``completeness.py``."""

    def records(self, raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
        """Stream what ``raw`` holds, in a stable order.

        Raises:
            ValueError: if ``raw`` is not a folder or holds nothing of this dataset; if ``context.strict``, at
                the first skip, or for an edition that is neither a part of the published one nor all of it.
        """
        if not raw.is_dir():
            raise ValueError(f"{self.name}: no raw folder at {raw}")
        empty = True
        for record in self.parse(raw, context):
            if context.strict:
                self._refuse(record)
            empty = empty and isinstance(record, EditionCounts)
            yield record
        if empty:
            layout = f"{self.parse.__module__.replace('.', '/')}.py"
            raise ValueError(f"{self.name}: nothing to read in {raw}; its layout is described in {layout}")

    def _refuse(self, record: ParsedRecord) -> None:
        if isinstance(record, SkippedRecord):
            raise ValueError(f"{self.name}: {record.reason} at {record.where}: {record.detail}")
        if isinstance(record, EditionCounts):
            for copy in compare({record.edition: record.questions}, self.expected_counts):
                if copy.warning:
                    raise ValueError(f"{self.name}: {copy.warning}")


DATASETS: dict[str, Dataset] = {
    entry.name: entry
    for entry in (
        Dataset(
            name="hotpotqa",
            parse=hotpotqa.parse,
            expected_counts={
                "train": 90_447,
                "dev": 7_405,
                "train fullwiki": 90_447,  # the hub repeats it in both configurations
                "dev fullwiki": 7_405,
                "test fullwiki": 7_405,
            },
        ),
        Dataset(
            name="squad",
            parse=squad.parse,
            expected_counts={"train": 87_599, "dev": 10_570, "train 2.0": 130_319, "dev 2.0": 11_873},
        ),
        Dataset(
            name="webqa",
            parse=webqa.parse,
            expected_counts={"train": 36_766, "val": 4_966, "test": 7_540, "universalrag": 1_400},
        ),
        Dataset(
            name="slidevqa",
            parse=slidevqa.parse,
            reads_images=True,
            expected_counts={"train": 10_617, "dev": 1_652, "test": 2_215},
        ),
        Dataset(
            name="mmlongbench_doc",
            parse=mmlongbench_doc.parse,
            reads_images=True,
            expected_counts={"test": 1_082},
        ),
        Dataset(
            name="lvbench",
            parse=lvbench.parse,
            expected_counts={"test": 1_549, "universalrag": 829},
        ),
        Dataset(
            name="wikihowqa",
            parse=videorag.parse_wikihowqa,
            expected_counts={"test": 534, "universalrag": 374},
        ),
        Dataset(
            name="syntheticqa",
            parse=videorag.parse_syntheticqa,
            expected_counts={"test": 534},
        ),
        Dataset(name="xvbench", parse=xvbench.parse),
    )
}


def dataset(name: str) -> Dataset:
    """The dataset called ``name``.

    Raises:
        ValueError: if there is none; the text lists those there are.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown dataset {name!r}; known: {', '.join(DATASETS)}")
    return DATASETS[name]
