"""The border between JSON and our types: what is tolerated, what is refused."""

from __future__ import annotations

import pytest

from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError


@pytest.mark.parametrize(
    ("value", "pages"),
    [
        ("[19, 20]", (19, 20)),
        ([5, 7, 5], (5, 7)),
        (7, (7,)),
        ("7", (7,)),
        (["3", "1"], (1, 3)),
        ("['3', 1.0]", (1, 3)),
        ("[]", ()),
        ("None", ()),
        (None, ()),
        ("[0]", (0,)),
    ],
)
def test_pages_come_as_ints_lists_digits_and_strings_of_them(value: object, pages: tuple[int, ...]):
    assert fields.page_numbers(value) == pages


@pytest.mark.parametrize("value", ["five", "[1, 'x']", {"a": 1}, "[1.5]", [True], "__import__('os')"])
def test_what_is_no_page_is_refused(value: object):
    with pytest.raises(MalformedRecordError):
        fields.page_numbers(value)


def test_a_literal_is_never_executed():
    assert fields.literal("__import__('os').getpid()") == "__import__('os').getpid()"


def test_numbers_are_texts_too_but_booleans_and_lists_are_not():
    assert fields.text({"qid": 133}, "qid") == "133"
    for bad in (True, [1], {}, "  ", None):
        with pytest.raises(MalformedRecordError):
            fields.text({"qid": bad}, "qid")


def test_the_first_field_there_is_counts():
    assert fields.text({"query": "b"}, "question", "query") == "b"
    with pytest.raises(MalformedRecordError, match="no question or query"):
        fields.text({}, "question", "query")


@pytest.mark.parametrize("value", [133, 133.0, "133", " 133 "])
def test_an_id_is_the_same_however_a_table_wrote_it(value: object):
    assert fields.identifier({"qid": value}, "qid") == "133"


def test_what_is_no_number_says_nothing():
    assert fields.optional_text({"answer": float("nan")}, "answer") == ""
    assert fields.strings(["a", float("inf"), 1.5], "A") == ("a", "1.5")
    with pytest.raises(MalformedRecordError, match="answer is empty"):
        fields.text({"answer": float("nan")}, "answer")


def test_a_string_too_long_for_a_list_is_not_parsed():
    long = "[" * 200_000
    assert fields.literal(long) == long
