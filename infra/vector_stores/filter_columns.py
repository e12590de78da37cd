"""The columns of a ``RowFilter`` held in memory as small numbers, and the rows that a filter allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from infra.vector_stores.types import RowFilter

Places: TypeAlias = NDArray[np.float64]
"""``[N, 2]``: start and end of each row in its file, NaN for a row that has no place in one."""


@dataclass(frozen=True, slots=True, eq=False)
class FilterColumns:
    """Column -> the number of each of its values, and ``[N]`` the value's number of each row."""

    numbers: Mapping[str, Mapping[str, int]]
    codes: Mapping[str, NDArray[np.int32]]
    places: Places | None = None

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[str]], places: Places | None = None) -> FilterColumns:
        """From columns of equal length."""
        numbers: dict[str, dict[str, int]] = {name: {} for name in columns}
        codes = {
            name: np.fromiter(
                (numbers[name].setdefault(value, len(numbers[name])) for value in values),
                np.int32,
                len(values),
            )
            for name, values in columns.items()
        }
        return cls(numbers, codes, places)

    def mask(self, where: RowFilter, num_rows: int) -> NDArray[np.bool_]:
        """``[N]``, whether ``where`` allows the row.

        Raises:
            ValueError: if the collection has no such column.
        """
        allowed_N = np.ones(num_rows, np.bool_)
        for name, values in where.columns().items():
            if name not in self.numbers:
                raise ValueError(f"the collection has no column {name!r} to filter by")
            known = self.numbers[name]
            allowed_N &= np.isin(self.codes[name], [known[value] for value in values if value in known])
        if where.between is not None:
            if self.places is None:
                raise ValueError("the collection has no places to filter by")
            allowed_N &= _meet(self.places, *where.between)
        return allowed_N


def places_of(positions: Sequence[float | None], durations: Sequence[float | None]) -> Places:
    """``[N, 2]`` from pages or start seconds and lengths; NaN where a row has neither."""
    starts = np.array([position or 0.0 for position in positions], np.float64)
    lengths = np.array([duration or 0.0 for duration in durations], np.float64)
    placed = (starts > 0) | (lengths > 0)
    return np.where(placed[:, None], np.stack([starts, starts + lengths], axis=1), np.nan)


def _meet(places: Places, first: float, last: float) -> NDArray[np.bool_]:
    """A clip that ends where the span begins is outside, a page that begins there is not; NaN never is inside."""
    starts, ends = places.T
    return (starts <= last) & ((ends > first) | (starts >= first))
