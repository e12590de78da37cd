"""Where in a file an answer stands: its items by page and by second."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from assets.corpus import tables
from assets.corpus.item import ItemKind, item_id
from assets.user_files import parsed_files
from assets.user_files.ledger import IngestedFile
from assets.user_files.paths import file_key
from assets.user_files.reading import DATASET
from infra.storage.root import Storage


class Place(NamedTuple):
    """One item of a file: its id in the corpus, its page or start second, and how long it lasts (0 for a page)."""

    item: str
    position: float
    duration_s: float


def places(storage: Storage, file: IngestedFile) -> list[Place]:
    """The items of a file, in its order; none of a file whose reading is gone."""
    return list(_places(storage, file))


def _places(storage: Storage, file: IngestedFile) -> Iterator[Place]:
    path = f"{parsed_files.directory(file.kept)}/{parsed_files.ITEMS}"
    key = file_key(file.location)
    try:
        with storage.open(path) as table:
            for row in tables.rows(table, columns=["id", "position", "duration_s"]):
                kind, _, native = row["id"].partition(":")
                yield Place(
                    item_id(DATASET, ItemKind(kind), f"{key}{native}"), row["position"], row["duration_s"]
                )
    except FileNotFoundError:
        return


def on_pages(found: Sequence[Place], pages: Sequence[int]) -> list[str]:
    """Items of the pages; parts of a page (3.001, 3.002) belong to it."""
    return [place.item for place in found if not place.duration_s and int(place.position) in pages]


def within(found: Sequence[Place], start_s: float, end_s: float) -> list[str]:
    """Clips that overlap ``[start_s, end_s]``, and texts that begin within."""
    return [
        place.item
        for place in found
        if (place.duration_s and place.position <= end_s and start_s < place.position + place.duration_s)
        or (not place.duration_s and start_s <= place.position <= end_s)
    ]


def last_page(found: Sequence[Place]) -> int:
    """The highest page; 0 for a file without pages."""
    return max((int(place.position) for place in found if not place.duration_s), default=0)


def length_s(found: Sequence[Place]) -> float:
    """How long a film lasts, by its clips; 0 for anything else."""
    return max((place.position + place.duration_s for place in found if place.duration_s), default=0.0)
