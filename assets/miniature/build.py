"""Writes the miniature's raw folders: worlds in, nine authoritative formats and ``miniature/plans.jsonl`` out.

Holds the loop over worlds only; formats live in ``writers/``. Worlds are written one after another, so memory does not
grow with their number.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from assets.miniature.lexicon import SPLITS
from assets.miniature.questions import questions
from assets.miniature.sentences import EvidenceKey
from assets.miniature.world import MiniatureWorld, worlds
from assets.miniature.writers.files import DatasetWriter, GrowingLines, WrittenQuestion, WrittenWorld
from assets.miniature.writers.hotpotqa import HotpotqaWriter
from assets.miniature.writers.lvbench import LvbenchWriter
from assets.miniature.writers.mmlongbench_doc import MmlongbenchDocWriter
from assets.miniature.writers.slidevqa import SlidevqaWriter
from assets.miniature.writers.squad import SquadWriter
from assets.miniature.writers.videorag import SYNTHETICQA, WIKIHOWQA, VideoragWriter
from assets.miniature.writers.webqa import WebqaWriter
from assets.miniature.writers.xvbench import XvbenchWriter

PLANS = ("miniature", "plans.jsonl")  # below the raw folder


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniatureSummary:
    """Counts of what was written."""

    worlds: dict[str, int]
    items: dict[str, int]  # by dataset
    questions: dict[str, int]  # by dataset
    plans: str  # path of plans.jsonl, relative to the raw folder


def write_miniature(
    raw_root: Path,
    *,
    seed: int,
    worlds_by_split: Mapping[str, int],
    questions_per_dataset: int = 4,
    hops: int = 2,
    on_world: Callable[[MiniatureWorld, Mapping[EvidenceKey, str]], None] = lambda world, item_ids: None,
) -> MiniatureSummary:
    """Write ``raw_root/<dataset>/...`` of nine datasets; the same arguments give the same bytes.

    ``hops`` are those of the longest question, 2 to 4; ``on_world`` is told each world and the ids of its items.

    Raises:
        ValueError: for an unknown split, no world at all, more worlds than there are names, or other ``hops``.
        FileExistsError: if ``raw_root`` already holds one of the folders.
    """
    if unknown := set(worlds_by_split) - set(SPLITS):
        raise ValueError(f"splits must be among {SPLITS}, got {sorted(unknown)}")
    if sum(worlds_by_split.values()) < 1:
        raise ValueError("a miniature needs at least one world")
    writers = _writers(raw_root)
    plans = GrowingLines(raw_root.joinpath(*PLANS))
    num_items: Counter[str] = Counter()
    num_questions: Counter[str] = Counter()
    for split in SPLITS:
        for world in worlds(split, worlds_by_split.get(split, 0), seed=seed, hops=hops):
            written = _write_world(world, writers, questions_per_dataset)
            on_world(world, written.item_ids)
            for question_id, question in written.questions:
                plans.append_json(
                    question.to_json(question_id=question_id, split=split, item_ids=written.item_ids)
                )
                num_questions[question.dataset] += 1
            num_items.update(key.dataset for key in written.item_ids)
    for file in (*writers.values(), plans):
        file.close()
    return MiniatureSummary(
        worlds={split: worlds_by_split.get(split, 0) for split in SPLITS},
        items=dict(num_items),
        questions=dict(num_questions),
        plans="/".join(PLANS),
    )


def _writers(raw_root: Path) -> dict[str, DatasetWriter]:
    def folder(name: str) -> Path:
        path = raw_root / name
        path.mkdir(parents=True)
        return path

    return {
        "hotpotqa": HotpotqaWriter(folder("hotpotqa")),
        "squad": SquadWriter(folder("squad")),
        "webqa": WebqaWriter(folder("webqa")),
        "slidevqa": SlidevqaWriter(folder("slidevqa")),
        "mmlongbench_doc": MmlongbenchDocWriter(folder("mmlongbench_doc")),
        "lvbench": LvbenchWriter(folder("lvbench")),
        "wikihowqa": VideoragWriter(folder("wikihowqa"), WIKIHOWQA),
        "syntheticqa": VideoragWriter(folder("syntheticqa"), SYNTHETICQA),
        "xvbench": XvbenchWriter(folder("xvbench")),
    }


def _write_world(
    world: MiniatureWorld, writers: Mapping[str, DatasetWriter], per_dataset: int
) -> WrittenWorld:
    """Ids of one world's items and questions over all datasets; gold may lie in another dataset than its question."""
    planned = questions(world, per_dataset=per_dataset)
    item_ids: dict[EvidenceKey, str] = {}
    written: list[WrittenQuestion] = []
    for name, writer in writers.items():
        part = writer.add(world, planned[name])
        item_ids |= part.item_ids
        written += part.questions
    return WrittenWorld(item_ids, written)
