"""The folder of an untrained miniature eye, laid out as the published embedders are.

As those are made from Qwen3-VL, this one is made from the tiny Qwen3-VL that ships as a policy and has learnt to read the
pictures of the miniature; the placeholder of frames and a closing token are added to its tokenizer. What was tried
before is in docs/log.md.
"""

import json
import shutil
from pathlib import Path
from typing import cast

import torch
from tokenizers import AddedToken
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from infra.embedders.qwen_vl.checkpoint import OWN_FILE
from infra.embedders.qwen_vl.prompts import VIDEO_PAD
from model.training import checkpoint

LIMITS = {
    "min_image_pixels": 32 * 32,
    "max_image_pixels": 128 * 128,
    "max_frame_pixels": 64 * 64,
    "max_frames": 8,
    "max_tokens": 512,
    "query_instruction": "Which.",
    "document_instruction": "Shown.",
    "image_query_instruction": "Shown.",  # the same picture then has the same vector, whatever it shows
}
CLOSING = "<|endoftext|>"  # ends a prompt, as in Qwen3-VL-Embedding; its state is the vector
PIXELS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "patch_size": 16}


def write_eye_folder(folder: Path, base: Path, *, seed: int) -> Qwen3VLForConditionalGeneration:
    """Write tokenizer and limits into ``folder``; gives the model of ``base``, in float32, with the new token's embedding.

    Args:
        folder: where the eye will lie.
        base: a folder with checkpoints of a tiny Qwen3-VL, the latest of which is taken.
        seed: of the new embedding.

    Raises:
        ValueError: if there is no checkpoint, or it is damaged.
    """
    source = checkpoint.latest(base)
    if source is None:
        raise ValueError(f"no checkpoint of a tiny Qwen3-VL in {base}")
    checkpoint.read(source)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, folder / name)
    tokenizer = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(folder))
    added = [AddedToken(token, special=True) for token in (VIDEO_PAD, CLOSING)]
    tokenizer.add_special_tokens({"additional_special_tokens": added})
    closing = (CLOSING, tokenizer.convert_tokens_to_ids(CLOSING))
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(f"$A {CLOSING}", special_tokens=[closing])
    tokenizer.save_pretrained(folder)
    model = Qwen3VLForConditionalGeneration.from_pretrained(source, dtype=torch.float32)
    torch.manual_seed(seed)
    model.resize_token_embeddings(len(tokenizer))
    model.config.video_token_id = cast(int, tokenizer.convert_tokens_to_ids(VIDEO_PAD))
    for name, content in ((OWN_FILE, LIMITS), ("preprocessor_config.json", PIXELS)):
        (folder / name).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    model.config.save_pretrained(folder)
    return model
