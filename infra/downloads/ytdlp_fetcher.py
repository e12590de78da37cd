"""Videos through yt-dlp's Python interface: one at a time, bounded, decoded to its end before it counts.

Holds the adapter; which videos a dataset wants, and what is tried again, is known by ``assets/acquisition``.
Nothing of yt-dlp's own output reaches the terminal, and cookies are read into memory and never written.
"""

import io
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

from yt_dlp import YoutubeDL
from yt_dlp.utils import DownloadCancelled, YoutubeDLError

from infra.downloads.partial_file import FULL, READ_ONLY, disk
from infra.downloads.ytdlp_failures import VideoReason, causes, detail_of, reason_of
from infra.errors import DownloadError, MediaError
from infra.limits import MAX_VIDEO_SECONDS
from infra.media import MediaDecoder, media_decoder
from infra.storage.manifest import sha256_of

# Images are all that the corpus takes from a video, and without sound nothing must be joined by ffmpeg.
FORMAT = "bv*[height<=?{height}][ext=mp4]/bv*[height<=?{height}]/b/bv*"
LAST_FRAME_S = 0.5  # before the end: where a whole video still has a frame
RUNTIMES = ("deno", "node", "bun")  # of JavaScript, which YouTube needs; whichever is installed


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSettings:
    """How videos are fetched: what a site is spared, and what we are."""

    height: int = 720
    """Lines of the largest video taken, where there is a choice."""
    max_bytes: int = 2 << 30
    max_seconds: float = MAX_VIDEO_SECONDS
    """Duration above which a video is not taken."""
    time_limit_s: float = 2 * 3600.0
    """For one video."""
    bytes_per_s: int | None = None
    sleep_s: float = 5.0
    """Pause before each video; its length is drawn between this and ``max_sleep_s``."""
    max_sleep_s: float = 30.0
    retries: int = 5
    first_wait_s: float = 2.0
    """Pause before the first retry; doubled each time, at most a minute."""
    stall_s: float = 30.0
    cookies: Path | None = None
    """A cookie file in Netscape's form; read once, never logged, never written."""
    any_site: bool = False
    """Also take plain links, as a mirror has; else YouTube only."""


class DownloadedVideo(NamedTuple):
    """A video that is there, and was read to its end."""

    path: Path
    size: int
    sha256: str
    title: str
    duration_s: float


class VideoFetcher:
    """Fetches into ``folder``; unfinished files lie in ``folder/.incoming``, where no parser looks.

    ``archive`` is yt-dlp's own list of what was downloaded. Use it in a ``with`` block.
    """

    def __init__(
        self, folder: Path, archive: Path, settings: VideoSettings, *, decoder: MediaDecoder | None = None
    ) -> None:
        self._folder, self._settings = folder, settings
        self._decoder = decoder or media_decoder()
        self._incoming = folder / ".incoming"
        self._limits = _DownloadLimits(settings)
        self._options = _options(self._incoming, archive, settings, self._limits)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Read the cookies and open yt-dlp."""
        with disk(self._folder):
            self._incoming.mkdir(parents=True, exist_ok=True)
        if self._settings.cookies is not None:
            text = self._settings.cookies.read_text(encoding="utf-8")
            self._options["cookiefile"] = io.StringIO(text)  # yt-dlp writes them back: into memory
        self._ydl = self._stack.enter_context(YoutubeDL(cast(Any, self._options)))
        return self

    def __exit__(self, *error: object) -> None:
        """Close yt-dlp."""
        self._stack.close()
        if self._incoming.is_dir() and not any(self._incoming.iterdir()):
            self._incoming.rmdir()

    def fetch(self, video_id: str, url: str) -> DownloadedVideo:
        """Fetch one video as ``<folder>/<video_id>.<extension>``.

        Raises:
            DownloadError: its ``reason`` is a ``VideoReason``, or one of ``partial_file.disk``.
        """
        self._limits.begin()
        try:
            info = self._info(video_id, url)
            path = self._download(info)
        except _OverLimitError as error:
            raise DownloadError(VideoReason.TOO_LARGE, f"{video_id}: {error}") from error
        except YoutubeDLError as error:
            raise _failure(video_id, error, self._folder) from error
        duration_s = _checked_duration_s(self._decoder, path)
        target = self._folder / f"{video_id}{path.suffix}"
        with disk(target):
            path.replace(target)
        return DownloadedVideo(
            target, target.stat().st_size, sha256_of(target), _title(info, video_id), duration_s
        )

    def _info(self, video_id: str, url: str) -> dict[str, Any]:
        """What the site says of the video; refused if it is none that we take."""
        description = self._ydl.extract_info(url, download=False)
        if not description or description.get("_type", "video") != "video":
            raise DownloadError(VideoReason.UNSUPPORTED, f"{video_id}: not one video at its address")
        info = cast(dict[str, Any], description)
        if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
            raise DownloadError(VideoReason.UNSUPPORTED, f"{video_id}: a live broadcast")
        if (info.get("duration") or 0) > self._settings.max_seconds:
            raise _OverLimitError(f"{info['duration']:,.0f} s, limit {self._settings.max_seconds:,.0f} s")
        return {**info, "id": video_id}

    def _download(self, info: dict[str, Any]) -> Path:
        """Where yt-dlp put the file."""
        result = cast(dict[str, Any], self._ydl.process_ie_result(cast(Any, info), download=True))
        paths = [
            Path(download.get("filepath") or "/") for download in result.get("requested_downloads") or ()
        ]
        if len(paths) == 1 and paths[0].is_file():
            return paths[0]
        if "larger than max-filesize" in self._limits.last_message:
            raise _OverLimitError(f"more than the limit of {self._settings.max_bytes:,} bytes")
        raise DownloadError(
            VideoReason.OTHER, f"{info['id']}: yt-dlp left no file: {self._limits.last_message[:200]}"
        )


class _OverLimitError(DownloadCancelled):
    """A limit of ours ended the download."""


class _DownloadLimits:
    """Watches one download after the other; as yt-dlp's logger it keeps only the last message."""

    def __init__(self, settings: VideoSettings) -> None:
        self._settings = settings
        self._deadline_s = 0.0
        self.last_message = ""

    def begin(self) -> None:
        self._deadline_s, self.last_message = time.monotonic() + self._settings.time_limit_s, ""

    def hook(self, status: Mapping[str, Any]) -> None:
        if (status.get("downloaded_bytes") or 0) > self._settings.max_bytes:
            raise _OverLimitError(f"more than the limit of {self._settings.max_bytes:,} bytes")
        if time.monotonic() > self._deadline_s:
            raise _OverLimitError(f"longer under way than {self._settings.time_limit_s:,.0f} s")

    def debug(self, message: str) -> None:
        self.last_message = message

    info = warning = error = debug


def _options(
    incoming: Path, archive: Path, settings: VideoSettings, limits: _DownloadLimits
) -> dict[str, Any]:
    """The options of yt-dlp: everything that writes beside the video, or runs what it fetched, is off."""
    waits = _doubling(settings.first_wait_s)
    return {
        "format": FORMAT.format(height=settings.height),
        "paths": {"home": str(incoming)},
        "outtmpl": {"default": "%(id)s.f%(format_id)s.%(ext)s"},  # parts of two formats never meet
        "download_archive": str(archive),
        "allowed_extractors": ["default"] if settings.any_site else ["youtube"],
        "noplaylist": True,
        "playlist_items": "1",
        "max_filesize": settings.max_bytes,
        "ratelimit": settings.bytes_per_s,
        "sleep_interval": settings.sleep_s,
        "max_sleep_interval": max(settings.sleep_s, settings.max_sleep_s),
        "sleep_interval_requests": min(1.0, settings.sleep_s),
        "retries": settings.retries,
        "fragment_retries": settings.retries,
        "extractor_retries": min(3, settings.retries),
        "file_access_retries": 1,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor", "file_access"), waits),
        "socket_timeout": settings.stall_s,
        "js_runtimes": {name: {} for name in RUNTIMES if shutil.which(name)} or {"deno": {}},
        "progress_hooks": [limits.hook],
        "logger": limits,
        "quiet": True,
        "noprogress": True,
        "no_color": True,
        "cachedir": False,
        "updatetime": False,
        "fixup": "never",
        "postprocessors": [],
        "hls_prefer_native": True,
    }


def _doubling(first_s: float) -> Callable[..., float]:
    return lambda n=0, **_: min(60.0, first_s * 2**n)


def _failure(video_id: str, error: YoutubeDLError, folder: Path) -> DownloadError:
    """What a disk has against us is said as such; all else is the video's."""
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno in (*FULL, *READ_ONLY):
            try:
                with disk(folder):
                    raise cause
            except DownloadError as plain:
                return plain
    return DownloadError(reason_of(error), f"{video_id}: {detail_of(error)}")


def _checked_duration_s(decoder: MediaDecoder, path: Path) -> float:
    """The duration in seconds; a file that cannot be decoded to its end is removed."""
    try:
        info = decoder.probe(path)
        decoder.frames(path, [max(0.0, info.duration_s - LAST_FRAME_S)])
    except MediaError as error:
        path.unlink(missing_ok=True)
        damaged = error.reason not in ("video_without_picture", "video_too_large", "video_too_long")
        reason = VideoReason.TRUNCATED if damaged else VideoReason.UNSUPPORTED
        raise DownloadError(reason, f"{path.name}: {error}") from error
    return info.duration_s


def _title(info: Mapping[str, Any], video_id: str) -> str:
    title = info.get("title")
    return " ".join(title.split())[:300] if isinstance(title, str) else video_id
