"""The graph as text for a prompt: one line a search node, in creation order.

Grammar of a line: ``id <- parent(,parent)* | query | summary``. Ids are checked by ``graph.py``; query and
summary come from a model or a corpus and are untrusted, so ``one_line`` removes what could end a line or a
field: every run of white space (all Unicode line ends included) becomes one space, other control and
text-direction characters are dropped, and the separator ``|`` becomes the broken bar U+00A6, which also
breaks special tokens such as ``<|name|>``. A line thus always splits at ``" | "`` into exactly three fields.
Kept visual items are not listed here: the prompt shows them under their node ids.
"""

import unicodedata

from memory_graph.graph import MemoryGraph, SearchNode

FIELD = " | "
EDGE = " <- "
NO_TEXT = "-"  # stands for an empty field, so that the line keeps three

_BROKEN_BAR = "\u00a6"
_TEXT_DIRECTION = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def linearise(graph: MemoryGraph) -> str:
    """One line a search node, such as ``n3 <- n1,n2 | who leads Belodu | Belodu is led by Rakimo.``."""
    return "\n".join(line_of(node) for node in graph.nodes)


def one_line(text: str) -> str:
    """Untrusted text as a single field of a single line (also for titles beside evidence)."""
    return " ".join(text.translate(_SAFE).split())


def line_of(node: SearchNode) -> str:
    """The line of one node."""
    head = node.id + EDGE + ",".join(node.parents)
    return FIELD.join((head, one_line(node.query) or NO_TEXT, one_line(node.summary) or NO_TEXT))


def _safe(char: str) -> str:
    """What stands for one character."""
    if char.isspace():
        return " "
    if char == "|":
        return _BROKEN_BAR
    return "" if char in _TEXT_DIRECTION or unicodedata.category(char) in ("Cc", "Cs") else char


# all characters that are replaced lie below U+3001 or are surrogates; a table is ten times faster than asking of each
_SAFE = {
    code: safe for code in (*range(0x3001), *range(0xD800, 0xE000)) if (safe := _safe(chr(code))) != chr(code)
}
