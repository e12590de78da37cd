"""The miniature eye: the same options give the same folder, it embeds like any other, and it is judged against chance."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from assets.miniature.sights import full_description, random_sight
from infra.embedders.config import embedder_config, make_embedder
from infra.embedders.types import EVERYTHING, sees
from model.config.contrastive import ContrastiveSchedule
from model.embedding.training import TrainingStep
from orchestration.embedding.eye_delta import FILE, pack, unpack, write_packed, write_unpacked
from orchestration.embedding.eye_recall import chance_of_one, held_out_sights, recall_by_kind
from orchestration.embedding.eye_training import (
    EyeTraining,
    coarse,
    eye_batches,
    second_look,
    train_miniature_eye,
)

BASE = Path(__file__).parents[3] / "checkpoints" / "eye-base"
SHORT = EyeTraining(
    schedule=ContrastiveSchedule(steps=2, warmup=1),
    clips=2,
    pictures=(("badge", 1), ("dial", 1), ("door", 1), ("chart", 1)),
    second_looks=2,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("eyes") / "eye"
    steps: list[TrainingStep] = []
    train_miniature_eye(place, BASE, SHORT, steps.append)
    assert [step.step for step in steps] == [1, 2]
    return place


def test_equal_options_give_equal_weights_and_another_seed_others(folder: Path, tmp_path: Path):
    for name, training in (("same", SHORT), ("other", replace(SHORT, seed=1))):
        train_miniature_eye(tmp_path / name, BASE, training)
    first, same, other = (
        load_file(place / "model.safetensors") for place in (folder, tmp_path / "same", tmp_path / "other")
    )
    assert all((first[name] == same[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_an_eye_is_a_folder_like_any_other(folder: Path):
    eye = make_embedder(embedder_config(str(folder)))
    assert sees(eye) and eye.modalities == EVERYTHING and (eye.dim, eye.space) == (128, "eye")
    shown = [random_sight(kind, random.Random(1), "Belodu") for kind in ("badge", "clip")]
    assert eye.encode_images([shown[0].frames[0], Image.new("RGB", (900, 1200))]).shape == (2, 128)
    strange = [Image.effect_noise((300, 400), 80), shown[0].frames[0]]
    np.testing.assert_allclose(eye.encode_image_queries(strange), eye.encode_images(strange), atol=1e-5)
    assert eye.encode_clips([shown[1].frames]).shape == (1, 128)
    assert eye.encode_queries([full_description(sight).text for sight in shown]).shape == (2, 128)


def test_batches_are_a_function_of_the_seed_and_looks_are_of_their_pictures():
    one, same, other = (next(eye_batches(replace(SHORT, seed=seed))) for seed in (3, 3, 4))
    assert one.descriptions == same.descriptions != other.descriptions
    assert [look.tobytes() for _, look in one.looks] == [look.tobytes() for _, look in same.looks]
    assert [sight.kind for sight in one.sights[-2:]] == ["clip", "clip"]
    assert all(
        description.fits(sight) for description, sight in zip(one.descriptions, one.sights, strict=True)
    )


def test_a_second_look_is_nearly_the_same_picture():
    picture = random_sight("badge", random.Random(0), "").frames[0]
    look = second_look(picture, random.Random(0)).resize((32, 32))
    assert np.abs(np.asarray(look, float) - np.asarray(picture.resize((32, 32)), float)).mean() < 40


def test_a_coarse_picture_keeps_flat_colour_and_steps_in_brightness():
    flat = Image.new("RGB", (8, 6), (200, 30, 60))
    assert (
        np.abs(np.asarray(coarse(flat, 1), int) - np.asarray(flat, int)).max() <= 3
    )  # of the change of colour space
    ramp = Image.fromarray(np.tile(np.arange(0, 160, 10, dtype=np.uint8)[:, None, None], (1, 4, 3)))
    # grey levels 0, 10, ... 150 in steps of 40 become 0, 40, 80, 120 and 160
    assert set(np.unique(np.asarray(coarse(ramp, 40)))) == {0, 40, 80, 120, 160}


def test_chance_is_that_of_drawing_five():
    # one of ten: 5 / 10; two of ten: 1 - C(8, 5) / C(10, 5) = 1 - 56 / 252
    assert chance_of_one(1, 10, 5) == pytest.approx(0.5)
    assert chance_of_one(2, 10, 5) == pytest.approx(1 - 56 / 252)
    assert chance_of_one(6, 10, 5) == 1


class Omniscient:
    """Vectors by the facts themselves: words and pictures of equal facts are equal."""

    dim = 2048

    def __init__(self, sights) -> None:
        self._by_text = {full_description(sight).text: sight.facts for sight in sights}
        self._by_frames = {id(sight.frames[0]): sight.facts for sight in sights}

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._of(self._by_text[text]) for text in texts])

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        return np.stack([self._of(self._by_frames[id(image)]) for image in images])

    def encode_clips(self, clips: Sequence[Sequence[Image.Image]]) -> np.ndarray:
        return self.encode_images([frames[0] for frames in clips])

    def _of(self, facts: frozenset[str]) -> np.ndarray:
        vector = np.random.default_rng(abs(hash(facts)) % 2**32).normal(size=self.dim).astype(np.float32)
        return vector / np.linalg.norm(vector)


def test_who_sees_everything_finds_everything():
    sights = held_out_sights("test", 1, seed=2)
    assert len(sights) == 36
    found = recall_by_kind(Omniscient(sights.values()), sights)  # type: ignore[arg-type]
    assert {kind: recall.found for kind, recall in found.items()} == dict.fromkeys(found, 1.0)
    assert found["clip"].queries == 18 and found["clip"].chance == pytest.approx(5 / 36)  # no two clips alike
    with pytest.raises(ValueError, match="needs 5 sights at least"):
        recall_by_kind(Omniscient([]), {})  # type: ignore[arg-type]


def test_an_eye_is_packed_small_and_comes_back_nearly_the_same(folder: Path, tmp_path: Path):
    write_packed(folder, BASE, tmp_path / "packed", rank=16)
    write_unpacked(tmp_path / "packed", BASE, tmp_path / "eye")
    assert (tmp_path / "packed" / FILE).stat().st_size < 1_000_000
    whole, again = (load_file(place / "model.safetensors") for place in (folder, tmp_path / "eye"))
    assert whole.keys() == again.keys()
    assert all(whole[name].shape == again[name].shape for name in whole)
    added = whole["model.language_model.embed_tokens.weight"][-2:]
    assert (added == again["model.language_model.embed_tokens.weight"][-2:]).all()
    shown = [random_sight("badge", random.Random(seed), "").frames[0] for seed in range(4)]
    first, second = (
        make_embedder(embedder_config(str(place))).encode_images(shown)
        for place in (folder, tmp_path / "eye")
    )
    assert ((first * second).sum(axis=1) > 0.9).all()


def test_the_eye_that_ships_sees(tmp_path: Path):
    shipped = BASE.parent / "eye"
    assert (shipped / FILE).stat().st_size < 1_000_000
    write_unpacked(shipped, BASE, tmp_path / "eye")
    eye = make_embedder(embedder_config(str(tmp_path / "eye")))
    found = recall_by_kind(eye, held_out_sights("test", 1, seed=0))
    assert all(recall.found >= 0.8 for recall in found.values()), found


def test_a_packed_eye_of_another_base_is_refused():
    base = {"a": torch.zeros(4, 4)}
    with pytest.raises(ValueError, match="other weights than the base"):
        pack(base, {"b": torch.zeros(4, 4)}, rank=1)
    with pytest.raises(ValueError, match="does not fit its base at a"):
        unpack(base, {"a.left": torch.zeros(3, 1), "a.right": torch.zeros(1, 3)})
