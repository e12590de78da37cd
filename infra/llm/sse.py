"""Server-sent events of a chat completion: from bytes to pieces of text, and to the whole reply.

Pure: no connection, no time. The framing follows the HTML standard, section 9.2.6; bytes may be cut anywhere. What the
chunks mean is in ``assembly.py``.
"""

import codecs
import json
from collections.abc import Iterator

DONE = "[DONE]"


class SseParser:
    """Cuts a stream of bytes into the data of its events.

    Comments, ids, retry times and events without data are dropped. A line ``error: {...}``, which llama.cpp sends in place
    of an event, becomes the data ``{"error": {...}}``.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest: list[str] = []  # pieces of the line that is not complete yet
        self._data: list[str] = []
        self._begun = False
        self._after_return = False  # the last character was a carriage return: a line feed belongs to it

    def feed(self, data: bytes) -> Iterator[str]:
        """The data of each event that ``data`` completes."""
        text = self._decoder.decode(data)
        if not text:
            return
        if not self._begun:
            self._begun, text = True, text.removeprefix("\ufeff")
        if self._after_return:
            text = text.removeprefix("\n")
        self._after_return = text.endswith("\r")
        *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines:
            yield from self._line("".join((*self._rest, line)))
            self._rest = []
        if rest:
            self._rest.append(rest)

    def end(self) -> Iterator[str]:
        """The data of an event that the end of the stream completes: some servers leave its empty line out."""
        if self._rest:
            yield from self._line("".join(self._rest))
            self._rest = []
        yield from self._line("")

    def _line(self, line: str) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
                self._data = []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "error":
            yield f'{{"error": {value if _is_json(value) else json.dumps(value)}}}'


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
