"""Streaming JSON: whatever the size of the window, the same elements; whatever is broken, the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.parsers.json_stream import Element, elements, first_char, json_lines
from assets.parsers.records import Skipped

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def write(folder: Path, text: str) -> Path:
    path = folder / "data.json"
    path.write_text(text, encoding="utf-8")
    return path


def values(path: Path, **options: object) -> list[object]:
    return [
        element.value if isinstance(element, Element) else element.reason
        for element in elements(path, where="data.json", **options)  # type: ignore[arg-type]
    ]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json") / "data.json"


@settings(max_examples=40, deadline=None)
@given(st.lists(VALUES, max_size=6), st.integers(1, 40), st.booleans(), st.sampled_from([None, 2]))
def test_an_array_streams_as_json_loads_reads_it(
    scratch: Path, data: list[object], chunk: int, ascii_only: bool, indent: int | None
):
    text = json.dumps(data, ensure_ascii=ascii_only, indent=indent)
    scratch.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates are no UTF-8: the file is refused, not misread
        assert values(scratch, chunk_chars=chunk)[-1] == "file_malformed"
        return
    assert values(scratch, chunk_chars=chunk) == data


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1), VALUES, max_size=5), st.integers(1, 30))
def test_an_object_streams_its_members_with_their_names(scratch: Path, data: dict[str, object], chunk: int):
    scratch.write_text(json.dumps(data), encoding="utf-8")
    found = list(elements(scratch, where="f", chunk_chars=chunk))
    assert {element.key: element.value for element in found if isinstance(element, Element)} == data


def test_the_array_of_a_named_member_is_found_behind_others(tmp_path: Path):
    path = write(tmp_path, '{"version": "v2.0", "note": {"data": [9]}, "data": [1, {"a": 2}], "tail": 3}')
    assert values(path, member="data", chunk_chars=3) == [1, {"a": 2}]


def test_a_broken_element_is_stepped_over_and_the_rest_is_read(tmp_path: Path):
    path = write(tmp_path, '[{"a": 1}, {"b" 2, "c": "]}"}, {"d": [4]}, tru, 5]')
    assert values(path, chunk_chars=4) == [{"a": 1}, "record_malformed", {"d": [4]}, "record_malformed", 5]


@pytest.mark.parametrize(
    "text", ["", "   ", "hello", "[1, 2", '[{"a": "x', '{"a" 1}', "[1 2]", '{"version": 1}']
)
def test_a_file_that_is_no_json_is_one_skip(tmp_path: Path, text: str):
    assert values(write(tmp_path, text), member="data")[-1] == "file_malformed"


def test_whole_elements_of_a_truncated_file_are_kept(tmp_path: Path):
    assert values(write(tmp_path, '[{"a": 1}, {"b": 2}, {"c": "thr')) == [
        {"a": 1},
        {"b": 2},
        "file_malformed",
    ]


def test_a_byte_order_mark_does_not_hurt(tmp_path: Path):
    path = tmp_path / "data.json"
    path.write_bytes(b"\xef\xbb\xbf [1]")
    assert first_char(path) == "["
    assert values(path) == [1]


def test_elements_say_where_they_stand(tmp_path: Path):
    found = list(elements(write(tmp_path, '["x", "y"]'), where="dir/dev.json"))
    assert [element.where for element in found] == ["dir/dev.json[0]", "dir/dev.json[1]"]


def test_json_lines_count_from_one_and_skip_what_is_broken(tmp_path: Path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"a": 1}\n\n{"b": \n[3]\n', encoding="utf-8")
    first, broken, last = json_lines(path, where="data.jsonl")
    assert first == Element("data.jsonl:1", "", {"a": 1})
    assert isinstance(broken, Skipped) and (broken.reason, broken.where) == (
        "record_malformed",
        "data.jsonl:3",
    )
    assert last == Element("data.jsonl:4", "", [3])
