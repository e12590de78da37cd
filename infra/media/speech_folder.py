"""What a folder must hold to be a Whisper model as CTranslate2 has it, and what it is known by. No model is loaded here."""

import hashlib
from pathlib import Path

NEEDED = (("model.bin",), ("config.json",), ("tokenizer.json",), ("vocabulary.json", "vocabulary.txt"))
"""One of each; the loader would look for a tokenizer elsewhere."""
BESIDE = ("preprocessor_config.json",)
"""Larger models need it."""


def lacking(folder: Path) -> str:
    """The names of what is missing; empty if nothing is."""
    return ", ".join(names[0] for names in NEEDED if not any((folder / name).is_file() for name in names))


def digest_of(folder: Path) -> str:
    """Hash of the files that make up the model, in hex."""
    names = [*(name for names in NEEDED for name in names), *BESIDE]
    digest = hashlib.sha256()
    for name in filter(lambda name: (folder / name).is_file(), names):
        with (folder / name).open("rb") as file:
            digest.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
