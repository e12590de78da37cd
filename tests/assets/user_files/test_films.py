"""Films stand upright, covers are no films, and what is said is found wherever it is written."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from assets.user_files.media.subtitle_files import subtitles_of
from infra.media import ClipRange, cut_clips, media_decoder
from infra.storage.root import Storage
from tests.assets.user_files.material import happened, items, take, write_still_film, write_text

SPOKEN = "1\n00:00:01,000 --> 00:00:03,000\nThe zeppelin landed.\n"


def write_film(
    path: Path, *, cover: str = "", attached: bool = False, film: bool = True, sound: bool = True
) -> Path:
    """Green frames for six seconds, silence, and perhaps a red cover as the first stream."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded: list[Any] = []
    with av.open(str(path), "w") as container:
        if cover:
            stream: Any = container.add_stream(cover, rate=1)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuvj420p" if cover == "mjpeg" else "rgb24"
            if attached:
                stream.disposition = Disposition.attached_pic
            encoded += packets(stream, [av.VideoFrame.from_image(Image.new("RGB", (64, 64), "red"))])
        if film:
            stream = container.add_stream("libx264", rate=1)
            stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
            stream.options = {"bf": "0"}
            green = Image.new("RGB", (64, 32), (0, 160, 0))
            encoded += packets(stream, [av.VideoFrame.from_image(green) for _ in range(6)])
        if sound:
            stream = container.add_stream("mp3" if path.suffix == ".mp3" else "aac", rate=16_000)
            encoded += packets(stream, [silence(1152 * number) for number in range(40)])
        for packet in encoded:
            container.mux(packet)
    return path


def packets(stream: Any, frames: Sequence[Any]) -> list[Any]:
    """All frames of a stream, encoded before any is written, for the header comes first."""
    for number, frame in enumerate(frames):
        if frame.pts is None:
            frame.pts, frame.time_base = number, Fraction(1, 1)
    return [packet for frame in (*frames, None) for packet in stream.encode(frame)]


def silence(pts: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 16_000, pts, Fraction(1, 16_000)
    return frame


def turned(path: Path, degrees: int, *, mirrored: bool = False) -> None:
    """Put a display matrix into the track header of an MP4 file, as phones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix is 40 bytes behind
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    a, b, c, d = (-cos, sin, sin, cos) if mirrored else (cos, sin, -sin, cos)
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)


def corners(image: Image.Image) -> list[bool]:
    """Whether each corner is dark: top left, top right, bottom left, bottom right."""
    grey, (width, height) = image.convert("L"), image.size
    return [
        grey.getpixel(at) < 128 for at in ((4, 4), (width - 5, 4), (4, height - 5), (width - 5, height - 5))
    ]  # type: ignore[operator]


def write_marked_film(path: Path, *, seconds: int = 3) -> Path:
    """White, with a dark top left corner."""
    image = Image.new("RGB", (96, 48), "white")
    image.paste("black", (0, 0, 32, 16))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        for number in range(2 * seconds):
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = number, Fraction(1, 2)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = (
    [corner == place for corner in range(4)] for place in range(4)
)


@pytest.mark.parametrize(
    ("degrees", "mirrored", "dark"),
    [
        (90, False, TOP_RIGHT),  # clockwise
        (180, False, BOTTOM_RIGHT),
        (270, False, BOTTOM_LEFT),
        (0, True, TOP_RIGHT),
        (90, True, TOP_LEFT),  # along the diagonal
    ],
)
def test_a_film_is_upright_in_its_frames_its_facts_and_its_clips(
    tmp_path: Path, degrees: int, mirrored: bool, dark: list[bool]
):
    path = write_marked_film(tmp_path / "phone.mp4")
    turned(path, degrees, mirrored=mirrored)
    size = (48, 96) if degrees in (90, 270) else (96, 48)
    info = media_decoder().probe(path)
    [frame] = media_decoder().frames(path, [1.0])
    [clip] = cut_clips(path, [ClipRange(0.0, 2.0)], [tmp_path / "clip.mp4"])
    [cut] = media_decoder().frames(clip, [1.0])
    assert (info.width, info.height) == frame.image.size == cut.image.size == size
    assert corners(frame.image) == corners(cut.image) == dark


@pytest.mark.parametrize(
    ("name", "cover", "attached"),
    [("a.mkv", "mjpeg", False), ("b.mp4", "mjpeg", True), ("c.mov", "png", False)],
)
def test_a_cover_is_not_taken_for_the_film(
    storage: Storage, tmp_path: Path, name: str, cover: str, attached: bool
):
    path = write_film(tmp_path / name, cover=cover, attached=attached)
    assert not take(storage, path).skipped
    [item] = items(storage)
    assert (item.width, item.height) == (64, 32)
    assert item.duration_s == pytest.approx(6.0, abs=0.2)


def test_sound_has_a_reason_of_its_own_and_its_words_are_read(storage: Storage, tmp_path: Path):
    docs = tmp_path / "docs"
    write_film(docs / "talk.mp3", film=False)
    write_film(docs / "song.mp4", film=False, cover="mjpeg", attached=True)
    write_film(docs / "mute.mka", film=False)
    write_text(docs / "talk.srt", SPOKEN + "\n2\n00:01:10,000 --> 00:01:12,000\nThe crew slept.\n")
    write_text(docs / "song.txt", "No times at all.")
    report = take(storage, docs)
    assert [(item.title, item.text) for item in items(storage)] == [
        ("song.mp4", "No times at all."),
        ("talk.mp3 00:00", "The zeppelin landed."),
        ("talk.mp3 01:00", "The crew slept."),
    ]
    assert dict(report.skipped) == {"video_without_picture": 3}
    assert happened(report)["talk.mp3"] == "read: words of talk.srt, video_without_picture 1"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "talk.srt",
            "talk.SRT",
            "Talk.srt",
            "talk.en.vtt",
            "talk.de-DE.forced.srt",
            "talk.eng.sdh.srt",
            "talk_en.srt",
        ),
        *(
            "talk.mp4.srt",
            "talk (English).srt",
            "talk.ass",
            "talk.lrc",
            "talk.zh-Hans.ttml",
            "talk-en.srt",
            "talk.txt",
        ),
        *("Subs/talk.srt", "subs/English.srt", "Subs/talk/2_English.srt", "Subtitles/3_German.srt"),
    ],
)
def test_subtitles_are_found_in_all_their_spellings(tmp_path: Path, name: str):
    film = write_text(tmp_path / "talk.mp4", "film")
    beside = write_text(tmp_path / name, SPOKEN)
    assert subtitles_of(film) == (beside,)


def test_other_films_subtitles_are_left_to_them_and_the_best_of_each_language_is_taken(tmp_path: Path):
    film = write_text(tmp_path / "talk.mp4", "film")
    write_text(tmp_path / "talk2.mp4", "another film")
    names = (
        "talk2.srt",
        "talk 2.srt",
        "talking.en.srt",
        "talk.notes from the meeting.txt",
        "Subs/English.srt",
    )
    names += (
        "talk.en.srt",
        "talk.en.forced.srt",
        "talk.en.sdh.srt",
        "talk.eng.vtt",
        "talk.de.ass",
        "talk.fr.forced.srt",
    )
    for name in names:
        write_text(tmp_path / name, SPOKEN)
    found = [path.name for path in subtitles_of(film)]
    assert found in (["talk.de.ass", "talk.en.srt"], ["talk 2.srt", "talk.de.ass", "talk.en.srt"])


def write_with_subtitles(path: Path, cues: Sequence[tuple[int, str]]) -> Path:
    """A film with a subtitle track, by way of a subtitle file."""
    film = write_film(path.with_name("bare.mp4"), sound=False)
    written = (
        f"{n}\n00:00:{s:02},000 --> 00:00:{s + 1:02},000\n{text}\n\n" for n, (s, text) in enumerate(cues, 1)
    )
    beside = write_text(path.with_name("words.srt"), "".join(written))
    with av.open(str(film)) as source, av.open(str(beside)) as words, av.open(str(path), "w") as target:
        tracks = [(source, source.streams.video[0]), (words, words.streams.subtitles[0])]
        pairs = [(file, track, target.add_stream_from_template(track)) for file, track in tracks]
        for file, track, copy in pairs:
            for packet in file.demux(track):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
    beside.unlink()
    film.unlink()
    return path


def test_subtitles_inside_of_a_film_are_its_words(storage: Storage, tmp_path: Path):
    path = write_with_subtitles(
        tmp_path / "film.mkv", [(1, "The <i>zeppelin</i> landed."), (3, "The crew slept.")]
    )
    report = take(storage, path)
    assert [item.text for item in items(storage)] == ["The zeppelin landed.\nThe crew slept."]
    assert happened(report)["film.mkv"].startswith("read: subtitles inside of it")


def test_subtitles_whose_film_is_not_there_are_a_text(storage: Storage, tmp_path: Path):
    take(
        storage,
        write_text(tmp_path / "talk.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>The zeppelin landed.\n"),
    )
    assert [(item.title, item.text) for item in items(storage)] == [("talk.vtt", "The zeppelin landed.")]


def test_subtitles_in_another_code_page_are_read(storage: Storage, tmp_path: Path):
    film = write_still_film(tmp_path / "talk.mp4", seconds=3)
    text = "1\n00:00:01,000 --> 00:00:02,000\nКаждый вечер смотритель поднимался наверх.\n"
    (tmp_path / "talk.ru.srt").write_bytes(text.encode("cp1251"))
    take(storage, film)
    assert items(storage)[0].text == "Каждый вечер смотритель поднимался наверх."


def test_subtitles_inside_of_a_film_keep_their_seconds(tmp_path: Path):
    # FFmpeg tells the second frame's time as the start of this file, one second late
    path = write_with_subtitles(tmp_path / "film.mkv", [(1, "The zeppelin landed."), (3, "The crew slept.")])
    (track,) = media_decoder().spoken(path)
    assert [line.start_s for line in track.lines] == [1, 3]


def test_a_film_called_as_a_text_is_not_its_own_transcript(storage: Storage, tmp_path: Path):
    film = write_still_film(tmp_path / "talk.mp4", seconds=3).rename(tmp_path / "talk.txt")
    beside = write_text(tmp_path / "talk.tsv", "start\tend\ttext\n1000\t2000\tThe zeppelin landed.\n")
    write_text(tmp_path / "talk.de.tsv", "a\tb\n1\t2\n")
    assert subtitles_of(film) == (beside,)
    assert happened(take(storage, film))["talk.txt"] == "read: words of talk.tsv"
    assert items(storage)[0].text == "The zeppelin landed."


def test_of_a_film_that_is_cut_short_the_frames_that_are_left_are_read(storage: Storage, tmp_path: Path):
    whole = write_marked_film(tmp_path / "whole.mkv", seconds=40).read_bytes()
    path = tmp_path / "film.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    report = take(storage, path)
    [item] = items(storage)
    assert (item.width, item.duration_s) == (96, pytest.approx(40, abs=1))
    assert dict(report.skipped) == {"video_truncated": 1}


def test_what_was_recognised_beside_a_film_is_said_and_facts_about_it_are_a_text(
    storage: Storage, tmp_path: Path
):
    film = write_still_film(tmp_path / "talk.mp4", seconds=3)
    write_text(tmp_path / "talk.json", '{"segments": [{"start": 1, "text": "The zeppelin landed."}]}')
    other = write_still_film(tmp_path / "walk.mp4", seconds=4)
    write_text(tmp_path / "walk.json", '{"title": "A walk"}')
    assert (subtitles_of(film), subtitles_of(other)) == ((tmp_path / "talk.json",), ())
    take(storage, tmp_path)
    assert {item.title: item.text for item in items(storage)} == {
        "talk.mp4": "The zeppelin landed.",
        "walk.mp4": "",
        "walk.json": '{\n "title": "A walk"\n}',
    }


def test_chapters_and_lyrics_inside_of_a_file_are_words(storage: Storage, tmp_path: Path):
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as container:
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": 1000 * number,
                    "end": 1000 * number + 900,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, title in enumerate(("Chapter 1", "The pier"), start=1)
            ]
        )
        stream: Any = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for packet in packets(
            stream, [av.VideoFrame.from_image(Image.new("RGB", (32, 32))) for _ in range(5)]
        ):
            container.mux(packet)
    song = tmp_path / "song.flac"
    with av.open(str(song), "w") as container:
        container.metadata["LYRICS"] = "Over the sea\nand home"
        stream = container.add_stream("flac", rate=16_000)
        for packet in packets(stream, [silence(1152 * number) for number in range(40)]):
            container.mux(packet)
    take(storage, film, song)
    assert {item.title: item.text for item in items(storage)} == {
        "film.mkv": "The pier",
        "song.flac": "Over the sea\nand home",
    }
