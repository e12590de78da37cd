"""Folders as the published embedders are laid out, with random weights of a few kilobytes."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import Qwen2_5_VLConfig, Qwen3VLConfig
from transformers.models.qwen2_5_vl import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen3_vl import Qwen3VLForConditionalGeneration

CONTROL = [
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
END = "<|endoftext|>"
WIDTH = 48


def byte_tokenizer(*, closes: bool = True, control: list[str] = CONTROL) -> Tokenizer:
    """One token a byte; ``closes``: a prompt ends with the model's own token, as in Qwen3-VL-Embedding."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: id_ for id_, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*control, END)])
    if closes:
        end = (END, tokenizer.token_to_id(END))
        tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[end])
    return tokenizer


def qwen3_vl_folder(folder: Path, tokenizer: Tokenizer | None = None) -> Path:
    """A Qwen3-VL-Embedding with deepstack, as ``save_pretrained`` leaves it."""
    tokenizer = tokenizer or byte_tokenizer()
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": tokenizer.get_vocab_size(),
            "hidden_size": WIDTH,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 12,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [2, 2, 2],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        tie_word_embeddings=True,
        **_ids(tokenizer),
    )
    torch.manual_seed(1)
    return _saved(
        Qwen3VLForConditionalGeneration(config),
        tokenizer,
        folder,
        {"image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    )


def gve_folder(folder: Path, *, old_names: bool = False) -> Path:
    """A GVE: Qwen2.5-VL whose prompts end with the opened reply; ``old_names``: weights named as before transformers 4.52."""
    tokenizer = byte_tokenizer(closes=False)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": tokenizer.get_vocab_size(),
            "hidden_size": WIDTH,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 2, 2]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [1],
        },
        **_ids(tokenizer),
    )
    torch.manual_seed(2)
    _saved(Qwen2_5_VLForConditionalGeneration(config), tokenizer, folder, {})
    stated = json.loads((folder / "config.json").read_text())
    stated |= {
        "architectures": ["Qwen25VLForEmbedding"],
        "auto_map": {"AutoModel": "modeling.Qwen25VLForEmbedding"},
    }
    (folder / "config.json").write_text(json.dumps(stated))
    (folder / "modeling.py").write_text("raise SystemExit('the code of a folder was run')\n")
    if old_names:
        renamed = {_old_name(name): value for name, value in load_file(folder / "model.safetensors").items()}
        save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _old_name(name: str) -> str:
    return name.replace("model.visual.", "visual.").replace("model.language_model.", "model.")


def _ids(tokenizer: Tokenizer) -> dict[str, int]:
    def id_of(token: str) -> int:
        found = tokenizer.token_to_id(token)
        return tokenizer.get_vocab_size() + 1 if found is None else found

    return {
        "image_token_id": id_of("<|image_pad|>"),
        "video_token_id": id_of("<|video_pad|>"),
        "vision_start_token_id": id_of("<|vision_start|>"),
        "vision_end_token_id": id_of("<|vision_end|>"),
    }


def _saved(model: torch.nn.Module, tokenizer: Tokenizer, folder: Path, pixels: dict[str, object]) -> Path:
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return folder
