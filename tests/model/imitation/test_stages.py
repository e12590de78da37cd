"""The cold start: what is learnt of a segment, when a stage ends, and that patches may be embedded by a product."""

import random
from dataclasses import replace

import pytest
import torch

from model.imitation.stages import TrainingStage, imitable_segments, mixture, run_stage, segment_example
from model.imitation.supervised import SftExample, score
from model.imitation.tiny.curriculum import repetition
from model.imitation.tiny.shape import TinyShape, build_model
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.policies.families import linear_patch_embedding
from model.types import Call, Segment

SMALL = TinyShape(
    width=32,
    heads=2,
    layers=1,
    feed_forward=64,
    vision_width=32,
    vision_heads=2,
    vision_layers=1,
    vision_feed_forward=32,
)


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    return PromptEncoder(build_tokenizer("abcdefgh"))


def model_of(encoder: PromptEncoder):
    torch.manual_seed(0)
    return build_model(encoder.tokenizer, SMALL)


def call(prompt: tuple[int, ...], tokens: tuple[int, ...]) -> Call:
    return Call(prompt_ids=prompt, token_ids=tokens, logprobs=(0.0,) * len(tokens), images=())


def test_all_that_was_generated_is_learnt_and_nothing_that_was_read(encoder: PromptEncoder):
    segment = Segment(node_id="n1", calls=(call((1, 2), (3,)), call((1, 2, 3, 4, 5), (6, 7))))
    example = segment_example(segment, encoder, None)  # type: ignore[arg-type]
    assert example.ids == (1, 2, 3, 4, 5, 6, 7)
    assert example.loss_mask == (False, False, True, False, False, True, True)


def test_a_refused_reply_is_read_and_not_learnt(encoder: PromptEncoder):
    # prompt 1 2, refused 3, error 4 5, repair 6 7: only the repair is learnt
    refused = replace(call((1, 2), (3,)), rejected=True)
    segment = Segment(node_id="n1", calls=(refused, call((1, 2, 3, 4, 5), (6, 7))))
    example = segment_example(segment, encoder, None)  # type: ignore[arg-type]
    assert example.loss_mask == (False, False, False, False, False, True, True)


def test_the_loss_counts_the_tokens_of_the_repair_alone(encoder: PromptEncoder):
    model = model_of(encoder)
    refused = replace(call((260, 261), (262,)), rejected=True)
    segment = Segment(node_id="n1", calls=(refused, call((260, 261, 262, 263), (264, 265, 266))))
    example = segment_example(segment, encoder, None)  # type: ignore[arg-type]
    logits = model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
    expected = -(logits[3, 264] + logits[4, 265] + logits[5, 266]) / 3
    found = score(model, [example], pad_id=encoder.pad_id, image_id=encoder.image_id)
    assert found.loss.item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_call_that_does_not_extend_the_one_before_is_refused(encoder: PromptEncoder):
    segment = Segment(node_id="n1", calls=(call((1, 2), (3,)), call((1, 9, 3, 4), (6,))))
    with pytest.raises(ValueError, match="does not extend"):
        segment_example(segment, encoder, None)  # type: ignore[arg-type]


def test_no_trajectory_has_no_segments():
    assert imitable_segments([]) == []


def test_the_loss_is_the_mean_over_learnt_tokens_alone(encoder: PromptEncoder):
    model = model_of(encoder)
    ids = (260, 261, 262, 263, 264)
    example = SftExample(ids, (False, False, True, False, True), PromptEncoder.no_pixels())
    logits = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = -(logits[1, 262] + logits[3, 264]) / 2
    assert score(
        model, [example], pad_id=encoder.pad_id, image_id=encoder.image_id
    ).loss.item() == pytest.approx(expected.item(), abs=1e-5)


def test_padding_does_not_change_the_loss(encoder: PromptEncoder):
    model = model_of(encoder)
    short = SftExample((260, 261, 262), (False, True, True), PromptEncoder.no_pixels())
    long = SftExample(tuple(range(256, 266)), (False,) * 9 + (True,), PromptEncoder.no_pixels())
    ids = {"pad_id": encoder.pad_id, "image_id": encoder.image_id}
    alone = [score(model, [example], **ids).loss.item() for example in (short, long)]
    together = score(model, [short, long], **ids).loss.item()
    assert together == pytest.approx((2 * alone[0] + alone[1]) / 3, abs=1e-5)


def test_a_stage_ends_at_its_threshold_and_says_so(encoder: PromptEncoder):
    heard = []
    stage = TrainingStage(
        name="copy",
        sampler=repetition([256, 257], length=12, longest_period=6, alphabet=1),  # one letter: soon certain
        threshold=0.9,
        max_steps=400,
        batch_size=8,
        count_spans=False,
        learning_rate=1e-2,
        warmup_steps=1,
    )
    last = run_stage(model_of(encoder), encoder, stage, random.Random(0), report=heard.append, every=5)
    assert last.finished and last.accuracy >= 0.9 and last.step < 400
    assert heard[-1] == last


def test_the_same_seed_gives_the_same_weights(encoder: PromptEncoder):
    def trained() -> torch.Tensor:
        model = model_of(encoder)
        sampler = mixture([repetition([256, 257, 258], length=16, longest_period=6)], [1.0])
        stage = TrainingStage(name="s", sampler=sampler, threshold=2.0, max_steps=3, batch_size=2)
        run_stage(model, encoder, stage, random.Random(5), report=lambda report: None)
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(trained(), trained())


def test_a_cosine_stage_ends_at_its_final_rate():
    sampler = repetition([256], length=8)
    stage = TrainingStage(
        name="s",
        sampler=sampler,
        threshold=1,
        max_steps=101,
        learning_rate=1e-3,
        final_rate=1e-5,
        warmup_steps=1,
    )
    assert stage.rate(0) == pytest.approx(1e-3)
    assert stage.rate(50) == pytest.approx((1e-3 + 1e-5) / 2)
    assert stage.rate(100) == pytest.approx(1e-5)


def test_embedding_patches_by_a_product_changes_no_value_and_no_gradient(encoder: PromptEncoder):
    convolved, multiplied = model_of(encoder), linear_patch_embedding(model_of(encoder))
    pixels = torch.randn(8, 1536)
    results = []
    for model in (convolved, multiplied):
        embedded = model.model.visual.patch_embed(pixels)
        embedded.square().sum().backward()
        results.append((embedded, model.model.visual.patch_embed.proj.weight.grad))
    assert torch.allclose(results[0][0], results[1][0], atol=1e-5)
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-4, atol=1e-4)
