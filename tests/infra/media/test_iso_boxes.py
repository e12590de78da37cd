"""Films whose recording was never finished are told from those that are damaged otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import MediaError
from infra.media import media_decoder
from infra.media._iso_boxes import lacks_index
from tests.infra.media import hostile_files as hostile


def box(kind: bytes, data: bytes) -> bytes:
    return (8 + len(data)).to_bytes(4, "big") + kind + data


HEAD = box(b"ftyp", b"isom")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEAD + box(b"mdat", b"pictures"), True),
        (HEAD + box(b"mdat", b"pictures") + box(b"moov", b"index"), False),
        (HEAD + box(b"moof", b"a fragment"), False),
        (HEAD + b"\0\0\0\1mdat" + (24).to_bytes(8, "big") + b"pictures", True),  # a long size
        (HEAD + b"\0\0\0\0mdatpictures", True),  # to the end
        (HEAD + b"\0\0\0\3mdat", True),  # a size that none has
        (HEAD + b"\xff\xff\xff\xffmdatpictures", True),  # one far behind the end
        (b"no such thing", False),
        (b"", False),
    ],
)
def test_the_index_is_looked_for_among_the_outer_boxes(data: bytes, expected: bool, tmp_path: Path):
    assert lacks_index(data) is expected
    (tmp_path / "film.mp4").write_bytes(data)
    assert lacks_index(tmp_path / "film.mp4") is expected


def test_a_film_without_its_index_says_so_and_another_does_not():
    film = hostile.film()
    assert not lacks_index(film)
    with pytest.raises(MediaError, match=r"video_unreadable.*recording was never finished"):
        media_decoder().probe(film[:2_000])
    with pytest.raises(MediaError) as caught:
        media_decoder().probe(b"no such thing")
    assert "never finished" not in str(caught.value)
