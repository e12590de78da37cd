"""yt-dlp's own generic extractor and downloader against a server of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.utils import DownloadError as YtDlpError
from yt_dlp.utils import ExtractorError

from infra.downloads.ytdlp_failures import VideoReason, detail_of, reason_of
from infra.downloads.ytdlp_fetcher import VideoFetcher, VideoSettings
from infra.errors import DownloadError
from infra.media import MediaDecoder, media_decoder
from tests.assets.parsers.outcome import write_film
from tests.infra.media.breaking import WAYS, breaking, obedient_decoder
from tests.servers.file_server import FileServer, file_server

ID = "-aB_cdEFghi"  # begins like an option
PATH = f"/{ID}.mp4"


@pytest.fixture(scope="module")
def video_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_film(path, seconds=20, side=64)
    return path.read_bytes()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        yield running


def put(server: FileServer, body: bytes, **faults: Any) -> None:
    headers = {"Content-Type": "video/mp4", **faults.pop("headers", {})}
    server.put(PATH, body, headers=headers, **faults)


def fetch(server: FileServer, folder: Path, *, decoder: MediaDecoder | None = None, **settings: Any):
    quick = {
        "sleep_s": 0.0,
        "max_sleep_s": 0.0,
        "first_wait_s": 0.0,
        "retries": 1,
        "stall_s": 5.0,
        "any_site": True,
    }
    chosen = VideoSettings(**{**quick, **settings})
    with VideoFetcher(folder / "videos", folder / "archive.txt", chosen, decoder=decoder) as fetcher:
        return fetcher.fetch(ID, server.url + PATH)


def failure(server: FileServer, folder: Path, **settings: Any) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        fetch(server, folder, **settings)
    assert list((folder / "videos").glob("*.mp4")) == []
    return caught.value


def test_a_video_comes_whole_under_its_id_and_is_listed(
    server: FileServer, video_bytes: bytes, tmp_path: Path, capfd: Any
):
    put(server, video_bytes)
    came = fetch(server, tmp_path)
    assert came.path == tmp_path / "videos" / f"{ID}.mp4"
    assert (
        came.path.read_bytes() == video_bytes
        and came.size == len(video_bytes)
        and came.duration_s == pytest.approx(20)
    )
    assert media_decoder().probe(came.path).width == 64
    assert (tmp_path / "archive.txt").read_text() == f"generic {ID}\n"
    assert [path.name for path in (tmp_path / "videos").iterdir()] == [f"{ID}.mp4"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "forbidden"),
        (401, "forbidden"),
        (404, "gone"),
        (410, "gone"),
        (429, "rate_limited"),
        (451, "geo"),
        (500, "other"),
    ],
)
def test_refusals_are_told_apart(
    server: FileServer, video_bytes: bytes, tmp_path: Path, status: int, reason: str
):
    put(server, video_bytes, statuses=[status], forever=True)
    error = failure(server, tmp_path)
    assert error.reason == reason and ID in error.detail


def test_a_refusal_of_the_body_after_the_page_was_shown(
    server: FileServer, video_bytes: bytes, tmp_path: Path
):
    put(server, video_bytes)
    server.files[PATH].on_request = lambda served: served.statuses.extend(
        [429] if len(server.requests) > 1 else []
    )
    assert failure(server, tmp_path).reason == "rate_limited"


def test_a_video_cut_short_is_continued_and_one_that_stays_short_is_truncated(
    server: FileServer, video_bytes: bytes, tmp_path: Path
):
    put(server, video_bytes, cut_after=[len(video_bytes), len(video_bytes) // 2])
    assert fetch(server, tmp_path, retries=3).path.read_bytes() == video_bytes
    put(server, video_bytes, cut_after=[len(video_bytes), len(video_bytes) // 2, *[0] * 9])
    assert failure(server, tmp_path / "other").reason == "truncated"


def test_half_a_file_that_calls_itself_whole_is_found_out_and_removed(
    server: FileServer, video_bytes: bytes, tmp_path: Path
):
    put(server, video_bytes[: len(video_bytes) // 2])
    assert failure(server, tmp_path).reason == "truncated"
    assert list(tmp_path.rglob("*.mp4")) == []


@pytest.mark.parametrize(("deed", "reason"), WAYS)
def test_a_video_that_breaks_its_decoder_is_removed_and_the_next_one_comes(
    server: FileServer,
    video_bytes: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deed: str,
    reason: str,
):
    with obedient_decoder(monkeypatch, deed) as decoder:
        put(server, breaking(video_bytes, deed))
        with pytest.raises(DownloadError, match=reason) as caught:
            fetch(server, tmp_path, decoder=decoder)
        assert caught.value.reason == "truncated"
        assert list(tmp_path.rglob("*.mp4")) == []
        put(server, video_bytes)
        assert fetch(server, tmp_path / "next", decoder=decoder).duration_s == pytest.approx(20)


def test_a_page_without_a_video_is_unsupported(server: FileServer, tmp_path: Path):
    put(server, b"<html><title>gone fishing</title></html>", headers={"Content-Type": "text/html"})
    assert failure(server, tmp_path).reason == "unsupported"


@pytest.mark.parametrize("says_length", [True, False])
def test_limits_hold_whether_the_length_is_told_or_not(
    server: FileServer, video_bytes: bytes, tmp_path: Path, says_length: bool
):
    put(server, video_bytes, says_length=says_length)
    assert failure(server, tmp_path, max_bytes=1000).reason == "too_large"
    assert failure(server, tmp_path, time_limit_s=-1.0).reason == "too_large"


def test_cookies_are_sent_and_neither_said_nor_written(
    server: FileServer, video_bytes: bytes, tmp_path: Path, capfd: Any
):
    jar = tmp_path / "cookies.txt"
    jar.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4000000000\tsid\thush-hush\n")
    before = jar.read_bytes()
    put(server, video_bytes)
    fetch(server, tmp_path, cookies=jar)
    assert all("hush-hush" in request.headers["cookie"] for request in server.requests)
    put(server, video_bytes, statuses=[403], forever=True)
    error = failure(server, tmp_path / "other", cookies=jar)
    assert jar.read_bytes() == before
    assert "hush" not in str(error) + "".join(capfd.readouterr())
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != jar]
    assert not any(b"hush" in path.read_bytes() for path in written)


def test_without_leave_only_youtube_is_asked(server: FileServer, video_bytes: bytes, tmp_path: Path):
    put(server, video_bytes)
    assert failure(server, tmp_path, any_site=False).reason == "unsupported"
    assert server.requests == []


def test_a_disk_that_takes_nothing_is_no_fault_of_the_video(
    server: FileServer, video_bytes: bytes, tmp_path: Path
):
    (tmp_path / "videos").write_text("a file where the folder should be")
    put(server, video_bytes)
    with pytest.raises(DownloadError, match="cannot write"):
        fetch(server, tmp_path)


def test_what_was_fetched_but_not_yet_named_is_taken_up(
    server: FileServer, video_bytes: bytes, tmp_path: Path
):
    incoming = tmp_path / "videos" / ".incoming"
    incoming.mkdir(parents=True)
    (incoming / f"{ID}.f0.mp4.part").write_bytes(video_bytes[:1000])  # what a killed process leaves
    put(server, video_bytes)
    format_id = "mp4"
    (incoming / f"{ID}.f{format_id}.mp4.part").write_bytes(video_bytes[:1000])
    assert fetch(server, tmp_path).path.read_bytes() == video_bytes


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Private video. Sign in if you've been granted access", VideoReason.PRIVATE),
        ("Video unavailable. This video is private", VideoReason.PRIVATE),
        ("Join this channel to get access to members-only content", VideoReason.PRIVATE),
        (
            "Video unavailable. The uploader has not made this video available in your country",
            VideoReason.GEO,
        ),
        ("This video has been removed by the uploader", VideoReason.GONE),
        ("Video unavailable", VideoReason.GONE),
        ("The YouTube account associated with this video has been terminated", VideoReason.GONE),
        ("Sign in to confirm you\u2019re not a bot", VideoReason.RATE_LIMITED),
        ("This content isn't available, try again later", VideoReason.RATE_LIMITED),
        ("Sign in to confirm your age", VideoReason.FORBIDDEN),
        ("Requested format is not available", VideoReason.UNSUPPORTED),
        ("something never seen", VideoReason.OTHER),
    ],
)
def test_what_sites_say_is_sorted(said: str, reason: VideoReason):
    inner = ExtractorError(said, expected=True)
    assert reason_of(YtDlpError(f"ERROR: [youtube] {ID}: {said}", (type(inner), inner, None))) is reason


def test_an_error_says_nothing_that_stands_behind_a_question_mark():
    error = YtDlpError("\x1b[0;31mERROR:\x1b[0m bad https://host/watch?v=1&sig=hush\n  next")
    assert detail_of(error) == "bad https://host/watch?... next"
