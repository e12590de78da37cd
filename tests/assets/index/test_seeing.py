"""Searching by pictures: one that is given, and those of items that were found before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assets.corpus.item import Item, Modality
from assets.index.search import PAYLOAD, Index, row_of
from assets.index.spaces import Embedders
from infra.embedders.types import EVERYTHING
from infra.vector_stores.lance import LanceStore
from infra.vector_stores.types import RowFilter, Vectors
from tests.assets.small_corpus import CountingEmbedder, item


class Colours:
    """A picture is its mean colour, a clip that of its frames; words are grey."""

    dim, space, modalities, fingerprint = 3, "colours", EVERYTHING, "c0"

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return np.full((len(texts), 3), 3**-0.5, np.float32)

    encode_queries = encode_documents

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        means = np.stack([np.asarray(image, np.float32).mean(axis=(0, 1)) + 1 for image in images])
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    encode_image_queries = encode_images

    def encode_clips(self, clips: Sequence[Sequence[Image.Image]]) -> Vectors:
        means = np.stack([self.encode_images(frames).mean(axis=0) for frames in clips])
        return means / np.linalg.norm(means, axis=1, keepdims=True)


RED, ORANGE, BLUE = (220, 10, 10), (220, 110, 10), (10, 10, 220)
EYE = Colours()


def plain(*colours: tuple[int, int, int]) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), colour) for colour in colours]


def seen(native: str, kind: str, text: str = "") -> Item:
    modality = Modality.VIDEO if kind == "clip" else Modality.IMAGE
    return item(native, text, id=f"toy:{kind}:{native}", modality=modality, media_key=native, parent="atlas")


def index(folder: Path, *, eye: Colours | None = EYE) -> Index:
    embedders = Embedders(text=CountingEmbedder(), vision=eye)
    store = LanceStore(str(folder), dims=embedders.dims, payload=PAYLOAD)
    clip = plain(ORANGE, ORANGE, BLUE, BLUE)
    looks = [
        (item("note", "A map of the harbour."), {}),
        (seen("red", "page", "harbour"), {"image": EYE.encode_images(plain(RED))}),
        (seen("orange", "image", "harbour"), {"image": EYE.encode_images(plain(ORANGE))}),
        (seen("blue", "image", "town"), {"image": EYE.encode_images(plain(BLUE))}),
        (seen("film", "clip"), {"image": EYE.encode_images(clip), "clip": EYE.encode_clips([clip])}),
    ]
    store.upsert(
        [
            row_of(
                each, {"text": CountingEmbedder().encode_documents([each.text]), **(vectors if eye else {})}
            )
            for each, vectors in looks
        ]
    )
    store.publish()
    return Index(store, embedders, version="v")


def titles(hits) -> list[str]:
    return [hit.title for hit in hits]


def test_the_same_picture_comes_before_a_clip_that_is_in_two_spaces(tmp_path: Path):
    opened = index(tmp_path)
    [red], [orange] = plain(RED), plain(ORANGE)
    found = opened.search_image(red)
    assert titles(found)[0] == "red"
    assert found[0].score == pytest.approx(1, abs=1e-5)
    assert {hit.title for hit in opened.search_image(orange)[:2]} == {"film", "orange"}  # by a key frame
    assert titles(opened.search_image(red, where=RowFilter(kinds=("image",)))) == ["orange", "blue"]


def test_what_looks_like_an_item_fits_the_words_too_and_is_not_the_item(tmp_path: Path):
    opened = index(tmp_path)
    assert titles(opened.search_like("harbour", ["toy:page:red"]))[0] == "orange"
    assert titles(opened.search_like("town", ["toy:page:red", "toy:image:blue"]))[0] == "film"
    pages = RowFilter(kinds=("image",), parents=("atlas",))
    assert titles(opened.search_like("harbour", ["toy:page:red"], where=pages)) == ["orange", "blue"]
    # of what has no picture only the words count
    worded = [title for title in titles(opened.search("town")) if title != "note"]
    assert titles(opened.search_like("town", ["toy:text:note", "toy:text:lost"])) == worded


def test_an_index_that_does_not_see_says_so(tmp_path: Path):
    blind = index(tmp_path, eye=None)
    assert not blind.sees
    for ask in (lambda: blind.search_image(plain(RED)[0]), lambda: blind.search_like("a", ["toy:page:red"])):
        with pytest.raises(ValueError, match="no vectors of pictures"):
            ask()
