"""A grown vocabulary says the same of what it knew before."""

import pytest
import torch

from model.imitation.tiny.shape import TinyShape, build_model
from model.imitation.tiny.tokenizer import build_tokenizer
from model.imitation.tiny.vocabulary import with_vocabulary
from model.policies.chat_template import TURN_END

SHAPE = TinyShape(
    width=24,
    layers=1,
    heads=4,
    feed_forward=32,
    vision_width=16,
    vision_layers=1,
    vision_heads=2,
    vision_feed_forward=16,
)
BEFORE, AFTER = build_tokenizer(["red", "green"]), build_tokenizer(["red", "blue", "green"])


def test_the_same_text_has_the_same_logits_and_a_new_token_begins_as_the_one_it_copies():
    torch.manual_seed(0)
    model = build_model(BEFORE, SHAPE).eval()
    grown = with_vocabulary(model, BEFORE, AFTER, copies={"blue": "red"}).eval()
    text = f"redgreen{TURN_END}"
    old, new = (torch.tensor([t.encode(text, add_special_tokens=False)]) for t in (BEFORE, AFTER))
    assert old.tolist() != new.tolist()  # numbers moved, for a fragment came between
    tokens, rows = AFTER.convert_ids_to_tokens(range(len(AFTER))), BEFORE.get_vocab()
    order = [rows.get(token, rows["red"]) for token in tokens]
    torch.testing.assert_close(grown(input_ids=new).logits, model(input_ids=old).logits[..., order])
    config = grown.config
    assert (config.text_config.vocab_size, config.video_token_id) == (len(AFTER), len(AFTER) + 1)
    assert AFTER.convert_ids_to_tokens(config.image_token_id) == BEFORE.convert_ids_to_tokens(
        model.config.image_token_id
    )
    assert model.get_input_embeddings().weight.shape[0] == len(
        BEFORE
    )  # a copy: the model itself stays as it is


def test_noise_moves_the_new_rows_and_no_other():
    torch.manual_seed(0)
    model = build_model(BEFORE, SHAPE)
    rows = [
        with_vocabulary(model, BEFORE, AFTER, copies={"blue": "red"}, spread=spread)
        .get_input_embeddings()
        .weight
        for spread in (0.0, 1.0)
    ]
    moved = (rows[0] != rows[1]).any(dim=1).nonzero().flatten().tolist()
    assert moved == AFTER.encode("blue", add_special_tokens=False)


def test_a_new_token_without_a_row_to_begin_with_is_refused():
    with pytest.raises(ValueError, match="1 new tokens have no row to begin with, the first is 'blue'"):
        with_vocabulary(build_model(BEFORE, SHAPE), BEFORE, AFTER, copies={})
