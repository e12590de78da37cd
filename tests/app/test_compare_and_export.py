"""Two evaluations compared, the gate, and what other programs read of one."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from app.answers.measuring.records import AnswerRecord, read_answers, write_answers
from tests.app.command_line import Vimrag

QUESTIONS = 40


def answers(right: set[int], *, memory: str = "vimrag", dataset: str = "squad") -> list[AnswerRecord]:
    """Forty questions of ten documents; the last one is unscored."""
    records = [
        AnswerRecord(
            memory=memory,
            id=f"{dataset}:{number}",
            dataset=dataset,
            question=f"Which is <{number}>?",
            answer="=1+1" if number in right else "wrong",
            target=("=1+1", "two"),
            correct=number in right,
            cluster=f"document {number // 4}",
            scores={"em": float(number in right), "f1": 0.5},
            tokens=100,
            prompt_tokens=90,
            completion_tokens=10,
            visual_tokens=16,
            recall=0.5,
        )
        for number in range(QUESTIONS)
    ]
    lost = AnswerRecord(
        memory=memory,
        id=f"{dataset}:lost",
        dataset=dataset,
        question="?",
        answer="",
        target=("x",),
        correct=None,
        outcome="failed",
        error="the server fell silent",
    )
    return [*records, lost]


def finished(folder: Path, records: list[AnswerRecord]) -> Path:
    folder.mkdir(parents=True)
    write_answers(folder / "answers.jsonl", records)
    about = {
        "model": "small",
        "judge": "judge:big:1234",
        "index": "v1",
        "notes": {"squad": ["extract: 41 of 10,570"]},
    }
    (folder / "evaluation.json").write_text(json.dumps({**about, "comparisons": []}))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    half, most = set(range(0, 40, 2)), set(range(0, 36))
    finished(tmp_path / "evaluations/before", answers(half) + answers(half, dataset="webqa"))
    finished(tmp_path / "evaluations/after", answers(most) + answers(half, dataset="webqa"))
    return tmp_path


def test_two_evaluations_are_compared_question_by_question(vimrag: Vimrag, root: Path):
    found = vimrag("compare", "before", "after", "--root", root, "--by-dataset", "--json").json["comparisons"]
    by_name = {each["dataset"]: each for each in found}
    # squad: 36 of 40 against 20 of 40; webqa the same; questions without a verdict are in neither
    assert by_name["squad"]["difference"]["estimate"] == pytest.approx(16 / 40)
    assert by_name["all"]["difference"]["estimate"] == pytest.approx(16 / 80)
    assert (by_name["squad"]["questions"], by_name["squad"]["clusters"]) == (40, 10)
    assert by_name["webqa"]["p"] == 1.0 and by_name["squad"]["p_holm"] <= 3 * by_name["squad"]["p"] + 1e-12
    assert by_name["squad"]["questions_needed"] > 0
    said = vimrag("compare", "before", "after", "--root", root)
    assert "vimrag: +20.0 points" in said.out and "documents" in said.out


def test_the_gate_closes_on_what_got_worse(vimrag: Vimrag, root: Path):
    worse = ("compare", "after", "before", "--root", root)
    closed = vimrag(*worse, "--fail-below", "-5")
    assert closed.code == 1 and "below the -5 points asked for" in closed.err
    assert vimrag(*worse, "--fail-below", "-25").code == 0
    # the interval reaches above -19 points: not certainly below
    assert vimrag(*worse, "--fail-below", "-19", "--certain").code == 0
    assert vimrag("compare", "before", "after", "--root", root, "--fail-below", "-5").code == 0
    unknown = vimrag("compare", "befor", "after", "--root", root)
    assert unknown.code == 2 and "there are: after, before" in unknown.err
    assert "no answers of react" in vimrag(*worse, "--memory", "react").err


def test_damaged_answers_are_named_by_their_line(vimrag: Vimrag, root: Path):
    path = root / "evaluations/before/answers.jsonl"
    path.write_text(path.read_text() + "<html>\n")
    assert "line 83 is no answer" in vimrag("compare", "before", "after", "--root", root).err


def test_every_export_holds_what_its_format_names(vimrag: Vimrag, root: Path, tmp_path: Path):
    to = tmp_path / "out"
    files = vimrag("export", "after", "--root", root, "--to", to, "--json").json["files"]
    assert {Path(name).suffix for name in files} == {".jsonl", ".json", ".csv", ".html", ".md"}

    samples = [
        json.loads(line) for line in (to / "lmms/samples_vimrag_vimrag_squad.jsonl").read_text().splitlines()
    ]
    assert len(samples) == QUESTIONS  # lmms-eval has no word for an unscored one
    wanted = {
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "doc_hash",
        "prompt_hash",
        "target_hash",
    }
    assert (
        wanted <= samples[0].keys() and samples[0]["filtered_resps"] == ["=1+1"] and samples[0]["em"] == 1.0
    )

    log = json.loads((to / "inspect/vimrag.json").read_text())
    assert (log["version"], log["status"], len(log["samples"])) == (2, "success", 82)
    assert log["results"]["scores"][0]["metrics"]["accuracy"]["value"] == pytest.approx(56 / 80)
    lost = [sample for sample in log["samples"] if not sample["scores"]]
    assert len(lost) == 2 and lost[0]["error"]["message"] == "the server fell silent"

    with (to / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 82 and rows[0]["answer"] == "'=1+1"  # no formula

    page = (to / "report.html").read_text()
    assert "https://" not in page and "src=" not in page  # it asks nothing of the network
    for said in ("vimrag (paper)", "76.4", "extract: 41 of 10,570", "model small", "judge:big:1234"):
        assert said in page, said
        assert said in (to / "report.md").read_text(), said


def test_the_inspect_log_is_read_by_inspect_itself(vimrag: Vimrag, root: Path, tmp_path: Path):
    log = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed")
    vimrag("export", "after", "--root", root, "--to", tmp_path / "out", "--formats", "inspect")
    read = log.read_eval_log(str(tmp_path / "out/inspect/vimrag.json"))
    assert read.results is not None and len(read.samples) == 82


def test_answers_are_read_as_they_were_written(root: Path):
    assert read_answers(root / "evaluations/after")[0] == answers(set(range(36)))[0]
