"""Sounds made here: beeps at known seconds, and a voice that says nothing, in films and sound files."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 16_000
BEEP_S = 0.5


def beeps(seconds: float, at: Sequence[float], *, rate: int = RATE) -> np.ndarray:
    """Silence with a tone of half a second at each of the times."""
    samples = np.zeros(round(seconds * rate), np.float32)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(BEEP_S * rate)) / rate)
    for start_s in at:
        first = round(start_s * rate)
        samples[first : first + len(tone)] = tone[: len(samples) - first]
    return samples


def voice(seconds: float) -> np.ndarray:
    """Harmonics of 110 Hz under formants that move, five syllables a second: what a detector of voices takes for one."""
    times = np.arange(round(seconds * RATE)) / RATE
    pitch = 110 * (1 + 0.1 * np.sin(2 * np.pi * 0.4 * times) + 0.05 * np.sin(2 * np.pi * 5.3 * times))
    phase = np.cumsum(pitch) / RATE
    first = 500 + 250 * np.sin(2 * np.pi * 2.5 * times)
    second = 1500 + 600 * np.sin(2 * np.pi * 1.67 * times + 1)
    samples = np.zeros(len(times))
    for number in range(1, 40):
        tone = number * pitch
        loudness = np.exp(-(((tone - first) / 120) ** 2)) + 0.6 * np.exp(-(((tone - second) / 180) ** 2))
        loudness += 0.3 * np.exp(-(((tone - 2600) / 250) ** 2)) + 0.01
        samples += np.sin(2 * np.pi * number * phase) * loudness
    samples *= 0.7 - 0.3 * np.cos(2 * np.pi * 5 * times)
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(times))
    return (samples / np.abs(samples).max() * 0.6 + noise).astype(np.float32)


def write_sound(
    path: Path, samples: np.ndarray, *, rate: int = RATE, channels: int = 1, times: int = 1
) -> Path:
    """A WAV file of ``samples`` so many times over; every channel has the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        for _ in range(times):
            file.writeframes(np.repeat((samples * 32_000).astype("<i2"), channels).tobytes())
    return path


def write_talk(path: Path, samples: np.ndarray, *, first_s: float = 0.0, gap_s: float = 0.0) -> Path:
    """A film of one colour with ``samples`` as its sound; all times begin at ``first_s``.

    With ``gap_s`` the second half of the sound comes so much later, as where packets are lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = max(2, round(len(samples) / RATE + gap_s))
    with av.open(str(path), "w") as container:
        film: Any = container.add_stream("mpeg4", rate=1)
        film.width = film.height = 32
        film.pix_fmt = "yuv420p"
        sound: Any = container.add_stream("aac", rate=RATE, layout="mono")
        encoded: list[Any] = []
        for second in (0, seconds):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
            picture.pts, picture.time_base = round(first_s) + second, Fraction(1, 1)
            encoded += film.encode(picture)
        encoded += film.encode(None)
        for first in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(
                samples[None, first : first + 1024], format="fltp", layout="mono"
            )
            later = gap_s if first >= len(samples) / 2 else 0.0
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = first + round((round(first_s) + later) * RATE)
            encoded += sound.encode(frame)
        encoded += sound.encode(None)
        for packet in encoded:
            container.mux(packet)
    return path


def onsets(samples: np.ndarray) -> list[float]:
    """The seconds at which something begins to be heard, to a twentieth."""
    width = RATE // 20
    count = len(samples) // width
    loud = np.abs(samples[: count * width].reshape(count, width)).max(axis=1) > 0.1
    return [index / 20 for index in range(count) if loud[index] and not (index and loud[index - 1])]
