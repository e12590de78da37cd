"""Texts in DrawingML, which shapes, tables, charts and SmartArt share, and the choice between two forms of a thing."""

from infra.documents.markup import Element, children, descendants, local, value
from infra.documents.ooxml.equations import equation_text
from infra.documents.text import clean

_CONTENT = ("t", "blip", "imagedata", "chart", "relIds", "txbxContent", "oMath", "OLEObject", "oleObj")


def chosen(alternate: Element) -> Element | None:
    """Of the two forms in which a writer stored the same thing the first that holds anything."""
    forms = [*children(alternate, "Choice"), *children(alternate, "Fallback")]
    return next((form for form in forms if next(descendants(form, *_CONTENT), None) is not None), None)


def drawing_text(body: Element) -> str:
    """The paragraphs of a text in DrawingML, one a line."""
    lines = (_line(paragraph) for paragraph in descendants(body, "p"))
    return clean("\n".join(lines))


def _line(element: Element) -> str:
    return "".join(map(_piece, element))


def _piece(element: Element) -> str:
    match local(element):
        case "t":
            return element.text or ""
        case "br":
            return "\n"
        case "tab":
            return " "
        case "oMath" | "oMathPara":
            return equation_text(element)
        case "AlternateContent":
            form = chosen(element)
            return "" if form is None else _line(form)
        case "pPr" | "rPr" | "endParaRPr":
            return ""
        case "fld" if value(element, "type").startswith("slidenum"):
            return ""
    return _line(element)
