"""A checkpoint is loaded by the class its configuration names, with an encoder that cuts pictures to match."""

import asyncio
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import QWEN2_5_VL
from model.policies.transformers_policy import TransformersPolicy
from model.training import checkpoint
from model.training.engine import DeepSpeedEngine
from model.types import ImageRef, Message, PolicyRequest, Role, Sampling, Task
from orchestration.joins.agents import load

TASK = Task(id="t", dataset="d", question="?", answers=("x",))


class Grey:
    def image(self, item_id):
        return Image.new("RGB", (100, 80), (90, 90, 90))

    def frame(self, item_id, timestamp_s):
        return self.image(item_id)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A random Qwen2.5-VL as training leaves it."""
    tokenizer = build_tokenizer(["ba", " who"])
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2]},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 48,
            "fullatt_block_indexes": [0],
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        video_token_id=len(tokenizer) + 1,
    )
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(config)
    engine = DeepSpeedEngine(model, config=EngineConfig(zero_stage=0), schedule=Schedule())
    start = checkpoint.TrainingProgress(update=0, steps=0)
    return checkpoint.save(tmp_path, engine=engine, tokenizer=tokenizer, progress=start)


def test_a_qwen2_5_vl_checkpoint_answers_about_a_picture(saved: Path):
    weights = load(saved)
    encoder = weights.encoder()
    assert isinstance(weights.model, Qwen2_5_VLForConditionalGeneration)
    assert encoder.patching == QWEN2_5_VL
    policy = TransformersPolicy(weights.model, encoder, Grey())
    message = Message(role=Role.USER, parts=("who", ImageRef(item_id="a", width=96, height=64)))
    asked = policy.complete(
        PolicyRequest(messages=(message,), task=TASK, sampling=Sampling(max_tokens=4, seed=0))
    )
    completion = asyncio.run(asked)
    assert completion.prompt_ids.count(encoder.image_id) == 6 and completion.token_ids


def test_the_checkpoint_that_ships_is_a_qwen3_vl():
    shipped = max((Path(__file__).parents[2] / "checkpoints" / "miniature").iterdir())
    assert load(shipped).encoder().patching.patch_px == 16
