"""Texts of the miniature cut into fragments of its lexicon."""

from assets.miniature.lexicon import longest_fragment


def split_fragments(text: str) -> list[str]:
    """Greedy longest match of ``text`` over ``all_fragments()``, left to right.

    Raises:
        ValueError: at the first character no fragment covers.
    """
    fragments, longest = longest_fragment()
    parts: list[str] = []
    at = 0
    while at < len(text):
        size = next(
            (n for n in range(min(longest, len(text) - at), 0, -1) if text[at : at + n] in fragments), 0
        )
        if not size:
            raise ValueError(f"no fragment of the lexicon covers {text[at : at + 12]!r} in {text!r}")
        parts.append(text[at : at + size])
        at += size
    return parts
