"""SVG text that is always well-formed: elements, escaping, and which addresses a drawing may name."""

import re
from collections.abc import Iterable

from memory_graph.drawing.glyphs import is_well_known
from memory_graph.drawing.svg_style import TextStyle
from memory_graph.drawing.wrapping import clean

MAX_HREF = 1 << 20  # characters; a thumbnail as a data URI is a few thousand

# "//host" and "/\host" lead to another host; browsers drop tabs and line ends, so no white space either.
_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/?#-]*", re.ASCII)
_DATA = re.compile(r"data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}", re.ASCII)

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def escaped(text: str) -> str:
    """Clean ``text`` as character data or as the value of an attribute."""
    return clean(text).translate(_ESCAPES)


def allowed_href(href: str | None) -> str | None:
    """``href`` if it is a path on the same host or a PNG, JPEG or WebP data URI, else None."""
    if href is None or len(href) > MAX_HREF:
        return None
    return href if _PATH.fullmatch(href) or _DATA.fullmatch(href) else None


def element(name: str, *children: str, **attributes: str | float | None) -> str:
    """One element. ``children`` are markup already; attributes are escaped, and left out where None.

    Underscores of attribute names stand for hyphens; one at the end only keeps a name apart from a Python word.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def number(value: float) -> str:
    """At most one decimal, which is finer than a screen."""
    return f"{value:.1f}".removesuffix(".0")


def title(text: str) -> str:
    """What a browser shows at the pointer; empty for empty text."""
    return f"<title>{escaped(text)}</title>" if clean(text) else ""


def text_lines(
    lines: Iterable[str],
    style: TextStyle,
    x: float,
    y: float,
    *,
    anchor: str | None = None,
    class_: str | None = None,
) -> str:
    """Lines of clean text whose first line box begins at ``y``; ``x`` is where they begin, or end with ``anchor`` "end"."""
    return "".join(
        element(
            "text",
            line.translate(_ESCAPES),
            class_=f"{style.name} {class_}" if class_ else style.name,
            x=x,
            y=y + index * style.line + style.baseline,
            text_anchor=anchor,
            **_enforced(line, style),
        )
        for index, line in enumerate(lines)
    )


def _enforced(line: str, style: TextStyle) -> dict[str, str | float | None]:
    """Attributes that make a browser keep to the measured width where the measure is a guess."""
    if is_well_known(line):
        return {}
    return {"textLength": style.measure(line), "lengthAdjust": "spacingAndGlyphs"}
