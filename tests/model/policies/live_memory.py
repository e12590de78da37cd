"""How many bytes of tensors there are: those that Python can reach, and those that come and go while a block runs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def held_bytes() -> int:
    """Of every tensor of this process that Python can reach, each storage once."""
    gc.collect()
    found = {}
    for each in gc.get_objects():
        if issubclass(type(each), torch.Tensor) and each.device.type == "cpu":
            storage = each.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())


class LiveBytes(TorchDispatchMode):
    """Inside of ``with``: bytes of the tensors that operations made and that still live, and the most there were at once.

    Views of ``known`` tensors, such as parameters and their gradients, are not counted.
    """

    def __init__(self, known: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = {each.untyped_storage()._cdata for each in known}
        self._seen: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor):
                self._note(each.untyped_storage())
        return made

    def _note(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self._seen and key not in self._known:
            self._seen[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.now -= self._seen.pop(key)
