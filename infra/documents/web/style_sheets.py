"""What the style sheets within a page hide, by the selectors that need nothing but the element: ``p.note#a``.

Selectors of several elements and conditions of the screen are passed over: what they hide stays in the text.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from infra.documents.markup import Element, attribute, descendants, local

_MAX_CHARACTERS = 1 << 20  # of the style sheets of one page
_MAX_RULES = 10_000
MAX_HIDDEN_SHARE = 0.5  # of the letters; a page that hides more shows them when it runs
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CONDITIONAL = re.compile(r"@[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}|@[^{};]*;")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_COMPOUND = re.compile(r"(\*|[a-zA-Z][\w-]*)?((?:[.#][\w-]+)*)")
_DECLARATION = re.compile(r"(?:^|;)\s*(display|visibility)\s*:\s*([\w-]+)\s*(!\s*important)?", re.IGNORECASE)
_UNREAD = ("style", "script", "title")
_HIDING = ("none", "hidden", "collapse")


class _Rule(NamedTuple):
    """``strength`` decides between rules of one property; ``tag``, ``classes`` and ``identities`` are what it needs."""

    strength: tuple[bool, int, int, int]
    what: str
    hides: bool
    tag: str
    classes: frozenset[str]
    identities: frozenset[str]


def hidden_by_style(root: Element) -> frozenset[Element]:
    """The elements that a style sheet within the page hides; none if that were most of it."""
    rules = list(_rules(root))[:_MAX_RULES]
    if not any(rule.hides for rule in rules):
        return frozenset()
    keyed: dict[str, list[_Rule]] = {}
    for rule in rules:
        key = next(iter((*rule.identities, *rule.classes)), rule.tag)
        keyed.setdefault(key, []).append(rule)
    hidden = frozenset(element for element in descendants(root, "*") if _is_hidden(element, keyed))
    outermost = [
        element for element in hidden if not any(around in hidden for around in element.iterancestors())
    ]
    unread = sum(_letters(text) for sheet in descendants(root, *_UNREAD) for text in sheet.itertext())
    words = sum(map(_letters, root.itertext())) - unread
    gone = sum(_letters(text) for element in outermost for text in element.itertext())
    return frozenset() if gone > MAX_HIDDEN_SHARE * words else hidden


def _rules(root: Element) -> Iterator[_Rule]:
    left, order = _MAX_CHARACTERS, 0
    for sheet in descendants(root, "style"):
        if attribute(sheet, "media", "all").strip().lower() not in ("", "all", "screen"):
            continue
        text = "".join(sheet.itertext())[:left]
        left -= len(text)
        plain = _CONDITIONAL.sub("", _COMMENT.sub("", text).replace("<!--", "").replace("-->", ""))
        for match in _RULE.finditer(plain):
            for what, how, important in _DECLARATION.findall(match.group(2)):
                for selector in match.group(1).split(","):
                    order += 1
                    yield from _rule(selector.strip(), what.lower(), how.lower() in _HIDING, important, order)


def _rule(selector: str, what: str, hides: bool, important: str, order: int) -> Iterator[_Rule]:
    match = _COMPOUND.fullmatch(selector)
    if match is None or not selector:
        return
    tag, rest = (match.group(1) or "").lower().replace("*", ""), match.group(2)
    classes = frozenset(re.findall(r"\.([\w-]+)", rest))
    identities = frozenset(re.findall(r"#([\w-]+)", rest))
    weight = 100 * len(identities) + 10 * len(classes) + bool(tag)
    yield _Rule((bool(important), weight, order, 0), what, hides, tag, classes, identities)


def _is_hidden(element: Element, keyed: dict[str, list[_Rule]]) -> bool:
    name = local(element).lower()
    if not name or name in ("html", "body"):
        return False
    classes = frozenset(attribute(element, "class").split())
    identity = attribute(element, "id")
    found = [rule for key in (name, identity, "", *classes) for rule in keyed.get(key, ())]
    fitting = [
        rule
        for rule in found
        if rule.tag in ("", name) and rule.classes <= classes and rule.identities <= {identity}
    ]
    own = {what.lower() for what, _, _ in _DECLARATION.findall(attribute(element, "style"))}
    return any(
        max((rule for rule in fitting if rule.what == what), key=lambda rule: rule.strength).hides
        for what in {rule.what for rule in fitting} - own
    )


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
