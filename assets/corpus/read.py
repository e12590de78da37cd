"""Reading the finished corpus of a dataset: its items and questions.

Holds reading only; the corpus is built by ``build.py``, and its media are read by ``media.py``.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from assets.corpus import shards, tables
from assets.corpus.item import Item
from assets.corpus.merge import ITEMS, QUESTIONS
from assets.corpus.question import Question
from infra.storage import manifest
from infra.storage.root import Storage


def directory(dataset: str) -> str:
    """Where the corpus of a dataset lies below the root."""
    return f"corpus/{dataset}"


def built_datasets(storage: Storage) -> tuple[str, ...]:
    """The datasets whose corpus is finished, in name order."""
    names = storage.list("corpus")
    return tuple(name for name in names if storage.exists(f"corpus/{name}/{manifest.MANIFEST}"))


def read_items(storage: Storage, dataset: str, version: str | None = None) -> Iterator[Item]:
    """The items of a finished corpus, or of one version of it, in build order, streamed.

    Raises:
        ValueError: if it is not finished, or the version of the shards that it belongs to is gone.
    """
    _refuse_other_shards(storage, dataset, version)
    return (tables.item_of(row) for row in _read(storage, dataset, ITEMS, version=version))


class ItemRange(NamedTuple):
    """Rows ``[start, stop)`` of one row group of the items of one version of a dataset."""

    dataset: str
    version: str
    group: int
    start: int
    stop: int


def read_ranges(
    storage: Storage, dataset: str, version: str, *, max_items: int
) -> Iterator[tuple[ItemRange, list[Item]]]:
    """All items of a version in build order, as ranges of at most ``max_items``; raises as ``read_items``."""
    _refuse_other_shards(storage, dataset, version)
    with manifest.open_file(storage, directory(dataset), ITEMS, version) as file:
        for group in range(tables.num_groups(file)):
            items = [tables.item_of(row) for row in tables.group_rows(file, group)]
            for start in range(0, len(items), max_items):
                taken = items[start : start + max_items]
                yield ItemRange(dataset, version, group, start, start + len(taken)), taken


def read_range(storage: Storage, range_: ItemRange) -> list[Item]:
    """The items of one range; ``ValueError`` if its version is gone."""
    with manifest.open_file(storage, directory(range_.dataset), ITEMS, range_.version) as file:
        rows = tables.group_rows(file, range_.group)
    return [tables.item_of(row) for row in rows[range_.start : range_.stop]]


def same_content(storage: Storage, datasets: Sequence[str]) -> dict[str, str]:
    """Items that another of ``datasets`` holds too: item -> the one that stands for all of equal content.

    Within a dataset equal items are folded by the build; two datasets over the same videos are built apart.
    """
    columns = ["id", "modality", "content_hash"]
    first: dict[bytes, str] = {}
    same: dict[str, str] = {}
    for dataset in sorted(set(datasets)):
        for row in _read(storage, dataset, ITEMS, columns):
            content = hashlib.blake2b(
                f"{row['modality']}:{row['content_hash']}".encode(), digest_size=16
            ).digest()
            stands = first.setdefault(content, row["id"])
            if stands != row["id"]:
                same[row["id"]] = same[stands] = stands
    return same


def media_items(storage: Storage, dataset: str) -> list[str]:
    """The ids of the items that have pixels, in build order; ``ValueError`` if the corpus is not finished."""
    return [row["id"] for row in _read(storage, dataset, ITEMS, ["id", "media_key"]) if row["media_key"]]


def parents(storage: Storage, dataset: str) -> dict[str, str]:
    """The document or film of every item that has one, by item and by alias: ``dataset/name``."""
    found: dict[str, str] = {}
    for row in _read(storage, dataset, ITEMS, ["id", "aliases", "parent"]):
        if row["parent"]:
            found |= dict.fromkeys((row["id"], *row["aliases"]), f"{dataset}/{row['parent']}")
    return found


def read_questions(storage: Storage, dataset: str, version: str | None = None) -> Iterator[Question]:
    """The questions of a finished corpus, or of one version of it, in build order, streamed; ``ValueError`` without one."""
    return (tables.question_of(row) for row in _read(storage, dataset, QUESTIONS, version=version))


def _read(
    storage: Storage,
    dataset: str,
    name: str,
    columns: list[str] | None = None,
    version: str | None = None,
) -> Iterator[dict[str, Any]]:
    with manifest.open_file(storage, directory(dataset), name, version) as file:
        yield from tables.rows(file, columns=columns)


def _refuse_other_shards(storage: Storage, dataset: str, version: str | None = None) -> None:
    expected = manifest.read(storage, directory(dataset), version).inputs.get("shards")
    if expected is None or not storage.exists(f"{shards.directory(dataset)}/{manifest.MANIFEST}"):
        return
    try:
        manifest.read(storage, shards.directory(dataset), expected)
    except ValueError as error:
        raise ValueError(
            f"corpus and shards of {dataset} in {storage.root} are of different builds; build it again"
        ) from error
