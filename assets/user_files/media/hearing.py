"""What is said in a film or a sound file without subtitles: heard piece by piece, by a recogniser of speech.

Holds the order of pieces and what becomes of one that fails; memory is that of one piece, however long a film is. What was
heard is kept by ``heard_pieces.py``, who recognises is known by the caller.
"""

import hashlib
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from assets.parsers.types import SkippedRecord
from assets.user_files.media.heard_pieces import HeardPiece, HeardPieces
from assets.user_files.media.transcripts import TranscriptCue, lines_of
from infra.errors import MediaError
from infra.limits import MAX_SOUND_SECONDS
from infra.media import OpenSound, SubtitleTrack, media_decoder
from infra.progress import ProgressListener

PIECE_S = 300.0
HEARING_VERSION = 1  # raised when the same sound and model would give other words
SOUND_MISSING = "sound_missing"
STAGE = "minutes of sound heard"


class SpeechRecogniser(Protocol):
    """Hears words."""

    model: str
    """What tells models apart: a hash."""

    def hear(self, samples: bytes, *, file: str = "") -> SubtitleTrack:
        """What is said in mono samples (float32, 16,000 a second). Raises ``MediaError`` for this sound, else ``SpeechError``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """Who hears, and how."""

    heard_by: str
    """Names the model and all that changes what is heard."""
    recogniser: SpeechRecogniser | None = None
    """None: only what was heard before is read."""
    piece_s: float = PIECE_S
    """Seconds that are heard, and kept, at a time."""


def speech_of(recogniser: SpeechRecogniser, *, piece_s: float = PIECE_S) -> Speech:
    """Hearing by ``recogniser``."""
    described = f"{recogniser.model} {piece_s} {HEARING_VERSION}"
    heard_by = hashlib.sha256(described.encode()).hexdigest()[:32]
    return Speech(heard_by=heard_by, recogniser=recogniser, piece_s=piece_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """One file that is heard."""

    speech: Speech
    pieces: HeardPieces
    progress: ProgressListener

    def words(self, path: Path) -> Iterator[HeardPiece | SkippedRecord]:
        """The words of each piece in order of time; a piece that cannot be heard is a skip.

        Raises:
            SpeechError: if the recogniser is not there.
        """
        known = self.pieces.count()
        most = math.ceil(MAX_SOUND_SECONDS / self.speech.piece_s)
        with ExitStack() as opened:
            sound: OpenSound | None = None
            for index in range(most if known is None else known):
                if (kept := self.pieces.read(index)) is not None:
                    yield kept
                    continue
                samples = b""
                try:
                    sound = sound or opened.enter_context(self._opened(path))
                    samples = sound.piece(index)
                except MediaError as error:
                    if error.reason != SOUND_MISSING:
                        yield SkippedRecord.of(error, self._place(index))
                if samples and sound:
                    self._tell(index, sound.duration_s)
                    yield self._heard(index, samples)
                    self._tell(index + 1, sound.duration_s)
                elif known is None:
                    self.pieces.finish(index)
                    return
        if known is None:
            self.pieces.finish(most)

    def _opened(self, path: Path) -> AbstractContextManager[OpenSound]:
        return media_decoder().open_sound(path, piece_s=self.speech.piece_s)

    def _heard(self, index: int, samples: bytes) -> HeardPiece | SkippedRecord:
        if self.speech.recogniser is None:
            detail = "vimrag ingest --speech FOLDER hears it"
            return SkippedRecord(reason="not_heard", where=self._place(index), detail=detail)
        try:
            track = self.speech.recogniser.hear(samples, file=self.pieces.file)
        except MediaError as error:
            return SkippedRecord.of(error, self._place(index))
        start_s = index * self.speech.piece_s
        cues = tuple(
            TranscriptCue(round(start_s + line.start_s, 2), line.text)
            for said in track.lines
            for line in lines_of(*said)
        )
        piece = HeardPiece(track.language if cues else "", cues)
        self.pieces.write(index, piece)
        return piece

    def _place(self, index: int) -> str:
        return f"sound {index * self.speech.piece_s:g} s"

    def _tell(self, done: int, duration_s: float) -> None:
        heard = round(done * self.speech.piece_s / 60)
        total = math.ceil(duration_s / 60)
        self.progress(STAGE, min(heard, total) if total else heard, total or None)
