"""Whatever a film is called, the parser of XVBench reads each of its clips back as that clip of that film."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.xvbench_builder.videos import find_videos, video_name
from tests.assets.parsers.outcome import read, write_film

STEMS = st.text(alphabet=st.sampled_from("aB1_ -.é中[]',clip"), min_size=1, max_size=12).filter(
    lambda stem: not stem.startswith(".")
)
NASTY = (
    "a",
    "a_000",
    "a_clip",
    "a_1",
    "A",
    "clip",
    "part",
    "__",
    "-x",
    "a_chunk",
    "['a', 'b']",
    "a,b",
    "t [abcDEFghi_1]",
)


@pytest.fixture(scope="module")
def source_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_film(path, seconds=2)
    return path


def read_back(source_video: Path, folder: Path, stems: list[str]) -> None:
    for stem in stems:
        (folder / "in").mkdir(exist_ok=True)
        shutil.copy(source_video, folder / "in" / f"{stem}.mp4")
    videos = find_videos(folder / "in", leave_out=folder / "out").videos
    chunks = folder / "out/video_chunks"
    chunks.mkdir(parents=True)
    wanted = {}
    rows = []
    for video in videos:
        for index in (0, 1, 12):
            name = f"{video.id}_{index:03d}.mp4"
            shutil.copy(source_video, chunks / name)
            wanted[name] = (video.id, 60.0 * index)
            rows.append({"question": name, "answer": "a", "video_name": video.id, "reference": [name]})
    (folder / "out/xvbench.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    parsed = read("xvbench", folder / "out", max_frames=1)
    assert (parsed.reasons, len(parsed.items)) == ({}, len(wanted))
    for question in parsed.questions:
        [gold] = question.gold
        assert (parsed.items[gold].parent, parsed.items[gold].position) == wanted[question.text]


def test_names_that_look_like_something_else(source_video: Path, tmp_path: Path):
    read_back(source_video, tmp_path, list(NASTY))


@settings(max_examples=15, deadline=None)
@given(st.lists(STEMS, min_size=1, max_size=4, unique_by=str.casefold))
def test_any_names(source_video: Path, stems: list[str]):
    with TemporaryDirectory() as folder:
        read_back(source_video, Path(folder), stems)


def test_plain_names_and_video_ids_stay():
    assert [video_name(name) for name in ("abcDEFghi_1", "-1KSBqYHfOg", "talk")] == [
        "abcDEFghi_1",
        "-1KSBqYHfOg",
        "talk",
    ]


def test_a_sidecar_cannot_lead_out_of_the_folder(source_video: Path, tmp_path: Path):
    shutil.copy(source_video, tmp_path / "a.mp4")
    (tmp_path / "a.json").write_text(json.dumps({"video_id": "../../etc/x\0"}))
    [found] = find_videos(tmp_path, leave_out=tmp_path / "out").videos
    assert found.id == "_etc_x_" and "/" not in found.id
