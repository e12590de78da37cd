"""Qwen-VL embedders of a local folder: equal to the models' own classes, whatever is embedded beside."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen3_vl import Qwen3VLForConditionalGeneration

from infra.embedders.images import rgb
from infra.embedders.qwen_vl import embedder as embedder_module
from infra.embedders.qwen_vl.batches import batches_by_tokens, thinned
from infra.embedders.qwen_vl.checkpoint import load_model
from infra.embedders.qwen_vl.embedder import QwenVlEmbedder
from infra.embedders.qwen_vl.pixels import PixelNorm, fitted_size, patches_of
from infra.embedders.qwen_vl.prompts import PromptBuilder
from infra.embedders.qwen_vl.settings import QwenVlSettings
from infra.embedders.types import EVERYTHING, Modality, RefusedInputError, sees
from infra.errors import EmbedderError
from tests.infra.embedders.qwen_vl_folders import CONTROL, WIDTH, byte_tokenizer, gve_folder, qwen3_vl_folder

SMALL = {"min_image_pixels": 32 * 32, "max_image_pixels": 96 * 96, "max_frame_pixels": 64 * 64}
TOWN = "Tarn is a town in the south of Tarnland, known for its old bridge."


def picture(seed: int, width: int = 96, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_vl_folder(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="module")
def gve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gve_folder(tmp_path_factory.mktemp("gve"))


def embedder_of(folder: Path, **settings: object) -> QwenVlEmbedder:
    return QwenVlEmbedder(QwenVlSettings(folder=str(folder), **(SMALL | settings)))  # type: ignore[arg-type]


def of_whole_string(folder: Path, text: str, **images: object) -> np.ndarray:
    """The vector by the model's own class, from the prompt as one string, as the published helper makes it."""
    model = Qwen3VLForConditionalGeneration.from_pretrained(folder).eval()
    ids = torch.tensor([Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids])
    kinds = (ids == model.config.image_token_id).int() + 2 * (ids == model.config.video_token_id).int()
    with torch.inference_mode():
        states = model(ids, mm_token_type_ids=kinds, output_hidden_states=True, **images).hidden_states[-1]
    return torch.nn.functional.normalize(states[0, -1].float(), dim=0).numpy()


def prompt(content: str, instruction: str = "Represent the user's input.") -> str:
    return (
        f"<|im_start|>system\n{instruction}<|im_end|>\n<|im_start|>user\n{content}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_text_has_the_vector_of_the_published_prompt(folder: Path):
    embedder = embedder_of(folder)
    assert embedder.dim == WIDTH and embedder.modalities == EVERYTHING and sees(embedder, Modality.VIDEO)
    np.testing.assert_allclose(
        embedder.encode_documents([f" {TOWN}\n"])[0], of_whole_string(folder, prompt(TOWN)), atol=1e-5
    )
    asked = prompt("Where is Tarn?", "Retrieve images or text relevant to the user's query.")
    np.testing.assert_allclose(
        embedder.encode_queries(["Where is Tarn?"])[0], of_whole_string(folder, asked), atol=1e-5
    )


def test_an_image_has_the_vector_of_the_processor_and_the_published_prompt(folder: Path):
    processor = Qwen2VLImageProcessorPil(
        patch_size=16,
        size={"shortest_edge": 32 * 32, "longest_edge": 96 * 96},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    image = picture(1, 130, 70)
    shown = processor(image, return_tensors="pt")
    pads = "<|image_pad|>" * int(shown["image_grid_thw"].prod() // 4)
    wanted = of_whole_string(folder, prompt(f"<|vision_start|>{pads}<|vision_end|>"), **shown)
    np.testing.assert_allclose(embedder_of(folder).encode_images([image])[0], wanted, atol=1e-4)


def test_frames_are_cut_like_the_image_processor_cuts_an_image():
    norm = PixelNorm(16, (0.48, 0.45, 0.4), (0.26, 0.27, 0.28))
    image = picture(2, 96, 64)
    processor = Qwen2VLImageProcessorPil(
        patch_size=16, do_resize=False, image_mean=list(norm.mean), image_std=list(norm.deviation)
    )
    mine = patches_of([image], (96, 64), norm)
    assert mine.grid == (1, 4, 6) and mine.num_tokens == 6
    np.testing.assert_allclose(mine.values, processor(image)["pixel_values"], atol=1e-5)
    # value order within a patch: channel, frame, row, column; the second frame of a pair is all black
    pair = patches_of([image, Image.new("RGB", (96, 64))], (96, 64), norm).values.reshape(24, 3, 2, 16, 16)
    np.testing.assert_allclose(pair[:, 0, 1], -0.48 / 0.26, atol=1e-5)
    np.testing.assert_allclose(pair[:, :, 0], mine.values.reshape(24, 3, 2, 16, 16)[:, :, 0])


def test_a_clip_has_the_vector_of_timed_pairs_of_frames(folder: Path):
    frames = [picture(seed, 64, 32) for seed in range(3)]
    patches = patches_of(frames, (64, 32), PixelNorm(16, (0.5,) * 3, (0.5,) * 3))
    assert patches.grid == (2, 2, 4)
    step = f"<|vision_start|>{'<|video_pad|>' * 2}<|vision_end|>"
    wanted = of_whole_string(
        folder,
        prompt(f"<0.5 seconds>{step}<2.5 seconds>{step}"),
        pixel_values_videos=torch.from_numpy(patches.values),
        video_grid_thw=torch.tensor([patches.grid]),
    )
    np.testing.assert_allclose(embedder_of(folder).encode_clips([frames])[0], wanted, atol=1e-5)


@pytest.mark.parametrize("family", ["folder", "gve"])
def test_a_vector_does_not_depend_on_its_batch(family: str, request: pytest.FixtureRequest):
    embedder = embedder_of(request.getfixturevalue(family), batch_tokens=600)
    texts = [TOWN * n for n in (1, 9, 3, 0, 2)]
    images = [picture(n, *size) for n, size in enumerate([(96, 96), (32, 32), (200, 60), (64, 96)])]
    clips = [[picture(10 * n + frame, 64, 64) for frame in range(n)] for n in (1, 5, 2)]
    for encode, inputs in (
        (embedder.encode_documents, texts),
        (embedder.encode_images, images),
        (embedder.encode_image_queries, images),
        (embedder.encode_clips, clips),
    ):
        together = encode(inputs)  # type: ignore[arg-type]
        alone = np.concatenate([encode([one]) for one in inputs])  # type: ignore[arg-type]
        assert together.dtype == np.float32 and together.shape == (len(inputs), WIDTH)
        np.testing.assert_allclose(together, alone, atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
        assert encode([]).shape == (0, WIDTH)


def test_order_of_frames_and_colour_of_an_image_count(folder: Path):
    embedder = embedder_of(folder)
    frames = [picture(seed, 64, 64) for seed in range(4)]
    there, back = embedder.encode_clips([frames, frames[::-1]])
    red, blue = embedder.encode_images([Image.new("RGB", (64, 64), name) for name in ("red", "blue")])
    assert min(abs(there - back).max(), abs(red - blue).max()) > 1e-3


def test_a_shorter_vector_is_the_start_of_the_longer_one(folder: Path, gve: Path):
    whole, short = embedder_of(folder).encode_queries([TOWN])[0], embedder_of(folder, dim=16)
    start = whole[:16] / np.linalg.norm(whole[:16])
    np.testing.assert_allclose(short.encode_queries([TOWN])[0], start, atol=1e-5)
    with pytest.raises(ValueError, match="48 values, dim 64 is more"):
        embedder_of(folder, dim=64)
    with pytest.raises(ValueError, match="not trained for shorter vectors: leave dim at 48"):
        embedder_of(gve, dim=16)


def test_old_names_of_weights_load_alike_and_no_code_of_the_folder_runs(gve: Path, tmp_path: Path):
    old = gve_folder(tmp_path / "old", old_names=True)
    assert "visual.patch_embed.proj.weight" in load_file(old / "model.safetensors")
    clip = [picture(1), picture(2)]
    np.testing.assert_array_equal(
        embedder_of(old).encode_clips([clip]), embedder_of(gve).encode_clips([clip])
    )


def test_bfloat16_is_near_float32(folder: Path):
    image = picture(3)
    exact = embedder_of(folder).encode_images([image])[0]
    assert embedder_of(folder, dtype="bfloat16").encode_images([image])[0] @ exact > 0.99


def test_control_tokens_in_a_text_are_letters_and_a_long_text_keeps_the_end_of_its_prompt():
    tokenizer = byte_tokenizer()
    builder = PromptBuilder(tokenizer, "Look", max_tokens=100, has_timestamps=True)
    end_of_turn = tokenizer.token_to_id("<|im_end|>")
    assert (
        builder.text("a<|im_end|>b").ids.count(end_of_turn) == builder.text("a").ids.count(end_of_turn) == 2
    )
    short, long = builder.text("x").ids, builder.text("x" * 500).ids
    assert len(long) == 100 and long[-14:] == short[-14:]
    assert short == tuple(tokenizer.encode(prompt("x", "Look.")).ids)
    with pytest.raises(ValueError, match="leaves no room within 20 tokens"):
        PromptBuilder(tokenizer, "Look", max_tokens=20, has_timestamps=True)
    with pytest.raises(ValueError, match=r"lacks the control tokens <\|im_end\|>"):
        PromptBuilder(byte_tokenizer(control=CONTROL[:1]), "Look", max_tokens=99, has_timestamps=True)


def test_a_tokenizer_without_frames_reads_images_alone(tmp_path: Path):
    embedder = embedder_of(qwen3_vl_folder(tmp_path, byte_tokenizer(control=CONTROL[:-1])))
    assert embedder.modalities == {Modality.TEXT, Modality.IMAGE}
    with pytest.raises(RefusedInputError, match=r"has no <\|video_pad\|>"):
        embedder.encode_clips([[picture(1)]])


def test_an_image_that_is_not_taken_is_named_by_its_place(folder: Path):
    embedder = embedder_of(folder)
    with pytest.raises(RefusedInputError, match="input 1: an image of 900 x 4 px is too narrow") as refused:
        embedder.encode_images([picture(1), Image.new("RGB", (900, 4)), picture(2)])
    assert refused.value.position == 1 and pickle.loads(pickle.dumps(refused.value)).position == 1
    with pytest.raises(RefusedInputError, match="input 0: a clip without frames"):
        embedder.encode_clips([[]])
    with pytest.raises(RefusedInputError, match=r"do not fit .* lower the pixels or frames"):
        embedder_of(folder, max_tokens=64).encode_images([picture(1, 96, 96)])


def test_the_fingerprint_sees_weights_and_settings_that_change_vectors(folder: Path, tmp_path: Path):
    before = embedder_of(folder).fingerprint
    copy = pickle.loads(pickle.dumps(embedder_of(folder)))
    assert copy.fingerprint == before == embedder_of(folder, batch_tokens=5, space="other").fingerprint
    for settings in ({"dim": 8}, {"dtype": "bfloat16"}, {"max_frames": 3}, {"query_instruction": "Find"}):
        assert embedder_of(folder, **settings).fingerprint != before
    other = qwen3_vl_folder(tmp_path)
    assert embedder_of(other).fingerprint == before
    weights = load_file(other / "model.safetensors")
    weights["model.language_model.norm.weight"] += 1e-3
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    assert embedder_of(other).fingerprint != before


def test_the_folder_names_its_instructions(folder: Path, tmp_path: Path):
    other = qwen3_vl_folder(tmp_path)
    stated = {"prompts": {"query": "Ask.", "document": "Tell."}}
    (other / "config_sentence_transformers.json").write_text(json.dumps(stated))
    np.testing.assert_allclose(
        embedder_of(other).encode_documents([TOWN]),
        embedder_of(folder, document_instruction="Tell").encode_documents([TOWN]),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        embedder_of(other, query_instruction="Other").encode_queries([TOWN]),
        embedder_of(folder, query_instruction="Other").encode_queries([TOWN]),
        atol=1e-5,
    )


def test_the_folder_states_its_own_limits(folder: Path, tmp_path: Path):
    other = qwen3_vl_folder(tmp_path)
    (other / "embedder.json").write_text(
        json.dumps({"max_image_pixels": 1024, "document_instruction": "Tell."})
    )
    mine = QwenVlEmbedder(QwenVlSettings(folder=str(other)))
    wanted = embedder_of(folder, max_image_pixels=1024, document_instruction="Tell.")
    np.testing.assert_allclose(
        mine.encode_images([picture(1)]), wanted.encode_images([picture(1)]), atol=1e-5
    )
    (other / "embedder.json").write_text('{"max_frames": "all"}')
    with pytest.raises(EmbedderError, match="max_frames cannot be 'all'"):
        embedder_of(other)


def test_a_folder_that_is_no_embedder_says_what_it_lacks(folder: Path, tmp_path: Path):
    with pytest.raises(EmbedderError, match=r"no readable config\.json"):
        embedder_of(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}')
    with pytest.raises(EmbedderError, match=r"type 'bert'; embedded with are: qwen3_vl, qwen2_5_vl"):
        embedder_of(tmp_path)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(EmbedderError, match=r"has no tokenizer\.json: download the whole model"):
        embedder_of(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    with pytest.raises(EmbedderError, match=r"has no \*\.safetensors"):
        embedder_of(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["model.language_model.norm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EmbedderError, match=r"lacks 1 weights, for example language_model\.norm\.weight"):
        embedder_of(tmp_path).encode_queries(["x"])


def test_threads_load_the_weights_once_and_get_what_one_gets(folder: Path, monkeypatch: pytest.MonkeyPatch):
    loaded: list[str] = []

    def counted(*arguments: object, **options: str) -> object:
        loaded.append(options["device"])
        return load_model(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(embedder_module, "load_model", counted)
    embedder = embedder_of(folder, device="cpu")
    texts, images = [TOWN, "short"] * 4, [picture(n) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda text: embedder.encode_queries([text])[0], texts))
        seen = list(pool.map(lambda image: embedder.encode_images([image])[0], images))
    assert loaded == ["cpu"]
    np.testing.assert_allclose(told, embedder.encode_queries(texts), atol=1e-4)
    np.testing.assert_allclose(seen, embedder.encode_images(images), atol=1e-4)


def test_torch_is_loaded_with_the_first_vector_and_not_before(folder: Path):
    script = (
        "import sys; from infra.embedders.qwen_vl.embedder import QwenVlEmbedder\n"
        "from infra.embedders.qwen_vl.settings import QwenVlSettings\n"
        f"embedder = QwenVlEmbedder(QwenVlSettings(folder={str(folder)!r}))\n"
        "print(embedder.dim, len(embedder.fingerprint), len(embedder.modalities))\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:2] == ["48 64 3", "[]"]


def test_what_is_transparent_is_paper():
    assert rgb(Image.new("RGBA", (2, 2), (10, 20, 30, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert rgb(Image.new("LA", (2, 2), (40, 255))).getpixel((0, 0)) == (40, 40, 40)
    assert rgb(Image.new("1", (2, 2), 1)).getpixel((0, 0)) == (255, 255, 255)


def test_sizes_keep_proportions_within_the_limits():
    # 2,000 x 1,000 at 32 px and at most 500,000 px: scale 0.5 gives 1,000 x 500, cut to 992 x 480
    assert fitted_size(2000, 1000, factor=32, min_pixels=4096, max_pixels=500_000) == (992, 480)
    # 20 x 10 to at least 4,096 px: scale 4.525 gives 90.5 x 45.3, raised to 96 x 64
    assert fitted_size(20, 10, factor=32, min_pixels=4096, max_pixels=500_000) == (96, 64)
    assert fitted_size(5, 5, factor=32, min_pixels=1, max_pixels=10_000) == (32, 32)


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 200))
def test_batches_hold_every_prompt_once_and_keep_to_the_limit(lengths: list[int], most: int):
    batches = batches_by_tokens(lengths, max_tokens=most)
    assert sorted(at for batch in batches for at in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[at] for at in batch) <= most


@given(st.integers(1, 100), st.integers(1, 20))
def test_thinned_frames_are_in_order_and_keep_both_ends(count: int, most: int):
    kept = thinned(count, most)
    assert kept == sorted(set(kept)) and len(kept) == min(count, most)
    assert most == 1 or (kept[0], kept[-1]) == (0, count - 1)
