"""One image is one seek: the right pixels, from many threads, on disk and on S3."""

from __future__ import annotations

import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from assets.corpus.media import ShardMedia
from assets.corpus.shards import ShardWriter
from infra.media import encode_png
from infra.storage.publication import publish
from infra.storage.root import Storage

TIMES = [0.5, 1.5, 2.5]


def colour(number: int) -> tuple[int, int, int]:
    return (number, 255 - number, 7)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    storage = Storage(tmp_path_factory.mktemp("media"))
    fill(storage)
    return storage


def fill(storage: Storage) -> None:
    """Fifty pictures in several shards, one clip of three frames, one alias."""
    with publish(storage, "shards/d", producer="t", params={}, inputs={}) as publication:
        writer = ShardWriter(publication, "d", max_bytes=40_000)
        for number in range(50):
            image = encode_png(Image.new("RGB", (128, 128), colour(number)))
            writer.add(f"k{number}", f"d:page:{number}", [("png", image)], {})
        clip = [
            (f"{index}.png", encode_png(Image.new("RGB", (64, 48), colour(100 + index))))
            for index in range(3)
        ]
        writer.add("clip", "d:clip:x.mp4:0", clip, {"times": TIMES})
        writer.finish({"d:page:copy": "d:page:7"})


def test_every_item_shows_its_own_pixels(built: Storage):
    media = ShardMedia(built)
    for number in (49, 0, 7, 23):
        image = media.image(f"d:page:{number}")
        assert (image.mode, image.size, image.getpixel((5, 5))) == ("RGB", (128, 128), colour(number))


def test_an_alias_shows_the_image_it_was_folded_into(built: Storage):
    media = ShardMedia(built)
    assert media.image("d:page:copy") is media.image("d:page:7")


@pytest.mark.parametrize(
    ("asked", "frame"), [(0.0, 0), (0.5, 0), (1.49, 1), (1.4, 0), (1.5, 1), (2.4, 1), (2.5, 2), (59.0, 2)]
)
def test_a_time_shows_the_latest_stored_frame_not_after_it(built: Storage, asked: float, frame: int):
    # frames are stored at 0.5, 1.5 and 2.5 s; 1.49 is 1.5 as a prompt may have rounded it
    assert ShardMedia(built).frame("d:clip:x.mp4:0", asked).getpixel((1, 1)) == colour(100 + frame)


def test_a_clip_knows_its_times_and_an_image_has_none(built: Storage):
    media = ShardMedia(built)
    assert media.times("d:clip:x.mp4:0") == tuple(TIMES)
    assert media.times("d:page:1") == ()


@pytest.mark.parametrize("item", ["d:page:50", "d:text:1", "unbuilt:page:1", "", "../d:page:1"])
def test_an_unknown_item_is_a_key_error_that_names_it(built: Storage, item: str):
    with pytest.raises(KeyError, match="no media of item"):
        ShardMedia(built).image(item)


def test_many_threads_see_the_right_pixels(built: Storage):
    media = ShardMedia(built, cache_bytes=3 * 128 * 128 * 4)  # four pictures: threads evict each other's

    def look(number: int) -> bool:
        return media.image(f"d:page:{number % 50}").getpixel((9, 9)) == colour(number % 50)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(600)))


def test_the_cache_keeps_what_was_used_last_within_its_bytes(built: Storage):
    media = ShardMedia(built, cache_bytes=3 * 128 * 128 * 2)
    first, second = media.image("d:page:1"), media.image("d:page:2")
    assert media.image("d:page:1") is first
    media.image("d:page:3")
    assert media.image("d:page:1") is first
    assert media.image("d:page:2") is not second


def test_a_cached_image_is_not_decoded_again(built: Storage):
    media = ShardMedia(built)
    media.image("d:page:1")
    started = time.process_time()
    for _ in range(2_000):
        media.image("d:page:1")
    assert time.process_time() - started < 2.0  # decoding each time would take minutes


def test_a_pickled_reader_opens_the_shards_itself(built: Storage):
    media = ShardMedia(built)
    media.image("d:page:1")
    assert pickle.loads(pickle.dumps(media)).image("d:page:2").getpixel((0, 0)) == colour(2)


def test_a_closed_reader_opens_again(built: Storage):
    media = ShardMedia(built, cache_bytes=0)
    media.image("d:page:1")
    media.close()
    assert media.image("d:page:2").getpixel((0, 0)) == colour(2)


def test_the_same_from_s3_by_ranged_reads(s3_storage: Storage, tmp_path: Path):
    storage = Storage(f"{s3_storage.root}/{tmp_path.name}", s3_storage.__getstate__()["options"])
    fill(storage)
    media = ShardMedia(storage)
    assert media.image("d:page:31").getpixel((0, 0)) == colour(31)
    assert media.frame("d:clip:x.mp4:0", 2.5).getpixel((0, 0)) == colour(102)
