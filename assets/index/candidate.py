"""A version that waits to become the index in use: built and whole, not looked at by any reader, with what its checks said.

``build.py`` makes one with ``promote=False``; whoever runs the checks proposes it here, and ``promote`` moves the pointer if
all of them passed and the index in use still is the one that the candidate was built over.
"""

import json
from dataclasses import asdict, dataclass

from assets.index import retention
from assets.index.published import (
    CANDIDATE,
    CURRENT,
    IndexPointer,
    current_index,
    rejected,
    use,
    version_pointer,
)
from assets.index.settings import KEEP_S
from assets.index.stores import activate
from infra.storage.lock import only_writer
from infra.storage.root import Storage
from infra.storage.swap import LostRaceError, look


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is proposed."""

    version: str
    over: str | None = None
    """The version that was in use when it was built."""
    failing: tuple[str, ...] = ()
    """What its checks found wrong, a sentence each; with any it is not promoted."""


def propose(storage: Storage, candidate: Candidate) -> None:
    """Record the candidate; one proposed before is forgotten, its version stays until it is collected.

    Versions whose checks failed stay on record, so that nobody who goes back to "the one before" gets one.
    """
    others = rejected(storage) - {candidate.version}
    refused = sorted(others | {candidate.version} if candidate.failing else others)
    record = {**asdict(candidate), "rejected": refused}
    storage.write_bytes(CANDIDATE, (json.dumps(record, indent=1) + "\n").encode())


def proposed(storage: Storage) -> Candidate | None:
    """The candidate proposed last; None if there is none."""
    try:
        fields = json.loads(storage.read_bytes(CANDIDATE))
        return Candidate(version=fields["version"], over=fields["over"], failing=tuple(fields["failing"]))
    except FileNotFoundError:
        return None
    except (TypeError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"damaged {storage.path(CANDIDATE)!r}: {error}; build the index again") from error


def promote(storage: Storage, *, keep_s: float = KEEP_S) -> IndexPointer:
    """Make the candidate the index in use, and collect what nobody uses any more.

    Promoting again what is in use already changes nothing.

    Raises:
        ValueError: if there is no candidate, its version is gone, or one of its checks failed; the text names what failed.
        LostRaceError: if another version has become the index in use since the candidate was built.
    """
    candidate = proposed(storage)
    if candidate is None:
        raise ValueError(f"no candidate at {storage.path(CANDIDATE)!r}; build the index first")
    with only_writer(storage, "index"):
        seen, in_use = look(storage, CURRENT), current_index(storage)
        now = in_use.version if in_use else None
        if candidate.failing:
            stays = f"{now} stays current" if now else "there is no current one"
            raise ValueError(
                f"release {candidate.version} is not promoted, {stays}: {'; '.join(candidate.failing)}"
            )
        pointer = version_pointer(storage, candidate.version)
        if pointer is None:
            raise ValueError(
                f"the version {candidate.version} that was proposed is gone; build the index again"
            )
        if in_use is not None and now == candidate.version:
            activate(in_use.store, in_use.place)  # a promotion may have been killed behind its pointer
            return in_use
        if now != candidate.over:
            raise LostRaceError(
                f"release {candidate.version} was built over {candidate.over}, and {now} is current now: build the index again"
            )
        use(storage, pointer, seen)
        retention.collect(storage, keep_s=keep_s, before=now)
    return pointer
