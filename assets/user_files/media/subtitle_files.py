"""Which files beside a film are its subtitles, in the spellings of players and downloaders.

``talk.srt``, ``talk.en.vtt``, ``Talk.DE-de.forced.SRT``, ``Subs/talk.eng.sdh.srt``, ``Subs/talk/2_English.srt``. What is in them
is ``transcripts.py``.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from assets.user_files.file_kinds import SUBTITLE_SUFFIXES, VIDEO_SUFFIXES
from assets.user_files.media.recognised import SPOKEN_COLUMNS

FOLDERS = frozenset({"subs", "sub", "subtitles", "subtitle", "captions", "untertitel"})
# of recognisers of speech; mostly it is something else
SPOKEN_MARKS = {
    ".json": (b'"segments"', b'"tStartMs"', b'"transcription"'),
    ".tsv": (SPOKEN_COLUMNS.encode(),),
}
MAX_LANGUAGES = 6  # read of one film
MAX_LISTED = 5_000  # entries of a folder that are looked at
_KINDS = frozenset(
    (
        *("forced", "foreign", "sdh", "cc", "hi", "full", "default", "auto", "orig", "sub", "subs"),
        *("subtitle", "subtitles", "transcript", "captions"),
    )
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8}){0,2}")
_NAMES = {
    **{"english": "en", "german": "de", "deutsch": "de", "french": "fr", "spanish": "es"},
    **{"chinese": "zh", "italian": "it", "japanese": "ja", "portuguese": "pt", "russian": "ru"},
}
_THREE = {
    **{"eng": "en", "ger": "de", "deu": "de", "fre": "fr", "fra": "fr", "spa": "es", "chi": "zh"},
    **{"zho": "zh", "ita": "it", "jpn": "ja", "por": "pt", "rus": "ru", "und": ""},
}
_SEPARATOR = re.compile(r"[.\s()\[\]]+|[-_](?=(?:forced|sdh|cc|full|default)\b)")


class SubtitleFile(NamedTuple):
    """``language`` is two letters where they are known; empty if the name says none."""

    path: Path
    language: str
    rank: int  # less is better: whole subtitles before forced ones


def subtitles_of(film: Path) -> tuple[Path, ...]:
    """The best subtitles of each language; links are not followed, for they may lead anywhere."""
    found = [file for path in _candidates(film) if (file := _of_film(path, film))]
    best: dict[str, SubtitleFile] = {}
    for file in sorted(found, key=lambda file: (file.rank, file.path.name.lower(), file.path.name)):
        best.setdefault(file.language, file)
    named = [file for language, file in sorted(best.items()) if file.rank < _FORCED_RANK or len(best) == 1]
    return tuple(file.path for file in (named or list(best.values()))[:MAX_LANGUAGES])


def _candidates(film: Path) -> Iterable[Path]:
    here = _listed(film.parent)
    yield from here
    for folder in here:
        if folder.name.lower() in FOLDERS and folder.is_dir() and not folder.is_symlink():
            for path in _listed(folder):
                yield path
                if path.name == film.stem and path.is_dir() and not path.is_symlink():
                    yield from _listed(path)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[:MAX_LISTED]
    except OSError:
        return []


_FORCED_RANK = 100
_RANKS = {suffix: rank for rank, suffix in enumerate(SUBTITLE_SUFFIXES)}


def _of_film(path: Path, film: Path) -> SubtitleFile | None:
    suffix = path.suffix.lower()
    if (
        (suffix not in SUBTITLE_SUFFIXES and not (suffix in SPOKEN_MARKS and _is_spoken(path)))
        or path.name == film.name  # a film may be called as a text is
        or path.name.startswith(".")
        or not path.is_file()
        or path.is_symlink()
    ):
        return None
    stem, own = path.stem, film.stem
    named = next((name for name in (film.name, own) if stem.lower().startswith(name.lower())), None)
    if named is not None:
        rest = stem[len(named) :]
        if rest[:1].isalnum():
            return None  # of another film, whose name is longer
    elif path.parent != film.parent and (path.parent.name == own or _is_alone(film)):
        rest = "." + stem.replace("_", ".")
    else:
        return None
    tags = [tag for tag in _SEPARATOR.split(rest.lower().lstrip("-_")) if tag and not tag.isdigit()]
    if not all(tag in _KINDS or tag in _NAMES or _LANGUAGE.fullmatch(tag) for tag in tags):
        return None
    if suffix == ".txt" and any(tag not in _KINDS and tag not in _NAMES and len(tag) > 5 for tag in tags):
        return None
    language = next(
        (_language(tag) for tag in tags if tag not in _KINDS or (tag == "hi" and len(tags) == 1)), ""
    )
    rank = _RANKS.get(suffix, len(_RANKS)) + 20 * bool({"sdh", "cc", "hi"} & set(tags[1:] or tags))
    return SubtitleFile(path, language, rank + _FORCED_RANK * bool({"forced", "foreign"} & set(tags)))


def _is_spoken(path: Path) -> bool:
    """Whether a file of JSON or a table begins as what was recognised of a film, and is not facts about it."""
    try:
        with path.open("rb") as file:
            head = file.read(65_536)
    except OSError:
        return False
    return any(mark in head for mark in SPOKEN_MARKS[path.suffix.lower()])


def _language(tag: str) -> str:
    first = re.split("[-_]", tag)[0]
    return _NAMES.get(tag) or _THREE.get(first, first)


def _is_alone(film: Path) -> bool:
    """Whether no other film lies in the folder."""
    return sum(path.suffix.lower() in VIDEO_SUFFIXES for path in _listed(film.parent)) == 1
