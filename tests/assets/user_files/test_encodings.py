"""Texts come in the encodings that people have, damaged as they are; what is no text is refused."""

from __future__ import annotations

import os

import pytest

from assets.user_files.encodings import decode
from infra.errors import MediaError

TEXT = "Grüße\nan alle"
GERMAN = "Der Leuchtturm wurde 1931 gebaut; schöne Grüße, Maße in Fuß.\n"
FRENCH = "Le phare a été construit en 1931, même après la tempête de décembre.\n"
SPANISH = "El faro se construyó en 1931. Cada noche el guardián subía; mañana será otro día.\n"
POLISH = "Każdego wieczoru latarnik wchodził na górę i zapalał światło, żeby łodzie mogły wrócić.\n"
CZECH = "Každý večer strážce vystoupal nahoru a rozsvítil světlo.\n"
TURKISH = "Her akşam bekçi yukarı çıkıp ışığı yakardı, gemiler güvenle dönsün diye.\n"
RUSSIAN = "Каждый вечер смотритель поднимался наверх и зажигал огонь.\n"
UKRAINIAN = "Щовечора доглядач піднімався нагору й запалював вогонь, їхній пес чекав.\n"
GREEK = "Κάθε βράδυ ο φύλακας ανέβαινε πάνω και άναβε το φως για τα πλοία.\n"
HEBREW = "בכל ערב עלה השומר למעלה והדליק את האור עבור הספינות.\n"
ARABIC = "كان الحارس يصعد كل مساء ويشعل الضوء من أجل السفن.\n"
THAI = "ทุกเย็นผู้ดูแลจะขึ้นไปจุดไฟเพื่อให้เรือกลับบ้านได้\n"
HINDI = "हर शाम पहरेदार ऊपर जाकर जहाज़ों के लिए रोशनी जलाता था।\n"
CHINESE = "灯塔建于一九三一年，高四十二米。每天晚上守塔人都要上去点灯。\n"
TAIWANESE = "燈塔建於一九三一年，高四十二公尺。每天晚上守塔人都要上去點燈。\n"
JAPANESE = "灯台は一九三一年に建てられた。毎晩、灯台守は階段を上って明かりをともした。\n"
KOREAN = "등대지기는 매일 밤 계단을 올라가 불을 켜고 일지에 날씨를 적었다.\n"

OLDER = {
    GERMAN: ("cp1252", "cp850", "cp437", "mac_roman"),
    FRENCH: ("cp1252", "iso8859_15", "cp437"),
    SPANISH: ("cp1252", "cp850"),
    POLISH: ("cp1250", "iso8859_2", "cp852"),
    CZECH: ("cp1250", "iso8859_2"),
    TURKISH: ("cp1254",),
    RUSSIAN: ("cp1251", "koi8_r", "cp866", "iso8859_5"),
    UKRAINIAN: ("cp1251", "koi8_u"),
    GREEK: ("cp1253", "iso8859_7"),
    HEBREW: ("cp1255",),
    ARABIC: ("cp1256",),
    THAI: ("cp874",),
    CHINESE: ("gbk", "gb18030", "hz"),
    TAIWANESE: ("big5",),
    JAPANESE: ("shift_jis", "euc_jp", "iso2022_jp"),
    KOREAN: ("euc_kr", "iso2022_kr"),
}
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
DOUBLE_BYTE = ((CHINESE, "gbk"), (TAIWANESE, "big5"), (JAPANESE, "euc_jp"), (KOREAN, "euc_kr"))


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        *((("\ufeff" + TEXT).encode(wide), wide) for wide in WIDE),
    ],
)
def test_a_mark_tells_the_encoding_and_nothing_needs_saying(data: bytes, encoding: str):
    assert decode(data) == (TEXT, encoding, ())


@pytest.mark.parametrize(
    ("text", "encoding"), [(text, name) for text, names in OLDER.items() for name in names]
)
def test_older_encodings_are_told_from_their_letters_and_named_in_a_note(text: str, encoding: str):
    decoded = decode(text.encode(encoding))
    assert decoded.text == text
    assert decoded.notes == (f"read as {decoded.encoding}",)


@pytest.mark.parametrize("text", [*OLDER, HINDI, "Hello"])
@pytest.mark.parametrize("encoding", WIDE)
def test_wide_characters_need_no_mark(text: str, encoding: str):
    assert decode(text.encode(encoding)).text == text
    assert decode(text[:13].encode(encoding)).text == text[:13]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_all_line_ends_become_one(end: str):
    assert decode(f"a{end}b{end}".encode()).text == "a\nb\n"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (GERMAN.encode() * 9 + b"caf\xe9", GERMAN * 9 + "caf\ufffd"),
        ("é".encode() + b" and caf\xe9", "é and caf\ufffd"),
        (GERMAN.encode() + "ü".encode()[:1], GERMAN + "\ufffd"),  # cut off within its last letter
        ("plain €".encode()[:-1], "plain \ufffd"),
    ],
)
def test_utf_8_with_a_bad_byte_stays_utf_8(data: bytes, text: str):
    assert decode(data) == (text, "utf-8", ("1 place where the bytes are no utf-8",))


@pytest.mark.parametrize(("text", "encoding"), DOUBLE_BYTE)
def test_a_bad_byte_does_not_hide_a_double_byte_encoding(text: str, encoding: str):
    text = 3 * text.rstrip(".\n")
    data = text.encode(encoding)
    assert decode(data + b"\xff ok\n").text == text + "\ufffd ok\n"
    assert decode(data[:-1]).text == text[:-1] + "\ufffd"  # cut off within its last letter
    assert decode(data + b"\0\0\x01").text == text


def test_an_odd_byte_at_the_end_does_not_hide_wide_characters():
    decoded = decode(GERMAN.encode("utf-16-le") + b"x")
    assert decoded.text == GERMAN + "\ufffd"
    assert decoded.notes == ("read as utf-16-le", "1 place where the bytes are no utf-16-le")


def test_signs_alone_are_those_of_windows():
    signs = "“smart” quotes – and 5 £, 20°C ±5 µm, it’s §4"
    assert decode(signs.encode("cp1252")) == (signs, "cp1252", ("read as cp1252",))


@pytest.mark.parametrize(
    ("data", "text", "note"),
    [
        (b"pump 1 pressure\0 7 bar\n" * 3, "pump 1 pressure 7 bar\n" * 3, "3 NULs removed"),
        (
            b"line\n" * 30 + b"\0" * 4096 + b"after the crash",
            "line\n" * 30 + "after the crash",
            "4,096 NULs removed",
        ),
        (b"\x1b[1;31mERROR\x1b[0m pump", "ERROR pump", "2 terminal codes removed"),
        (
            b"\x1b]8;;http://a\x1b\\link\x1b]8;;\x07 \x1b(B\x1b[m.",
            "link .",
            "4 terminal codes removed",
        ),
        (b"N\x08NA\x08AM\x08ME\x08E _\x08f_\x08o", "NAME fo", "6 control characters removed"),
        (b"plain " * 9 + b"\x07", "plain " * 9, "1 control character removed"),
    ],
)
def test_what_terminals_obey_is_taken_out_and_counted(data: bytes, text: str, note: str):
    assert decode(data) == (text, "utf-8", (note,))


def test_coloured_text_of_an_older_encoding_is_read():
    assert decode(b"\x1b[31m" + JAPANESE.encode("shift_jis") + b"\x1b[0m").text == JAPANESE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfea", "text_undecodable"),  # half a character
        (b"\xef\xbb\xbf\xff", "text_undecodable"),
        (b"PK\x03\x04\x00\x00 archive", "text_binary"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0\x01\0\0\0\xc0\x6a", "text_binary"),
        (bytes(range(1, 32)) * 9, "text_binary"),
        (os.urandom(4096), "text_binary"),
    ],
    ids=range(6),
)
def test_what_is_no_text_is_refused_by_a_reason(data: bytes, reason: str):
    with pytest.raises(MediaError) as refused:
        decode(data)
    assert refused.value.reason == reason


def test_code_tables_and_literal_signs_are_left_as_they_are():
    for text in ("a\tb\tc\n1\t2\t3\n", "a ~{ b } c", "a \ufffd b", "x = y[$1] # \\x1b[0m"):
        assert decode(text.encode()) == (text, "utf-8", ())


def test_a_few_words_of_another_script_are_enough():
    text = "1\n00:00:00,500 --> 00:00:02,000\nРусская верба\n"
    assert decode(text.encode("cp1251")).text == text


def test_the_euro_of_iso_8859_15_is_one():
    text = "Das Boot kostet 12 €, der Führer 4 €. Œuvre à Köln.\n"
    assert decode(text.encode("iso8859-15")).text == text
    for other in ("Das Boot kostet £12 für ½ Stunde.\n", "Ein Viertel, ¼, für „Gäste“.\n"):
        assert decode(other.encode("cp1252")).text == other


UTF_7 = b"+/v8-"


@pytest.mark.parametrize("text", [TEXT, GERMAN, RUSSIAN, CHINESE, "1 + 1 = 2, ~\\ and \U0001f6a2"])
def test_utf_7_is_read_where_its_mark_says_so(text: str):
    marked = ("\ufeff" + text).encode("utf-7")  # the mark shares its last bits with the letter behind it
    assert decode(marked)[:2] == (text, "utf-7")
    assert decode(UTF_7 + text.encode("utf-7"))[:2] == (text, "utf-7")


def test_a_damaged_place_of_utf_7_is_counted():
    decoded = decode(UTF_7 + (RUSSIAN * 3).encode("utf-7") + b"+AP")
    assert decoded.text.startswith(RUSSIAN) and decoded.notes == ("1 place where the bytes are no utf-7",)


@pytest.mark.parametrize(
    "plain",
    [
        "C++ and +49 30 1234, a+b=c, +-1, Hi Mom -+Jjo--!",
        "Gr+APwA3w-e",  # without its mark it may be anything
        "+/v9wzzzz+++///+/+/!+/z+a+/b",  # begins so, and what is behind it is no such text
        "what begins with +/v8- is UTF-7",
    ],
)
def test_no_text_is_taken_for_utf_7_for_its_plus_signs(plain: str):
    assert decode(plain.encode())[:2] == (plain, "utf-8")


@pytest.mark.parametrize(
    "text", ["Grüße aus Köln + Bonn", "Буря мглою небо кроет", "吾輩は猫である", "κόσμος-λόγος 1+1"]
)
def test_utf_7_without_its_mark_is_read_where_every_plus_sign_is_one_of_it(text: str):
    decoded = decode(text.encode("utf-7"))
    assert (decoded.text, decoded.encoding, decoded.notes) == (text, "utf-7", ("read as utf-7",))


def test_kana_show_what_is_japanese_where_the_detector_is_vague_or_thinks_of_chinese():
    for text, encoding in (
        ("むかしむかし、あるところにおじいさんとおばあさんがいました。", "cp932"),
        ("ｼｽﾃﾑ ｴﾗｰ: ﾌｧｲﾙ ｶﾞ ｱﾘﾏｾﾝ\n続行しますか", "cp932"),
        ("会議は三時から", "euc_jp"),
    ):
        assert decode(text.encode(encoding)).text == text


def test_lines_of_a_table_are_no_sign_against_the_encoding_of_old_machines():
    text = "Menü: Größe ändern, Öffnen, Schließen\n─────\n│ Ende │"
    assert decode(text.encode("cp437")).text == text


def test_one_letter_far_down_a_table_is_one_of_windows():
    text = "id,word\n" + "".join(f"{number},plain\n" for number in range(5_000)) + "5000,garçon\n"
    assert decode(text.encode("cp1252")).text == text


def test_letters_in_two_halves_are_one():
    halves = "naïve 😀 words".encode("utf-16-le").decode("utf-16-le")
    data = "".join(chr(unit) for unit in memoryview(halves.encode("utf-16-le")).cast("H")).encode(
        "utf-8", "surrogatepass"
    )
    assert b"\xed\xa0\xbd" in data
    assert decode(data).text == "naïve 😀 words"
