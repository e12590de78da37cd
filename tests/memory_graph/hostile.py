"""Text that tries to break out of whatever shows it."""

from __future__ import annotations

from hypothesis import strategies as st

FRAGMENTS = (
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "' x='",
    "]]>",
    "<!--",
    "&amp;&#0;",
    "\x00",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "\r\n",
    "\u2028",
    "\u202e\u2066",
    "\u200f",
    "\ud800",
    "\udfff\ud800",
    "\ufffe\uffff",
    "\u200d" * 50,
    "z\u0335\u0322" + "\u0335\u0321" * 40,
    "👩‍👩‍👧‍👦" * 20,
    "🧑🏽" * 9,
    "👩\u200d" * 50,
    "🧑" + "🏽" * 50,
    "مرحبا",
    "四川省の祭り" * 10,
    "W" * 10_000,
    "i" * 500,
    "ﷺ﷽",
    "plain words, in a row",
    " " * 300,
)
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=20), max_size=6).map(" ".join)
