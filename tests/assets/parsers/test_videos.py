"""Clips of videos: what is cut, what is said in them, which of them a span of time means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.corpus.item import Modality
from assets.parsers.files.raw_folder import RawFolder
from assets.parsers.types import ParseContext, ParsedItem, SkippedRecord
from assets.parsers.videos import (
    ClipItem,
    VideoSource,
    clip_id,
    overlapping,
    video_files,
    video_items,
    video_title,
)
from infra.media._images import decode
from tests.assets.parsers.outcome import write_film

CLIPS = [ClipItem("a", 0.0, 60.0), ClipItem("b", 60.0, 120.0), ClipItem("c", 120.0, 150.0)]


def video(path: Path | None, transcript: str = "") -> VideoSource:
    return VideoSource("lvbench", "some_film", path, transcript, "free", "videos/some_film.webm")


def items(source: VideoSource, **settings: float) -> list[ParsedItem | SkippedRecord]:
    return list(video_items(source, ParseContext(**settings)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "end", "names"),
    [
        (0, 60, "a"),  # half-open: the clip at 60 is not touched
        (59, 61, "ab"),
        (60, 60, "b"),  # a moment lasts a second
        (0, 150, "abc"),
        (149.5, 151, "c"),
        (150, 151, "c"),  # in the dropped tail: the clip before
        (151.9, 151.9, "c"),
        (152, 153, ""),  # a tail of two seconds would be a clip: this is outside the video
        (9_000, 9_001, ""),
    ],
)
def test_a_span_means_the_clips_that_show_part_of_it(start: float, end: float, names: str):
    assert overlapping(CLIPS, start, end) == tuple(names)


def test_a_span_in_no_video_means_nothing():
    assert overlapping([], 0, 10) == ()


@given(st.floats(0, 149, allow_nan=False), st.floats(0, 200, allow_nan=False))
def test_every_span_that_starts_within_the_video_means_the_clip_it_starts_in(start: float, length: float):
    first = "abc"[int(start // 60)]
    assert overlapping(CLIPS, start, start + length)[0] == first


def test_thirty_seconds_become_clips_of_ten_with_frames_at_uniform_times(tmp_path: Path):
    path = tmp_path / "some_film.mp4"
    write_film(path, seconds=30, side=160)
    found = items(video(path, " ".join(str(word) for word in range(30))), clip_s=10.0, max_frames=2)
    clips = [record for record in found if isinstance(record, ParsedItem)]
    assert [clip.item.id for clip in clips] == [f"lvbench:clip:some_film#{start}" for start in (0, 10, 20)]
    first = clips[0]
    assert first.media is not None
    assert first.media.meta == {"times": [2.5, 7.5]}
    assert [extension for extension, _ in first.media.members] == ["0.jpg", "1.jpg"]
    assert decode(first.media.members[0][1]).size == (first.item.width, first.item.height)
    assert (first.item.modality, first.item.duration_s, first.item.parent) == (
        Modality.VIDEO,
        10.0,
        "some_film",
    )
    # one frame a second, 8 shades apart: the first clip shows seconds 2 and 7, the last 22 and 27
    shown = [decode(data).getpixel((5, 5))[0] for clip in clips for _, data in clip.media.members]  # type: ignore
    assert shown == pytest.approx([16, 56, 96, 136, 176, 216], abs=8)
    # thirty words at an even rate: ten a clip, none lost, none twice
    said = [clip.item.text.split() for clip in clips]
    assert [word for part in said for word in part] == [str(word) for word in range(30)]
    assert all(9 <= len(part) <= 11 for part in said)


def test_without_a_file_a_video_is_its_transcript():
    [record] = items(video(None, "first cut, then weld"))
    assert isinstance(record, ParsedItem)
    assert (record.item.id, record.item.modality, record.media) == (
        "lvbench:video:some_film",
        Modality.TEXT,
        None,
    )
    assert items(video(None)) == []


def test_a_file_that_cannot_be_read_is_counted_and_its_transcript_stays(tmp_path: Path):
    (tmp_path / "x.mp4").write_bytes(b"no video")
    skip, text = items(video(tmp_path / "x.mp4", "said"))
    assert isinstance(skip, SkippedRecord) and skip.reason == "video_unreadable"
    assert isinstance(text, ParsedItem) and text.item.modality == Modality.TEXT


def test_files_are_known_by_their_stem_or_by_a_downloader_s_sidecar(tmp_path: Path):
    (tmp_path / "00000").mkdir()
    for name in ("-1KSBqYHfOg.mp4", "00000/00000000.webm", "00000/00000001.mkv", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    url = "https://www.youtube.com/watch?v=Cm73ma6Ibcs&t=3"
    (tmp_path / "00000/00000000.json").write_text(json.dumps({"url": url}), encoding="utf-8")
    (tmp_path / "00000/00000001.json").write_text("{broken", encoding="utf-8")
    files = video_files(RawFolder(tmp_path))
    assert sorted(files.by_id) == ["-1KSBqYHfOg", "00000001", "Cm73ma6Ibcs"]
    assert files.sidecars == {"00000/00000000.json", "00000/00000001.json"}


def test_a_downloader_may_put_the_id_in_brackets_and_the_same_video_twice(tmp_path: Path):
    for name in ("A title [Cm73ma6Ibcs].webm", "Cm73ma6Ibcs.mp4", "B [part 1].mov", "C.AVI"):
        (tmp_path / name).write_bytes(b"")
    files = video_files(RawFolder(tmp_path))
    assert sorted(files.by_id) == ["B [part 1]", "C", "Cm73ma6Ibcs"]
    [twice] = files.skipped
    assert (twice.reason, twice.where) == ("video_duplicate", "Cm73ma6Ibcs.mp4")


def test_the_title_is_the_sidecar_s_or_the_id_in_words(tmp_path: Path):
    path = tmp_path / "Belodu_film.mp4"
    assert video_title("Belodu_film", path) == "Belodu film"
    (tmp_path / "Belodu_film.info.json").write_text('{"title": " A film "}', encoding="utf-8")
    assert video_title("Belodu_film", path) == "A film"


def test_start_seconds_in_ids_are_whole_where_they_are_whole():
    assert clip_id("xvbench", "v", 1234560.0) == "xvbench:clip:v#1234560"
    assert clip_id("xvbench", "v", 7.5) == "xvbench:clip:v#7.5"


def test_a_real_video_of_13_seconds_is_one_clip_and_the_same_bytes_twice(shared_data: Path):
    path = shared_data / "video_samples/nasa_13013.mp4"
    [clip] = items(video(path), max_frames=2)
    assert isinstance(clip, ParsedItem) and clip.item.duration_s == pytest.approx(13, abs=0.1)
    assert items(video(path), max_frames=2) == [clip]
