"""Rows that join and leave a running batch draw what they draw alone, for both families of models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    DynamicCache,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLForConditionalGeneration,
)

from model.imitation.tiny.shape import TinyShape, build_config
from model.imitation.tiny.tokenizer import CONTROL_TOKENS, PAD, build_tokenizer
from model.policies.chat_template import TURN_END, PromptEncoder, collate
from model.policies.decoding import PREFILL_TOKENS, DecodingBatch, GenerationRequest, generate
from model.policies.detokenizer import Detokenizer
from model.policies.families import FAMILIES, family, family_of, linear_patch_embedding
from model.policies.kv_cache import RowCache, RowSource, compact
from model.policies.sampling import RowState
from model.policies.vision_cache import VisionFeatureCache
from model.types import ImageRef, Message, Role, Sampling

WORDS = ["ba", "ka", "lo", " who", " leads", " is"]
SHAPE = TinyShape(
    width=48,
    layers=2,
    heads=2,
    feed_forward=64,
    vision_width=32,
    vision_layers=2,
    vision_heads=2,
    vision_feed_forward=32,
)


class Noise:
    """A picture of its own for every item and second, smaller than it is shown and thus resized."""

    def image(self, item_id: str) -> Image.Image:
        return self.frame(item_id, -1.0)

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        rng = np.random.default_rng([int(item_id), int(10 * timestamp_s) + 10])
        return Image.fromarray(rng.integers(0, 256, (40, 56, 3), dtype=np.uint8))


def qwen2_5_vl(encoder: PromptEncoder) -> Qwen2_5_VLForConditionalGeneration:
    """A random Qwen2.5-VL: 28 px a token, windowed vision attention, grouped heads."""
    tokenizer = encoder.tokenizer
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 48,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        image_token_id=encoder.image_id,
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        video_token_id=len(tokenizer) + 1,
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


class Setting:
    """A model, its encoder and requests for them."""

    def __init__(self, model_type: str) -> None:
        patching = family(model_type).patching
        self.encoder = PromptEncoder(build_tokenizer(WORDS), patching=patching)
        torch.manual_seed(0)
        if model_type == "qwen3_vl":
            config = build_config(self.encoder.tokenizer, SHAPE)  # type: ignore[arg-type]
            config.vision_config.deepstack_visual_indexes = [0]  # as the published sizes have them
            self.model = Qwen3VLForConditionalGeneration(config).eval()
        else:
            self.model = linear_patch_embedding(qwen2_5_vl(self.encoder))  # type: ignore[arg-type]

    def request(self, words: int, pictures: int, sampling: Sampling) -> GenerationRequest:
        refs = [ImageRef(item_id=str(n), width=64, height=32 * (n % 3 + 1)) for n in range(pictures)]
        frames = [ImageRef(item_id="7", width=32, height=64, timestamp_s=t) for t in range(pictures // 2)]
        parts = [" who leads ba" * words, *refs, " is", *frames, " lo"]
        prompt = self.encoder.encode([Message(role=Role.USER, parts=tuple(parts))])
        return GenerationRequest(RowState(sampling), prompt, self.encoder.pixels(prompt.images, Noise()))

    def alone(self, request: GenerationRequest) -> RowState:
        """The same request in a batch of its own."""
        one = GenerationRequest(RowState(request.row.sampling), request.prompt, request.pixels)
        generate(self.model, [one], encoder=self.encoder)
        return one.row

    def forward_logprobs(self, request: GenerationRequest) -> list[float]:
        """Log-probabilities of the drawn tokens from one plain pass, positions left to the model."""
        ids = [*request.prompt.ids, *request.row.token_ids]
        inputs = collate([ids], [request.pixels], pad_id=self.encoder.pad_id, image_id=self.encoder.image_id)
        self.model.model.rope_deltas = None
        with torch.no_grad():
            logits_LV = self.model(**inputs, use_cache=False).logits[0].float()
        start = len(request.prompt.ids) - 1
        rows = torch.log_softmax(logits_LV[start : start + len(request.row.token_ids)], dim=-1)
        return [rows[place, token].item() for place, token in enumerate(request.row.token_ids)]


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def setting(request: pytest.FixtureRequest) -> Setting:
    return Setting(request.param)


def sampling(seed: int, tokens: int, temperature: float = 1.0) -> Sampling:
    return Sampling(temperature=temperature, top_p=0.9, max_tokens=tokens, seed=seed)


def test_rows_that_join_a_running_batch_draw_what_they_draw_alone(setting: Setting):
    # shorter and longer prompts than those that are there, with and without pictures, joining after 0, 3 and 5 steps
    arrivals = {0: [(2, 1, 9), (6, 0, 2), (1, 3, 14)], 3: [(9, 2, 6), (1, 0, 3)], 5: [(3, 4, 8)]}
    everybody: list[GenerationRequest] = []
    batch = DecodingBatch(setting.model, setting.encoder)
    with torch.inference_mode():
        for turn in range(20):
            if batch.rows:
                batch.step()
            for words, pictures, tokens in arrivals.get(turn, ()):
                everybody.append(setting.request(words, pictures, sampling(len(everybody), tokens)))
                batch.join(everybody[-1:])
            if batch.rows:
                batch.sample()
    assert not batch.rows and len(everybody) == 6
    for request in everybody:
        alone = setting.alone(request)
        assert request.row.token_ids == alone.token_ids
        assert request.row.logprobs == pytest.approx(alone.logprobs, abs=1e-4)


def test_prefill_and_steps_give_the_logits_of_a_full_forward_pass(setting: Setting):
    shapes = [(4, 0, 12), (1, 1, 5), (3, 4, 10), (12, 2, 7)]
    requests = [setting.request(w, p, sampling(n, t)) for n, (w, p, t) in enumerate(shapes)]
    generate(setting.model, requests, encoder=setting.encoder)
    for request in requests:
        assert request.row.logprobs == pytest.approx(setting.forward_logprobs(request), abs=1e-4)


def test_a_picture_costs_as_many_tokens_in_both_families(setting: Setting):
    # 96 x 64 px are 3 x 2 tokens of 32 px; Qwen2.5-VL sees them as 84 x 56 px, 3 x 2 tokens of 28 px
    ref = ImageRef(item_id="1", width=96, height=64)
    prompt = setting.encoder.encode([Message(role=Role.USER, parts=(ref,))])
    pixels = setting.encoder.pixels(prompt.images, Noise())
    assert prompt.ids.count(setting.encoder.image_id) == 6
    side = setting.encoder.patching.patch_px
    assert pixels.grid_thw.tolist() == [[1, 4, 6]] and pixels.pixel_values.shape == (24, 3 * 2 * side * side)
    features = setting.model.model.get_image_features(pixels.pixel_values, pixels.grid_thw).pooler_output
    assert [len(each) for each in features] == [6]


class Counting:
    """Rows of prompts and of pictures that a model computes."""

    def __init__(self, setting: Setting) -> None:
        self.prompt_rows: list[int] = []
        self.pictures = 0
        text, vision = setting.model.model.language_model, setting.model.model.visual
        self._hooks = [
            text.register_forward_pre_hook(self._text, with_kwargs=True),
            vision.register_forward_pre_hook(self._vision, with_kwargs=True),
        ]

    def _text(self, _module, _arguments, named) -> None:
        rows, tokens, _ = named["inputs_embeds"].shape
        if tokens > 1:
            self.prompt_rows.append(rows)

    def _vision(self, _module, _arguments, named) -> None:
        self.pictures += len(named["grid_thw"])

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()


def test_the_prompt_of_a_group_is_computed_once_and_changes_no_draw(setting: Setting):
    group = [setting.request(3, 2, sampling(seed, 6)) for seed in range(8)]
    other = setting.request(3, 3, sampling(0, 6))
    counting = Counting(setting)
    generate(setting.model, [*group[:5], other, *group[5:]], encoder=setting.encoder)
    counting.stop()
    assert sum(counting.prompt_rows) == 2  # of 9 requests
    assert (
        counting.pictures == 4
    )  # the other prompt shows the same two pictures and the same frame, and one more
    assert len({tuple(request.row.token_ids) for request in group}) > 1
    for request in (*group, other):
        assert request.row.token_ids == setting.alone(request).token_ids


def test_equal_text_with_other_pictures_is_another_prompt():
    setting = Setting("qwen3_vl")
    one, two = (
        setting.encoder.encode(
            [Message(role=Role.USER, parts=(ImageRef(item_id=name, width=64, height=64),))]
        )
        for name in "12"
    )
    assert one.ids == two.ids
    requests = [
        GenerationRequest(
            RowState(sampling(0, 4, 0.0)), prompt, setting.encoder.pixels(prompt.images, Noise())
        )
        for prompt in (one, two)
    ]
    generate(setting.model, requests, encoder=setting.encoder)
    assert requests[0].row.logprobs != requests[1].row.logprobs
    for request in requests:
        assert request.row.logprobs == pytest.approx(setting.alone(request).logprobs, abs=1e-4)


def test_a_picture_is_computed_once_a_batch_and_again_at_another_size(setting: Setting):
    """Rows that join later find what earlier ones have computed, until too many other pictures have come."""
    pictures = VisionFeatureCache(setting.model, max_tokens=6)
    small, wide = (ImageRef(item_id="1", width=64, height=32 * n) for n in (1, 2))  # 2 and 4 tokens
    other = ImageRef(item_id="2", width=64, height=32)
    shown: list[tuple[int, tuple[ImageRef, ...]]] = [
        (1, (small,)),
        (2, (small, wide)),  # one is new
        (2, (wide, small)),
        (3, (other,)),  # 8 tokens are too many: the wide one goes, which was used first
        (3, (small,)),
        (4, (wide,)),
    ]
    counting = Counting(setting)
    with torch.inference_mode():
        for computed, images in shown:
            pixels = setting.encoder.pixels(images, Noise())
            features = pictures.features([images], [pixels])
            assert counting.pictures == computed
            plain = setting.model.model.get_image_features(pixels.pixel_values, pixels.grid_thw)
            counting.pictures -= len(images)
            for ours, theirs in zip(features.pooler_output, plain.pooler_output, strict=True):
                assert torch.allclose(ours, theirs, atol=1e-5)
            layers = getattr(plain, "deepstack_features", None) or []
            assert len(features.deepstack_features) == len(layers)
            for ours, theirs in zip(features.deepstack_features, layers, strict=True):
                assert torch.allclose(torch.cat(ours), torch.cat(tuple(theirs)), atol=1e-5)
    counting.stop()


def test_prompts_of_one_pass_are_of_similar_length():
    setting = Setting("qwen3_vl")
    requests = [setting.request(words, 0, sampling(0, 1)) for words in (1, 40, 2, 41, 3)]
    lengths = sorted(len(request.prompt.ids) for request in requests)
    counting = Counting(setting)
    generate(setting.model, requests, encoder=setting.encoder)
    counting.stop()
    assert lengths[3] > 1.25 * lengths[2] and counting.prompt_rows[-1] == 2
    assert sum(counting.prompt_rows) == 5 and 2 * lengths[-1] <= PREFILL_TOKENS


def test_a_failed_prefill_leaves_the_running_rows_as_they_are():
    setting = Setting("qwen3_vl")
    running = setting.request(4, 1, sampling(3, 10))
    lost_picture = setting.request(2, 1, sampling(4, 10))._replace(pixels=PromptEncoder.no_pixels())
    batch = DecodingBatch(setting.model, setting.encoder)
    with torch.inference_mode():
        batch.join([running])
        batch.sample()
        batch.step()
        with pytest.raises(ValueError, match="image placeholders"):
            batch.join([lost_picture])
        batch.sample()
        while batch.rows:
            batch.step()
            batch.sample()
    assert running.row.token_ids == setting.alone(running).token_ids
    assert not lost_picture.row.token_ids


def test_attention_that_ignores_gaps_is_refused():
    setting = Setting("qwen3_vl")
    setting.model.config.get_text_config()._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match="one of the attentions sdpa, eager"):
        DecodingBatch(setting.model, setting.encoder)


def test_a_model_with_sliding_windows_is_refused():
    config = Qwen2_5_VLConfig(
        text_config={"num_hidden_layers": 2, "use_sliding_window": True, "max_window_layers": 1}
    )
    with pytest.raises(ValueError, match="sliding-window"):
        RowCache(config.get_text_config())


def test_families_are_known_by_their_config(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    assert family_of(tmp_path).model_class is Qwen2_5_VLForConditionalGeneration
    assert family("qwen3_vl").model_class is Qwen3VLForConditionalGeneration
    with pytest.raises(ValueError, match=r"unknown model type 'llama'; known: qwen3_vl, qwen2_5_vl"):
        family("llama")
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(ValueError, match=r"no readable config\.json"):
        family_of(tmp_path)


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_rows_that_stay_are_kept_and_few_of_them_move(drawn: tuple[int, set[int]]):
    num_rows, gone = drawn
    order = compact(num_rows, sorted(gone))
    assert sorted(order) == [row for row in range(num_rows) if row not in gone]
    moved = [origin for target, origin in enumerate(order) if origin != target]
    # a row that moves comes from behind all that stay, so no move overwrites what another one still needs
    assert all(origin >= len(order) for origin in moved)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_slots_hold_what_was_put_there_whoever_comes_and_goes(data: st.DataObject):
    """Against the plainest model: a list of rows, each a list of tokens."""
    cache = RowCache(
        Qwen2_5_VLConfig(
            text_config={"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 1}
        ).get_text_config()
    )
    expected: list[list[float]] = []
    counter = 0.0
    for _ in range(data.draw(st.integers(1, 12))):
        action = data.draw(st.sampled_from(["join", "step", "leave"]))
        if action == "join":
            lengths = data.draw(st.lists(st.integers(1, 70), min_size=1, max_size=9))
            width = max(lengths)
            values = torch.arange(counter, counter + len(lengths) * width).view(len(lengths), 1, width, 1)
            counter += len(lengths) * width
            prefilled = DynamicCache()
            for layer in range(2):
                prefilled.update(values + layer / 2, values + layer / 4, layer)
            sources = [RowSource(row, length) for row, length in enumerate(lengths)]
            cache.insert(prefilled, sources, columns=width + 40)
            expected += [values[row, 0, width - n :, 0].tolist() for row, n in enumerate(lengths)]
        elif expected and action == "step":
            new = torch.arange(counter, counter + len(expected)).view(-1, 1, 1, 1)
            counter += len(expected)
            mask_BC = cache.mask(torch.device("cpu"))
            seen = [cache.update(new + layer / 2, new + layer / 4, layer) for layer in range(2)]
            cache.grow()
            for row, tokens in enumerate(expected):
                tokens.append(new[row].item())
                visible = mask_BC[row].bool()
                for layer, (keys, values) in enumerate(seen):
                    assert keys[row, 0, visible, 0].tolist() == [each + layer / 2 for each in tokens]
                    assert values[row, 0, visible, 0].tolist() == [each + layer / 4 for each in tokens]
        elif expected:
            gone = data.draw(st.sets(st.integers(0, len(expected) - 1)))
            order = compact(len(expected), sorted(gone))
            cache.keep(order)
            expected = [expected[row] for row in order]
        assert cache.lengths == [len(tokens) for tokens in expected]


def byte_level() -> PromptEncoder:
    """A tokenizer of the kind that real checkpoints have: every token is a run of bytes."""
    vocabulary = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True) for token in CONTROL_TOKENS])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=PAD, eos_token=TURN_END)
    return PromptEncoder(tokenizer)


ENCODERS = {"fragments and bytes": PromptEncoder(build_tokenizer(WORDS)), "bytes": byte_level()}


@pytest.mark.parametrize("kind", ENCODERS)
@given(st.lists(st.integers(0, 255), max_size=30), st.text(alphabet="é€😀a\ufffd ", max_size=6))
def test_pieces_of_a_reply_add_up_to_it_whole_and_broken_characters_alike(
    kind: str, ids: list[int], text: str
):
    encoder = ENCODERS[kind]
    spelled = [*ids, *encoder.text_ids(text), *ids[:3]]
    pieces = Detokenizer(encoder)
    told = [piece for token in spelled if (piece := pieces.add(token))]
    assert "".join([*told, pieces.rest()]) == encoder.decode(spelled)


def test_no_piece_ends_within_a_character():
    for encoder in ENCODERS.values():
        pieces = Detokenizer(encoder)
        told = [pieces.add(token) for token in encoder.text_ids("ba😀 who")]  # the face is four bytes
        assert next(piece for piece in told if "😀" in piece).startswith("😀")
        assert "\ufffd" not in "".join(told) and told.count("") >= 3
