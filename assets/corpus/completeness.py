"""Whether a raw copy of a dataset is the whole one: counted questions against the published ones.

Nothing in a raw folder says how much of the release it is: samples keep the names of the files they are cut
from. So the count decides. As many as published is a complete copy. Fewer than ``NEARLY`` of them is a part,
as somebody cuts one. What lies between, or above, is no sample but another version of the dataset, a damaged
copy or a second one mixed in; it is different, and said aloud. Records that could not be used count as well
(they have their own reasons), so a lossy parser never passes for a partial copy.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

NEARLY = 0.9  # MMLongBench-Doc's older releases have 98 % and 101 % of today's questions


class CopyExtent(StrEnum):
    """How much of the published edition a copy holds."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    DIFFERENT = "different"
    UNKNOWN = "unknown"  # no count is published


class DatasetCopy(NamedTuple):
    """One edition in the raw folder. ``expected`` is the published count, None where there is none."""

    edition: str
    found: int
    expected: int | None
    extent: CopyExtent

    @property
    def warning(self) -> str:
        """What is to be said aloud; "" where all is well."""
        if self.extent is not CopyExtent.DIFFERENT:
            return ""
        return (
            f"{self.edition}: {self.found:,} questions where {self.expected:,} are published: "
            "another version, a damaged copy, or two of them"
        )


def compare(found: Mapping[str, int], expected: Mapping[str, int]) -> tuple[DatasetCopy, ...]:
    """The editions that were found, by name, against the published counts."""
    return tuple(_copy(edition, number, expected.get(edition)) for edition, number in sorted(found.items()))


def _copy(edition: str, found: int, expected: int | None) -> DatasetCopy:
    if expected is None:
        extent = CopyExtent.UNKNOWN
    elif found == expected:
        extent = CopyExtent.COMPLETE
    else:
        extent = CopyExtent.PARTIAL if found < NEARLY * expected else CopyExtent.DIFFERENT
    return DatasetCopy(edition, found, expected, extent)
