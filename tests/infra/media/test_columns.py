"""Two columns that a page stores line by line are read one after the other; nothing else changes its order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from infra.media import _pdf as pdf
from tests.infra.media.pdf_files import one_page, words

LEFT = """the keeper of the light went up the stairs
every evening before the sun had gone down
and lit the lamp that showed the way to all
ships between the two rocks of the bay, and
when the fog came in he rang the great bell
until the morning. Nobody in the town could
remember a night on which it had been dark,
though the oil was dear and the winters long
and the road to the tower often under water."""
RIGHT = """in later years a motor turned the lens and a
wire brought the current from the mill on the
river, so that the old man had nothing to carry
but his coffee. He wrote down the weather in a
book that is kept in the museum of the harbour
and counted the birds which rested on the rail.
The bell was sold to a school, where it calls
the children from the yard, and the tower is now
open to visitors on the first Sunday of a month."""
TITLE = "The light between the rocks"
Place = tuple[int, int, str]


def column(text: str, x: int, *, top: int = 700, pitch: int = 14, gaps: Sequence[int] = ()) -> list[Place]:
    """The lines of a column with their places; a gap as wide as a line stands before those in ``gaps``."""
    rows = text.split("\n")
    return [(x, top - pitch * (at + sum(at >= gap for gap in gaps)), row) for at, row in enumerate(rows)]


def in_turn(*columns: Sequence[Place]) -> list[Place]:
    """Line by line across the columns, from the top down."""
    return sorted((place for each in columns for place in each), key=lambda place: (-place[1], place[0]))


def read(places: Sequence[Place], *, size: int = 10) -> list[str]:
    content = b"".join(words(text, x=x, y=y, size=size) for x, y, text in places)
    with pdf.open_pdf(one_page(content, size=(600, 800))) as document:
        page, plain = document.page(1, dpi=30), document.plain_page(1, dpi=30)
    assert page.text == plain.text
    return page.text.split("\n")


def test_columns_that_are_stored_line_by_line_are_read_one_after_the_other():
    title, foot = (50, 740, TITLE), (50, 500, "Harbour Museum, page 3")
    lines = read([title, *in_turn(column(LEFT, 50), column(RIGHT, 310)), foot])
    assert lines == [TITLE, *LEFT.split("\n"), *RIGHT.split("\n"), "Harbour Museum, page 3"]


def test_a_column_may_be_longer_and_hold_paragraphs():
    longer = (
        f"{LEFT}\nand so it went on for a hundred years until\nthe last of the keepers left the tower alone"
    )
    left, right = column(longer, 50, gaps=(4,)), column(RIGHT, 310, gaps=(6,))
    assert read(in_turn(left, right)) == [*longer.split("\n"), *RIGHT.split("\n")]


def test_a_word_broken_at_the_end_of_a_line_is_whole():
    left = LEFT.replace("the great bell\nuntil the morning", "the great bell un-\ntil the morning")
    assert "un-\ntil" in left
    text = " ".join(read(in_turn(column(left, 50), column(RIGHT, 310))))
    assert "the great bell until the morning" in text


def across(*columns: Sequence[Place]) -> list[str]:
    """Lines as they are read where columns are not known for such."""
    rows: dict[int, list[str]] = {}
    for _, y, text in in_turn(*columns):
        rows.setdefault(y, []).append(text)
    return [" ".join(row) for row in rows.values()]


SHORT = "\n".join(LEFT.split("\n")[:7])
NAMES = "\n".join(
    f"Keeper {name}" for name in ["Aldo", "Bea", "Cara", "Dora", "Emil", "Fritz", "Gerd", "Hans", "Ida"]
)
FIGURES = "\n".join(f"{1900 + at} {at * 37} {at * 11:.2f}" for at in range(9))
LABELS = "\n".join(
    f"{name}:" for name in ["Name", "Street", "Town", "Country", "Born", "Phone", "Mail", "Work", "Note"]
)
RUN_IN = "\n".join(line.capitalize() for line in RIGHT.split("\n"))
UNEVEN = "\n".join(line[: 9 + 8 * (at % 5)] for at, line in enumerate(RIGHT.split("\n")))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(column(SHORT, 50), column(RIGHT, 310)[:7], id="too few lines"),
        pytest.param(column(NAMES, 50), column(RIGHT, 310), id="names beside a text"),
        pytest.param(column(LEFT, 50), column(FIGURES, 310), id="figures beside a text"),
        pytest.param(column(LABELS, 50), column(RIGHT, 310), id="a form"),
        pytest.param(column(LEFT, 50), column(RUN_IN, 310), id="entries that do not run on"),
        pytest.param(column(LEFT, 50), column(UNEVEN, 310), id="a column that is not filled"),
        pytest.param(column(LEFT, 50, gaps=(3, 6)), column(RIGHT, 310, gaps=(3, 6)), id="cells of a table"),
    ],
)
def test_what_may_be_a_table_is_read_as_it_is_stored(left: list[Place], right: list[Place]):
    assert read(in_turn(left, right)) == across(left, right)


def test_columns_that_are_stored_as_columns_are_left_alone():
    assert read([*column(LEFT, 50), *column(RIGHT, 310)]) == [*LEFT.split("\n"), *RIGHT.split("\n")]


def test_three_columns_in_turn_are_read_as_they_are_stored():
    thirds = [
        column("\n".join(line[:25].strip() for line in text.split("\n")), x)
        for text, x in ((LEFT, 30), (RIGHT, 220), (LEFT, 410))
    ]
    assert read(in_turn(*thirds)) == across(*thirds)


def test_one_column_with_wide_blanks_is_left_alone():
    draw = random.Random(4)
    places = []
    for x, y, text in column(LEFT, 50):
        cut = draw.choice([at for at, char in enumerate(text) if char == " "])
        places += [(x, y, text[:cut]), (x + 6 * cut + 20, y, text[cut + 1 :])]
    assert read(places) == across(places)
