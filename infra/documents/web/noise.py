"""What of a web page is no text of it: scripts and styles, what is hidden, and the ways to other pages."""

import re

from infra.documents.markup import Element, attribute, children, descendants, local

_DROPPED = frozenset(
    (
        *("script", "style", "noscript", "template", "iframe", "frame", "noframes", "canvas", "audio"),
        *("video", "object", "embed", "applet", "map", "nav", "dialog", "datalist", "annotation"),
        *("annotation-xml", "metadata", "link", "meta", "base", "col", "colgroup", "textarea", "button"),
        *("select", "rp", "input", "progress", "meter"),
    )
)
_HIDDEN_STYLE = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all)", re.IGNORECASE
)
_ROLES = frozenset(
    ("navigation", "menu", "menubar", "search", "toolbar", "tablist", "alertdialog", "banner-menu")
)
_NAMES = re.compile(
    r"(?:^|[-_\s])(?:nav|navbar|navigation|menu|breadcrumbs?|pagination|pager|sidebar|toolbar|skip-?link|skip|social|share|"
    r"cookie|cookies|consent|footer|header|topbar|advert(?:isement)?|ads?|promo|related|toc)(?:$|[-_\s])",
    re.IGNORECASE,
)
_AROUND = frozenset(("header", "footer", "aside"))
_CONTENT = frozenset(("html", "body", "main", "article", "p", "h1", "h2", "h3", "h4", "h5", "h6", "td", "a"))
MIN_LINK_SHARE = 0.7  # of its letters that a menu has in links


def is_noise(element: Element, name: str) -> bool:
    """Whether ``element``, called ``name``, and all in it is left out."""
    if name in _DROPPED:
        is_shown = name == "template" and attribute(
            element, "shadowrootmode"
        )  # as saved pages keep what scripts drew
        return not (is_shown or (name == "button" and _in_heading(element)))
    if element.get("hidden") is not None or attribute(element, "aria-hidden").lower() == "true":
        return True
    if _HIDDEN_STYLE.search(attribute(element, "style")) or attribute(element, "role").lower() in _ROLES:
        return True
    if name in _CONTENT:
        return False
    if name == "case" and _has_plain_form(element):
        return True
    named = f"{attribute(element, 'class')} {attribute(element, 'id')}"
    return (name in _AROUND or bool(_NAMES.search(named))) and _is_links(element)


def _in_heading(element: Element) -> bool:
    """A heading that opens what is below it is often a button."""
    parent = element.getparent()
    return parent is not None and local(parent).lower() in (
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "summary",
        "dt",
    )


def _has_plain_form(case: Element) -> bool:
    """Whether a book stores in other words what this form of it says for some readers."""
    switch = case.getparent()
    plain = children(switch, "default") if switch is not None and local(switch) == "switch" else []
    return any(_letters(text) for form in plain for text in form.itertext())


def _is_links(element: Element) -> bool:
    """Whether nearly all the letters below ``element`` are those of links."""
    letters = sum(map(_letters, element.itertext()))
    linked = sum(_letters(text) for link in descendants(element, "a") for text in link.itertext())
    return letters > 0 and linked >= MIN_LINK_SHARE * letters


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
