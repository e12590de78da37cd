"""Reworded sets: other ids and other words, the same gold as the questions they were made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.assets.parsers.outcome import Outcome, read, write_film


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def questions(outcome: Outcome) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {one.id: (one.split, one.gold) for one in outcome.questions}


def test_a_reworded_video_question_has_the_clips_of_its_span(tmp_path: Path):
    write_film(tmp_path / "videos/ab_c.mp4", seconds=130)
    options = "?\n(A) a\n(B) b"
    qa = {"uid": "7", "question": f"Where{options}", "answer": "B", "time_reference": "00:50-01:10"}
    write(tmp_path, "video_info.meta.jsonl", {"key": "ab_c", "qa": [qa]})
    reworded = {
        "index": "lvbench_7",
        "question": f"Where in the film{options}",
        "answer": "B",
        "time_reference": [50, 70],
        "source": "lvbench",
        "gt_videos": ["dataset/LVBench/videos/ab_c.mp4"],
        "gt_retrieval": "clip",
    }
    write(tmp_path, "lvbench.json", [reworded, reworded | {"index": "lvbench_8", "gt_videos": None}])
    outcome = read("lvbench", tmp_path)
    gold = ("lvbench:clip:ab_c#0", "lvbench:clip:ab_c#60")
    assert questions(outcome) == {
        "lvbench:test:7": ("test", gold),
        "lvbench:universalrag:7": ("universalrag", gold),
    }
    assert outcome.reasons == {"record_malformed": 1}


def test_the_hub_names_a_video_by_its_path(tmp_path: Path):
    write_film(tmp_path / "videos/ab_c.mp4", seconds=3)
    row = {"uid": 7, "question": "?\n(A) a\n(B) b", "answer": "B", "video_path": "ab_c.mp4"}
    write(tmp_path, "rows.json", [row | {"time_reference": "0:01-0:02"}])
    assert questions(read("lvbench", tmp_path)) == {"lvbench:test:7": ("test", ("lvbench:clip:ab_c#0",))}


@pytest.mark.parametrize(
    ("dataset", "index", "native"),
    [
        ("wikihowqa", "videorag_wikihow_133", "133"),
        ("syntheticqa", "videorag_synth_-1_x_0", "-1_x_0"),
    ],
)
def test_a_reworded_how_to_keeps_its_videos(tmp_path: Path, dataset: str, index: str, native: str):
    (tmp_path / "scripts/asr").mkdir(parents=True)
    (tmp_path / "scripts/asr/-1_x.txt").write_text("said here")
    reworded = {
        "index": index,
        "question": "How is it done?",
        "answer": "Like this.",
        "source": "videorag",
        "gt_videos": ["dataset/videorag/videos/-1_x.mp4", "dataset/videorag/videos/-1_x.mp4"],
        "gt_retrieval": "video",
    }
    write(tmp_path, "query/set.json", [reworded])
    assert questions(read(dataset, tmp_path)) == {
        f"{dataset}:universalrag:{native}": ("universalrag", (f"{dataset}:video:-1_x",))
    }


def test_a_reworded_image_question_names_the_image_of_the_release(tmp_path: Path):
    fact = {"title": "T", "fact": "A fact.", "url": "u", "snippet_id": "w1_0"}
    write(
        tmp_path,
        "z/WebQA_train_val.json",
        {"w1": {"Q": "?", "A": ["a"], "split": "val", "txt_posFacts": [fact]}},
    )
    reworded: dict[str, Any] = {
        "index": "webqa_w1",
        "question": "Is it red?",
        "answer": "No, it is blue.",
        "source": "webqa",
        "gt_images": ["dataset/WebQA/images/30079629.jpg"],
        "Qcate": "YesNo",
        "gt_retrieval": "image",
    }
    write(tmp_path, "a/webqa.json", [reworded])
    first, second = read("webqa", tmp_path).questions
    assert (first.id, second.id, second.kind) == ("webqa:val:w1", "webqa:universalrag:w1", "yes_no")
    assert (second.gold, second.evidence) == ((), "media_missing")
    assert second.notes == ("gold_missing:1:webqa:image:30079629",)


def test_examples_of_vrag_are_questions_on_documents(shared_data: Path, tmp_path: Path):
    (tmp_path / "documents").symlink_to(shared_data / "mmlongbench_doc/documents")
    (tmp_path / "samples.json").symlink_to(shared_data / "mmlongbench_doc/samples.json")
    (tmp_path / "rag_dataset.json").symlink_to(shared_data / "vrag_example/rag_dataset.json")
    outcome = read("mmlongbench_doc", tmp_path)
    reworded = [one for one in outcome.questions if one.split == "vrag"]
    assert outcome.tallies == {"test": 40, "vrag": 2}
    document = "mmlongbench_doc:page:PH_2016.06.08_Economy-Final.pdf"
    assert [one.gold for one in reworded] == [(f"{document}#5",), (f"{document}#19", f"{document}#20")]
    originals = {one.text: one.gold for one in outcome.questions if one.split == "test"}
    assert all(originals[one.text] == one.gold for one in reworded)
