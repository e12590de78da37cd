r"""Formulas written as LaTeX as MathML, made of known elements only; what cannot be read stays as it was written.

Conversion is latex2mathml's; nothing of its output is believed: it is built anew from the elements and attributes named here.
"""

import html
from xml.etree import ElementTree

from latex2mathml.converter import convert

MOST_CHARS = 2_000  # of one formula
MOST_DEPTH = 60  # braces within braces; converters recurse
NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_ELEMENTS = (
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts "
    "mprescripts mtable mtr mtd mstyle mpadded mphantom menclose mfenced none"
)
_ATTRIBUTES = (
    "display displaystyle mathvariant stretchy fence separator form lspace rspace accent accentunder linethickness "
    "columnalign rowspacing columnspacing notation width height depth largeop movablelimits minsize maxsize"
)
ELEMENTS, ATTRIBUTES = frozenset(_ELEMENTS.split()), frozenset(_ATTRIBUTES.split())


def mathml(latex: str, *, is_block: bool) -> str:
    """The formula as MathML, or its source as code where it cannot be converted."""
    source = latex.strip()
    if source and len(source) <= MOST_CHARS and _depth(source) <= MOST_DEPTH:
        try:
            made = ElementTree.fromstring(convert(source, display="block" if is_block else "inline"))
            return _rebuilt(made, source)
        except Exception:
            pass  # of a converter of hostile text anything may come
    return f'<code class="formula">{html.escape(source)}</code>'


def _depth(source: str) -> int:
    deepest = depth = 0
    for char in source:
        depth += (char == "{") - (char == "}")
        deepest = max(deepest, depth)
    return max(deepest, source.count("\\left"), source.count("\\begin"))


def _rebuilt(element: ElementTree.Element, source: str) -> str:
    root = _copied(element)
    root.set("xmlns", NAMESPACE)
    root.set("aria-label", source)
    root.set("role", "math")
    return ElementTree.tostring(root, encoding="unicode")


def _copied(element: ElementTree.Element) -> ElementTree.Element:
    name = element.tag.rpartition("}")[2]
    if name not in ELEMENTS:
        raise ValueError(f"no element of a formula: {name}")
    known = {key: value for key, value in element.attrib.items() if key in ATTRIBUTES}
    made: ElementTree.Element = ElementTree.Element(name, known)
    made.text = element.text
    made.extend(_copied(child) for child in element)
    return made
