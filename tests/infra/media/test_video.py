"""The frame that is shown is the frame that was on screen, in every container, in any order of times."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infra.errors import MediaError
from infra.media import ClipRange, Frame, clip_ranges, uniform_times
from infra.media import _video as frames
from infra.media._video_streams import shown_size

FPS = 4


def video(
    seconds: int,
    *,
    container: str = "mp4",
    codec: str = "libx264",
    keyframe_every: int = 8,
    pixel_shape: Fraction = Fraction(1),
) -> bytes:
    """Grey frames, 4 a second; frame i has brightness 3 i, so that a picture tells its own time."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", keyframe_every
        stream.codec_context.time_base = Fraction(1, FPS)
        stream.codec_context.sample_aspect_ratio = pixel_shape
        stream.bit_rate, stream.options = 4_000_000, {"crf": "4"}  # near lossless: brightness must survive
        for index in range(seconds * FPS):
            picture = Image.new("RGB", (64, 48), (3 * index,) * 3)
            for packet in stream.encode(av.VideoFrame.from_image(picture)):
                output.mux(packet)
        for packet in stream.encode():
            output.mux(packet)
    return target.getvalue()


@pytest.fixture(scope="module", params=[("mp4", "libx264"), ("webm", "libvpx")], ids=["mp4", "webm"])
def twenty_seconds(request: pytest.FixtureRequest) -> bytes:
    container, codec = request.param
    return video(20, container=container, codec=codec)


def shown(frame: Frame) -> int:
    """Index of the frame, read from its brightness."""
    return round(frame.image.getpixel((32, 24))[0] / 3)  # type: ignore[index]


def test_a_file_is_probed_without_decoding_it(twenty_seconds: bytes):
    info = frames.probe(twenty_seconds)
    assert (info.duration_s, info.fps) == (pytest.approx(20, abs=0.01), pytest.approx(FPS))
    assert (info.width, info.height) == (64, 48)


def test_each_time_shows_the_latest_frame_not_after_it(twenty_seconds: bytes):
    # frames change at 0, 0.25, 0.5 ...: 0.24 still shows frame 0, 0.25 shows frame 1
    found = frames.frames(twenty_seconds, [0.0, 0.24, 0.25, 1.1, 19.99])
    assert [shown(frame) for frame in found] == [0, 0, 1, 4, 79]


def test_frames_come_in_the_order_asked_for_also_across_seeks(twenty_seconds: bytes):
    times = [15.0, 0.5, 7.25, 0.5]
    found = frames.frames(twenty_seconds, times)
    assert [frame.time_s for frame in found] == times
    assert [shown(frame) for frame in found] == [60, 2, 29, 2]


def test_one_long_group_of_images_is_decoded_from_its_keyframe():
    assert [shown(frame) for frame in frames.frames(video(20, keyframe_every=999), [12.0, 19.0])] == [48, 76]


def test_a_stream_without_a_duration_is_measured_by_its_packets():
    # what a browser records: matroska written to a pipe, with neither duration nor index
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        seek = None  # type: ignore[assignment]

    target = Pipe()
    with av.open(target, "w", format="webm", options={"live": "1"}) as output:
        stream = output.add_stream("libvpx", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(12):
            for packet in stream.encode(
                av.VideoFrame.from_image(Image.new("RGB", (64, 48), (3 * index,) * 3))
            ):
                output.mux(packet)
        for packet in stream.encode():
            output.mux(packet)
    with av.open(io.BytesIO(target.getvalue())) as recorded:
        assert recorded.duration is None
    assert frames.probe(target.getvalue()).duration_s == pytest.approx(3.0, abs=0.3)


def test_uniform_times_are_the_centres_of_equal_intervals():
    # 10 s in 4 intervals of 2.5 s
    assert uniform_times(10.0, 1.0, 4) == (1.25, 3.75, 6.25, 8.75)
    assert uniform_times(3.0, 1.0, 32) == (0.5, 1.5, 2.5)
    assert uniform_times(0.4, 1.0, 32) == (0.2,)


@given(st.floats(0.05, 5_000), st.floats(0.1, 30), st.integers(1, 64))
def test_uniform_times_are_inside_evenly_spaced_and_few_enough(duration_s: float, fps: float, most: int):
    times = uniform_times(duration_s, fps, most)
    assert 1 <= len(times) <= most
    assert all(0 < time_s < duration_s for time_s in times)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(gap == pytest.approx(duration_s / len(times)) for gap in gaps)


@pytest.mark.parametrize("arguments", [(0, 1, 4), (5, 0, 4), (5, 1, 0)])
def test_uniform_times_refuse_what_has_no_centre(arguments: tuple[float, float, int]):
    with pytest.raises(ValueError, match="positive"):
        uniform_times(*arguments)


def test_clips_are_a_minute_and_a_tail_below_two_seconds_is_dropped():
    assert clip_ranges(125.0) == [ClipRange(0, 60), ClipRange(60, 120), ClipRange(120, 125.0)]
    assert clip_ranges(121.9) == [ClipRange(0, 60), ClipRange(60, 120)]
    assert clip_ranges(122.0)[-1] == ClipRange(120, 122.0)
    assert clip_ranges(1.0) == [ClipRange(0, 1.0)]
    assert clip_ranges(0.0) == []


def test_a_file_is_cut_by_its_own_duration(twenty_seconds: bytes):
    found = clip_ranges(frames.probe(twenty_seconds).duration_s, length_s=8.0)
    assert [clip.start_s for clip in found] == [0, 8, 16]
    assert found[-1].end_s == pytest.approx(20, abs=0.01)


def test_a_video_cut_short_says_so(twenty_seconds: bytes):
    with pytest.raises(MediaError) as caught:
        frames.frames(twenty_seconds[: len(twenty_seconds) // 3], [19.0])
    assert caught.value.reason in {"video_truncated", "video_unreadable"}


def test_of_a_video_cut_short_there_is_what_is_left_of_it():
    times = [float(second) for second in range(20)]
    whole = video(20, container="matroska")
    for data in (whole[: len(whole) // 2], whole[: len(whole) // 2] + b"lost" * 300):
        found = frames.frames(data, times, is_partial=True)
        assert 5 < len(found) < 20
        assert [frame.time_s for frame in found] == times[: len(found)]
        assert [shown(frame) for frame in found[:5]] == [0, 4, 8, 12, 16]
    with pytest.raises(MediaError, match="video_truncated"):
        frames.frames(whole[: len(whole) // 3], [19.0], is_partial=True)


def test_frames_that_are_damaged_are_left_out():
    data = bytearray(video(20))
    middle = data.index(b"mdat") + len(data) // 3
    data[middle : middle + 400] = bytes(400)
    found = frames.frames(bytes(data), [0.0, 10.0, 19.0], is_partial=True)
    assert [shown(frame) for frame in found][::2] == [0, 76]


@pytest.mark.parametrize(
    ("shape", "size"),
    [(Fraction(2), (128, 48)), (Fraction(8, 9), (57, 48)), (Fraction(300), (64, 48)), (Fraction(201, 200), (64, 48))],
    ids=["wide", "narrow", "nonsense", "nearly square"],
)  # fmt: skip
def test_pixels_that_are_no_squares_are_shown_as_players_do(shape: Fraction, size: tuple[int, int]):
    data = video(1, container="matroska", pixel_shape=shape)
    info = frames.probe(data)
    [frame] = frames.frames(data, [0.5])
    assert (info.width, info.height) == frame.image.size == size


def test_pixels_that_are_no_squares_do_not_make_a_frame_too_large():
    assert shown_size(3840, 2160, Fraction(4, 3)) == (3840, 1620)
    assert shown_size(720, 576, Fraction(64, 45)) == (1024, 576)
    assert shown_size(720, 576, None) == (720, 576)


@pytest.mark.parametrize("data", [b"", b"nothing to see" * 50, b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"])
def test_what_is_no_video_is_unreadable(data: bytes):
    with pytest.raises(MediaError) as caught:
        frames.probe(data)
    assert caught.value.reason == "video_unreadable"


def test_sound_alone_and_a_missing_file_have_their_own_reasons(tmp_path: Path):
    sound = io.BytesIO()
    with av.open(sound, "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            output.mux(packet)
    with pytest.raises(MediaError, match="video_without_picture"):
        frames.probe(sound.getvalue())
    with pytest.raises(MediaError, match="video_missing"):
        frames.probe(tmp_path / "gone.mp4")


def test_negative_times_are_the_callers_mistake(twenty_seconds: bytes):
    with pytest.raises(ValueError, match="negative"):
        frames.frames(twenty_seconds, [-1.0])


def test_real_videos_are_decoded(shared_data: Path):
    folder = shared_data / "video_samples"
    assert frames.probe(folder / "nasa_13013.mp4").duration_s == pytest.approx(13.0, abs=0.1)
    found = frames.frames(folder / "big_buck_bunny_0_30.webm", [2.0, 25.0])
    assert [frame.image.size for frame in found] == [(1280, 720)] * 2
    assert found[0].image.tobytes() != found[1].image.tobytes()
