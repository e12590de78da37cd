"""The tiny tokenizer: fewest fragments, digits one by one, bytes for what it does not know."""

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from model.imitation.tiny.tokenizer import build_tokenizer, protocol_fragments


def cut(text: str, *fragments: str) -> list[str]:
    tokenizer = build_tokenizer(fragments)
    return tokenizer.convert_ids_to_tokens(tokenizer.encode(text))


def test_a_text_is_cut_into_as_few_fragments_as_possible():
    # "abc" + "d" is as short and comes later in the list; "a" + "b" + "cd" is longer
    assert cut("abcd", "a", "b", "ab", "cd", "abc", "d") == ["ab", "cd"]


def test_numbers_are_read_digit_by_digit_even_when_a_pair_is_offered():
    assert cut("47", "4", "7", "47") == ["4", "7"]


def test_what_no_fragment_covers_falls_back_to_bytes():
    assert cut("é", "e") == ["<0xC3>", "<0xA9>"]


def test_a_search_costs_a_handful_of_tokens():
    wire = render(Search(id="n1", parents=("root",), query="ab"))
    assert cut(wire, "ab") == [
        '<tool_call>{"name":"search","arguments":{"id":"', "n1", '","parents":["', "root", '"],"query":"', "ab", '"}}</tool_call>'
    ]  # fmt: skip


def test_no_action_of_the_protocol_needs_a_byte():
    marks = (
        Mark(item=1, useful=True, priority=5, timestamps=(7.5, 52.5)),
        Mark(item=2, useful=False, priority=1),
    )
    for action in (Memorize(id="n2", summary="ab", marks=marks), Answer(parents=("n1", "n2"), text="ab")):
        assert not [piece for piece in cut(render(action), "ab") if piece.startswith("<0x")]


def test_equal_fragments_give_an_equal_tokenizer_and_order_of_repeats_does_not_matter():
    one, other = build_tokenizer(["ab", "cd", "ab"]), build_tokenizer(["ab", "cd"])
    assert one.get_vocab() == other.get_vocab()
    assert len(set(protocol_fragments())) == len(protocol_fragments())
