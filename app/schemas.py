"""The JSON schemas of what programs read: ``python -m app.schemas`` writes ``docs/schemas/`` anew.

``events.json`` is the stream of ``POST /v1/ask``, ``report.json`` what lies beside the page of a run, ``evaluation.json`` what it
is made from, ``study.json`` the figures of a training study.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from app.answers import events
from infra.reporting import report
from orchestration.evaluation import document as evaluation
from orchestration.study import document as study

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"
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


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in ADAPTERS:
        (FOLDER / f"{name}.json").write_text(schema_text(name), encoding="utf-8")
