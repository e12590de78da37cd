"""The terms in which a published dataset is described: files, archives, listings, videos, and what they need.

Holds no addresses (``publications.py``) and fetches nothing. In addresses ``{name}`` is the base address of a
mirror (``mirrors.py``) and ``{revision}`` the commit of the part's repository (``repositories.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30


class RepositoryHost(StrEnum):
    """Who keeps a repository, by the way its revisions are looked up."""

    HUB = "huggingface"
    GITHUB = "github"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository; ``revision`` is a branch, tag or commit, looked up once and kept in the lock file."""

    host: RepositoryHost
    name: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file. ``size`` (bytes) and ``sha256`` are as published, None where that is not known to us.

    Then the first fetch is trusted, its hash goes into the lock file, and any other is refused from there on.
    """

    name: str
    """Its place below the dataset's raw folder."""
    url: str
    max_bytes: int
    size: int | None = None
    sha256: str | None = None
    """Hex; or beginning and end around "...", where no more is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipArchive:
    """One zip, in one part or several, of which ``place`` says what goes where (None: not needed)."""

    parts: tuple[RemoteFile, ...]
    place: Callable[[str], str | None]
    max_unpacked: int
    is_stable: bool = True
    """False where the server packs anew for each request: then the members are held to their hashes, not the zip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFiles:
    """Files that the records of a fetched file name. A missing one is quarantined; the rest is not held up."""

    names: Callable[[Path], Sequence[str]]
    """From the raw folder, the names below it."""
    url: str
    """With ``{file}`` for the last part of the name."""
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HubListing:
    """All files of the part's hub repository that end in ``suffix``; the hub gives their sizes and hashes."""

    suffix: str
    max_bytes: int


Source = RemoteFile | ZipArchive | NamedFiles | HubListing


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationPart:
    """What is fetched together. Parts with ``is_default`` come without being asked for."""

    name: str
    about: str
    """What it holds and how large it is, for a person."""
    sources: tuple[Source, ...]
    is_default: bool = True
    repository: Repository | None = None
    needs_terms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDataset:
    """One dataset as its authors publish it."""

    dataset: str
    licence: str
    terms: str = ""
    """What a person accepts by ``--accept-terms``."""
    parts: tuple[PublicationPart, ...]
    questions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Files of questions, and the editions of ``assets.corpus.dataset`` whose counts they add up to."""
    video_ids: Callable[[Path], Sequence[str]] | None = None
    """From the raw folder, the ids of the YouTube videos asked about; None if there are none."""
    by_hand: str = ""
    """What to do where there is no plain address."""

    def part(self, name: str) -> PublicationPart:
        """The part called ``name``.

        Raises:
            ValueError: if there is none; the text lists those there are.
        """
        for part in self.parts:
            if part.name == name:
                return part
        known = ", ".join(part.name for part in self.parts)
        raise ValueError(f"{self.dataset} has no part {name!r}; its parts are {known}")
