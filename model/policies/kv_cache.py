"""A KV cache whose rows come and go between decoding steps.

Each row is a slot of one rectangular store, filled from the left; the next token of a row is written behind its
last one, so rows of different lengths need no padding and a joining row moves nobody else. Only rows are kept here;
positions, prompts and what is drawn are ``decoding.py``.

Shape legend: B = rows in use, R >= B slots, C columns, H = key-value heads, L = padded length of a prefill,
D = width of a head.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer
from transformers.configuration_utils import PreTrainedConfig

COLUMN_STEP = 64  # columns are allocated in steps, so that requests of similar length share one allocation
ROW_STEP = 8


class RowSource(NamedTuple):
    """Where a new row comes from: a row of a left-padded prefill and the number of its tokens."""

    row: int
    length: int


class RowCacheLayer(DynamicLayer):
    """Keys and values of one layer, each [R, H, C, D]; ``update`` takes one token a row."""

    def __init__(self, lengths: list[int]) -> None:
        super().__init__()
        self._lengths = lengths  # shared with the cache that owns the layer
        self.keys = self.values = None

    def get_seq_length(self) -> int:
        """Columns in use before the step, those of the longest row."""
        return max(self._lengths, default=0)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write one token a row, [B, H, 1, D]; views of all columns in use, the new ones included.

        Raises:
            ValueError: for more than one token a row; prompts are computed in a cache of their own.
        """
        num_rows, _, num_tokens, _ = key_states.shape
        if num_tokens != 1 or num_rows != len(self._lengths):
            raise ValueError(
                f"one token for each of {len(self._lengths)} rows, got {tuple(key_states.shape)}"
            )
        assert self.keys is not None and self.values is not None, "rows join before they are decoded"
        rows_B = torch.arange(num_rows, device=self.keys.device)
        places_B = torch.tensor(self._lengths, device=self.keys.device)
        width = self.get_seq_length() + 1
        self.keys[rows_B, :, places_B] = key_states[:, :, 0]
        self.values[rows_B, :, places_B] = value_states[:, :, 0]
        return self.keys[:num_rows, :, :width], self.values[:num_rows, :, :width]

    def reserve(self, like: Tensor, rows: int, columns: int) -> None:
        """Room for ``rows`` x ``columns``; what is there is kept. Empty places are zeros, which a mask can hide."""
        before, width = (self.keys, self.values), self.get_seq_length()
        shape = (rows, like.shape[1], columns, like.shape[-1])
        self.keys, self.values = like.new_zeros(shape), like.new_zeros(shape)
        for old, new in zip(before, (self.keys, self.values), strict=True):
            if old is not None and self._lengths:
                new[: len(self._lengths), :, :width] = old[: len(self._lengths), :, :width]
        self.dtype, self.device, self.is_initialized = like.dtype, like.device, True

    def fill(self, slot: int, source: RowSource, keys: Tensor, values: Tensor) -> None:
        """Copy the last ``length`` tokens of a prefilled row, [H, L, D], to the front of a slot."""
        assert self.keys is not None and self.values is not None, "room is reserved first"
        self.keys[slot, :, : source.length] = keys[:, keys.shape[1] - source.length :]
        self.values[slot, :, : source.length] = values[:, values.shape[1] - source.length :]

    def move(self, origin: int, target: int) -> None:
        """Copy one row over another."""
        assert self.keys is not None and self.values is not None, "there are rows"
        length = self._lengths[origin]
        self.keys[target, :, :length] = self.keys[origin, :, :length]
        self.values[target, :, :length] = self.values[origin, :, :length]


class RowCache(Cache):
    """The cache of a running batch.

    Args:
        config: of the text model. Sliding windows are refused with ``ValueError``: their layers forget columns.
    """

    def __init__(self, config: PreTrainedConfig) -> None:
        if "sliding_attention" in (getattr(config, "layer_types", None) or ()):
            raise ValueError("rows cannot join a batch of a model with sliding-window attention")
        self.lengths: list[int] = []  # tokens of each row in use
        self._slots: list[RowCacheLayer] = [
            RowCacheLayer(self.lengths) for _ in range(config.num_hidden_layers)
        ]
        self._rows = self._columns = 0
        super().__init__(layers=list(self._slots))

    def insert(self, prefilled: DynamicCache, sources: Sequence[RowSource], *, columns: int) -> None:
        """Append a row for each source, with room for ``columns`` tokens in all rows."""
        computed = [_keys_and_values(layer) for layer in prefilled.layers]
        self._reserve(computed[0][0], len(self.lengths) + len(sources), max(columns, *self.lengths, 1))
        for layer, (keys, values) in zip(self._slots, computed, strict=True):
            for slot, source in enumerate(sources, start=len(self.lengths)):
                layer.fill(slot, source, keys[source.row], values[source.row])
        self.lengths.extend(source.length for source in sources)

    def keep(self, order: Sequence[int]) -> None:
        """Keep the rows ``order``, where row ``order[i]`` becomes row i; targets never precede a row still to move."""
        for target, origin in enumerate(order):
            if origin != target:
                for layer in self._slots:
                    layer.move(origin, target)
        self.lengths[:] = [self.lengths[origin] for origin in order]

    def mask(self, device: torch.device) -> Tensor:
        """Which columns a row's next token may attend to, itself included, i64[B, columns in use + 1]."""
        lengths_B1 = torch.tensor(self.lengths, device=device).unsqueeze(1)
        return (torch.arange(max(self.lengths) + 1, device=device) <= lengths_B1).long()

    def grow(self) -> None:
        """Count the token that each row was just given."""
        self.lengths[:] = [length + 1 for length in self.lengths]

    def _reserve(self, like: Tensor, rows: int, columns: int) -> None:
        if rows <= self._rows and columns <= self._columns:
            return
        self._rows, self._columns = _rounded(rows, ROW_STEP), _rounded(columns, COLUMN_STEP)
        for layer in self._slots:
            layer.reserve(like, self._rows, self._columns)


def compact(num_rows: int, gone: Sequence[int]) -> list[int]:
    """The order after rows have gone: their places are taken by the last rows, all others stay.

    ``compact(5, [1]) == [0, 4, 2, 3]``.
    """
    missing = set(gone)
    num_left = num_rows - len(missing)
    movers = [row for row in range(num_left, num_rows) if row not in missing]
    return [movers.pop() if row in missing else row for row in range(num_left)]


def _keys_and_values(layer: object) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, DynamicLayer), "a prefill keeps keys and values"
    assert layer.keys is not None and layer.values is not None, "a prefill fills every layer"
    return layer.keys, layer.values


def _rounded(number: int, step: int) -> int:
    return -(-number // step) * step
