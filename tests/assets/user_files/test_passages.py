"""Texts are cut between paragraphs, Markdown under its headings, and no word is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.user_files.passages import TextPassage, passages


def plain(text: str, max_words: int = 200) -> list[str]:
    return [passage.text for passage in passages(text, markdown=False, max_words=max_words)]


def marked(text: str, max_words: int = 200) -> list[TextPassage]:
    return passages(text, markdown=True, max_words=max_words)


def paragraph(words: int) -> str:
    return " ".join(["word"] * words)


def test_paragraphs_share_a_passage_until_the_next_would_be_too_much():
    # 120 + 70 = 190 fit, 40 more would make 230
    assert [len(text.split()) for text in plain("\n\n".join(map(paragraph, (120, 70, 40))))] == [190, 40]


def test_a_paragraph_that_fits_into_a_passage_is_never_cut():
    assert [len(text.split()) for text in plain(f"{paragraph(150)}\n\n{paragraph(150)}")] == [150, 150]


def test_a_longer_paragraph_is_cut_between_its_sentences():
    sentences = [f"{paragraph(79)} end{number}." for number in range(5)]  # 80 words each: two fit into 200
    assert plain(" ".join(sentences)) == [
        " ".join(sentences[:2]),
        " ".join(sentences[2:4]),
        sentences[4],
    ]


def test_a_sentence_without_end_is_cut_between_words():
    assert [len(text.split()) for text in plain(paragraph(450))] == [200, 200, 50]


def test_what_has_no_spaces_is_cut_too():
    # two ideographs count as a word: 1,000 of them are 500 words
    found = plain("\u4e2d" * 1_000)
    assert "".join(found) == "\u4e2d" * 1_000
    assert max(map(len, found)) == 400


@given(
    st.lists(st.lists(st.sampled_from(["a", "bb.", "Ccc!", "4.5"]), max_size=12), max_size=8),
    st.integers(1, 9),
)
def test_no_word_is_lost_or_moved_and_no_passage_is_too_long(paragraphs: list[list[str]], max_words: int):
    found = plain("\n\n".join(" ".join(words) for words in paragraphs), max_words)
    assert " ".join(found).split() == [word for words in paragraphs for word in words]
    assert all(0 < len(text.split()) <= max_words for text in found)


@given(st.text(alphabet="#`~-= \nx*_", max_size=60))
def test_markdown_of_any_shape_keeps_its_letters_in_text_or_heading(text: str):
    found = marked(text, 5)
    assert sum((passage.heading + passage.text).count("x") for passage in found) >= text.count("x")


def test_every_passage_has_its_nearest_heading():
    text = "before\n\n# Guide\n\nintro\n\n## Setup\n\nrun it\n\nUse\n===\n\nask it\n"
    assert marked(text) == [
        TextPassage("", "before"),
        TextPassage("Guide", "intro"),
        TextPassage("Setup", "run it"),
        TextPassage("Use", "ask it"),
    ]


def test_a_heading_with_nothing_below_it_goes_in_front_of_what_follows():
    assert marked("# Guide\n## Setup\nrun it\n# End") == [
        TextPassage("Setup", "Guide\n\nrun it"),
        TextPassage("End", "End"),
    ]


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("## Setup ##", "Setup"),
        ("# C#", "C#"),
        ("# The `run` [command](x.md) **now**", "The run command now"),
        ("# snake_case _stays_", "snake_case stays"),
    ],
)
def test_headings_are_read_without_their_markup(line: str, heading: str):
    assert marked(f"{line}\n\ntext") == [TextPassage(heading, "text")]


@pytest.mark.parametrize("line", ["#hashtag", "####### seven", "    # indented code"])
def test_what_only_looks_like_a_heading_is_text(line: str):
    assert marked(f"{line}\n\ntext") == [TextPassage("", f"{line}\n\ntext")]


def test_a_fenced_block_is_one_paragraph_whatever_it_holds():
    block = "```sh\n# no heading\n\nmake\n```"
    assert marked(f"# A\n\n{block}\n\n# B\n\nb") == [TextPassage("A", block), TextPassage("B", "b")]


def test_a_fence_is_closed_by_one_as_long_only():
    block = "````\n```\n# no heading\n````"
    assert marked(f"{block}\n# A\na") == [TextPassage("", block), TextPassage("A", "a")]


def test_metadata_at_the_top_is_text_and_no_heading():
    assert marked("---\ntitle: A guide\n---\n\n# A\n\na")[0] == TextPassage("", "---\ntitle: A guide\n---")


def test_many_headings_without_text_are_passages_of_the_usual_length():
    found = marked("\n".join(f"# h{number}" for number in range(30)), 10)
    assert [len(passage.text.split()) for passage in found] == [10, 10, 10]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", [".", "[", "`", "#", "* ", "\t", "a"])
def test_a_hostile_line_costs_no_more_than_its_length(unit: str):
    marked("# " + unit * 200_000 + "\n\n" + unit * 200_000)  # a quadratic pattern would take hours


def test_white_space_alone_has_no_passage():
    assert plain(" \n\n\t\n") == [] == marked("\n\n#\n\n")
