"""The published schemas are those of the records, and the page's events are named where programs look for them.

``python -m tests.app.test_schemas`` writes ``docs/schemas/`` anew: ``events.json`` is the stream of ``POST /v1/ask``,
``report.json`` what lies beside the page of a run, ``evaluation.json`` what it is made from, ``study.json`` a study.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from app.answers import events
from app.answers.corpus_handle import CorpusHandle
from app.answers.events import FailureEvent, StartEvent
from app.server.application import api_of
from app.server.settings import ServerSettings
from app.server.state import ServerState
from infra.reporting import report
from infra.storage.root import Storage
from orchestration.evaluation import document as evaluation
from orchestration.study import document as study

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"
ADAPTERS: Mapping[str, TypeAdapter] = {
    "events": events.ADAPTER,
    "report": report.ADAPTER,
    "evaluation": evaluation.ADAPTER,
    "study": study.ADAPTER,
}


def schema_text(name: str) -> str:
    """The file of one schema."""
    schema = ADAPTERS[name].json_schema(mode="serialization")
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_published_schema_is_the_one_of_the_records(name: str):
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == schema_text(name), (
        "the records have changed: run python -m tests.app.test_schemas, and see whether older files can still be read"
    )


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
    for name in ADAPTERS:
        (FOLDER / f"{name}.json").write_text(schema_text(name), encoding="utf-8")
