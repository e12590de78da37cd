"""The composition, read as it is and run as processes: Postgres, Weaviate with a key, S3, Dagster's page, daemon and code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from assets.index.published import current_index, open_index
from infra.storage.root import Storage
from tests.deploy.composed import DEPLOY, SECRETS, Composed, composition
from tests.deploy.long import long
from tests.deploy.page_client import events, launch, wait
from tests.deploy.smallest import SMALLEST

PATIENCE_S = 3000.0


def test_every_variable_is_explained_every_service_and_volume_is_there():
    text, composed = (DEPLOY / "compose.yaml").read_text(), composition()
    explained = set(re.findall(r"^(\w+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used - explained == {"VIMRAG_IMAGE", "VIMRAG_TARGET"}  # which image is built, not a setting of it
    assert set(SECRETS) <= explained
    services = composed["services"]
    volumes = {
        mount.split(":")[0]
        for service in services.values()
        for mount in service.get("volumes", ())
        if not mount.startswith((".", "/"))
    }
    assert volumes == set(composed["volumes"])
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)


def test_whatever_is_secret_must_be_chosen_and_nothing_but_the_page_behind_tls_is_open_to_others():
    text, services = (DEPLOY / "compose.yaml").read_text(), composition()["services"]
    for name in SECRETS:
        assert set(re.findall(rf"\$\{{{name}([^}}]*)\}}", text)) == {":?see env.example"}
    open_ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert open_ports == {"webserver": ["127.0.0.1:3000:3000"], "tls": ["80:80", "443:443"]}
    for name in ("code", "webserver", "daemon", "serve"):
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]


def test_the_image_is_not_run_by_root_and_its_context_holds_what_the_wheel_needs():
    stages = (DEPLOY / "Dockerfile").read_text().split("\nFROM ")
    for name in ("cpu", "cuda"):
        [stage] = [each for each in stages if each.splitlines()[0].endswith(f" AS {name}")]
        assert "\nUSER 10001" in stage
    context = (DEPLOY / "Dockerfile.dockerignore").read_text()
    copied = re.findall(r"^COPY (?!--from)([^/\n]+) ", stages[1], re.MULTILINE)
    for name in {word for line in copied for word in line.split() if word != "./"}:
        assert f"!{name}\n" in context, name


def test_helm_values_name_the_image_the_postgres_secret_and_a_device():
    values = yaml.safe_load((DEPLOY / "helm" / "values.yaml").read_text())
    [deployment] = values["dagster-user-deployments"]["deployments"]
    assert deployment["dagsterApiGrpcArgs"] == ["-m", "orchestration.definitions"]
    launcher = values["runLauncher"]
    assert launcher["type"] == "K8sRunLauncher"
    limits = launcher["config"]["k8sRunLauncher"]["runK8sConfig"]["containerConfig"]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == 1


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    running = Composed(tmp_path_factory.mktemp("composed"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@long
@pytest.mark.timeout(900)
def test_the_platform_of_the_file_refuses_whoever_has_no_key(composed: Composed):
    request = urllib.request.Request(f"{composed.environment['WEAVIATE_URL']}/v1/schema")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from infra.storage.root import Storage; Storage('s3://vimrag/root').list('corpus')",
        ],
        env={**composed.environment, "AWS_SECRET_ACCESS_KEY": "another"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0


@long
@pytest.mark.timeout(6000)
def test_the_miniature_runs_end_to_end_and_a_restored_backup_answers_the_same(
    composed: Composed, monkeypatch: pytest.MonkeyPatch
):
    config = {
        "resources": {"recipe": {"config": {"run_name": "smallest", "fields": SMALLEST}}},
        "ops": {"index_of_corpus": {"config": {"store": "weaviate"}}},
    }
    run = launch(composed.page, "miniature", config)
    status = wait(composed.page, run, patience_s=PATIENCE_S)
    said = events(composed.page, run)
    errors = [event for event in said if event.get("level") == "ERROR"]
    assert status == "SUCCESS", json.dumps(errors, indent=1)[-4000:]
    assert not errors  # libraries' warnings and dumps of settings are none

    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "WEAVIATE_URL",
                 "WEAVIATE_API_KEY", "WEAVIATE_GRPC_PORT"):  # fmt: skip
        monkeypatch.setenv(name, composed.environment[name])
    storage = Storage(composed.environment["VIMRAG_ROOT"])
    pointer = current_index(storage)
    assert pointer is not None and pointer.store == "weaviate" and len(pointer.datasets) == 9
    assert storage.exists("reports/smallest/index.html")
    assert storage.list("checkpoints/smallest-ggpo")
    assert _rows(composed, "select count(*) from runs where status = 'SUCCESS'") == 1
    asked = ["lamp", "which page shows the budget", "harbour", "red door"]
    answers = _hits(storage, asked)
    fingerprint = open_index(storage).fingerprint

    # stop, back up, restore elsewhere: a new Weaviate, another folder of the store
    _backup(composed)
    other = composed.start_weaviate("restored")
    _restore(composed, other.environment["WEAVIATE_URL"])
    composed.weaviate.stop()
    moved = Storage("s3://vimrag/restored")
    for name in storage.sizes(""):
        moved.write_bytes(name, storage.read_bytes(name))
    for name, value in other.environment.items():
        monkeypatch.setenv(name, value)
    assert open_index(moved).fingerprint == fingerprint
    assert _hits(moved, asked) == answers
    other.stop()


def _hits(storage: Storage, questions: list[str]) -> list[list[tuple[str, float]]]:
    index = open_index(storage)
    return [
        [(hit.item_id, round(hit.score, 5)) for hit in index.search(question, 5)] for question in questions
    ]


def _rows(composed: Composed, query: str) -> Any:
    psycopg2 = pytest.importorskip("psycopg2")
    connection = psycopg2.connect(composed.postgres.url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]
    finally:
        connection.close()


def _weaviate(address: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{address}/v1/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {SECRETS['WEAVIATE_API_KEY']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def _ended(address: str, path: str) -> None:
    for _ in range(240):
        if (state := _weaviate(address, path)["status"]) in ("SUCCESS", "FAILED"):
            assert state == "SUCCESS", _weaviate(address, path)
            return
        time.sleep(0.5)
    pytest.fail(f"{path} did not end")


def _backup(composed: Composed) -> None:
    address = composed.environment["WEAVIATE_URL"]
    _weaviate(address, "backups/filesystem", {"id": "evening"})
    _ended(address, "backups/filesystem/evening")


def _restore(composed: Composed, address: str) -> None:
    _weaviate(address, "backups/filesystem/evening/restore", {})
    _ended(address, "backups/filesystem/evening/restore")
