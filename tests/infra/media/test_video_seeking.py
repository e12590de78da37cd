"""A frame reached by seeking is the frame that decoding from the start shows."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import MediaError
from infra.media import _video as frames

FPS, SECONDS = 8, 40
HALF_TICK_S = 5e-4


class Film(NamedTuple):
    """How a video is made."""

    container: str
    codec: str
    options: tuple[tuple[str, str], ...] = ()
    keyframe_every: int = 16
    gap_at: int = 0  # index from which all pictures come seven seconds later


FILMS = {
    "mp4 with pictures out of order": Film("mp4", "libx264", (("bf", "3"), ("b_strategy", "0"))),
    "mp4 with open groups": Film("mp4", "libx264", (("bf", "3"), ("x264-params", "open-gop=1:scenecut=0"))),
    "mp4 of one group": Film("mp4", "libx264", (), 10_000),
    "mp4 in pieces": Film("mp4", "libx264", (("movflags", "frag_keyframe+empty_moov"),)),
    "mp4 with a pause": Film("mp4", "libx264", (), 16, 100),
    "matroska": Film("matroska", "libx264", (("bf", "2"),), 24),
    "webm": Film("webm", "libvpx"),
    "old mpeg in avi": Film("avi", "mpeg4", (("bf", "2"),)),
    "transport stream": Film("mpegts", "libx264", (("bf", "2"),)),
    "no key frames but the first": Film(
        "mp4", "libx264", (("x264-params", "intra-refresh=1:keyint=16"),), 16
    ),
}


@lru_cache
def made(name: str) -> bytes:
    """The video: a bright bar moves over noise, so that every frame differs from its neighbours."""
    film = FILMS[name]
    noise = np.random.default_rng(7).integers(0, 90, (48, 64, 3), dtype=np.uint8)
    target = io.BytesIO()
    with av.open(target, "w", format=film.container) as output:
        stream = output.add_stream(film.codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = film.keyframe_every
        stream.codec_context.time_base = Fraction(1, FPS)
        stream.options = dict(film.options)
        for index in range(FPS * SECONDS):
            pixels = noise.copy()
            pixels[index % 48, :, :] = 255
            pixels[:, index // 6, 1] = 200
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            late = 7 * FPS if film.gap_at and index >= film.gap_at else 0
            frame.pts, frame.time_base = index + late, Fraction(1, FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target.getvalue()


@lru_cache
def decoded(name: str) -> list[tuple[float, bytes]]:
    """Every picture by decoding from the start, with the second at which it comes."""
    found = []
    with av.open(io.BytesIO(made(name))) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            if frame.pts is not None:
                seconds = float((frame.pts - (stream.start_time or 0)) * (stream.time_base or 0))
                found.append((seconds, frame.to_image().tobytes()))
    return found


def expected(name: str, time_s: float) -> bytes:
    """The latest picture not after ``time_s``."""
    pictures = decoded(name)
    return next((picture for at, picture in reversed(pictures) if at <= time_s + HALF_TICK_S), pictures[0][1])


@pytest.mark.parametrize("name", FILMS)
@settings(max_examples=12, deadline=None)
@given(times=st.lists(st.floats(0, SECONDS - 1), min_size=1, max_size=4))
def test_what_is_shown_does_not_depend_on_the_way_there(name: str, times: list[float]):
    for frame in frames.frames(made(name), times):
        assert frame.image.tobytes() == expected(name, frame.time_s)


@pytest.mark.parametrize("name", ["mp4 with pictures out of order", "matroska", "webm"])
def test_the_end_of_a_video_is_reached_without_its_beginning(name: str, monkeypatch: pytest.MonkeyPatch):
    num_decoded = 0
    decode = frames._ForwardDecoder._decode

    def counted(walk: frames._ForwardDecoder):
        nonlocal num_decoded
        for picture in decode(walk):
            num_decoded += 1
            yield picture

    monkeypatch.setattr(frames._ForwardDecoder, "_decode", counted)
    frames.frames(made(name), [SECONDS - 1.0])
    # the last second, the margin before it, and what is left of a group of at most 3 s
    assert num_decoded <= 6 * FPS


def test_a_video_of_one_group_is_decoded_once_however_many_times_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
):
    num_decoded = 0
    decode = frames._ForwardDecoder._decode

    def counted(walk: frames._ForwardDecoder):
        nonlocal num_decoded
        for picture in decode(walk):
            num_decoded += 1
            yield picture

    monkeypatch.setattr(frames._ForwardDecoder, "_decode", counted)
    frames.frames(made("mp4 of one group"), [float(time_s) for time_s in range(0, SECONDS, 6)])
    assert (
        num_decoded <= 2 * FPS * SECONDS + FPS
    )  # once, and a first part once more for the seek that did not help


@pytest.mark.parametrize("name", ["webm", "matroska"])
def test_a_video_cut_short_says_so(name: str):
    whole = made(name)
    with pytest.raises(MediaError) as caught:
        frames.frames(whole[: len(whole) // 3], [SECONDS - 1.0])
    assert caught.value.reason in {"video_truncated", "video_unreadable"}
