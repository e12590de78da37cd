"""A real daemon: the schedule indexes a changed corpus into the live server that the first run chose, and it answers exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assets.index.build import build_index
from assets.index.published import current_index, open_index
from assets.index.retrieval import evaluate
from assets.index.settings import IndexSettings
from infra.storage.root import Storage
from tests.assets.question_sets.test_build import question
from tests.assets.small_corpus import item, write_corpus
from tests.orchestration.daemon import REPOSITORY, instance_environment, running_daemon
from tests.weaviate.server import WeaviateServer

PATIENCE_S = 300.0


def write(storage: Storage, *, changed: bool) -> None:
    """Fifty towns and a question about each; a tenth of them changes its text, and a tenth goes."""
    numbers = range(5, 50) if changed else range(50)
    texts = {
        n: f"Town{n} lies {n * n} km from the {'harbour' if changed and n % 10 == 0 else 'river'}."
        for n in numbers
    }
    items = [item(f"t{n}", text, dataset="squad") for n, text in texts.items()]
    asked = [
        question(f"q{n}", f"t{n}", split="dev", text=f"How far is Town{n} from the river?") for n in numbers
    ]
    write_corpus(storage, items, asked, dataset="squad")


@pytest.mark.timeout(900)
def test_a_changed_corpus_is_indexed_by_the_schedule_of_a_real_daemon(
    weaviate_server: WeaviateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    storage, reference, home = Storage(tmp_path / "root"), Storage(tmp_path / "reference"), tmp_path / "home"
    environment = instance_environment(home, storage.root, **weaviate_server.environment)
    write(storage, changed=False)
    config = tmp_path / "index.yaml"
    config.write_text(json.dumps({"ops": {"index_of_corpus": {"config": {"store": "weaviate"}}}}))
    dagster = Path(sys.executable).with_name("dagster")
    made = subprocess.run(
        [dagster, "job", "execute", "-m", "orchestration.definitions", "-j", "index", "-c", config],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    first = current_index(storage)
    assert first
    assert first.store == "weaviate"

    write(storage, changed=True)
    with running_daemon(
        "tests.orchestration.every_minute", environment, tmp_path / "daemon.log", patience_s=PATIENCE_S
    ) as wait:
        wait(lambda: (now := current_index(storage)) is not None and now.version != first.version)
    now = current_index(storage)
    assert now
    assert (now.store, now.place["generation"]) == ("weaviate", 2)

    write(reference, changed=True)
    build_index(reference, IndexSettings())
    for name, value in weaviate_server.environment.items():
        monkeypatch.setenv(name, value)  # this process asks the same server
    assert open_index(storage).search("Town40 harbour", 1)[0].title == "t40"
    measured, exact = evaluate(storage), evaluate(reference)
    assert measured.fingerprint == exact.fingerprint
    assert measured.datasets["squad"].recall == pytest.approx(exact.datasets["squad"].recall, abs=0.005)
    assert measured.datasets["squad"].mrr == pytest.approx(exact.datasets["squad"].mrr, abs=0.005)
