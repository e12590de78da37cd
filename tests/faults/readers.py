"""A reader beside the fault: it opens the index in use again and again, and each answer must be that of one release, whole."""

from __future__ import annotations

from threading import Event, Thread

from infra.errors import ExternalError
from infra.storage.root import Storage
from tests.faults import stages


class LiveReader:
    """A thread that asks until ``stop``. ``wrong`` are answers of no release, ``errors`` what it could not read."""

    def __init__(self, storage: Storage) -> None:
        self.wrong: list[str] = []
        self.errors: list[str] = []
        self.asked = 0
        self._storage, self._ended = Storage(storage.root, storage.__getstate__()["options"]), Event()
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ended.set()
        self._thread.join(120)

    def _read(self) -> None:
        while True:  # once at least, however soon it is stopped
            self._ask()
            if self._ended.wait(1.0):
                return

    def _ask(self) -> None:
        try:
            self.wrong += stages.wrong_answers(self._storage, stages.opened(self._storage))
            self.asked += stages.ASKED
        except (ExternalError, OSError) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
