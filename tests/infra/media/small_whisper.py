"""A Whisper of 40,000 random weights with a tokenizer of bytes, converted as a real one is: what it says means nothing."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

SPECIAL = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"),
    *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
)
TIMES = 1501  # every fiftieth of a second of a window
LETTERS = 12  # of a window, less the tokens in front of it


def require_faster_whisper() -> None:
    """Skip where the extra is not installed."""
    if importlib.util.find_spec("faster_whisper") is None:
        pytest.skip("faster-whisper is not installed: pip install 'vimrag[speech]'")


def write_small_whisper(folder: Path, *, seed: int = 0, bands: int = 80) -> Path:
    """A folder as ``ct2-transformers-converter`` makes one. Models of other seeds say something else."""
    from ctranslate2.converters import TransformersConverter
    from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

    tokenizer = _tokenizer()
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL}
    torch.manual_seed(seed)
    config = WhisperConfig(
        **{"vocab_size": tokenizer.get_vocab_size(), "d_model": 16, "num_mel_bins": bands},
        **{f"{side}_{what}": size for side in ("encoder", "decoder") for what, size in _SIZES.items()},
        decoder_start_token_id=ids["<|startoftranscript|>"],
        **{f"{name}_token_id": ids["<|endoftext|>"] for name in ("bos", "eos", "pad")},
    )
    model = WhisperForConditionalGeneration(config)
    _speak_in_letters(model, ids["<|endoftext|>"])
    original = folder.with_name(f"{folder.name}-original")
    model.save_pretrained(original)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(original)
    converter: Any = TransformersConverter(str(original), copy_files=["tokenizer.json"])
    converter.convert(str(folder), force=True)
    described = json.loads((folder / "config.json").read_text())
    described |= {"lang_ids": [ids["<|en|>"], ids["<|de|>"]], "suppress_ids": [], "suppress_ids_begin": []}
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def _speak_in_letters(model: Any, end: int) -> None:
    """A few letters in each window, then the end: of even weights a window would be 448 tokens, nearly all of them times."""
    decoder, along = model.model.decoder, torch.zeros(16)
    along[0], along[1] = 1.0, -1.0
    with torch.no_grad():
        decoder.layer_norm.bias.fill_(0.5)
        decoder.embed_tokens.weight[-TIMES:].fill_(-1.2)
        decoder.embed_tokens.weight[end] = 2.0 * along
        decoder.embed_positions.weight[:LETTERS] -= along
        decoder.embed_positions.weight[LETTERS:] += along


_SIZES = {"layers": 1, "attention_heads": 2, "ffn_dim": 16}


def _tokenizer() -> Tokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.add_tokens([AddedToken(f"<|{at * 0.02:.2f}|>", normalized=False) for at in range(TIMES)])
    return tokenizer
