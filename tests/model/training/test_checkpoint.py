"""Checkpoints: plain transformers loads them, a resumed run is the uninterrupted one bit for bit, none is half there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

from model.config.algorithm import Algorithm
from model.config.engine import EngineConfig
from model.config.schedule import Retention, Schedule
from model.training.checkpoint import TrainingProgress, adopt, best, latest, prune, read, restore, save
from model.training.trainer import Trainer
from model.types import Trajectory
from tests.model.scene import Pictures, Setup, group, policy, sampled, tokenizer, trainer

SETUP = Setup(
    algorithm=Algorithm(clip_low=0.2, clip_high=0.2),
    schedule=Schedule(
        learning_rate=1e-3, token_budget=120, mini_batches=2, warmup_steps=3, decay=True, updates=6
    ),
)


@pytest.fixture(scope="module")
def rollouts() -> list[Trajectory]:
    return sampled(group("q1", 0) + group("q2", 1), policy(), Pictures(), jitter=0.2)


def saved(root: Path, made: Trainer, **fields: object) -> Path:
    progress = TrainingProgress(update=made.updates, steps=made.engine.steps, **fields)  # type: ignore[arg-type]
    return save(root, engine=made.engine, tokenizer=tokenizer(), progress=progress, params={"recipe": "test"})


def resumed(path: Path, setup: Setup) -> Trainer:
    model = Qwen3VLForConditionalGeneration.from_pretrained(path, dtype="auto")
    made = trainer(setup, model)
    made.updates = restore(path, engine=made.engine).update
    return made


@pytest.mark.parametrize(
    "engine",
    [
        EngineConfig(zero_stage=0),
        EngineConfig(zero_stage=2),
        EngineConfig(zero_stage=2, bf16=True),
        EngineConfig(zero_stage=3, persist_below=0),
    ],
    ids=["zero-0", "zero-2", "zero-2-bf16", "zero-3"],
)
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(
    engine: EngineConfig, tmp_path: Path, rollouts: list[Trajectory]
):
    setup = replace(SETUP, engine=engine)
    straight = trainer(setup)
    straight.update(rollouts)
    path = saved(tmp_path, straight)
    noise = torch.rand(3)
    second = straight.update(rollouts)

    again = resumed(path, setup)
    assert torch.equal(torch.rand(3), noise)
    assert replace(again.update(rollouts), seconds=0) == replace(second, seconds=0)
    expected, found = straight.engine.weights(), again.engine.weights()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    masters = (made.engine.state()["shards"][0]["master"] for made in (straight, again))
    assert torch.equal(*masters)


def test_plain_transformers_reads_weights_and_tokenizer(tmp_path: Path, rollouts: list[Trajectory]):
    made = trainer(SETUP)
    made.update(rollouts)
    path = saved(tmp_path, made)
    loaded_with_info: Any = Qwen3VLForConditionalGeneration.from_pretrained(path, output_loading_info=True)
    model, info = loaded_with_info
    assert not info["missing_keys"] and not info["unexpected_keys"]
    loaded = dict(model.named_parameters())
    assert all(torch.equal(loaded[name], tensor) for name, tensor in made.engine.weights().items())
    assert model.lm_head.weight.data_ptr() == model.model.language_model.embed_tokens.weight.data_ptr()
    assert AutoTokenizer.from_pretrained(path)("alpha beta").input_ids == tokenizer()("alpha beta").input_ids


def test_the_manifest_names_every_file_with_its_hash(tmp_path: Path):
    path = saved(tmp_path, trainer(SETUP), data_order={"next": 7}, score=0.5)
    manifest = json.loads((path / "manifest.json").read_text())
    names = {entry["name"] for entry in manifest["files"]}
    on_disk = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()} - {
        "manifest.json"
    }
    assert names == on_disk >= {"model.safetensors", "config.json", "tokenizer.json", "state/rank-00000.pt"}
    assert manifest["params"] == {"recipe": "test"} and manifest["counts"] == {"updates": 0, "steps": 0}
    assert read(path) == TrainingProgress(update=0, steps=0, score=0.5, data_order={"next": 7})


def test_its_model_card_is_one_that_hubs_read_and_its_lines_load_it(tmp_path: Path):
    path = saved(tmp_path, trainer(SETUP), score=0.5)
    text = (path / "README.md").read_text()
    card = ModelCard(text)
    assert (card.data.library_name, card.data.pipeline_tag) == ("transformers", "image-text-to-text")
    assert "| Share of held-out questions answered rightly | 0.5 |" in text and '"recipe": "test"' in text
    code = text.partition("```python\n")[2].partition("```")[0]
    made: dict[str, Any] = {"FOLDER": path}
    exec(code, made)
    assert isinstance(made["model"], Qwen3VLForConditionalGeneration)
    assert made["tokenizer"]("alpha").input_ids == tokenizer()("alpha").input_ids


def test_a_damaged_checkpoint_is_refused(tmp_path: Path):
    path = saved(tmp_path, trainer(SETUP))
    weights = path / "model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"model\.safetensors is missing or differs"):
        read(path)
    (path / "manifest.json").unlink()
    with pytest.raises(ValueError, match="no finished checkpoint"):
        read(path)
    assert latest(tmp_path) is None


def test_state_of_another_layout_is_refused(tmp_path: Path):
    path = saved(tmp_path, trainer(SETUP))
    other = trainer(replace(SETUP, engine=EngineConfig(zero_stage=0)))
    with pytest.raises(ValueError, match="cannot continue"):
        restore(path, engine=other.engine)


def test_nothing_of_an_interrupted_save_is_trusted_and_the_next_one_clears_it(tmp_path: Path):
    made = trainer(SETUP)
    leftover = tmp_path / ".000000.partial"
    (leftover / "state").mkdir(parents=True)
    (leftover / "stale").write_text("half")
    assert latest(tmp_path) is None
    path = saved(tmp_path, made)
    assert latest(tmp_path) == path and not (path / "stale").exists()
    assert saved(tmp_path, made) == path  # saving again replaces it
    assert [each.name for each in tmp_path.iterdir()] == ["000000"]


def finished(root: Path, update: int, score: float | None) -> None:
    folder = root / f"{update:06d}"
    folder.mkdir()
    (folder / "progress.json").write_text(json.dumps({"update": update, "steps": update, "score": score}))
    (folder / "manifest.json").write_text("{}")


def test_the_last_the_best_and_every_nth_stay(tmp_path: Path):
    for update, score in enumerate([0.1, 0.9, 0.3, None, 0.2, 0.4, 0.8]):
        finished(tmp_path, update, score)
    removed = prune(tmp_path, Retention(keep_last=2, keep_best=True, every=4))
    # last two: 5 6; best: 1; every fourth: 0 4
    assert [path.name for path in removed] == ["000002", "000003"]
    assert best(tmp_path) == tmp_path / "000001" and latest(tmp_path) == tmp_path / "000006"


def test_without_scores_there_is_no_best(tmp_path: Path):
    finished(tmp_path, 0, None)
    finished(tmp_path, 1, None)
    assert best(tmp_path) is None
    assert [path.name for path in prune(tmp_path, Retention())] == ["000000"]


def test_a_published_model_is_taken_without_pickles_or_code(tmp_path: Path):
    folder = tmp_path / "models" / "tiny"
    policy().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling.py").write_text("import os")
    path = adopt(folder, tmp_path / "checkpoints" / "000000")
    assert read(path) == TrainingProgress(update=0, steps=0)
    assert {file.suffix for file in path.iterdir()} <= {".json", ".safetensors", ".jinja", ".txt", ".md"}
    again = Qwen3VLForConditionalGeneration.from_pretrained(path)
    expected = policy().state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in again.state_dict().items())


def test_a_half_removed_checkpoint_is_never_trusted_and_swept(tmp_path: Path):
    finished(tmp_path, 0, 0.9)
    finished(tmp_path, 1, float("nan"))
    (tmp_path / "000000").rename(
        tmp_path / ".000000.removed"
    )  # as a process killed while it removed leaves it
    assert latest(tmp_path) == tmp_path / "000001" and best(tmp_path) is None
    assert prune(tmp_path, Retention()) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["000001"]
