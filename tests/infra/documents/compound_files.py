"""A writer of compound files, the container of old Office and Outlook: streams of 4,096 bytes, one level of sectors."""

from __future__ import annotations

import struct
from collections.abc import Mapping

SECTOR, STREAM = 512, 4096  # a smaller stream would lie in another stream
FREE, END, FAT, NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
STORAGE, KEPT, ROOT = 1, 2, 5

Tree = Mapping[str, "bytes | Tree"]


def compound(tree: Tree) -> bytes:
    """A file of named streams and folders; the siblings of a folder hang in one chain."""
    entries: list[list[object]] = [["Root Entry", ROOT, NONE, NONE, b""]]

    def add(folder: Tree, parent: int) -> None:
        before = None
        for name in sorted(folder, key=lambda name: (len(name), name.upper())):
            held = folder[name]
            index = len(entries)
            is_stream = isinstance(held, bytes)
            entries.append([name, KEPT if is_stream else STORAGE, NONE, NONE, held if is_stream else b""])
            entries[parent if before is None else before][3 if before is None else 2] = index
            before = index
            if not isinstance(held, bytes):
                add(held, index)

    add(tree, 0)
    num_directory = -(-len(entries) // 4)
    fat = [FAT, *range(2, num_directory + 1), END]
    directory, data = b"", b""
    for name, kind, right, child, held in entries:
        assert isinstance(name, str) and isinstance(held, bytes)
        start, size = END, 0
        if kind == KEPT:
            start, size = len(fat), STREAM
            num = STREAM // SECTOR
            fat += [*range(start + 1, start + num), END]
            data += held.ljust(STREAM, b"\0")[:STREAM]
        raw = (name + "\0").encode("utf-16-le")
        directory += raw.ljust(64, b"\0") + struct.pack(
            "<HBBIII16sIQQIQ", len(raw), kind, 1, NONE, right, child, b"", 0, 0, 0, start, size
        )
    assert len(fat) <= SECTOR // 4
    directory = directory.ljust(num_directory * SECTOR, b"\0")
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, STREAM, END, 0, END, 0) + struct.pack("<I", 0)
    head = head.ljust(SECTOR, b"\xff")
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(SECTOR, b"\xff")
    return head + table + directory + data
