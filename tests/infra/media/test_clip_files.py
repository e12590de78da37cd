"""Clip files show, second for second, what the video showed."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from infra.errors import MediaError
from infra.media import ClipRange, clip_ranges, cut_clips, decoding, media_decoder
from tests.infra.media.breaking import WAYS, breaking, obedient_decoder
from tests.infra.media.test_video import video


def shade(path: Path, time_s: float) -> int:
    return int(np.asarray(media_decoder().frames(path, [time_s])[0].image).mean())


def targets(folder: Path, count: int) -> list[Path]:
    return [folder / f"film_{index:03d}.mp4" for index in range(count)]


def slides(path: Path, *, at_s: list[float], end_s: float) -> None:
    """A video of frames at the given times, frame k of brightness 20 k + 20, whose container says it lasts ``end_s``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number, time_s in enumerate([*at_s, end_s - 0.1]):
            value = 20 * min(number, len(at_s) - 1) + 20
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), value, np.uint8), format="rgb24")
            frame.pts = round(time_s * 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "libx264"), ("webm", "libvpx"), ("matroska", "libx264")]
)
def test_each_file_shows_its_part_of_the_video(tmp_path: Path, container: str, codec: str):
    source = tmp_path / "film"
    source.write_bytes(video(20, container=container, codec=codec))
    clips = clip_ranges(media_decoder().probe(source).duration_s, length_s=6)
    written = cut_clips(source, clips, targets(tmp_path / "out", len(clips)))
    assert [round(media_decoder().probe(path).duration_s, 3) for path in written] == [6, 6, 6, 2]
    for path, clip in zip(written, clips, strict=True):
        for offset_s in (0.0, 1.3, clip.end_s - clip.start_s - 0.1):
            assert shade(path, offset_s) == pytest.approx(shade(source, clip.start_s + offset_s), abs=2)


def test_an_image_that_stays_is_in_every_clip_that_it_stays_for(tmp_path: Path):
    slides(tmp_path / "talk.mp4", at_s=[0, 5, 25], end_s=32)
    clips = clip_ranges(32, length_s=10)
    written = cut_clips(tmp_path / "talk.mp4", clips, targets(tmp_path, 4))
    # clip 1 (10-20 s) has no picture of its own: that of 5 s is still there; clip 2 begins with it
    shades = [
        shade(written[0], 1),
        shade(written[0], 9),
        shade(written[1], 4),
        shade(written[2], 0),
        shade(written[2], 6),
    ]
    assert shades == pytest.approx([20, 40, 40, 40, 60], abs=3)
    assert [round(media_decoder().probe(path).duration_s, 3) for path in written] == [10, 10, 10, 2]


def test_equal_videos_give_equal_bytes_and_nothing_is_left_beside_them(tmp_path: Path):
    (tmp_path / "film").write_bytes(video(5))
    first, second = (
        cut_clips(tmp_path / "film", [ClipRange(0, 5)], targets(tmp_path / name, 1)) for name in "ab"
    )
    assert first[0].read_bytes() == second[0].read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["film_000.mp4"]


def test_odd_sizes_are_taken(tmp_path: Path):
    with av.open(str(tmp_path / "odd.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=1)
        stream.width, stream.height, stream.pix_fmt = 33, 17, "yuv444p"
        for _ in range(3):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((17, 33, 3), 90, np.uint8), format="rgb24"))
            )
        container.mux(stream.encode(None))
    [written] = cut_clips(tmp_path / "odd.mkv", [ClipRange(0, 3)], targets(tmp_path, 1))
    assert media_decoder().probe(written)[2:] == (32, 16)


def test_a_video_that_was_cut_short_is_not_filled_with_its_last_image(tmp_path: Path):
    (tmp_path / "film").write_bytes(video(20))
    with pytest.raises(MediaError, match="video_truncated"):
        cut_clips(tmp_path / "film", clip_ranges(60, length_s=20), targets(tmp_path, 3))


def test_what_is_no_video_is_named(tmp_path: Path):
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(MediaError, match="video_unreadable"):
        cut_clips(tmp_path / "film.mp4", [ClipRange(0, 1)], targets(tmp_path, 1))


def test_no_clips_give_no_files(tmp_path: Path):
    (tmp_path / "film").write_bytes(video(1))
    assert cut_clips(tmp_path / "film", [], []) == []


@pytest.mark.parametrize(("deed", "reason"), WAYS)
def test_a_video_that_breaks_its_decoder_is_not_cut_and_the_next_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, reason: str
):
    good = video(4)
    (tmp_path / "bad").write_bytes(breaking(good, deed))
    (tmp_path / "good").write_bytes(good)
    with obedient_decoder(monkeypatch, deed) as decoder:
        with pytest.raises(MediaError, match=reason):
            decoder.cut(tmp_path / "bad", [ClipRange(0, 4)], targets(tmp_path / "out", 1))
        assert not (tmp_path / "out").exists()
        assert len(decoder.cut(tmp_path / "good", [ClipRange(0, 4)], targets(tmp_path / "out", 1))) == 1


def test_clips_are_the_same_bytes_whichever_process_cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "film").write_bytes(video(12))
    clips = clip_ranges(12, length_s=5)
    apart = cut_clips(tmp_path / "film", clips, targets(tmp_path / "apart", 3))
    monkeypatch.setenv(decoding.VARIABLE, decoding.IN_PROCESS)
    within = cut_clips(tmp_path / "film", clips, targets(tmp_path / "within", 3))
    assert [path.read_bytes() for path in apart] == [path.read_bytes() for path in within]
