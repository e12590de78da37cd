"""What the endpoints of one server share: the root, the model, the rules, and the slots for questions and images."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from anyio import CapacityLimiter

from app.answers.catalogue import Catalogue
from app.answers.corpus_handle import CorpusHandle
from app.answers.events import EventSerializer
from app.answers.history.store import History
from app.answers.library.listing import Library
from app.answers.models import AnswerModel
from app.server.errors import ApiError
from app.server.reading_now import ReadingNow
from app.server.rendering import ImageRenderer
from app.server.running import KeptRuns
from app.server.settings import ServerSettings
from assets.user_files.reading import IngestSettings

RETRY_AFTER_S = 5
DECODERS = 2  # images decoded at once; a large one takes 300 MB
SEARCHERS = 4
READERS = 2  # files of trajectories read at once


class Slots:
    """A number of slots without a queue: a request that finds none ``free`` is refused with 429."""

    def __init__(self, number: int, what: str) -> None:
        self.free, self._what = number, what

    def take(self) -> ExitStack:
        """A slot, which ``close`` or the end of a ``with`` block frees, once. Raises ``ApiError`` 429 if there is none."""
        if self.free < 1:
            raise ApiError(
                429,
                "busy",
                f"{self._what}; try again in a moment",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        self.free -= 1
        slot = ExitStack()
        slot.callback(self._give_back)
        return slot

    def _give_back(self) -> None:
        self.free += 1


@dataclass(kw_only=True)
class ServerState:
    """One server. Lives on one event loop."""

    corpus: CorpusHandle
    model: AnswerModel | None
    settings: ServerSettings
    reading: IngestSettings | None = None
    """How files are read that are sent, or read again; None: as ``vimrag ingest`` does without options."""
    catalogue: Catalogue = field(init=False)
    history: History = field(init=False)
    library: Library = field(init=False)
    renderings: ImageRenderer = field(default_factory=ImageRenderer)
    questions: Slots = field(init=False)
    uploads: Slots = field(init=False)
    reading_now: ReadingNow = field(default_factory=ReadingNow)
    decoders: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(DECODERS))
    searchers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(SEARCHERS))
    readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(READERS))
    runs: KeptRuns = field(default_factory=KeptRuns)
    """Questions that go on without a listener."""
    controls: WeakValueDictionary[str, EventSerializer] = field(default_factory=WeakValueDictionary)
    """Of every question under way, by its id."""
    key: str | None = None
    """By which other commands of this user know the server; None where it is not announced."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is to stop: running questions end with an event that says so."""

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.corpus.storage)
        self.history = History.of(self.corpus.storage)
        self.library = Library(self.corpus.storage)
        self.questions = Slots(self.settings.questions_at_once, "all places for questions are taken")
        self.uploads = Slots(1, "another file is being read")
