"""The published schemas are those of the records, and the page's events are named where programs look for them."""

from __future__ import annotations

import json

import pytest

from app.answers.corpus_handle import CorpusHandle
from app.answers.events import ADAPTER, FailureEvent, StartEvent
from app.schemas import ADAPTERS, FOLDER, schema_text
from app.server.application import api_of
from app.server.settings import ServerSettings
from app.server.state import ServerState
from infra.storage.root import Storage


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_published_schema_is_the_one_of_the_records(name: str):
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == schema_text(name), (
        "the records have changed: run python -m app.schemas, and see whether older files can still be read"
    )


def test_every_event_is_told_apart_by_its_name():
    schema = json.loads(schema_text("events"))
    assert schema["discriminator"]["propertyName"] == "event"
    assert set(schema["discriminator"]["mapping"]) == {
        *("started", "asked", "spoke", "replied", "rejected", "observed", "remembered", "answered"),
        *("finished", "failed"),
    }
    failure = FailureEvent(code="timeout", message="no answer within 5 seconds")
    assert ADAPTER.validate_json(failure.model_dump_json()) == failure


def test_openapi_names_the_events_of_a_question(tmp_path):
    corpus = CorpusHandle(Storage(str(tmp_path)))
    schema = api_of(ServerState(corpus=corpus, model=None, settings=ServerSettings())).openapi()
    content = schema["paths"]["/v1/ask"]["post"]["responses"]["200"]["content"]
    names = [one["$ref"].rpartition("/")[2] for one in content["text/event-stream"]["schema"]["oneOf"]]
    assert StartEvent.__name__ in names and len(names) == 10
    assert set(names) <= set(schema["components"]["schemas"])
    assert "422" not in schema["paths"]["/v1/ask"]["post"]["responses"]
