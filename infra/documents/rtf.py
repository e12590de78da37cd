"""RTF documents: the words with all changes accepted, tables, notes, headers once, and the pictures.

A tokenizer and the state of each group; control words that are not known are passed over, as the format asks.
"""

import re
from dataclasses import dataclass, field, replace

from infra.documents.blocks import Block, Document, Paragraph, Picture, Section, Table
from infra.documents.encoding import codec_of
from infra.documents.ooxml.symbols import plain
from infra.documents.text import clean, head_of, one_line, trimmed

_TOKEN = re.compile(
    rb"\\bin(\d{1,9}) ?|\\([A-Za-z]{1,32})(-?\d{1,10})? ?|\\'([0-9A-Fa-f]{2})|\\([^A-Za-z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\'"
)
_SKIPPED = frozenset(
    (
        *("fonttbl", "colortbl", "stylesheet", "info", "fldinst", "listtable", "listoverridetable"),
        *("revtbl", "rsidtbl", "generator", "xmlnstbl", "themedata", "colorschememapping", "datastore"),
        *("latentstyles", "filetbl", "pgdsctbl", "objdata", "shprslt", "nonshppict", "bkmkstart"),
        *("bkmkend", "atrfstart", "atrfend", "atnid", "atntime", "atnref", "atndate", "atnparent"),
        *(
            "mmathPr",
            "mmathPict",
            "nonesttables",
            "sp",
            "falt",
            "panose",
            "template",
            "private",
            "xe",
            "tc",
            "do",
        ),
        *("pntext", "pn", "picprop", "blipuid", "objclass", "objname", "ftnsep", "ftnsepc", "aftnsep"),
        *("aftnsepc", "fname"),
    )
)
_EDGES = frozenset(("header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"))
_NOTES = {"footnote": "Footnote", "annotation": "Comment"}
_BOX = "shptxt"
_SIGNS = {
    **{
        "tab": " ",
        "emdash": "—",
        "endash": "–",
        "lquote": "‘",
        "rquote": "’",
        "ldblquote": "“",
        "rdblquote": "”",
    },
    **{
        "bullet": "•",
        "emspace": " ",
        "enspace": " ",
        "qmspace": " ",
        "line": "\n",
        "softline": "\n",
        "page": "\n",
    },
}
_CHARSETS = {
    **{
        0: "cp1252",
        77: "mac_roman",
        128: "cp932",
        129: "cp949",
        130: "johab",
        134: "gb18030",
        136: "big5hkscs",
    },
    **{
        161: "cp1253",
        162: "cp1254",
        163: "cp1258",
        177: "cp1255",
        178: "cp1256",
        186: "cp1257",
        204: "cp1251",
    },
    **{222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850"},
}
_MAX_DEPTH = 1_000  # of groups


@dataclass(slots=True)
class _State:
    """What holds within a group."""

    skipped: bool = False
    font: int = -1
    unicode_skip: int = 1  # characters behind ``\\u`` that stand for it in older readers
    in_table: bool = False
    nesting: int = 1  # of tables
    picture: bool = False
    fonts: bool = False  # within the table of fonts
    hidden: bool = False
    deleted: bool = False
    target: str = ""  # where words go: "" the text, else the name of a note or an edge


@dataclass
class _Reader:
    data: bytes
    blocks: list[Block] = field(default_factory=list)
    codec: str = "cp1252"
    _state: _State = field(default_factory=_State)
    _stack: list[_State] = field(default_factory=list)
    _charsets: dict[int, str] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)
    _font: int = 0  # the one that the table describes
    _bytes: bytearray = field(default_factory=bytearray)
    _words: dict[str, list[str]] = field(default_factory=lambda: {"": []})
    _skip: int = 0
    _star: bool = False
    _hex: list[bytes] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _rows: list[list[str]] = field(default_factory=list)
    _pending: list[Block] = field(default_factory=list)  # notes and pictures of the paragraph
    _of_table: list[Block] = field(default_factory=list)  # notes and pictures of the table
    _edges: dict[str, list[str]] = field(default_factory=lambda: {"header": [], "footer": []})
    _high: int = 0  # the first half of a character outside of the basic plane

    def read(self) -> list[Block]:
        position, end = 0, len(self.data)
        while position < end:
            match = _TOKEN.match(self.data, position)
            if match is None:
                position += 1
                continue
            position = self._token(match) or match.end()
        for state in (self._state, *self._stack):
            state.in_table = False
        self._state.target, self._state.skipped = "", False
        self._paragraph()
        self._table()
        heads = [Paragraph(text) for text in dict.fromkeys(self._edges["header"])]
        feet = [Paragraph(text) for text in dict.fromkeys(self._edges["footer"])]
        return [*heads, *self.blocks, *feet]

    def _token(self, match: re.Match[bytes]) -> int:
        """Do what a token asks; the place to go on from if it is not the token's end."""
        binary, word, number, code, sign, brace, text = match.groups()
        if binary is not None:
            stop = match.end() + int(binary)
            if self._state.picture:
                self._hex.append(self.data[match.end() : stop].hex().encode())
            return stop
        if word is not None:
            self._control(word.decode("ascii"), int(number) if number else None)
        elif code is not None:
            self._byte(bytes.fromhex(code.decode("ascii")))
        elif sign is not None:
            self._sign(sign)
        elif brace is not None:
            self._flush()
            self._skip = 0  # what stands for a character ends with the group
            self._open() if brace == b"{" else self._close()
        elif text is not None:
            self._plain(text)
        return 0

    def _open(self) -> None:
        if len(self._stack) < _MAX_DEPTH:
            self._stack.append(self._state)
            self._state = replace(self._state)

    def _close(self) -> None:
        left = self._state
        if self._stack:
            self._state = self._stack.pop()
        if left.picture and not self._state.picture:
            self._end_picture(left)
        if left.target and left.target != self._state.target:
            self._end_target(left.target)
        self._star = False

    def _end_target(self, target: str) -> None:
        text = clean("".join(self._words.pop(target, [])))
        if not text:
            return
        if target in _EDGES:
            self._edges[target[:6]].append(text)
        else:
            self._pending.append(Paragraph(f"{_NOTES[target]}: {text}" if target in _NOTES else text))

    def _end_picture(self, left: _State) -> None:
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", b"".join(self._hex))
        self._hex.clear()
        data = bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
        if data and not left.skipped and not left.deleted:
            self._pending.append(Picture(data, "picture"))

    def _flush(self) -> None:
        """The bytes gathered so far as characters of their code page: two may make one."""
        if self._bytes:
            data = bytes(self._bytes)
            self._bytes.clear()
            self._add(data.decode(self._charsets.get(self._state.font) or self.codec, "replace"))

    def _add(self, text: str) -> None:
        state = self._state
        if state.fonts:
            self._names[self._font] = self._names.get(self._font, "") + text
        elif not (state.skipped or state.hidden or state.deleted or state.picture):
            name = self._names.get(state.font, "").rstrip(";")
            self._words.setdefault(state.target, []).append(plain(text, name))

    def _plain(self, text: bytes) -> None:
        if self._state.picture:
            self._hex.append(text)
            return
        skipped = min(self._skip, len(text))
        self._skip -= skipped
        self._bytes += text[skipped:]

    def _byte(self, code: bytes) -> None:
        if self._skip:
            self._skip -= 1
        else:
            self._bytes += code

    def _sign(self, sign: bytes) -> None:
        self._flush()
        if sign == b"*":
            self._star = True
        elif sign in b"{}\\":
            self._byte(sign)
        elif sign == b"~":
            self._add(" ")
        elif sign == b"_":
            self._add("-")
        elif sign in b"\r\n":
            self._control("par", None)

    def _control(self, word: str, number: int | None) -> None:
        self._flush()
        if word == "u":
            self._unicode(number or 0)
            return
        self._skip = 0
        if word in _SIGNS:
            self._add(_SIGNS[word])
        elif (act := _ACTS.get(word)) is not None:
            act(self, 1 if number is None else number)
        elif word in _SKIPPED or (self._star and word not in _READ_ANYWAY):
            self._state.skipped = word not in _READ_ANYWAY
            self._state.fonts = word == "fonttbl"
        elif word in _EDGES or word in _NOTES or word == _BOX:
            self._state.target = word
            self._state.in_table = False
        self._star = False

    def _unicode(self, number: int) -> None:
        self._skip = self._state.unicode_skip
        code = number % 65536
        if 0xD800 <= code < 0xDC00:
            self._high = code
        elif 0xDC00 <= code < 0xE000:
            if self._high:
                self._add(chr(0x10000 + ((self._high - 0xD800) << 10) + (code - 0xDC00)))
            self._high = 0
        else:
            self._add(chr(code))

    def _code_page(self, number: int) -> None:
        self.codec = codec_of(f"cp{number}") or self.codec

    def _set_font(self, number: int) -> None:
        self._font = number
        self._state.font = number if not self._state.fonts else self._state.font

    def _charset(self, number: int) -> None:
        if number in _CHARSETS and number != 0:
            self._charsets[self._font] = _CHARSETS[number]

    def _skip_length(self, number: int) -> None:
        self._state.unicode_skip = max(0, min(10, number))

    def _paragraph_defaults(self, number: int) -> None:
        self._state.in_table = False

    def _character_defaults(self, number: int) -> None:
        self._state.hidden = self._state.deleted = False

    def _in_table(self, number: int) -> None:
        self._state.in_table = True

    def _hide(self, number: int) -> None:
        self._state.hidden = number != 0

    def _delete(self, number: int) -> None:
        self._state.deleted = number != 0

    def _older_form(self, number: int) -> None:
        self._state.skipped = True

    def _newer_form(self, number: int) -> None:
        self._state.skipped = False

    def _font_code_page(self, number: int) -> None:
        if self._state.fonts and (codec := codec_of(f"cp{number}")):
            self._charsets[self._font] = codec

    def _mac(self, number: int) -> None:
        self.codec = "mac_roman"

    def _dos(self, number: int) -> None:
        self.codec = "cp437"

    def _dos_of_many_languages(self, number: int) -> None:
        self.codec = "cp850"

    def _begin_picture(self, number: int) -> None:
        self._state.picture = True
        self._hex.clear()

    def _paragraph(self, number: int = 1) -> None:
        """A paragraph ends: within a cell it goes on in the next line."""
        self._flush()
        if self._state.target or self._state.skipped:
            self._words.setdefault(self._state.target, []).append("\n")
        elif self._state.in_table:
            self._words[""].append("\n")
        else:
            text = clean("".join(self._words[""]))
            self._words[""].clear()
            if text or self._pending:
                self._table()
            self.blocks += [Paragraph(text)] if text else []
            self.blocks += self._pending
            self._pending.clear()

    def _cell(self, number: int) -> None:
        self._flush()
        if not self._state.skipped:
            self._cells.append(one_line("".join(self._words[""])))
            self._words[""].clear()

    def _inner_cell(self, number: int) -> None:
        self._flush()
        self._words[""].append(" ")

    def _end_row(self, number: int) -> None:
        for state in (self._state, *self._stack):
            state.in_table = False
        self._row()

    def _row(self) -> None:
        if self._cells:
            self._rows.append(self._cells)
            self._cells = []
            self._of_table += self._pending
            self._pending.clear()

    def _table(self) -> None:
        self._row()
        rows = [row for row in trimmed(self._rows) if any(row)]
        self._rows = []
        if rows:
            self.blocks.append(Table(tuple(map(tuple, rows)), head_of(rows)))
        self.blocks += self._of_table
        self._of_table.clear()


_READ_ANYWAY = frozenset(
    ("shppict", "shpinst", "shptxt", "fldrslt", "footnote", "annotation", "moMath", "moMathPara")
)
_ACTS = {
    **{"upr": _Reader._older_form, "ud": _Reader._newer_form, "mac": _Reader._mac},
    **{"pc": _Reader._dos, "pca": _Reader._dos_of_many_languages, "cpg": _Reader._font_code_page},
    **{
        "ansicpg": _Reader._code_page,
        "f": _Reader._set_font,
        "fcharset": _Reader._charset,
        "uc": _Reader._skip_length,
    },
    **{
        "trowd": _Reader._in_table,
        "pard": _Reader._paragraph_defaults,
        "plain": _Reader._character_defaults,
    },
    **{
        "intbl": _Reader._in_table,
        "v": _Reader._hide,
        "deleted": _Reader._delete,
        "pict": _Reader._begin_picture,
    },
    **{"par": _Reader._paragraph, "sect": _Reader._paragraph, "cell": _Reader._cell, "row": _Reader._end_row},
    **{"nestcell": _Reader._inner_cell, "nestrow": _Reader._inner_cell},
}


def read_rtf(data: bytes) -> Document:
    """One section."""
    return Document("RTF document", (Section("", tuple(_Reader(data).read())),))
