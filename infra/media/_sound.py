"""Raw decoding of what is heard in a film or a sound file, through PyAV. Runs in the decoding process only.

Samples are mono floats, ``SOUND_RATE`` a second, as recognisers of speech take them. All times are seconds from the first frame
of the film, or from the first sound where there is no film: the times of frames and subtitles.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from infra.errors import MediaError
from infra.limits import MAX_SOUND_SECONDS, SOUND_RATE
from infra.media._video import container_of, name_of
from infra.media._video_streams import first_tick, moving_stream

SLACK_S = 0.1  # times that differ less from what was decoded so far are rounded ones; more is a gap
FULL_SCALE = 32_768.0
Samples = np.ndarray
"""Mono samples, float32."""


class _Placed(NamedTuple):
    """Samples and how many come before them."""

    position: int
    samples: Samples


def duration_s(source: Path | bytes) -> float:
    """As the container tells, in seconds; 0 if it does not. Raises ``MediaError`` as ``pieces``."""
    with _opened(source) as (container, stream):
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base


def pieces(source: Path | bytes, *, piece_s: float, first: int = 0) -> Iterator[bytes]:
    """The samples of each ``piece_s`` seconds from piece ``first`` on, all whole but the last; gaps are silent.

    Raises:
        MediaError: ``sound_missing`` (nothing is to be heard in it), ``sound_unreadable``, ``sound_too_long``, ``video_missing``,
            ``video_unreadable``.
    """
    size = round(piece_s * SOUND_RATE)
    start, end = first * size, 0
    piece = np.zeros(size, np.float32)
    with _opened(source) as (container, stream):
        for position, samples in _placed(container, stream):
            end = position + len(samples)
            if end > MAX_SOUND_SECONDS * SOUND_RATE:
                raise MediaError("sound_too_long", f"limit {MAX_SOUND_SECONDS:.0f} s")
            while end > start:
                _lay(piece, samples, position - start)
                if end < start + size:
                    break
                yield piece.tobytes()
                piece[:] = 0.0
                start += size
    if end > start:
        yield piece[: end - start].tobytes()


def _lay(piece: Samples, samples: Samples, at: int) -> None:
    """Copy what of ``samples``, the first of which belongs at ``at``, falls into the piece."""
    low, high = max(at, 0), min(at + len(samples), len(piece))
    if low < high:
        piece[low:high] = samples[low - at : high - at]


def _placed(container: InputContainer, stream: AudioStream) -> Iterator[_Placed]:
    origin_s = _origin_s(container, stream)
    resampler, shape, position = _resampler(), None, None
    for frame in _frames(container, stream):
        told = None if frame.time is None else round((frame.time - origin_s) * SOUND_RATE)
        if position is None or (told is not None and told - position > SLACK_S * SOUND_RATE):
            position = told or 0
        if shape not in (None, found := (frame.format.name, frame.layout.name, frame.sample_rate)):
            resampler = _resampler()  # what it still held, a few milliseconds, is lost
        shape, frame.pts = found, None
        for part in resampler.resample(frame):
            yield _Placed(position, _floats(part))
            position += part.samples
    if position is None:
        raise MediaError("sound_unreadable", "no part of it can be decoded")
    for part in resampler.resample(None):
        yield _Placed(position, _floats(part))
        position += part.samples


def _resampler() -> av.AudioResampler:
    # of floats FFmpeg adds up the channels, of integers it takes their mean; and no integer is infinite
    return av.AudioResampler(format="s16", layout="mono", rate=SOUND_RATE)


def _floats(frame: av.AudioFrame) -> Samples:
    return frame.to_ndarray().reshape(-1).astype(np.float32) / FULL_SCALE


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[av.AudioFrame]:
    """What can be decoded; a damaged packet is a gap, a file that is cut short ends early."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError as error:
            _raise_if_out_of_memory(error)
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except FFmpegError as error:
            _raise_if_out_of_memory(error)
            continue
        yield from (frame for frame in frames if isinstance(frame, av.AudioFrame) and frame.samples)


def _raise_if_out_of_memory(error: FFmpegError) -> None:
    if isinstance(error, MemoryError):
        raise MediaError("too_much_memory", error.strerror or "") from error


def _origin_s(container: InputContainer, stream: AudioStream) -> float:
    film = moving_stream(container)
    if film is not None:
        return float(first_tick(container, film) * (film.time_base or 0))
    return float((stream.start_time or 0) * (stream.time_base or 0))


@contextmanager
def _opened(source: Path | bytes) -> Iterator[tuple[InputContainer, AudioStream]]:
    """The container and the sound that a player would take."""
    name = name_of(source)
    try:
        with container_of(source) as container:
            stream = container.streams.best("audio")
            if not isinstance(stream, AudioStream):
                raise MediaError("sound_missing", name)
            yield container, stream
    except FFmpegError as error:
        _raise_if_out_of_memory(error)
        raise MediaError("sound_unreadable", f"{name}: {error.strerror or error}") from error
