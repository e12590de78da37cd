"""Gold items that are nearly the same: pages that differ in a pixel or a word, passages that were edited, clips of one film.

Texts are compared by shingles of five words (candidates by MinHash, then the exact Jaccard similarity), pictures by a difference
hash of 256 bits, films by their YouTube id, whichever benchmark they came with. Pages of text look alike at a glance, so pictures
with many words are compared by these, and those with a few are near only if the words are the same.
"""

import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

SHINGLE = 5  # words
LEAST_WORDS = 20  # shorter texts repeat each other by chance
SIMILAR = 0.8  # of the shingles of both together
PERMUTATIONS, BANDS = 64, 16  # four hashes a band: pairs of a similarity of .8 are missed once in 10,000
HASH_SIDE = 16
MOST_BITS = 10  # of 256, in which two pictures may differ
MOST_SHARE = (
    0.15  # of the bits that are set in the fuller of both: of a nearly empty page a few bits are all there is
)
LEAST_CONTRAST = 8.0  # standard deviation of grey; below, a picture is a blank
PRIME = (1 << 61) - 1
FILM = re.compile(r"(?=.*[A-Z0-9_-])[\w-]{11}")
"""A YouTube id."""
_WORD = re.compile(r"\w+")


class GoldItem(NamedTuple):
    """One item that answers a question: its text, whether it has pixels, and the document or film it is of."""

    id: str
    text: str
    pictured: bool
    parent: str


class NearDuplicates(NamedTuple):
    """``groups``: item -> the least id of those that are nearly the same; ``pairs`` names some of them with the reason."""

    groups: Mapping[str, str]
    pairs: tuple[str, ...]
    unseen: int
    """Pictures that were not looked at, beyond the limit or because they cannot be decoded."""


def near_duplicates(
    items: Sequence[GoldItem], picture: Callable[[str], Image.Image] | None, *, most_pictures: int
) -> NearDuplicates:
    """Which of ``items`` are nearly the same. ``picture`` gives pixels by id; None looks at none.

    The order of ``items`` does not matter.
    """
    ordered = sorted(items)
    shingled = {item.id: shingles(item.text) for item in ordered}
    hashes, unseen = _hashes(ordered, picture, most_pictures)
    words = {item.id: tuple(_WORD.findall(item.text.casefold())) for item in ordered if item.id in hashes}
    found = [*_alike_texts(shingled), *_alike_pictures(hashes, words)]
    return NearDuplicates(_joined(found), tuple(f"{a} ~ {b}: {why}" for a, b, why in sorted(found)), unseen)


def film_of(parent: str) -> str | None:
    """The film of ``dataset/name``, if the name is a YouTube id."""
    name = parent.rpartition("/")[2]
    return name if FILM.fullmatch(name) else None


def shingles(text: str) -> np.ndarray:
    """Distinct hashes of every five neighbouring words, case and punctuation aside; none of a short text."""
    words = _WORD.findall(text.casefold())
    if len(words) < LEAST_WORDS:
        return np.zeros(0, dtype=np.uint64)
    runs = {zlib.crc32(" ".join(words[at : at + SHINGLE]).encode()) for at in range(len(words) - SHINGLE + 1)}
    return np.array(sorted(runs), dtype=np.uint64)


def difference_hash(image: Image.Image) -> np.ndarray | None:
    """Whether each of 16 x 16 places is darker than its right neighbour; None for a blank."""
    grey = np.asarray(
        image.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX), dtype=np.float64
    )
    if float(np.std(np.asarray(image.convert("L"), dtype=np.float64))) < LEAST_CONTRAST:
        return None
    return (grey[:, :-1] < grey[:, 1:]).ravel()


def _hashes(
    items: Sequence[GoldItem], picture: Callable[[str], Image.Image] | None, most: int
) -> tuple[dict[str, np.ndarray], int]:
    pictured = [item for item in items if item.pictured]
    if picture is None:
        return {}, len(pictured)
    found: dict[str, np.ndarray] = {}
    unseen = max(0, len(pictured) - most)
    for item in pictured[:most]:
        try:
            hashed = difference_hash(picture(item.id))
        except (KeyError, OSError, ValueError, RuntimeError):
            unseen += 1
            continue
        if hashed is not None:
            found[item.id] = hashed
    return found, unseen


def _alike_texts(shingled: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str, str]]:
    for one, other in _candidates(shingled):
        share = _jaccard(shingled[one], shingled[other])
        if share >= SIMILAR:
            yield one, other, f"{share:.0%} of their words in fives"


def _candidates(shingled: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str]]:
    """Pairs that share a band of their MinHash signatures, each once."""
    random = np.random.default_rng(0)
    factors = random.integers(1, PRIME, PERMUTATIONS, dtype=np.uint64)
    offsets = random.integers(0, PRIME, PERMUTATIONS, dtype=np.uint64)
    buckets: dict[tuple[int, bytes], list[str]] = defaultdict(list)
    for id_, hashes in shingled.items():
        if len(hashes):
            mixed = (hashes[None, :] * factors[:, None] + offsets[:, None]) >> np.uint64(13)
            signature = mixed.min(axis=1).reshape(BANDS, -1)
            for band in range(BANDS):
                buckets[band, signature[band].tobytes()].append(id_)
    yield from sorted({(ids[0], other) for ids in buckets.values() for other in ids[1:]})


def _jaccard(one: np.ndarray, other: np.ndarray) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def _alike_pictures(
    hashes: Mapping[str, np.ndarray], words: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, str, str]]:
    """Pictures with few words or none that look alike and say the same."""
    ids = [id_ for id_ in hashes if len(words[id_]) < LEAST_WORDS]
    if not ids:
        return
    bits = np.stack([hashes[id_] for id_ in ids])
    filled = bits.sum(axis=1)
    for at, id_ in enumerate(ids):
        differing = (bits[at + 1 :] != bits[at]).sum(axis=1)
        allowed = np.minimum(MOST_BITS, MOST_SHARE * np.maximum(filled[at + 1 :], filled[at]))
        for place in np.flatnonzero(differing <= allowed):
            other = ids[at + 1 + int(place)]
            if words[id_] == words[other]:
                yield id_, other, f"{int(differing[place])} of {bits.shape[1]} bits of their looks differ"


def _joined(pairs: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Item -> the least of its group."""
    root: dict[str, str] = {}

    def find(id_: str) -> str:
        root.setdefault(id_, id_)
        while root[id_] != id_:
            root[id_] = id_ = root[root[id_]]
        return id_

    for one, other, _ in pairs:
        first, second = find(one), find(other)
        root[max(first, second)] = min(first, second)
    return {id_: find(id_) for id_ in root}
