"""Equations of office documents (OMML) as a line of text: ``x^2``, ``(a+b)/c``, ``√(x)``, ``∑_(i=1)^n i``."""

from infra.documents.markup import Element, child, children, local, value

_SKIPPED = frozenset(("del", "moveFrom", "delText", "rPr", "ctrlPr", "instrText"))


def equation_text(element: Element) -> str:
    """The words and signs of an equation or of a part of one."""
    name = local(element)
    if name in _SKIPPED or name.endswith("Pr"):
        return ""
    if name == "t":
        return element.text or ""
    if (form := _FORMS.get(name)) is not None:
        return form(element)
    return "".join(equation_text(inner) for inner in element)


def _part(element: Element, name: str) -> str:
    found = child(element, name)
    return "" if found is None else equation_text(found)


def grouped(text: str) -> str:
    """``text`` in brackets, unless it is one word or sign."""
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def script(mark: str, text: str) -> str:
    """What stands above (``^``) or below (``_``); nothing if it is empty."""
    return f"{mark}{grouped(text)}" if text else ""


def _scripts(element: Element) -> str:
    return _part(element, "e") + script("_", _part(element, "sub")) + script("^", _part(element, "sup"))


def _before(element: Element) -> str:
    return script("_", _part(element, "sub")) + script("^", _part(element, "sup")) + _part(element, "e")


def _fraction(element: Element) -> str:
    return f"{grouped(_part(element, 'num'))}/{grouped(_part(element, 'den'))}"


def _root(element: Element) -> str:
    return f"{_part(element, 'deg')}√{grouped(_part(element, 'e'))}"


def _sum(element: Element) -> str:
    sign = value(child(element, "naryPr", "chr"), default="∫")
    limits = script("_", _part(element, "sub")) + script("^", _part(element, "sup"))
    return f"{sign}{limits} {_part(element, 'e')}"


def _delimited(element: Element) -> str:
    signs = child(element, "dPr")
    opened = value(child(signs, "begChr"), default="(")
    between = value(child(signs, "sepChr"), default="|")
    closed = value(child(signs, "endChr"), default=")")
    return opened + between.join(map(equation_text, children(element, "e"))) + closed


def _function(element: Element) -> str:
    argument = _part(element, "e")
    return f"{_part(element, 'fName')}{argument if argument.startswith('(') else ' ' + argument}"


def _matrix(element: Element) -> str:
    rows = (", ".join(map(equation_text, children(row, "e"))) for row in children(element, "mr"))
    return "; ".join(rows)


def _array(element: Element) -> str:
    return "; ".join(map(equation_text, children(element, "e")))


def _lower(element: Element) -> str:
    return _part(element, "e") + script("_", _part(element, "lim"))


def _upper(element: Element) -> str:
    return _part(element, "e") + script("^", _part(element, "lim"))


_FORMS = {
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": _before,
    "rad": _root,
    "nary": _sum,
    "d": _delimited,
    "func": _function,
    "m": _matrix,
    "eqArr": _array,
    "limLow": _lower,
    "limUpp": _upper,
}
