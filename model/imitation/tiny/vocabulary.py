"""A tiny model under a larger vocabulary: every token keeps its row, a new one begins as a copy of another.

Holds the one function. Rows are found by the tokens' texts, since their numbers move when fragments are added.
"""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration

from model.imitation.tiny.shape import special_ids


def with_vocabulary(
    model: Qwen3VLForConditionalGeneration,
    before: PreTrainedTokenizerBase,
    after: PreTrainedTokenizerBase,
    *,
    copies: Mapping[str, str],
    spread: float = 0.0,
) -> Qwen3VLForConditionalGeneration:
    """A copy of ``model``, whose tokens are those of ``before``, for the tokens of ``after``.

    Args:
        model: with tied embeddings, so that a token has one row (V, D).
        before: its tokenizer.
        after: the tokenizer of the result.
        copies: for each new token the one of ``before`` whose row it begins with.
        spread: noise on the rows of new tokens, in standard deviations of all rows, so that equal ones can be told apart; the
            caller seeds torch.

    Raises:
        ValueError: if a token of ``after`` is neither of ``before`` nor among ``copies``.
    """
    known, tokens = before.get_vocab(), after.convert_ids_to_tokens(list(range(len(after))))
    sources = {token: known.get(token, known.get(copies.get(token, ""))) for token in tokens}
    if unknown := sorted(token for token, row in sources.items() if row is None):
        raise ValueError(f"{len(unknown)} new tokens have no row to begin with, the first is {unknown[0]!r}")
    order = torch.tensor([sources[token] for token in tokens])
    rows = _embedding(model).weight.detach()[order]
    new = torch.tensor([token not in known for token in tokens])
    rows[new] += spread * rows.std() * torch.randn(int(new.sum()), rows.shape[1])
    grown = deepcopy(model)
    grown.resize_token_embeddings(len(after), mean_resizing=False)
    with torch.no_grad():
        _embedding(grown).weight.copy_(rows)
    for name, value in special_ids(after).items():
        setattr(grown.config, name, value)
    for config in (grown.config.get_text_config(), grown.generation_config):
        setattr(config, "pad_token_id", after.pad_token_id)  # noqa: B010 - their classes do not declare it
    grown.generation_config.eos_token_id = after.eos_token_id
    return grown


def _embedding(model: Qwen3VLForConditionalGeneration) -> nn.Embedding:
    embedding: object = model.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding), "Qwen3-VL looks its tokens up"
    return embedding
