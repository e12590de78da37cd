"""Equations of web pages and OpenDocument (MathML) as a line of text, written as those of other office files are."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from infra.documents.markup import Element, attribute, children, local
from infra.documents.ooxml.equations import grouped, script

_UNTOLD = ("annotation", "annotation-xml", "mphantom")  # the same again, or not seen
_MAX_DEPTH = 200
# by the name of an element and the number of its parts
_FORMS: Mapping[tuple[str, int | None], Callable[..., str]] = MappingProxyType(
    {
        ("mfrac", 2): lambda above, below: f"{grouped(above)}/{grouped(below)}",
        ("msqrt", None): lambda *parts: f"√{grouped(''.join(parts))}",
        ("mroot", 2): lambda held, degree: f"{degree}√{grouped(held)}",
        ("msup", 2): lambda base, above: base + script("^", above),
        ("mover", 2): lambda base, above: base + script("^", above),
        ("msub", 2): lambda base, below: base + script("_", below),
        ("munder", 2): lambda base, below: base + script("_", below),
        ("msubsup", 3): lambda base, below, above: base + script("_", below) + script("^", above),
        ("munderover", 3): lambda base, below, above: base + script("_", below) + script("^", above),
        ("mtable", None): lambda *rows: "; ".join(rows),
        ("mtr", None): lambda *cells: ", ".join(cells),
    }
)


def mathml_text(element: Element, depth: int = 0) -> str:
    """The words and signs of an equation or of a part of one."""
    name = local(element).lower()
    if name in _UNTOLD or depth > _MAX_DEPTH:
        return ""
    parts = [mathml_text(inner, depth + 1) for inner in element]
    if name == "mfenced":
        return f"{attribute(element, 'open', '(')}{', '.join(parts)}{attribute(element, 'close', ')')}"
    form = _FORMS.get((name, len(parts))) or _FORMS.get((name, None))
    return _in_order(element, parts) if form is None else form(*parts)


def _in_order(element: Element, parts: list[str]) -> str:
    """The words of an element itself, and what is within it."""
    pieces = [element.text or ""]
    for inner, part in zip(element, parts, strict=True):
        pieces += [part, inner.tail or ""]
    written = "".join(pieces)
    return " ".join(written.split()) if children(element) or written.strip() else ""
