"""The columns of a ``RowFilter`` held in memory as small numbers, and the rows that a filter allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.vector_stores.types import RowFilter


@dataclass(frozen=True, slots=True, eq=False)
class FilterColumns:
    """Column -> the number of each of its values, and ``[N]`` the value's number of each row."""

    numbers: Mapping[str, Mapping[str, int]]
    codes: Mapping[str, NDArray[np.int32]]

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[str]]) -> FilterColumns:
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
        return cls(numbers, codes)

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
        return allowed_N
