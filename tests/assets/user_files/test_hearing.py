"""Films without subtitles are heard piece by piece; what was heard is kept, found again, and goes with its file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assets.user_files.ingest import ingest
from assets.user_files.media.hearing import Speech, speech_of
from infra.errors import MediaError
from infra.media import SpeechError, SubtitleLine, SubtitleTrack, speech_model
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder
from tests.assets.user_files.material import happened, items, settings, take, write_still_film, write_text
from tests.infra.media.small_whisper import require_faster_whisper, write_small_whisper
from tests.infra.media.sounds import RATE, beeps, onsets, voice, write_sound, write_talk

REPOSITORY = Path(__file__).resolve().parents[3]
PIECE_S = 20.0
AT = (5.0, 30.0, 70.0)  # of beeps in 80 s: pieces 0, 1 and 3
SPOKEN = "1\n00:00:01,000 --> 00:00:03,000\nThe zeppelin landed.\n"


@dataclass
class BeepRecogniser:
    """Hears a beep where there is one; fails at the pieces it is told to, counted from 0."""

    model: str = "beeps"
    fails_at: tuple[int, ...] = ()
    error: Exception = field(default_factory=lambda: MediaError("too_slow", "not done in 1 s"))
    heard: int = 0

    def hear(self, samples: bytes, *, file: str = "") -> SubtitleTrack:
        self.heard += 1
        if self.heard - 1 in self.fails_at:
            raise self.error
        times = onsets(np.frombuffer(samples, np.float32))
        return SubtitleTrack("en", tuple(SubtitleLine(at, f"beep at {round(at)} s") for at in times), "heard")


def by(recogniser: Any) -> Speech:
    return speech_of(recogniser, piece_s=PIECE_S)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    return write_talk(tmp_path / "docs" / "talk.mp4", beeps(80, AT))


def pieces(storage: Storage) -> list[str]:
    return sorted(name.rsplit("/", 1)[-1] for name in storage.sizes("speech"))


def texts(storage: Storage) -> dict[str, str]:
    return {item.title: item.text for item in items(storage)}


def test_each_clip_has_the_words_of_its_minute_and_says_that_a_machine_heard_them(
    storage: Storage, talk: Path
):
    report = take(storage, talk, speech=by(BeepRecogniser()))
    assert happened(report) == {"talk.mp4": "read: words heard by a machine (en)"}
    # 30 s lies 10 s behind the beginning of the second piece, 70 s as much behind that of the fourth
    assert texts(storage) == {
        "talk.mp4 00:00 (machine transcript)": "beep at 5 s\nbeep at 10 s",
        "talk.mp4 01:00 (machine transcript)": "beep at 10 s",
    }


def test_a_sound_file_becomes_text_by_minutes(storage: Storage, tmp_path: Path):
    sound = write_sound(tmp_path / "memo.wav", beeps(80, AT))
    assert happened(take(storage, sound))["memo.wav"].startswith("skipped: video_without_picture")
    take(storage, sound, speech=by(BeepRecogniser()))
    assert texts(storage) == {
        "memo.wav 00:00 (machine transcript)": "beep at 5 s\nbeep at 10 s",
        "memo.wav 01:00 (machine transcript)": "beep at 10 s",
    }


def test_a_film_with_subtitles_is_not_heard_and_stays_as_it_was_read(storage: Storage, talk: Path):
    inside = talk.with_name("inside.mkv")
    write_subtitled(inside)
    write_text(talk.with_suffix(".srt"), SPOKEN)
    take(storage, talk.parent)
    before = items(storage)
    recogniser = BeepRecogniser()
    report = take(storage, talk.parent, speech=by(recogniser))
    assert {what.split(":")[0] for what in happened(report).values()} == {"unchanged"}
    assert recogniser.heard == 0 and items(storage) == before and not pieces(storage)


def test_hearing_reads_the_films_that_had_no_words_and_no_other_file(storage: Storage, talk: Path):
    write_text(talk.with_name("note.txt"), "a note")
    write_still_film(talk.with_name("silent.mp4"), seconds=3)
    take(storage, talk.parent)
    report = take(storage, talk.parent, speech=by(BeepRecogniser()))
    assert happened(report) == {
        "note.txt": "unchanged",
        "silent.mp4": "read",
        "talk.mp4": "read: words heard by a machine (en)",
    }


def test_a_second_run_hears_nothing_and_another_model_hears_all(storage: Storage, talk: Path):
    first, again, other = BeepRecogniser(), BeepRecogniser(), BeepRecogniser(model="other")
    take(storage, talk, speech=by(first))
    assert first.heard == 4
    assert happened(take(storage, talk, speech=by(again)))["talk.mp4"].startswith("unchanged")
    assert again.heard == 0
    take(storage, talk, speech=by(other))
    assert other.heard == 4
    assert pieces(storage) == ["00000.json", "00001.json", "00002.json", "00003.json", "whole.json"]


def test_what_was_heard_serves_other_settings_copies_and_runs_without_a_model(storage: Storage, talk: Path):
    take(storage, talk, speech=by(BeepRecogniser()))
    heard = texts(storage)
    assert happened(take(storage, talk))["talk.mp4"].startswith("unchanged")
    ingest([talk], storage, settings=settings(), again=True, embedder=CountingEmbedder())
    assert texts(storage) == heard
    recogniser = BeepRecogniser()
    talk.rename(talk.with_name("moved.mp4"))
    take(storage, talk.parent, speech=by(recogniser), passage_words=50)
    assert recogniser.heard == 0 and set(texts(storage).values()) == set(heard.values())


def test_a_piece_that_cannot_be_heard_is_a_skip_and_the_rest_is_heard(storage: Storage, talk: Path):
    report = take(storage, talk, speech=by(BeepRecogniser(fails_at=(1,))))
    assert report.skipped == {"too_slow": 1}
    assert texts(storage)["talk.mp4 00:00 (machine transcript)"] == "beep at 5 s"
    assert "00001.json" not in pieces(storage)


def test_a_model_that_is_not_there_ends_the_run_and_nothing_counts_as_read(storage: Storage, talk: Path):
    with pytest.raises(SpeechError, match="no model"):
        take(storage, talk, speech=by(BeepRecogniser(fails_at=(2,), error=SpeechError("no model"))))
    recogniser = BeepRecogniser()
    take(storage, talk, speech=by(recogniser))
    assert recogniser.heard == 2  # the first two pieces were kept


def test_progress_tells_the_minutes_heard(storage: Storage, talk: Path):
    told: list[tuple[str, int, int | None]] = []
    ingest(
        [talk],
        storage,
        settings=settings(speech=by(BeepRecogniser())),
        progress=lambda *said: told.append(said),
        embedder=CountingEmbedder(),
    )
    minutes = [(done, total) for stage, done, total in told if stage == "minutes of sound heard"]
    assert minutes[0] == (0, 2) and minutes[-1] == (1, 2) and minutes == sorted(minutes)


def test_what_was_heard_goes_with_its_file(storage: Storage, talk: Path):
    music = write_sound(talk.with_name("music.wav"), beeps(30, ()))
    recogniser = BeepRecogniser()
    take(storage, talk.parent, speech=by(recogniser))
    assert (
        len(storage.list("speech")) == 2
    )  # nothing is said in the music, so it cannot be read, and is not heard again
    take(storage, talk.parent, speech=by(recogniser))
    assert recogniser.heard == 4 + 2
    music.unlink()
    take(storage, talk.parent, speech=by(recogniser))
    assert len(storage.list("speech")) == 1
    take(storage, forget=[talk])
    assert not storage.list("speech")


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"schema_version": 1, "language": "en", "cues": [[1]]}'])
def test_a_damaged_piece_is_heard_again(storage: Storage, talk: Path, damage: bytes):
    take(storage, talk, speech=by(BeepRecogniser()))
    heard = texts(storage)
    [name] = [name for name in storage.sizes("speech") if name.endswith("00001.json")]
    storage.write_bytes(f"speech/{name}", damage)
    recogniser = BeepRecogniser()
    ingest([talk], storage, settings=settings(speech=by(recogniser)), again=True, embedder=CountingEmbedder())
    assert recogniser.heard == 1 and texts(storage) == heard


BLOCKED = """
import sys, time
from pathlib import Path
from assets.user_files.ingest import ingest
from assets.user_files.media.hearing import speech_of
from infra.media import speech_model
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder
from tests.assets.user_files.material import settings

film, root, folder = sys.argv[1:]
calls = []

def blocking(stage, done, total):
    if stage == "minutes of sound heard":
        calls.append(done)
        if len(calls) == 5:  # before the third piece: each is told before and behind
            print("here", flush=True)
            time.sleep(600)

speech = speech_of(speech_model(Path(folder)), piece_s=8.0)
ingest([Path(film)], Storage(root), settings=settings(speech=speech), progress=blocking, embedder=CountingEmbedder())
"""


@pytest.mark.timeout(600)
def test_whisper_goes_on_where_it_was_killed(storage: Storage, tmp_path: Path):
    require_faster_whisper()
    folder = write_small_whisper(tmp_path / "whisper")
    film = write_talk(tmp_path / "talk.mkv", np.concatenate([voice(24), np.zeros(6 * RATE, np.float32)]))
    command = [sys.executable, "-c", BLOCKED, str(film), storage.root, str(folder)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stdout.readline() == "here\n"
        os.kill(run.pid, signal.SIGKILL)
    assert pieces(storage) == ["00000.json", "00001.json"]
    kept = {name: storage.modified(f"speech/{name}") for name in storage.sizes("speech")}
    speech = speech_of(speech_model(folder), piece_s=8.0)
    report = take(storage, film, speech=speech)
    assert happened(report)["talk.mkv"].startswith("read: words heard by a machine (")
    assert pieces(storage) == ["00000.json", "00001.json", "00002.json", "00003.json", "whole.json"]
    assert {name: storage.modified(f"speech/{name}") for name in kept} == kept
    [item] = items(storage)
    assert item.title == "talk.mkv (machine transcript)" and len(item.text.splitlines()) >= 3
    assert happened(take(storage, film, speech=speech))["talk.mkv"].startswith("unchanged")


def write_subtitled(path: Path) -> None:
    """A film with sound and a track of subtitles inside of it."""
    import av

    plain, words = write_talk(path.with_name("plain.mkv"), beeps(8, (1.0,))), path.with_name("words.srt")
    words.write_text(SPOKEN)
    with av.open(str(plain)) as film, av.open(str(words)) as said, av.open(str(path), "w") as target:
        sources = [*film.streams, *said.streams]
        streams = {id(source): target.add_stream_from_template(source) for source in sources}
        for container in (film, said):
            for packet in container.demux():
                if packet.dts is not None:
                    packet.stream = streams[id(packet.stream)]
                    target.mux(packet)
    plain.unlink()
    words.unlink()
