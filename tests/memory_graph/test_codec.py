"""The stored form of a graph: exact round trips, and a refusal of everything that is not one."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.codec import VERSION, decode, encode
from memory_graph.graph import MemoryGraph
from tests.memory_graph.graphs import clip, graph, graphs, node, page

SMALL = graph(
    replace(
        node("n1", items=(page("d:page:1", 5, width=800, height=600),), retrieved=("d:page:1", "d:text:2")),
        noted=("d:text:2",),
    ),
    node("n2", "root", "n1", items=(clip("v", 1.5, 2.0, width=64, height=64),)),
    answer=("n2",),
)


def test_the_stored_form_is_fixed():
    assert json.loads(json.dumps(encode(SMALL))) == {
        "version": 2,
        "question": "Who?",
        "nodes": [
            {
                "id": "n1",
                "parents": ["root"],
                "query": "query n1",
                "summary": "",
                "items": [
                    {
                        "item_id": "d:page:1",
                        "kind": "page",
                        "priority": 5,
                        "width": 800,
                        "height": 600,
                        "timestamps": [],
                    }
                ],
                "retrieved": ["d:page:1", "d:text:2"],
                "noted": ["d:text:2"],
            },
            {
                "id": "n2",
                "parents": ["root", "n1"],
                "query": "query n2",
                "summary": "",
                "items": [
                    {
                        "item_id": "v",
                        "kind": "video",
                        "priority": 3,
                        "width": 64,
                        "height": 64,
                        "timestamps": [1.5, 2.0],
                    }
                ],
                "retrieved": [],
                "noted": [],
            },
        ],
        "answer": {"parents": ["n2"], "text": "yes"},
    }


@given(graphs(texts=st.text(max_size=10)))
def test_decoding_gives_the_graph_back(random_graph: MemoryGraph):
    assert decode(encode(random_graph)) == random_graph


@given(graphs(texts=st.text(max_size=10)))
def test_a_graph_survives_json_and_encodes_to_the_same_bytes(random_graph: MemoryGraph):
    text = json.dumps(encode(random_graph))
    assert decode(json.loads(text)) == random_graph
    assert json.dumps(encode(decode(json.loads(text)))) == text


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("version",), VERSION + 1, "version"),
        (("version",), None, "version"),
        (("question",), 7, "wrong type"),
        (("nodes",), "n1", "wrong type"),
        (("answer",), [], "wrong type"),
        (("answer", "parents"), ["n9"], "unknown"),
        (("answer", "parents"), [None], "must be texts"),
        (("nodes", 0), "n1", "a node must have"),
        (("nodes", 0, "id"), "n2", "taken"),
        (("nodes", 0, "parents"), ["n2"], "unknown or younger"),
        (("nodes", 0, "parents"), [1], "must be texts"),
        (("nodes", 0, "retrieved"), [1], "must be texts"),
        (("nodes", 0, "noted"), [1], "must be texts"),
        (("nodes", 0, "items", 0, "priority"), 9, "priority"),
        (("nodes", 0, "items", 0, "priority"), True, "wrong type"),
        (("nodes", 0, "items", 0, "width"), 1.5, "wrong type"),
        (("nodes", 0, "items", 0, "extra"), 1, "exactly the fields"),
        (("nodes", 1, "items", 0, "timestamps"), ["1.5"], "must be numbers"),
        (("nodes", 1, "items", 0, "timestamps"), [float("nan")], "finite"),
    ],
)
def test_a_broken_file_is_refused(path, value, message):
    data = copy.deepcopy(encode(SMALL))
    *way, last = path
    place = data
    for step in way:
        place = place[step]
    place[last] = value
    with pytest.raises(ValueError, match=message):
        decode(data)


def test_the_first_version_is_read_as_a_graph_in_which_no_text_was_noted():
    old = encode(SMALL) | {"version": 1}
    old["nodes"] = [{name: value for name, value in each.items() if name != "noted"} for each in old["nodes"]]
    assert decode(old) == replace(SMALL, nodes=tuple(replace(each, noted=()) for each in SMALL.nodes))
    with pytest.raises(ValueError, match="exactly the fields"):
        decode(encode(SMALL) | {"version": 1})


@pytest.mark.parametrize("data", [{}, [], None, "graph", {"version": 1}, {"version": True, "question": "q"}])
def test_what_is_no_graph_at_all_is_refused(data):
    with pytest.raises(ValueError):
        decode(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["question", "nodes", "answer"]))
def test_any_json_is_either_a_graph_or_a_value_error(value, field: str):
    try:
        decoded = decode(encode(SMALL) | {field: value})
    except ValueError:
        return
    assert isinstance(decoded, MemoryGraph)
