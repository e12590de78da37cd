"""The miniature eye: trained on pictures and clips that it describes to itself, then saved as a folder like any other.

What is drawn is ``assets.miniature.sights``, the loss and its steps are ``model.embedding``, prompts and pooling are those
with which ``infra.embedders.qwen_vl`` will embed. The same options give the same weights on the same number of threads.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from assets.miniature.primer import random_name
from assets.miniature.sights import Description, Sight, describe, random_sight
from infra.embedders.qwen_vl.checkpoint import linear_patch_embedding, read_checkpoint
from infra.embedders.qwen_vl.forward import pooled
from infra.embedders.qwen_vl.inputs import QwenVlInputs
from infra.embedders.qwen_vl.prompts import Prompt
from infra.embedders.qwen_vl.settings import QwenVlSettings
from infra.storage.atomic import replacing
from model.config.contrastive import ContrastiveSchedule
from model.embedding.training import PairVectors, TrainingStep, train
from orchestration.embedding.eye_folder import write_eye_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class EyeTraining:
    """Everything that decides the weights of a miniature eye."""

    seed: int = 0
    schedule: ContrastiveSchedule = field(default_factory=ContrastiveSchedule)
    clips: int = 12
    """Of one batch, each with one description."""
    pictures: tuple[tuple[str, int], ...] = (("badge", 6), ("dial", 5), ("door", 4), ("chart", 5))
    """Kinds of pictures and how many of each are in a batch."""
    second_looks: int = 4
    """Pictures of a batch that are also asked for by another look at them: cut, scaled, lit and coded otherwise."""

    def __post_init__(self) -> None:
        num_pictures = sum(count for _, count in self.pictures)
        if self.clips < 1 or not 1 <= self.second_looks <= num_pictures:
            raise ValueError(f"a batch has a clip, a picture and a second look at least: {self}")


class EyeBatch(NamedTuple):
    """Sights of one step, pictures before clips, a description each, and second looks at the first pictures."""

    sights: list[Sight]
    descriptions: list[Description]
    looks: list[tuple[int, Image.Image]]  # position of the picture, and how it looks the second time


def train_miniature_eye(
    folder: Path,
    base: Path,
    training: EyeTraining,
    on_step: Callable[[TrainingStep], None] = lambda step: None,
) -> None:
    """Train an eye from the latest checkpoint of a tiny policy in ``base``, and write it to ``folder`` once it is done.

    Raises:
        ValueError: if there is no such checkpoint, or the training diverges.
    """
    with replacing(folder) as staging:
        model = write_eye_folder(staging, base, seed=training.seed)
        trained = linear_patch_embedding(model.model)
        model.save_pretrained(staging)  # so that the folder can be read as a checkpoint
        found = read_checkpoint(staging)
        inputs = QwenVlInputs(found, QwenVlSettings(folder=str(staging)))

        def encode(batch: EyeBatch) -> list[PairVectors]:
            return batch_vectors(batch, inputs, lambda prompts: pooled(trained, prompts, dim=found.width))

        train(trained, eye_batches(training), encode, training.schedule, on_step)
        model.bfloat16().save_pretrained(staging)


def eye_batches(training: EyeTraining) -> Iterator[EyeBatch]:
    """Batches without end, a pure function of the seed."""
    rng = random.Random(f"eye:{training.seed}")
    while True:
        kinds = [kind for kind, count in training.pictures for _ in range(count)]
        rng.shuffle(kinds)
        pictures = [random_sight(kind, rng, random_name(rng)) for kind in kinds]
        clips = [random_sight("clip", rng, "") for _ in range(training.clips)]
        sights = [_as_coded(sight, rng) for sight in (*pictures, *clips)]
        looks = [(at, second_look(pictures[at].frames[0], rng)) for at in range(training.second_looks)]
        yield EyeBatch(sights, [describe(sight, rng) for sight in sights], looks)


def _as_coded(sight: Sight, rng: random.Random) -> Sight:
    """The sight after a lossy coding, as frames of a video and many pictures are."""
    if sight.kind != "clip" and rng.random() < 0.5:
        return sight
    step = rng.randint(1, 12)
    shown = {id(frame): frame for frame in sight.frames}
    coded = {key: coarse(frame, step) for key, frame in shown.items()}
    return Sight(kind=sight.kind, facts=sight.facts, frames=tuple(coded[id(frame)] for frame in sight.frames))


def second_look(image: Image.Image, rng: random.Random) -> Image.Image:
    """The same picture cut by up to 6 % a side, scaled by 0.6 to 1.5, lighter or darker, and coarser."""
    width, height = image.size
    left, top, right, bottom = (rng.uniform(0, 0.06) for _ in range(4))
    box = (left * width, top * height, width * (1 - right), height * (1 - bottom))
    scale = rng.uniform(0.6, 1.5)
    size = (max(32, round(width * scale)), max(32, round(height * scale)))
    pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box), dtype=np.float32)
    lit = (pixels * rng.uniform(0.85, 1.1) + rng.uniform(-8, 8)).clip(0, 255).astype(np.uint8)
    return coarse(Image.fromarray(lit), rng.randint(1, 16))


def coarse(image: Image.Image, step: int) -> Image.Image:
    """What lossy codings leave: colour at half the resolution, brightness in steps of ``step`` grey levels."""
    brightness, *colours = image.convert("YCbCr").split()
    half = (max(1, image.width // 2), max(1, image.height // 2))
    smeared = [
        band.resize(half, Image.Resampling.BOX).resize(image.size, Image.Resampling.BILINEAR)
        for band in colours
    ]
    levels = np.asarray(brightness, dtype=np.int16)
    stepped = ((levels + step // 2) // step * step).clip(0, 255).astype(np.uint8)
    return Image.merge("YCbCr", [Image.fromarray(stepped), *smeared]).convert("RGB")


def batch_vectors(
    batch: EyeBatch, inputs: QwenVlInputs, embed: Callable[[Sequence[Prompt]], Tensor]
) -> list[PairVectors]:
    """Descriptions against sights, and second looks against their pictures; ``embed`` gives unit vectors of prompts."""
    clips = [sight for sight in batch.sights if sight.kind == "clip"]
    pictures = batch.sights[: len(batch.sights) - len(clips)]
    documents = torch.cat(
        [
            embed([inputs.image(sight.frames[0]) for sight in pictures]),
            embed([inputs.clip(sight.frames) for sight in clips]),
        ]
    )
    queries = embed([inputs.query(description.text) for description in batch.descriptions])
    matches = [[description.fits(sight) for sight in batch.sights] for description in batch.descriptions]
    looks = embed([inputs.image(look, is_query=True) for _, look in batch.looks])
    shown = [at for at, _ in batch.looks]
    same = [[batch.sights[one].facts == batch.sights[other].facts for other in shown] for one in shown]
    return [
        PairVectors(queries, documents, torch.tensor(matches)),
        PairVectors(looks, documents[shown], torch.tensor(same)),
    ]
