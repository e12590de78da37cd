"""The tiny model's tokenizer: fewest known fragments, bytes for the rest.

A unigram model in which every fragment costs the same, so that a text is cut into as few fragments as possible: syllables and
words of the invented world (handed in by the caller), and the skeleton of the action protocol as single tokens, so that a
model of a few million parameters spends its tokens on decisions. Numbers are read and written digit by digit: ten signs are
learnt from far fewer images than a hundred. Anything else falls back to bytes: no text is unknown.
"""

from collections.abc import Iterable, Sequence
from itertools import product

from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from model.policies.chat_template import IMAGE_PAD, TURN_END, TURN_START, VISION_END, VISION_START

PAD = "<|pad|>"
CONTROL_TOKENS = (PAD, TURN_START, TURN_END, VISION_START, IMAGE_PAD, VISION_END)
MAX_NODES = 12
NUM_PRIORITIES = 5
TOP_K = 3
FRAME_TIMES = (7.5, 22.5, 37.5, 52.5)  # seconds: four frames of a 60 s clip

TIE_BREAK = 1e-6  # of the score; earlier fragments win between cuts of equal length, so that a cut is unique


def _turn_fragments() -> list[str]:
    return ["system\n", "user\n", "assistant\n", "tool\n", "\n", SHARED_INSTRUCTION, "Question:", "\nMemory:\n",
            "\nEvidence:", "Found:", "Nothing new.", "\nAnswer now.", " <-", " |", ":"]  # fmt: skip


def _action_fragments() -> list[str]:
    opening = ['<tool_call>{"name":"search","arguments":{"id":"', '<tool_call>{"name":"memorize","arguments":{"id":"',
               '<tool_call>{"name":"answer","arguments":{"parents":["']  # fmt: skip
    fields = [
        '","parents":["',
        '","',
        '"],"query":"',
        '","summary":"',
        '","items":[',
        '"],"answer":"',
        ',"timestamps":[',
    ]
    closing = ['"}}</tool_call>', "]}}</tool_call>", "]}", ",", "},"]
    marks = [
        f'{{"item":{item},"useful":{useful},"priority":{priority}'
        for item, useful, priority in product(range(1, TOP_K + 1), (0, 1), range(1, NUM_PRIORITIES + 1))
    ]
    return [*opening, *fields, *closing, *marks, *(f"{mark}}}" for mark in marks), *map(str, FRAME_TIMES)]


def _node_fragments() -> list[str]:
    nodes = ["root", *(f"n{number}" for number in range(1, MAX_NODES + 1))]
    labels = [f"\n[{label}]" for label in (*nodes[1:], *range(1, TOP_K + 1))]
    times = [f"<{time:.1f} seconds>" for time in FRAME_TIMES]
    return [*nodes, *(f" {node}" for node in nodes), *(f",{node}" for node in nodes), *labels, *times]


SHARED_INSTRUCTION = "Answer from the corpus."
"""Of the graph with images; before every memory policy had an instruction of its own, of all of them."""
INSTRUCTIONS = (
    "Answer from what was found.",
    "Say where to look, then answer.",
    "Search until you can answer.",
    "Keep one text beside the last results.",
    "Keep one text and nothing else.",
    "Keep a graph of texts.",
    "Keep a graph with captions.",
    "Keep a graph with all images.",
    "Keep a graph with descriptions.",
)
"""Of the other memory policies in the compact prompt profile, one token each: they tell a tiny model whose turn it is."""
PLACES = ("none", "paragraph", "document", "image", "clip", "video")
"""That a router names, one token each: spelt in syllables they would be permuted with the names of examples."""


def protocol_fragments() -> tuple[str, ...]:
    """Fixed strings of the compact prompt profile but ``INSTRUCTIONS``, and of the wire format, without duplicates."""
    return tuple(dict.fromkeys([*_turn_fragments(), *_action_fragments(), *_node_fragments()]))


def build_tokenizer(
    fragments: Iterable[str], *, added: Sequence[str] = (*INSTRUCTIONS, *PLACES)
) -> PreTrainedTokenizerFast:
    """A tokenizer over ``fragments``, the protocol, what was ``added`` later, and all 256 bytes; equal for equal input.

    Raises:
        ValueError: if a fragment is empty or a control token.
    """
    singles = (fragment for fragment in fragments if not (fragment.strip().isdigit() and len(fragment) > 1))
    ordered = tuple(dict.fromkeys([*protocol_fragments(), *singles, *added]))
    if bad := [fragment for fragment in ordered if not fragment or fragment in CONTROL_TOKENS]:
        raise ValueError(f"fragments must be plain text, got {bad!r}")
    pieces = [*(f"<0x{byte:02X}>" for byte in range(256)), *ordered]
    scored = [(piece, -1.0 - TIE_BREAK * rank) for rank, piece in enumerate(pieces)]
    backend = Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=True))
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    backend.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=PAD, eos_token=TURN_END)
