"""In which order samples are read, and who reads which: arithmetic of positions, the same on every machine.

Positions run on through the epochs: sample ``p mod n`` of epoch ``p div n``. What was delivered is a cursor, below which all
is, and the positions ahead of it that are; lanes (one for each worker of each rank) take turns at the rest. No file is read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCursor:
    """Every position below ``cursor``, and those of ``ahead``, which are above it and ascend."""

    cursor: int = 0
    ahead: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no such set."""
        if self.cursor < 0 or any(
            a >= b for a, b in zip((self.cursor, *self.ahead), self.ahead, strict=False)
        ):
            raise ValueError("the cursor must not be negative, and the positions ahead of it must ascend")

    def remaining(self, index: int) -> int:
        """The ``index``-th position, from 0, that is not delivered."""
        gaps = [place - self.cursor - count for count, place in enumerate(self.ahead)]
        return self.cursor + index + bisect_right(gaps, index)


def advanced(start: ReadCursor, taken: Sequence[int]) -> ReadCursor:
    """``start`` and what its lanes took of the rest: lane i of ``len(taken)`` its first ``taken[i]`` turns."""
    lanes = len(taken)
    cursor = min(start.remaining(lane + count * lanes) for lane, count in enumerate(taken))
    new = {start.remaining(lane + turn * lanes) for lane, count in enumerate(taken) for turn in range(count)}
    return ReadCursor(cursor=cursor, ahead=tuple(sorted(p for p in new.union(start.ahead) if p > cursor)))


def permutation(size: int, *key: int) -> np.ndarray:
    """``[size]`` a shuffle of the numbers below ``size``, a function of ``key`` alone (SplitMix64, no library's stream)."""
    state = 0
    for part in key:
        state = _mix((state ^ (part & _MASK)) + 0x9E3779B97F4A7C15)
    return np.argsort(
        np.array([_mix(state + 0x9E3779B97F4A7C15 * (i + 1)) for i in range(size)], np.uint64), kind="stable"
    )


def _mix(value: int) -> int:
    value &= _MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)
