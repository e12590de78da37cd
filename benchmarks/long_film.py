"""What cutting a long film into clips costs, by seeking and by decoding from the start: one JSON line.

Makes a film with PyAV, cuts it into clips of a minute and takes the frames of each, as the corpus does::

    python benchmarks/long_film.py [--minutes 30]

The naive variant decodes each clip from the start of the film, so its cost grows with the square of the length. Both must give
the same frames.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer

from infra.media import clip_ranges, media_decoder, uniform_times

HALF_TICK_S = 5e-4  # as infra/media/_video.py: containers round times to milliseconds

FPS = 10
WIDTH, HEIGHT = 320, 180
KEYFRAME_EVERY = 50  # frames, 5 s: what video sites use
MAX_FRAMES = 32  # of a clip, as the corpus stores them
Cut = Callable[[Path, Sequence[float]], list[bytes]]


class Measured(NamedTuple):
    seconds: float
    digest: str


def main() -> None:
    parser = argparse.ArgumentParser(description="Cutting a long film into clips.")
    parser.add_argument("--minutes", type=int, default=30, help="length of the film")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as scratch:
        film = Path(scratch) / "film.mp4"
        write(film, minutes)
        seeking, naive = measured(film, by_seeking), measured(film, from_the_start)
    if seeking.digest != naive.digest:
        raise SystemExit("the two ways show different frames")
    facts = {
        "minutes": minutes,
        "clips": minutes,
        "seeking_s": round(seeking.seconds, 2),
        "naive_s": round(naive.seconds, 2),
        "ratio": round(naive.seconds / seeking.seconds, 1),
    }
    print(json.dumps(facts))


def write(path: Path, minutes: int) -> None:
    """A bar that moves over a still picture."""
    still = np.random.default_rng(1).integers(0, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = KEYFRAME_EVERY
        stream.codec_context.time_base = Fraction(1, FPS)
        stream.options = {"preset": "ultrafast", "bf": "2"}
        for index in range(minutes * 60 * FPS):
            picture = still.copy()
            picture[index % HEIGHT] = 255
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))


def measured(film: Path, cut: Cut) -> Measured:
    """All clips of the film."""
    started, digest = time.perf_counter(), hashlib.sha256()
    for clip in clip_ranges(media_decoder().probe(film).duration_s):
        times = uniform_times(clip.end_s - clip.start_s, 1.0, MAX_FRAMES)
        for picture in cut(film, [clip.start_s + time_s for time_s in times]):
            digest.update(picture)
    return Measured(time.perf_counter() - started, digest.hexdigest())


def by_seeking(film: Path, times_s: Sequence[float]) -> list[bytes]:
    return [frame.image.tobytes() for frame in media_decoder().frames(film, times_s)]


def from_the_start(film: Path, times_s: Sequence[float]) -> list[bytes]:
    found: list[bytes] = []
    with av.open(str(film)) as container:
        shown = None
        for seconds, frame in _timed(container):
            while (
                len(found) < len(times_s)
                and shown is not None
                and seconds > times_s[len(found)] + HALF_TICK_S
            ):
                found.append(shown.to_image().tobytes())
            if len(found) == len(times_s):
                return found
            shown = frame
    last = [shown.to_image().tobytes()] if shown is not None else []
    return found + last * (len(times_s) - len(found))


def _timed(container: InputContainer) -> Iterator[tuple[float, av.VideoFrame]]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    for frame in container.decode(stream):
        if frame.pts is not None:
            yield float((frame.pts - (stream.start_time or 0)) * (stream.time_base or 0)), frame


if __name__ == "__main__":
    main()
