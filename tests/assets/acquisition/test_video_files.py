"""Videos of a dataset: what comes, what is quarantined, what a later run tries again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assets.acquisition.fetch import TermsNotAcceptedError
from assets.acquisition.mirrors import Mirrors
from assets.acquisition.session import FetchStatus
from tests.assets.acquisition.hosts import VIDEOS, Fetch, put_lvbench, put_videos, tree
from tests.assets.parsers.outcome import read
from tests.servers.file_server import FileServer

WANTED = {"videos": True, "accept_terms": True}


@pytest.fixture
def ready(server: FileServer, video_bytes: bytes) -> FileServer:
    put_lvbench(server)
    put_videos(server, video_bytes)
    return server


def quarantined(tmp_path: Path) -> dict[str, str]:
    lines = (tmp_path / "root/raw/lvbench.quarantine.jsonl").read_text().splitlines()
    return {row["name"].removeprefix("videos/"): row["reason"] for row in map(json.loads, lines)}


def test_videos_land_where_the_parser_finds_them_and_the_lost_one_is_told(
    ready: FileServer, fetched: Fetch, tmp_path: Path
):
    report = fetched("lvbench", **WANTED)
    assert report.failures == [] and report.quarantine == {"gone": 1}
    assert quarantined(tmp_path) == {VIDEOS[2]: "gone"}
    folder = tmp_path / "root/raw/lvbench"
    outcome = read("lvbench", folder)
    assert outcome.evidence == {"present": 2, "media_missing": 1} and outcome.reasons == {"video_missing": 1}
    assert sorted(path.name for path in (folder / "videos").glob("*.mp4")) == sorted(
        f"{v}.mp4" for v in VIDEOS[:2]
    )
    lock = json.loads((tmp_path / "root/raw/lvbench.lock.json").read_text())
    assert f"videos/{VIDEOS[0]}.mp4" in lock["files"]


def test_a_second_run_asks_for_nothing_and_a_lost_file_is_fetched_again(
    ready: FileServer, fetched: Fetch, tmp_path: Path
):
    fetched("lvbench", **WANTED)
    before, first = len(ready.requests), tree(tmp_path / "root/raw/lvbench")
    again = fetched("lvbench", **WANTED)
    assert len(ready.requests) == before and again.count(FetchStatus.PRESENT) == 3
    (tmp_path / f"root/raw/lvbench/videos/{VIDEOS[0]}.mp4").unlink()
    assert fetched("lvbench", **WANTED).count(FetchStatus.FETCHED) == 1
    assert tree(tmp_path / "root/raw/lvbench") == first


def test_only_what_can_change_is_tried_again_unless_told_to(
    ready: FileServer, fetched: Fetch, tmp_path: Path, video_bytes: bytes
):
    for video_id, status in ((VIDEOS[0], 403), (VIDEOS[1], 451)):
        ready.files[f"/films/{video_id}.mp4"].statuses = [status]
        ready.files[f"/films/{video_id}.mp4"].forever = True
    fetched("lvbench", **WANTED)
    assert quarantined(tmp_path) == {VIDEOS[0]: "forbidden", VIDEOS[1]: "geo", VIDEOS[2]: "gone"}
    put_videos(ready, video_bytes)
    ready.requests.clear()
    assert fetched("lvbench", **WANTED).quarantine == {"geo": 1, "gone": 1}
    assert {request.path for request in ready.requests} == {f"/films/{VIDEOS[0]}.mp4"}
    assert fetched("lvbench", **WANTED, retry_quarantined=True).quarantine == {"gone": 1}
    row = json.loads((tmp_path / "root/raw/lvbench.quarantine.jsonl").read_text())
    assert row["name"] == f"videos/{VIDEOS[2]}" and row["attempts"] == 2


def test_a_site_that_wants_us_to_stop_is_left_alone(
    ready: FileServer, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("assets.acquisition.session.STOP_AFTER", 2)
    for video_id in VIDEOS:
        ready.put(f"/films/{video_id}.mp4", statuses=[429], forever=True)
    report = fetched("lvbench", **WANTED)
    assert report.quarantine == {"rate_limited": 2} and report.failures == []
    assert "stopped after 2" in report.notes[-1] and ready.asked(f"/films/{VIDEOS[2]}.mp4") == []


def test_a_site_that_is_not_there_is_tried_again_by_the_next_run(
    ready: FileServer, fetched: Fetch, mirrors: Mirrors, video_bytes: bytes
):
    away = Mirrors({**mirrors.overrides, "youtube": "http://127.0.0.1:9/{id}.mp4"})
    assert fetched("lvbench", **WANTED, mirrors=away).quarantine == {"unreachable": 3}
    assert fetched("lvbench", **WANTED).quarantine == {"gone": 1}


def test_a_limit_leaves_the_rest_for_another_run(ready: FileServer, fetched: Fetch):
    report = fetched("lvbench", **WANTED, max_videos=1)
    assert report.count(FetchStatus.FETCHED) == 2 and "2 more videos" in report.notes[-1]
    assert fetched("lvbench", **WANTED).count(FetchStatus.FETCHED) == 1


def test_nothing_is_asked_for_before_the_terms_are_accepted(
    ready: FileServer, fetched: Fetch, tmp_path: Path
):
    with pytest.raises(TermsNotAcceptedError) as caught:
        fetched("lvbench", videos=True)
    assert "belong to the people who made them" in caught.value.terms
    assert ready.requests == [] and not (tmp_path / "root").exists()
    with pytest.raises(ValueError, match="has no videos"):
        fetched("squad", **WANTED)


def test_an_id_that_is_none_is_never_made_into_an_address(ready: FileServer, fetched: Fetch, tmp_path: Path):
    path = next(path for path in ready.files if path.endswith(".jsonl"))
    body = ready.files[path].body.replace(VIDEOS[2].encode(), b"../../etc/x")
    ready.files[path].body = body
    assert fetched("lvbench", **WANTED).quarantine == {"unsupported": 1}
    assert not any("etc" in request.path for request in ready.requests)
