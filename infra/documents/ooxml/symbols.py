"""Characters of symbol fonts, which office documents store as private codes, as the characters that are meant."""

# the font Symbol from 0x21 on; a blank stands for what has no character of its own
_SYMBOL = (
    "!∀#∃%&∋()∗+,−./0123456789:;<=>?"
    "≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_"
    " αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼ "
    "                                "
    " ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…  ↵"
    "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓"
    "◊〈®©™∑           〉∫             "
)
_WINGDINGS = {
    **{0x28: "☎", 0x2A: "✉", 0x4A: "☺", 0x4C: "☹", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑", 0x72: "❒"},
    **{0x74: "⧫", 0x75: "◆", 0x76: "❖", 0x9F: "•", 0xA7: "▪", 0xA8: "□", 0xD8: "➢", 0xDF: "←", 0xE0: "→"},
    **{0xE1: "↑", 0xE2: "↓", 0xE8: "➔", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑"},
}
_PRIVATE = range(0xF020, 0xF100)
BULLET = "•"


def symbol(code: int, font: str) -> str:
    """The character that ``code`` shows in a symbol font; that of the code where the font is no such font."""
    place = code - 0xF000 if code in _PRIVATE else code
    family = font.strip().lower()
    if family == "symbol":
        index = place - 0x21
        return _SYMBOL[index].strip() if 0 <= index < len(_SYMBOL) else ""
    if family.startswith(("wingdings", "webdings")):
        return _WINGDINGS.get(place, BULLET)
    if code in _PRIVATE:
        return chr(place) if place < 0x7F else BULLET
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def is_symbol_font(font: str) -> bool:
    """Whether the letters of a font are signs."""
    return font.strip().lower().startswith(("symbol", "wingdings", "webdings"))


def plain(text: str, font: str) -> str:
    """``text`` as it looks: private codes, and letters in a symbol font, are signs."""
    if is_symbol_font(font):
        return "".join(char if char.isspace() else symbol(ord(char), font) for char in text)
    if any(ord(char) in _PRIVATE for char in text):
        return "".join(symbol(ord(char), font) if ord(char) in _PRIVATE else char for char in text)
    return text
