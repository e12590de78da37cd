"""A recogniser of speech: a model from a folder of this machine, run in a decoding process of its own.

The model is the user's and is trusted, the sound is not. Nothing is downloaded, and what is no folder is refused.
"""

import importlib.util
from pathlib import Path

from infra.errors import MediaError
from infra.limits import MAX_TEXT_BYTES, SOUND_RATE
from infra.media import jobs
from infra.media.answers import SAMPLE_BYTES, heard_of
from infra.media.decoding import shared_runner
from infra.media.sandbox.process import Job, JobResult
from infra.media.speech_folder import digest_of, lacking
from infra.media.types import SpeechError, SubtitleTrack

PACKAGE = "faster_whisper"
WANTED = (
    "a folder with a Whisper model for CTranslate2 (model.bin, config.json, tokenizer.json, vocabulary.json)"
)
CONVERT = (
    "ct2-transformers-converter --model FOLDER --output_dir OTHER --copy_files tokenizer.json preprocessor_config.json "
    "makes one of a model as transformers has it"
)


class SandboxedSpeech:
    """Whisper from ``folder``, loaded when it first hears something. ``model`` is what it is known by: a hash of its files."""

    def __init__(self, folder: Path, model: str) -> None:
        self._folder, self.model = folder, model
        self._is_loaded = False

    def hear(self, samples: bytes, *, file: str = "") -> SubtitleTrack:
        """What is said in ``samples`` (float32, ``SOUND_RATE`` a second), in seconds from the first of them.

        ``file`` is a name for the file they come from: one that ends the process again and again is refused.

        Raises:
            SpeechError: if the model cannot be loaded.
            MediaError: if this sound makes the recogniser fail, or exceeds its time or its memory.
        """
        if not self._is_loaded:
            self._load()
        heard_s = len(samples) / SAMPLE_BYTES / SOUND_RATE
        job = Job(
            operation="hear",
            arguments={"folder": str(self._folder)},
            payload=samples,
            limits=jobs.speech_limits(heard_s),
            max_bytes=MAX_TEXT_BYTES,
            file=file,
        )
        return shared_runner("speech").call(job, lambda answer: heard_of(answer, heard_s))

    def _load(self) -> None:
        job = Job(operation="load_speech", arguments={"folder": str(self._folder)}, limits=jobs.LOAD_SPEECH)
        try:
            shared_runner("speech").call(job, _read_load)
        except MediaError as error:  # no sound is to blame
            raise SpeechError(f"load {self._folder}: {error}") from error
        self._is_loaded = True


def _read_load(answer: JobResult) -> None:
    if "failed" in answer.result:
        raise SpeechError(f"{str(answer.result['failed'])[:500]}; --speech takes {WANTED}")


def speech_model(folder: Path) -> SandboxedSpeech:
    """The recogniser with the model in ``folder``, which is hashed but not loaded.

    Raises:
        ValueError: if faster-whisper is not installed, or the folder is none, or lacks a part of a model.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise ValueError(
            "speech is heard by faster-whisper, which is not installed: pip install 'vimrag[speech]'"
        )
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise ValueError(f"no folder at {folder}: --speech takes {WANTED}; nothing is downloaded")
    if lacks := lacking(folder):
        raise ValueError(f"{folder} lacks {lacks}: --speech takes {WANTED}; {CONVERT}")
    return SandboxedSpeech(folder, digest_of(folder))
