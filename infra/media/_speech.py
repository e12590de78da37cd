"""Words in sound, by faster-whisper. Runs in a decoding process only, for the sound is of unknown origin.

The model is a folder of the user's own. Nothing is downloaded: a folder that lacks something is refused before its loader would
look for it elsewhere.
"""

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from infra.errors import boundary
from infra.limits import SOUND_RATE
from infra.media.speech_folder import lacking
from infra.media.types import SpeechError

MAX_LINES = 20_000  # of one piece


class WhisperSpeech:
    """One model, loaded at first use, on the processor with weights of eight bits; one piece at a time."""

    def __init__(self, folder: Path) -> None:
        """``folder``: a Whisper model as CTranslate2 has it."""
        self._folder = folder
        self._model: Any = None

    def load(self) -> None:
        """Raises ``SpeechError`` if it is no model, or lacks a part."""
        if self._model is None:
            with boundary(SpeechError, f"load {self._folder}"):
                self._model = self._loaded()

    def words(self, samples: bytes) -> tuple[str, list[tuple[float, str]]]:
        """The language, and what is said with the second at which it begins; float32 samples. Raises ``SpeechError``."""
        self.load()
        heard = np.nan_to_num(np.frombuffer(samples, np.float32), posinf=0.0, neginf=0.0).clip(-1.0, 1.0)
        if len(heard) < SOUND_RATE // 10:
            return "", []
        # without the parts where nobody speaks, in which Whisper hears words that it was trained on; and without the text
        # before, which it would repeat
        segments, about = self._model.transcribe(heard, vad_filter=True, condition_on_previous_text=False)
        lines = [(float(segment.start), segment.text.strip()) for segment in segments]
        return (about.language if lines else ""), [line for line in lines if line[1]][:MAX_LINES]

    def _loaded(self) -> Any:
        if lacks := lacking(self._folder):
            raise SpeechError(f"{self._folder} lacks {lacks}")
        os.environ["HF_HUB_OFFLINE"] = "1"
        # an extra, which the tools of the tests do without
        whisper = importlib.import_module("faster_whisper")
        model = whisper.WhisperModel(
            str(self._folder), device="cpu", compute_type="int8", local_files_only=True
        )
        bands, wanted = model.feature_extractor.mel_filters.shape[0], model.model.n_mels
        if bands != wanted:
            raise SpeechError(
                f"{self._folder} takes {wanted} bands and gets {bands}: it lacks its preprocessor_config.json"
            )
        return model
