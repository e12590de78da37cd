"""What is heard in a file arrives at its second, piece by piece, whatever the file is like."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from infra.errors import MediaError
from infra.media import MediaDecoder, media_decoder
from infra.media.sandbox.process import Sandbox
from tests.assets.user_files.material import write_still_film
from tests.infra.media.sounds import RATE, beeps, onsets, write_sound, write_talk

AT = (0.5, 3.0, 7.25, 9.9)


def samples_of(path: Path, piece_s: float = 300.0, decoder: MediaDecoder | None = None) -> list[np.ndarray]:
    """The pieces up to the empty one behind the end."""
    pieces: list[np.ndarray] = []
    with (decoder or media_decoder()).open_sound(path, piece_s=piece_s) as sound:
        while piece := sound.piece(len(pieces)):
            pieces.append(np.frombuffer(piece, np.float32))
    return pieces


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8_000, 1)])
def test_any_rate_and_number_of_channels_become_mono_at_16_khz(tmp_path: Path, rate: int, channels: int):
    path = write_sound(tmp_path / "a.wav", beeps(12, AT, rate=rate), rate=rate, channels=channels)
    [samples] = samples_of(path)
    assert len(samples) == pytest.approx(12 * RATE, abs=RATE // 100)
    assert onsets(samples) == pytest.approx(AT, abs=0.06)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", ["talk.mp4", "talk.mkv", "talk.ts"])
@pytest.mark.parametrize("first_s", [0.0, 5.0])
def test_seconds_count_from_the_first_frame_of_the_film(tmp_path: Path, name: str, first_s: float):
    path = write_talk(tmp_path / name, beeps(12, AT), first_s=first_s)
    [samples] = samples_of(path)
    assert onsets(samples) == pytest.approx(AT, abs=0.12)


def test_a_gap_in_the_sound_is_silence_and_what_follows_keeps_its_second(tmp_path: Path):
    path = write_talk(tmp_path / "gap.mkv", beeps(12, AT), gap_s=20.0)
    [samples] = samples_of(path)
    assert onsets(samples) == pytest.approx((0.5, 3.0, 27.25, 29.9), abs=0.12)


def test_pieces_are_whole_but_the_last_and_together_they_are_the_sound(tmp_path: Path):
    path = write_sound(tmp_path / "a.wav", beeps(12, AT))
    [whole], pieces = samples_of(path), samples_of(path, piece_s=5.0)
    assert [len(piece) for piece in pieces] == [5 * RATE, 5 * RATE, 2 * RATE]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert [len(piece) for piece in samples_of(path, piece_s=6.0)] == [6 * RATE, 6 * RATE]  # and none behind


def test_any_piece_can_be_the_first_that_is_asked_for_also_when_the_process_was_lost(tmp_path: Path):
    path = write_sound(tmp_path / "a.wav", beeps(12, AT))
    pieces = [piece.tobytes() for piece in samples_of(path, piece_s=5.0)]
    runner = Sandbox()
    with MediaDecoder(runner).open_sound(path, piece_s=5.0) as sound:
        assert sound.piece(2) == pieces[2]
        assert sound.piece(0) == pieces[0]
        runner.close()
        assert sound.piece(1) == pieces[1]
        assert sound.piece(9) == b""
        assert sound.duration_s == pytest.approx(12.0)
    runner.close()


def test_an_hour_takes_the_memory_of_a_piece(tmp_path: Path):
    path = write_sound(tmp_path / "hour.wav", beeps(60, AT), times=60)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with media_decoder().open_sound(path, piece_s=60.0) as sound:
        lengths = [len(sound.piece(index)) for index in range(61)]
        worker = Path(f"/proc/{media_decoder().runner.pid}/status").read_text()
    assert lengths == [4 * 60 * RATE] * 60 + [0]  # 230 MB in all
    peak = int(worker.partition("VmHWM:")[2].split()[0])
    assert peak < 300_000 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_file_that_is_cut_short_is_heard_as_far_as_it_goes(tmp_path: Path):
    path = write_talk(tmp_path / "talk.ts", beeps(12, AT))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    [samples] = samples_of(path)
    assert onsets(samples)[:2] == pytest.approx(AT[:2], abs=0.12) and len(samples) < 10 * RATE


def test_what_cannot_be_heard_is_named(tmp_path: Path):
    silent = write_still_film(tmp_path / "silent.mp4", seconds=3)
    playlist = tmp_path / "list.mp3"
    playlist.write_text(f"#EXTM3U\n{silent}\n")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x00\x00\x00\x00WAVEnothing")
    for path, reason in [
        (silent, "sound_missing"),
        (tmp_path / "none.mp3", "video_missing"),
        (playlist, "sound_unreadable"),
        (broken, "sound_"),
    ]:
        with pytest.raises(MediaError) as caught:
            samples_of(path)
        assert caught.value.reason.startswith(reason), path


def test_a_piece_is_no_longer_than_memory_allows(tmp_path: Path):
    with pytest.raises(ValueError, match="up to 900 s"):
        samples_of(write_sound(tmp_path / "a.wav", beeps(1, ())), piece_s=3600.0)
