"""Sums of gradients: one for each row of weights and fold, filled unit by unit.

Shape legend: K = rows of weights, P = weights of the policy, U = units that wait. Memory is folds x K x P floats and
``WAITING`` x P beside them; the caller asks ``needed_bytes`` first.
"""

import torch
from torch import Tensor

WAITING = 48  # units that are added together, so that the sums are read and written once for all of them
FLOAT = 4  # bytes


def needed_bytes(*, folds: int, rows: int, weights: int) -> int:
    """Memory of the sums, beside that of the policy."""
    return FLOAT * weights * (folds * rows + WAITING)


class FoldSums:
    """``sums[fold]`` is [K, P] once ``close`` was called."""

    def __init__(self, *, folds: int, rows: int, weights: int) -> None:
        self.sums = [torch.zeros(rows, weights) for _ in range(folds)]
        self._waiting = torch.empty(WAITING, weights)
        self._counts = torch.zeros(rows, WAITING)
        self._number, self._fold = 0, 0

    def add(self, fold: int, rows_UP: Tensor, counts_KU: Tensor) -> None:
        """Add ``counts_KU @ rows_UP`` to the sums of ``fold``."""
        if fold != self._fold:
            self._flush()
            self._fold = fold
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
            sums = self.sums[self._fold]
            torch.addmm(sums, self._counts[:, : self._number], self._waiting[: self._number], out=sums)
            self._number = 0
