"""Text made fit to be drawn: nothing invisible is left, no line is too wide, nothing is lost before the cut."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from memory_graph.drawing.glyphs import cell_width, em_width, is_well_known
from memory_graph.drawing.notes import amount, clock
from memory_graph.drawing.wrapping import clean, cut, wrap
from tests.memory_graph.hostile import HOSTILE


def test_lines_break_between_words():
    assert wrap("who leads Belodu now", 10, cell_width) == ("who leads", "Belodu now")


def test_a_word_too_long_for_a_line_is_broken_and_the_next_word_follows_it():
    assert wrap("a abcdefgh b", 5, cell_width) == ("a", "abcde", "fgh b")


def test_east_asian_text_breaks_anywhere_and_takes_two_cells():
    assert wrap("祭りは三日", 4, cell_width) == ("祭り", "は三", "日")


def test_what_is_left_over_is_cut_with_an_ellipsis_that_fits():
    assert wrap("who leads Belodu now", 10, cell_width, max_lines=1) == ("who leads…",)
    assert cut("who leads Belodu", 9, cell_width) == "who lead…"
    assert cut("who", 9, cell_width) == "who"
    assert wrap("", 9, cell_width) == ()


def test_no_letter_is_parted_from_its_marks_nor_an_emoji_from_its_joins():
    # e with an acute accent as two code points; three people joined to one picture
    assert wrap("e\u0301e\u0301e\u0301", 2, cell_width) == ("e\u0301e\u0301", "e\u0301")
    family = "👩\u200d👩\u200d👧"
    assert wrap(family + family, 6, cell_width) == (family, family)


@given(HOSTILE, st.integers(14, 60))
def test_no_line_is_wider_than_its_limit_and_nothing_is_lost(text: str, limit: int):
    lines = wrap(clean(text), limit, cell_width)
    assert all(cell_width(line) <= limit for line in lines)
    assert "".join(lines).replace(" ", "") == clean(text).replace(" ", "")


@given(HOSTILE, st.floats(12, 60), st.integers(1, 4), st.booleans())
def test_a_cut_text_keeps_its_room(text: str, limit: float, max_lines: int, bold: bool):
    lines = wrap(clean(text), limit, lambda line: em_width(line, bold=bold), max_lines=max_lines)
    assert len(lines) <= max_lines
    assert all(em_width(line, bold=bold) <= limit + 1e-9 for line in lines)


@given(HOSTILE)
def test_clean_text_is_printable_one_line_and_stays_as_it_is(text: str):
    cleaned = clean(text)
    assert cleaned == clean(cleaned)
    assert "  " not in cleaned
    assert all(char.isprintable() or char == "\u200d" or not char.isascii() for char in cleaned)
    cleaned.encode("utf-8")


def test_a_letter_keeps_three_marks_of_many():
    assert clean("z" + "\u0335" * 40 + "a") == "z\u0335\u0335\u0335a"


@pytest.mark.parametrize("bold", [False, True])
def test_well_known_characters_are_no_wider_than_they_are_said_to_be(bold: bool):
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    # "basic" takes no kerning into account, which only narrows
    font = ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, 1000, layout_engine=ImageFont.Layout.BASIC
    )
    chars = [chr(code) for code in range(32, 0x460)]
    known = [
        char
        for char in chars
        if char.isprintable() and is_well_known(char) and not unicodedata.combining(char)
    ]
    assert len(known) > 600
    wider = {char for char in known if font.getlength(char) / 1000 > em_width(char, bold=bold) + 0.005}
    assert wider == set()


def test_no_room_is_refused():
    with pytest.raises(ValueError, match="no room"):
        wrap("a", 0, cell_width)
    with pytest.raises(ValueError, match="no room"):
        wrap("a", 1, cell_width, max_lines=0)


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0, "0:00"),
        (7.04, "0:07"),
        (59.96, "1:00"),
        (750.5, "12:30.5"),
        (3723, "1:02:03"),
        (360_000, "100:00:00"),
    ],
)
def test_times_read_as_on_a_clock(time_s: float, text: str):
    assert clock(time_s) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (131_072, "131k"), (999_499, "999k"), (999_500, "1.0M"), (1_310_720, "1.3M"),
     (99_999_999, "100M"), (10**13, "10000G")],
)  # fmt: skip
def test_amounts_are_short(count: int, text: str):
    assert amount(count) == text
