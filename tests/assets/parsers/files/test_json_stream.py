"""Streaming JSON: whatever the size of the window, the same elements; whatever is broken, the rest."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.parsers.files import json_reader
from assets.parsers.files.json_stream import JsonElement, elements
from assets.parsers.types import SkippedRecord

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
RECORDS = [{"id": 1, "q": "a"}, {"id": 2, "q": "b"}, {"id": 3, "q": "\U0001f600"}]


def write(folder: Path, text: str, name: str = "data.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def is_record(value: Mapping[str, object]) -> bool:
    return "id" in value


def values(path: Path, *, chunk_chars: int = 1 << 20) -> list[object]:
    """The values found, and the reasons of what was not."""
    return [
        element.value if isinstance(element, JsonElement) else element.reason
        for element in elements(path, where=path.name, is_record=is_record, chunk_chars=chunk_chars)
    ]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json") / "data.json"


@settings(max_examples=40, deadline=None)
@given(st.lists(VALUES, max_size=6), st.integers(1, 40), st.booleans(), st.sampled_from([None, 2]))
def test_an_array_streams_as_json_loads_reads_it(
    scratch: Path, data: list[object], chunk: int, ascii_only: bool, indent: int | None
):
    scratch.write_text(json.dumps(data, ensure_ascii=ascii_only, indent=indent), encoding="utf-8")
    assert values(scratch, chunk_chars=chunk) == data


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text("abc", min_size=1), st.dictionaries(TEXTS, VALUES, max_size=3), max_size=5),
    st.integers(1, 30),
)
def test_an_object_streams_its_members_with_their_names(scratch: Path, data: dict[str, object], chunk: int):
    scratch.write_text(json.dumps(data), encoding="utf-8")
    found = list(elements(scratch, where="f", chunk_chars=chunk))
    assert {element.key: element.value for element in found if isinstance(element, JsonElement)} == data


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=5), st.integers(1, 30))
def test_characters_that_are_none_are_replaced_and_reported_wherever_the_window_ends(
    scratch: Path, texts: list[tuple[str, bool]], chunk: int
):
    # each record once with and once without half of a surrogate pair
    data = [{"id": text + ("\ud83d" if spoilt else "")} for text, spoilt in texts]
    scratch.write_text(json.dumps(data), encoding="utf-8")
    expected: list[object] = []
    for text, spoilt in texts:
        expected += ["characters_replaced", {"id": text + "\ufffd"}] if spoilt else [{"id": text}]
    assert values(scratch, chunk_chars=chunk) == expected


def test_arrays_in_members_give_their_elements_and_plain_members_nothing(tmp_path: Path):
    path = write(tmp_path, '{"version": "v2.0", "data": [1, {"a": 2}], "tail": 3}')
    assert values(path, chunk_chars=3) == [1, {"a": 2}]
    found = list(elements(path, where="dev.json"))
    assert [element.where for element in found] == ["dev.json.data[0]", "dev.json.data[1]"]


def test_a_plain_member_among_records_is_a_record_that_is_none(tmp_path: Path):
    path = write(tmp_path, '{"a": 5, "b": {"x": 1}, "c": null, "d": {"x": 2}}')
    found = list(elements(path, where="dev.json"))
    assert [element.where for element in found if isinstance(element, SkippedRecord)] == [
        "dev.json[a]",
        "dev.json[c]",
    ]
    assert [element.key for element in found if isinstance(element, JsonElement)] == ["b", "d"]


def test_a_broken_element_is_stepped_over_and_the_rest_is_read(tmp_path: Path):
    path = write(tmp_path, '[{"a": 1}, {"b" 2, "c": "]}"}, {"d": [4]}, tru, 5]')
    assert values(path, chunk_chars=4) == [{"a": 1}, "record_malformed", {"d": [4]}, "record_malformed", 5]


@pytest.mark.parametrize("bad", ["9" * 5_000, "[" * 50_000 + "]" * 50_000], ids=["number", "nesting"])
@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
def test_a_number_or_a_nesting_beyond_measure_spoils_its_own_record_only(tmp_path: Path, bad: str, name: str):
    parts = ['{"id": 1}', f'{{"id": {bad}}}', '{"id": 3}']
    text = "\n".join(parts) if name.endswith("l") else f"[{','.join(parts)}]"
    assert values(write(tmp_path, text, name)) == [{"id": 1}, "record_malformed", {"id": 3}]


@pytest.mark.parametrize(
    "text", ["", "   ", "hello", "[1, 2", '[{"a": "x', '{"a" 1}', "[1 2]", "[1] tail", '{"id": 1} tail']
)
def test_a_file_that_is_no_json_or_goes_on_behind_it_says_so(tmp_path: Path, text: str):
    assert values(write(tmp_path, text))[-1] == "file_malformed"


def test_whole_elements_of_a_truncated_file_are_kept(tmp_path: Path):
    expected = [{"a": 1}, {"b": 2}, "file_malformed"]
    assert values(write(tmp_path, '[{"a": 1}, {"b": 2}, {"c": "thr')) == expected
    path = tmp_path / "data.json.gz"
    path.write_bytes(
        gzip.compress(json.dumps([{"id": text} for text in map(str, range(99_999))]).encode())[:-99]
    )
    *whole, last = values(path)
    assert last == "file_malformed" and len(whole) > 100


def test_an_element_longer_than_the_limit_ends_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_reader, "MAX_ELEMENT_CHARS", 1_000)
    path = write(tmp_path, json.dumps([{"id": 1}, {"id": "x" * 5_000}, {"id": 3}]))
    assert values(path, chunk_chars=64) == [{"id": 1}, "file_malformed"]


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


ARRAY, LINES = json.dumps(RECORDS, ensure_ascii=False), "\n".join(map(json.dumps, RECORDS))
CONTAINERS = {
    "array": ("data.json", ARRAY.encode()),
    "array called lines": ("data.jsonl", ARRAY.encode()),
    "lines": ("data.jsonl", LINES.encode()),
    "lines called array": ("data.json", LINES.encode()),
    "lines of Windows": ("data.jsonl", b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n\r\n").encode() + b"\r\n"),
    "byte order mark": ("data.json", b"\xef\xbb\xbf " + ARRAY.encode()),
    "UTF-16": ("data.json", ARRAY.encode("utf-16")),
    "gzip": ("data.json.gz", gzip.compress(ARRAY.encode())),
    "gzip of lines": ("data.jsonl.gz", gzip.compress(LINES.encode())),
    "bzip2 of lines": ("data.jsonl.bz2", bz2.compress(LINES.encode())),
    "xz": ("data.json.xz", lzma.compress(ARRAY.encode())),
    "zstd of lines": ("data.jsonl.zst", zstd(LINES.encode())),
    "zstd without its suffix": ("data.json", zstd(ARRAY.encode())),
    "gzip without its suffix": ("data.json", gzip.compress(ARRAY.encode())),
    "comma behind the last": ("data.json", f"{ARRAY[:-1]},]".encode()),
    "two arrays": ("data.json", (json.dumps(RECORDS[:1]) + json.dumps(RECORDS[1:])).encode()),
    "indented, behind each other": (
        "data.jsonl",
        "\n".join(json.dumps(r, indent=2) for r in RECORDS).encode(),
    ),
    "object of records": ("data.json", json.dumps({str(r["id"]): r for r in RECORDS}).encode()),
    "member": ("data.json", json.dumps({"version": 1, "data": RECORDS}).encode()),
    "members": ("data.json", json.dumps({"dev": RECORDS[:2], "test": RECORDS[2:]}).encode()),
}


WINDOWS = [(container, 1 << 20) for container in CONTAINERS]
# whether an object behind another is a record shows only where it fits into a window
WINDOWS += [(container, 5) for container in CONTAINERS if "indented" not in container]


@pytest.mark.parametrize(("container", "chunk"), WINDOWS)
def test_the_same_records_come_out_of_every_container(tmp_path: Path, container: str, chunk: int):
    name, data = CONTAINERS[container]
    (tmp_path / name).write_bytes(data)
    assert values(tmp_path / name, chunk_chars=chunk) == RECORDS


def test_a_byte_that_is_no_utf8_costs_a_character_and_no_record(tmp_path: Path):
    path = tmp_path / "data.json"
    path.write_bytes(b'[{"id": "a"}, {"id": "caf\xe9"}, {"id": "b"}]')
    assert values(path) == [{"id": "a"}, "characters_replaced", {"id": "caf\ufffd"}, {"id": "b"}]


def test_what_is_no_number_is_null(tmp_path: Path):
    assert values(write(tmp_path, '[{"a": NaN, "b": -Infinity, "c": 1.5}]')) == [
        {"a": None, "b": None, "c": 1.5}
    ]


def test_elements_say_where_they_stand(tmp_path: Path):
    found = list(elements(write(tmp_path, '["x", "y"]'), where="dir/dev.json"))
    assert [element.where for element in found] == ["dir/dev.json[0]", "dir/dev.json[1]"]


def test_json_lines_count_from_one_and_skip_what_is_broken(tmp_path: Path):
    path = write(tmp_path, '{"a": 1}\n\n{"b": \n[3]\n', "data.jsonl")
    first, broken, last = elements(path, where="data.jsonl")
    assert first == JsonElement("data.jsonl:1", "", {"a": 1})
    assert isinstance(broken, SkippedRecord) and (broken.reason, broken.where) == (
        "record_malformed",
        "data.jsonl:3",
    )
    assert last == JsonElement("data.jsonl:4", "", [3])
