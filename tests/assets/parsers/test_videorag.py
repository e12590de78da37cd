"""WikiHowQA and SyntheticQA: the real samples exactly; transcripts without videos, videos without transcripts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from assets.corpus.item import Modality
from tests.assets.parsers.outcome import Outcome, read, write_film

LONG = "First do this and then do that and at last do the other thing."


def record(**changes: Any) -> dict[str, Any]:
    return {
        "qid": 133,
        "howto100m_query_text": "Do It",
        "wikihow_query_text": "How To Do It",
        "answer_text": LONG,
        "videos": [{"video_id": "-1KSBqYHfOg", "rank": 3}, {"video_id": "ab_c", "rank": 9}],
        **changes,
    }


def parse(folder: Path, *records: object, scripts: dict[str, str] | None = None, **settings: Any) -> Outcome:
    for sub in ("qa", "scripts/asr", "retrieval/wikihow"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    (folder / "qa/wikihow.json").write_text(json.dumps(records), encoding="utf-8")
    (folder / "retrieval/wikihow/query2videos.json").write_text('{"133": ["zzz"]}', encoding="utf-8")
    for name, text in ({"-1KSBqYHfOg": "said\nhere"} if scripts is None else scripts).items():
        (folder / "scripts/asr" / f"{name}.txt").write_text(text, encoding="utf-8")
    return read("wikihowqa", folder, **settings)


def test_the_wikihow_sample_holds_12_questions_on_77_transcripts(shared_data: Path):
    outcome = read("wikihowqa", shared_data / "wikihowqa")
    assert (len(outcome.items), len(outcome.questions)) == (77, 12)
    assert outcome.evidence == {"present": 12}
    assert {item.modality for item in outcome.items.values()} == {Modality.TEXT}
    assert {question.kind for question in outcome.questions} == {"long_form"}
    assert all(gold in outcome.items for question in outcome.questions for gold in question.gold)


def test_the_synthetic_sample_holds_18_questions_on_6_transcripts_with_one_gold_each(shared_data: Path):
    outcome = read("syntheticqa", shared_data / "syntheticqa")
    assert (len(outcome.items), len(outcome.questions), outcome.reasons) == (6, 18, {})
    for question in outcome.questions:
        video = question.id.removeprefix("syntheticqa:test:").rsplit("_", 1)[0]
        assert question.gold == (f"syntheticqa:video:{video}",)


def test_gold_are_all_listed_videos_at_hand_and_the_others_are_noted(tmp_path: Path):
    outcome = parse(tmp_path, record(), record(qid="134"))
    first, second = outcome.questions
    assert (first.id, first.gold) == ("wikihowqa:test:133", ("wikihowqa:video:-1KSBqYHfOg",))
    assert (first.evidence, first.notes) == ("present", ("gold_missing:1:ab_c",))
    assert outcome.reasons == {"video_missing": 1}  # counted once, however many questions ask about it
    assert second.gold == first.gold


def test_search_results_are_never_read(tmp_path: Path):
    assert "zzz" not in str(parse(tmp_path, record()))


def test_an_int_and_the_same_string_are_one_question(tmp_path: Path):
    outcome = parse(tmp_path, record(), record(qid="133"))
    assert outcome.reasons == {"question_duplicate": 1, "video_missing": 1}


def test_with_the_file_a_video_is_its_clips_and_all_of_them_are_gold(tmp_path: Path):
    write_film(tmp_path / "videos/ab_c.mp4", seconds=30)
    outcome = parse(tmp_path, record(), scripts={"ab_c": "one two three"}, clip_s=15.0)
    assert outcome.questions[0].gold == ("wikihowqa:clip:ab_c#0", "wikihowqa:clip:ab_c#15")
    assert outcome.items["wikihowqa:clip:ab_c#15"].modality == Modality.VIDEO


def test_short_answers_are_compared_word_by_word_and_long_ones_by_rouge(tmp_path: Path):
    short, long = parse(tmp_path, record(answer_text="cut, weld, paint"), record(qid=1)).questions
    assert (short.kind, long.kind) == ("text", "long_form")


def test_bad_records_are_counted(tmp_path: Path):
    bad = [5, record(qid=None), record(videos="x"), record(videos=[{}]), record(answer_text=" ")]
    assert parse(tmp_path, *bad).reasons == {"record_malformed": 5}


def test_a_question_without_any_video_is_kept(tmp_path: Path):
    outcome = parse(tmp_path, record(), scripts={"other": "words"})
    assert outcome.evidence == {"media_missing": 1}
    assert list(outcome.items) == ["wikihowqa:video:other"]


def test_a_clone_with_both_sets_gives_each_its_own_questions(tmp_path: Path, shared_data: Path):
    for name in ("wikihowqa", "syntheticqa"):
        shutil.copytree(shared_data / name, tmp_path / "VideoRAG/datasets", dirs_exist_ok=True)
    how, made = read("wikihowqa", tmp_path), read("syntheticqa", tmp_path)
    assert (len(how.questions), len(made.questions)) == (12, 18)
    assert how.reasons == made.reasons == {"file_of_other_dataset": 1}
    assert how.skipped[0].where.endswith("qa/synthetic.json")
    assert {question.evidence for question in (*how.questions, *made.questions)} == {"present"}


def test_an_empty_transcript_is_counted(tmp_path: Path):
    outcome = parse(tmp_path, record(), scripts={"-1KSBqYHfOg": " \r\n", "ab_c": "\ufeffsaid\r\nhere"})
    assert outcome.reasons == {"transcript_empty": 1, "video_missing": 1}
    [item] = outcome.items.values()
    assert item.text == "said here"


def test_a_list_of_videos_may_be_written_as_text(tmp_path: Path):
    [question] = parse(tmp_path, record(videos="[{'video_id': '-1KSBqYHfOg', 'rank': 3}]")).questions
    assert question.gold == ("wikihowqa:video:-1KSBqYHfOg",)
