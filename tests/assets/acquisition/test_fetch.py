"""Whole datasets fetched from a server of this machine, and read by the parsers where they landed."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from assets.acquisition.catalogue import RemoteFile, ZipArchive
from assets.acquisition.fetch import TermsNotAcceptedError, fetch
from assets.acquisition.mirrors import DEFAULTS, Mirrors, mirrors_of
from assets.acquisition.publications import PUBLICATIONS
from assets.acquisition.records import count_questions
from assets.acquisition.session import FetchSettings, FetchStatus
from assets.corpus.dataset import DATASETS
from infra.errors import DownloadError
from tests.assets.acquisition.hosts import (
    COMMIT,
    VIDEOS,
    Fetch,
    as_json,
    put_commit,
    put_lvbench,
    put_mmlongbench,
    put_videorag,
    tree,
)
from tests.assets.parsers.outcome import read
from tests.servers.file_server import FileServer


def lock_of(tmp_path: Path, dataset: str) -> dict:
    return json.loads((tmp_path / f"root/raw/{dataset}.lock.json").read_text())


def test_the_catalogue_is_of_the_nine_datasets_and_holds_together():
    assert list(PUBLICATIONS) == list(DATASETS)
    mirrors = Mirrors({"webqa": "https://mirror.example/webqa"})
    for name, publication in PUBLICATIONS.items():
        assert publication.licence
        needs_terms = publication.video_ids is not None or any(part.needs_terms for part in publication.parts)
        assert bool(publication.terms) == needs_terms
        assert any(part.is_default for part in publication.parts)
        for editions in publication.questions.values():
            assert set(editions) <= DATASETS[name].expected_counts.keys()
        for part in publication.parts:
            files = [s for s in part.sources if isinstance(s, RemoteFile)]
            files += [file for s in part.sources if isinstance(s, ZipArchive) for file in s.parts]
            for file in files:
                url = mirrors.address(file.url, revision=COMMIT)
                assert url.startswith("http") and "{" not in url
                assert (COMMIT in url) == (part.repository is not None)
                assert file.sha256 is None or len(file.sha256) == 64 or "..." in file.sha256


def test_the_published_counts_are_those_that_are_checked():
    checked = {
        name: {
            file: sum(DATASETS[name].expected_counts[e] for e in editions)
            for file, editions in p.questions.items()
        }
        for name, p in PUBLICATIONS.items()
    }
    assert checked["hotpotqa"]["hotpot_dev_distractor_v1.json"] == 7_405
    assert checked["squad"]["dev-v1.1.json"] == 10_570
    assert checked["webqa"]["WebQA_train_val.json"] == 36_766 + 4_966
    assert checked["mmlongbench_doc"] == {"samples.json": 1_082}
    assert checked["lvbench"] == {"video_info.meta.jsonl": 1_549}
    assert checked["wikihowqa"] == {"qa/wikihow.json": 534} and checked["syntheticqa"] == {
        "qa/synthetic.json": 534
    }


def test_questions_and_the_documents_they_name_come_and_are_read(
    server: FileServer, fetched: Fetch, tmp_path: Path
):
    put_mmlongbench(server, {"a b.pdf": b"%PDF-1", "gone.pdf": b""})
    server.files[f"/github-raw/mayubo2333/MMLongBench-Doc/{COMMIT}/data/documents/a%20b.pdf"] = (
        server.files.pop(f"/github-raw/mayubo2333/MMLongBench-Doc/{COMMIT}/data/documents/a b.pdf")
    )
    report = fetched("mmlongbench_doc")
    assert [outcome.status for outcome in report.outcomes] == [
        FetchStatus.FETCHED,
        FetchStatus.FETCHED,
        FetchStatus.QUARANTINED,
    ]
    assert (report.failures, report.quarantine, report.questions) == ([], {"gone": 1}, {"samples.json": 2})
    assert tree(tmp_path / "root/raw/mmlongbench_doc").keys() == {"samples.json", "documents/a b.pdf"}
    lock = lock_of(tmp_path, "mmlongbench_doc")
    assert lock["revisions"] == {"mayubo2333/MMLongBench-Doc@HEAD": COMMIT}
    assert lock["files"]["documents/a b.pdf"]["sha256"] == sha256(b"%PDF-1").hexdigest()
    assert len(read("mmlongbench_doc", tmp_path / "root/raw/mmlongbench_doc").questions) == 2
    before = len(server.requests)
    again = fetched("mmlongbench_doc")
    assert len(server.requests) == before  # nothing is asked for: present, and gone for good
    assert again.count(FetchStatus.PRESENT) == 2 and again.count(FetchStatus.QUARANTINED) == 1
    server.put(f"/github-raw/mayubo2333/MMLongBench-Doc/{COMMIT}/data/documents/gone.pdf", b"%PDF-2")
    assert fetched("mmlongbench_doc", retry_quarantined=True).quarantine == {}


def test_a_host_that_fails_is_left_alone_and_its_documents_are_tried_again(
    server: FileServer, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("assets.acquisition.session.STOP_AFTER", 2)
    documents = {f"{letter}.pdf": b"%PDF" for letter in "abc"}
    put_mmlongbench(server, documents)
    paths = [path for path in server.files if path.endswith(".pdf")]
    for path in paths:
        server.files[path].statuses, server.files[path].forever = [500], True
    report = fetched("mmlongbench_doc")
    assert report.quarantine == {"server": 2} and "1 are left" in report.notes[-1]
    assert server.asked(paths[2]) == []
    put_mmlongbench(server, documents)
    assert fetched("mmlongbench_doc").quarantine == {}


def test_a_run_that_ends_while_unpacking_is_continued_without_a_download(
    server: FileServer, fetched: Fetch, mirrors: Mirrors, tmp_path: Path
):
    path = put_videorag(server)

    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage.endswith("unpack"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(
            PUBLICATIONS["wikihowqa"], tmp_path / "root", FetchSettings(mirrors=mirrors), progress=interrupt
        )
    folder = tmp_path / "root/raw/wikihowqa"
    assert len(tree(folder)) == 2  # one member, and the zip
    assert fetched("wikihowqa").count(FetchStatus.FETCHED) == 3 and len(server.asked(path)) == 1
    assert len(tree(folder)) == 3


def test_hostile_names_of_documents_are_not_asked_for(server: FileServer, fetched: Fetch, tmp_path: Path):
    put_mmlongbench(server, {"../../evil.pdf": b"x", "/etc/evil.pdf": b"x"})
    report = fetched("mmlongbench_doc")
    assert [outcome.name for outcome in report.outcomes] == ["samples.json"]
    assert not list(tmp_path.rglob("evil.pdf"))


@pytest.mark.parametrize(
    ("dataset", "questions"), [("wikihowqa", "qa/wikihow.json"), ("syntheticqa", "qa/synthetic.json")]
)
def test_of_an_archive_comes_what_is_needed(
    server: FileServer, fetched: Fetch, tmp_path: Path, dataset: str, questions: str
):
    path = put_videorag(server)
    report = fetched(dataset)
    folder = tmp_path / "root/raw" / dataset
    scripts = {f"scripts/asr/{VIDEOS[0]}.txt", f"scripts/original/{VIDEOS[1]}.txt"}
    assert report.failures == [] and tree(folder).keys() == {questions, *scripts}
    outcome = read(dataset, folder)
    assert len(outcome.questions) == 1 and outcome.evidence == {"present": 1}
    before = len(server.requests)
    assert fetched(dataset).count(FetchStatus.PRESENT) == 3 and len(server.requests) == before
    first = tree(folder)
    (folder / questions).unlink()
    put_videorag(server, **{"datasets/packed/anew.txt": b"other bytes of the zip"})
    assert fetched(dataset).failures == [] and tree(folder) == first
    assert len(server.asked(path)) == 2


def test_another_member_than_first_recorded_is_refused(server: FileServer, fetched: Fetch, tmp_path: Path):
    put_videorag(server)
    fetched("wikihowqa")
    name = f"scripts/asr/{VIDEOS[0]}.txt"
    (tmp_path / "root/raw/wikihowqa" / name).unlink()
    lock = lock_of(tmp_path, "wikihowqa")
    lock["files"][name]["sha256"] = "0" * 64
    (tmp_path / "root/raw/wikihowqa.lock.json").write_text(json.dumps(lock))
    [failure] = fetched("wikihowqa").failures
    assert failure.reason == "changed" and name in failure.detail


def test_a_first_fetch_is_trusted_and_any_other_content_refused_from_then_on(
    server: FileServer, fetched: Fetch, tmp_path: Path
):
    path = put_lvbench(server)
    assert fetched("lvbench").failures == []
    file = tmp_path / "root/raw/lvbench/video_info.meta.jsonl"
    file.unlink()
    body = server.files[path].body
    server.put(path, body + b"\n{}")
    [failure] = fetched("lvbench").failures
    assert failure.reason == "changed" and "video_info.meta.jsonl" in failure.detail and not file.exists()
    server.put(path, body)
    assert fetched("lvbench").failures == []
    file.write_bytes(body.replace(b"What", b"When"))  # same size: only a hash tells
    assert fetched("lvbench").failures == []
    [failure] = fetched("lvbench", verify=True).failures
    assert failure.reason == "changed" and str(file) in failure.detail
    assert fetched("lvbench", relock=True).count(FetchStatus.ADOPTED) == 1


def test_published_bytes_are_held_to_their_hash_whatever_mirror_serves_them(
    server: FileServer, fetched: Fetch, tmp_path: Path
):
    server.put("/hotpotqa/hotpot_dev_distractor_v1.json", b"[]")
    [failure] = fetched("hotpotqa").failures
    assert failure.reason == "changed" and "46,320,117 are published" in failure.detail
    assert not (tmp_path / "root/raw/hotpotqa").exists()
    target = tmp_path / "root/raw/hotpotqa/hotpot_dev_distractor_v1.json"
    target.parent.mkdir()
    target.write_bytes(b"[]")
    [failure] = fetched("hotpotqa").failures
    assert str(target) in failure.detail and target.read_bytes() == b"[]"


def test_another_number_of_questions_is_a_loud_failure_and_counted_once(
    server: FileServer, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
):
    put_lvbench(server)
    monkeypatch.setitem(DATASETS, "lvbench", replace(DATASETS["lvbench"], expected_counts={"test": 1_549}))
    [failure] = fetched("lvbench").failures
    assert failure.reason == "count" and "3 questions where 1,549 are published" in failure.detail
    monkeypatch.setattr("assets.acquisition.fetch.count_questions", lambda *_: pytest.fail("counted twice"))
    assert len(fetched("lvbench").failures) == 1


def test_squad_is_counted_by_its_questions_not_its_articles(tmp_path: Path):
    paragraph = {"context": "c", "qas": [{"id": "1"}, {"id": "2"}]}
    path = tmp_path / "dev-v1.1.json"
    path.write_bytes(
        as_json({"version": "1.1", "data": [{"title": "t", "paragraphs": [paragraph, paragraph]}] * 2})
    )
    assert count_questions("squad", path) == 8


def test_a_mirror_that_tells_no_commit_serves_the_branch_by_name(
    server: FileServer, fetched: Fetch, tmp_path: Path
):
    path = put_lvbench(server)
    body = server.files[path].body
    server.files.clear()
    server.put(path.replace(COMMIT, "main"), body)
    report = fetched("lvbench")
    assert report.failures == [] and "not known" in report.notes[0]
    assert lock_of(tmp_path, "lvbench")["revisions"] == {"zai-org/LVBench@main": ""}


def test_a_commit_that_nobody_told_is_looked_up_again_while_nothing_has_come(
    server: FileServer, fetched: Fetch, tmp_path: Path
):
    assert [failure.reason for failure in fetched("lvbench").failures] == ["gone"]
    put_lvbench(server)
    assert fetched("lvbench").failures == []
    assert lock_of(tmp_path, "lvbench")["revisions"] == {"zai-org/LVBench@main": COMMIT}


def test_the_commit_found_first_is_kept_and_another_revision_needs_a_new_folder(
    server: FileServer, fetched: Fetch, tmp_path: Path
):
    put_lvbench(server)
    fetched("lvbench")
    other = "f" * 40
    put_commit(server, "hub", "zai-org/LVBench", "main")
    server.put("/huggingface/api/datasets/zai-org/LVBench/revision/main", as_json({"sha": other}))
    (tmp_path / "root/raw/lvbench/video_info.meta.jsonl").unlink()
    assert fetched("lvbench").failures == []
    with pytest.raises(ValueError, match="holds zai-org/LVBench@main"):
        fetched("lvbench", revisions={"zai-org/LVBench": other})


def test_a_listed_hub_is_held_to_the_hashes_it_gives(server: FileServer, fetched: Fetch, tmp_path: Path):
    for split in ("train", "dev", "test"):
        put_commit(server, "github", "nttmdlab-nlp/SlideVQA", "HEAD")
        row = {"deck_name": "d", "question": f"{split}?", "qa_id": 1, "answer": "a", "evidence_pages": [1]}
        server.put(f"/github-raw/nttmdlab-nlp/SlideVQA/{COMMIT}/annotations/qa/{split}.jsonl", as_json(row))
    put_commit(server, "hub", "NTT-hil-insight/SlideVQA", "main")
    body, name = b"PAR1", "data/test-00000-of-00001.parquet"
    entry = {"type": "file", "path": name, "size": 4, "lfs": {"oid": sha256(body).hexdigest()}}
    evil = {"type": "file", "path": "../evil.parquet", "size": 4}
    listing = f"/huggingface/api/datasets/NTT-hil-insight/SlideVQA/tree/{COMMIT}"
    server.put(listing, as_json([entry, evil, {"type": "directory", "path": "data"}]))
    at = f"/huggingface/datasets/NTT-hil-insight/SlideVQA/resolve/{COMMIT}/{name}"
    server.put(at, b"PAR2")
    with pytest.raises(TermsNotAcceptedError):
        fetched("slidevqa")
    wanted = {"parts": ("slides",), "accept_terms": True}
    report = fetched("slidevqa", **wanted)
    assert {failure.reason for failure in report.failures} == {"changed", "count"}
    server.put(at, body)
    assert {failure.reason for failure in fetched("slidevqa", **wanted).failures} == {"count"}
    assert (tmp_path / "root/raw/slidevqa" / name).read_bytes() == body
    server.files[listing].statuses, server.files[listing].forever = [403], True
    assert "HF_TOKEN" in next(
        f.detail for f in fetched("slidevqa", **wanted).failures if f.reason == "forbidden"
    )


def test_webqa_needs_a_mirror_and_keeps_the_parts_of_its_images(
    server: FileServer, fetched: Fetch, mirrors: Mirrors, tmp_path: Path
):
    with pytest.raises(ValueError, match="--mirror webqa=URL"):
        fetched("webqa", mirrors=Mirrors({}))
    for name in ("WebQA_train_val.json", "WebQA_test.json"):
        server.put(f"/webqa/{name}", as_json({"g": {"Q": "q", "Guid": "g", "img_Facts": []}}))
    for number in range(1, 52):
        server.put(f"/webqa/imgs.7z.{number:03d}", b"7z")
    report = fetched("webqa", parts=("images",), accept_terms=True)
    assert report.count(FetchStatus.FETCHED) == 53 and {failure.reason for failure in report.failures} == {
        "count"
    }


def test_an_archive_in_parts_becomes_videos_and_leaves_no_parts(
    server: FileServer, fetched: Fetch, tmp_path: Path, video_bytes: bytes
):
    put_lvbench(server)
    put_commit(server, "hub", "AIWinter/LVBench", "main")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"all_videos/{VIDEOS[0]}.mp4", video_bytes)
        archive.writestr("all_videos/._hidden.mp4", b"")
    data = buffer.getvalue()
    size = len(data) // 14 + 1
    for number in range(14):
        path = (
            f"/huggingface/datasets/AIWinter/LVBench/resolve/{COMMIT}/all_videos_split.zip.{number + 1:03d}"
        )
        server.put(path, data[number * size : (number + 1) * size])
    report = fetched("lvbench", parts=("archive",), accept_terms=True)
    folder = tmp_path / "root/raw/lvbench"
    assert report.failures == []
    assert tree(folder).keys() == {"video_info.meta.jsonl", f"videos/{VIDEOS[0]}.mp4"}
    assert read("lvbench", folder).evidence == {"present": 1, "media_missing": 2}


def test_a_disk_that_takes_nothing_ends_the_run(server: FileServer, fetched: Fetch, tmp_path: Path):
    put_lvbench(server)
    (tmp_path / "root/raw").mkdir(parents=True)
    (tmp_path / "root/raw/lvbench").write_text("a file")
    with pytest.raises(DownloadError, match="cannot write"):
        fetched("lvbench")


def test_damaged_records_of_earlier_runs_are_said_to_be_so(
    server: FileServer, fetched: Fetch, tmp_path: Path
):
    put_lvbench(server)
    raw = tmp_path / "root/raw"
    raw.mkdir(parents=True)
    for name, content in (
        ("lock.json", "{"),
        ("lock.json", '{"schema": 9}'),
        ("quarantine.jsonl", '{"a": 1}\n'),
    ):
        (raw / f"lvbench.{name}").write_text(content)
        with pytest.raises(ValueError, match="damaged"):
            fetched("lvbench")
        (raw / f"lvbench.{name}").unlink()


def test_mirrors_come_from_options_before_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIMRAG_MIRRORS", "squad=http://one/ hotpotqa=http://two")
    mirrors = mirrors_of(["squad=http://three"])
    assert (
        mirrors.address("{squad}/a") == "http://three/a" and mirrors.address("{hotpotqa}/b") == "http://two/b"
    )
    assert mirrors_of(["youtube=http://a/{id}.mp4"]).video("-x") == "http://a/-x.mp4"
    assert Mirrors().video("-x") == "https://www.youtube.com/watch?v=-x"
    for wrong in ("squad", "nobody=http://a", "squad=file:///etc"):
        with pytest.raises(ValueError, match=r"mirror|address"):
            mirrors_of([wrong])


def test_the_hub_token_goes_to_the_hub_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hush")
    assert Mirrors().headers(f"{DEFAULTS['huggingface']}/datasets/x") == {"Authorization": "Bearer hush"}
    assert Mirrors().headers("https://huggingface.co.evil/x") == {} == Mirrors().headers("http://127.0.0.1/x")
