"""The sum of gradients of one fold: one for each row of weights, filled unit by unit.

Shape legend: K = rows of weights, P = weights of the policy, U = units that wait. The sums of all folds are folds x K x P floats,
and whoever fills one has ``WAITING`` x P beside them; the caller asks ``needed_bytes`` first.
"""

import torch
from torch import Tensor

WAITING = 48  # units that are added together, so that the sums are read and written once for all of them
FLOAT = 4  # bytes


def needed_bytes(*, folds: int, rows: int, weights: int, workers: int = 1) -> int:
    """Memory of the sums, beside that of the policies of ``workers`` processes; each of several fills a fold of its own."""
    filled = rows * workers if workers > 1 else 0
    return FLOAT * weights * (folds * rows + filled + WAITING * workers)


class FoldSum:
    """``sums_KP`` is whole once ``close`` was called."""

    def __init__(self, *, rows: int, weights: int) -> None:
        self.sums_KP = torch.zeros(rows, weights)
        self._waiting = torch.empty(WAITING, weights)
        self._counts = torch.zeros(rows, WAITING)
        self._number = 0

    def add(self, rows_UP: Tensor, counts_KU: Tensor) -> None:
        """Add ``counts_KU @ rows_UP`` to the sums."""
        for row_P, counts_K in zip(rows_UP, counts_KU.T, strict=True):
            if self._number == WAITING:
                self._flush()
            self._waiting[self._number].copy_(row_P)
            self._counts[:, self._number] = counts_K
            self._number += 1

    def close(self) -> None:
        """Add what still waits."""
        self._flush()

    def _flush(self) -> None:
        if self._number:
            waiting, counts = self._waiting[: self._number], self._counts[:, : self._number]
            torch.addmm(self.sums_KP, counts, waiting, out=self.sums_KP)
            self._number = 0
