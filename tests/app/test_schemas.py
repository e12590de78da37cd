"""The published schemas are those of the records, and the page's events are named where programs look for them.

``python -m tests.app.test_schemas`` writes ``docs/schemas/`` anew: ``events.json`` is the stream of ``POST /v1/ask``,
``manifest.json``, ``index.json``, ``item.json`` and their kind are of files below a root,
``report.json`` what lies beside the page of a run, ``evaluation.json`` what it is made from, ``study.json`` a study,
``release.json`` is what ``vimrag releases show --json`` says, and ``trajectory.json`` a row of a Parquet file of trajectories.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from pydantic import TypeAdapter

from app.answers import events
from app.answers.corpus_handle import CorpusHandle
from app.answers.events import FailureEvent, StartEvent
from app.cli import main
from app.server.application import api_of
from app.server.settings import ServerSettings
from app.server.state import ServerState
from assets.corpus.item import Item
from assets.corpus.question import Question
from assets.index.published import IndexPointer
from assets.index.releases import Release
from assets.question_sets.build import QuestionSet, build_question_set
from assets.user_files.ledger import IngestedFile
from infra.reporting import report
from infra.storage.manifest import Manifest
from infra.storage.root import Storage
from model.rl import trajectory_store
from model.training.calibration import Calibration
from orchestration.evaluation import document as evaluation
from orchestration.study import document as study
from tests.app.server.stored import trajectory
from tests.assets.question_sets.test_build import question
from tests.assets.small_corpus import item, write_corpus

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"
ADAPTERS: Mapping[str, TypeAdapter] = {
    "events": events.ADAPTER,
    "report": report.ADAPTER,
    "evaluation": evaluation.ADAPTER,
    "study": study.ADAPTER,
    "release": TypeAdapter(Release),
}
STORED: Mapping[str, TypeAdapter] = {
    "manifest": TypeAdapter(Manifest),
    "index": TypeAdapter(IndexPointer),
    "item": TypeAdapter(Item),
    "question": TypeAdapter(Question),
    "ingested_file": TypeAdapter(IngestedFile),
    "calibration": TypeAdapter(Calibration),
    "question_set": TypeAdapter(QuestionSet),
}
"""Of files below a root, which later versions read: a field that has a default may be absent there."""


TABLES: Mapping[str, pl.Schema] = {"trajectory": trajectory_store.SCHEMA}


def row_schema(schema: pl.Schema, described: str) -> dict[str, Any]:
    """Of a row of a table as JSON; any value may be missing."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": described,
        **_object({name: _value(dtype) for name, dtype in schema.items()}),
    }


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _value(dtype: Any) -> dict[str, Any]:
    if isinstance(dtype, pl.List):
        found: dict[str, Any] = {"type": "array", "items": _value(dtype.inner)}
    elif isinstance(dtype, pl.Struct):
        found = _object({field.name: _value(field.dtype) for field in dtype.fields})
    elif dtype == pl.Boolean:
        found = {"type": "boolean"}
    elif dtype.is_integer():
        found = {"type": "integer"}
    else:
        found = {"type": "number" if dtype.is_float() else "string"}
    return {"anyOf": [found, {"type": "null"}]}


def schema_text(name: str) -> str:
    """The file of one schema."""
    if name in TABLES:
        schema = row_schema(
            TABLES[name], f"A row of a Parquet file; version {trajectory_store.SCHEMA_VERSION}."
        )
        return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"
    stored = STORED.get(name)
    schema = stored.json_schema() if stored else ADAPTERS[name].json_schema(mode="serialization")
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


@pytest.mark.parametrize("name", [*ADAPTERS, *STORED, *TABLES])
def test_a_published_schema_is_the_one_of_the_records(name: str):
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == schema_text(name), (
        "the records have changed: run python -m tests.app.test_schemas, and see whether older files can still be read"
    )


def accepts(name: str, value: object) -> None:
    """Raises if the published schema does not accept ``value``."""
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(value)


def _printed(words: list[str], root: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert main([*words, "--root", str(root), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_rows_of_trajectories_and_a_set_of_questions_are_accepted(tmp_path: Path):
    trajectory_store.write(tmp_path / "t.parquet", [trajectory(0, correct=True), trajectory(1, correct=None)])
    rows = pl.read_parquet(tmp_path / "t.parquet").to_dicts()
    for row in rows:
        accepts("trajectory", row)
    with pytest.raises(jsonschema.ValidationError):
        accepts("trajectory", {**rows[0], "reward": "high"})
    storage = Storage(tmp_path / "root")
    towns = [item(f"t{n}", f"Town{n} lies {n * n} km from the river.", dataset="squad") for n in range(8)]
    asked = [question(f"q{n}", f"t{n}", split="dev", text=f"How far is Town{n}?") for n in range(8)]
    write_corpus(storage, towns, asked, dataset="squad")
    made = build_question_set(storage)
    accepts("question_set", json.loads(json.dumps(made.to_json())))


def test_the_schemas_accept_what_really_lies_below_a_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files, root = tmp_path / "files", tmp_path / "root"
    files.mkdir()
    (files / "note.txt").write_text("The old mill burned down in a dry summer.\n")
    assert main(["ingest", str(files), "--root", str(root), "--no-ocr"]) == 0
    manifests = sorted(root.rglob("manifest.json"))
    assert {path.relative_to(root).parts[0] for path in manifests} == {"corpus", "shards", "index", "ingest"}
    for path in manifests:
        accepts("manifest", json.loads(path.read_text()))
    accepts("index", json.loads((root / "index" / "current.json").read_text()))
    (row,) = pl.read_parquet(str(root / "corpus/documents/*/items.parquet")).to_dicts()
    accepts("item", row)
    (kept,) = json.loads((root / "ingest" / "files.json").read_text())["files"]
    accepts("ingested_file", kept)
    accepts("release", _printed(["releases", "show"], root, capsys))
    with pytest.raises(jsonschema.ValidationError):
        accepts("item", row | {"modality": "smell"})
    with pytest.raises(jsonschema.ValidationError):
        accepts("manifest", {"files": []})


def test_every_event_is_told_apart_by_its_name():
    schema = json.loads(schema_text("events"))
    assert schema["discriminator"]["propertyName"] == "event"
    assert set(schema["discriminator"]["mapping"]) == {
        *("started", "asked", "spoke", "replied", "rejected", "observed", "remembered", "answered"),
        "noticed",
        *("finished", "failed"),
    }
    failure = FailureEvent(code="timeout", message="no answer within 5 seconds")
    assert events.ADAPTER.validate_json(failure.model_dump_json()) == failure


def test_openapi_names_the_events_of_a_question(tmp_path):
    corpus = CorpusHandle(Storage(str(tmp_path)))
    schema = api_of(ServerState(corpus=corpus, model=None, settings=ServerSettings())).openapi()
    content = schema["paths"]["/v1/ask"]["post"]["responses"]["200"]["content"]
    names = [event["$ref"].rpartition("/")[2] for event in content["text/event-stream"]["schema"]["oneOf"]]
    assert StartEvent.__name__ in names and len(names) == 11
    assert set(names) <= set(schema["components"]["schemas"])
    assert "422" not in schema["paths"]["/v1/ask"]["post"]["responses"]


if __name__ == "__main__":
    for name in (*ADAPTERS, *STORED, *TABLES):
        (FOLDER / f"{name}.json").write_text(schema_text(name), encoding="utf-8")
