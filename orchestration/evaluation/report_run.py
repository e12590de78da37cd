"""Reporting of a run: reads its metric files, publishes ``reports/<run>/index.html`` and ``report.json``.

Loads no model; the report is arranged by ``report_document.py``.
"""

import json
from typing import Any

from infra.media import data_uri
from infra.reporting.report import Report, render
from infra.storage.publication import publish
from infra.storage.root import Storage
from memory_graph.drawing.svg import CSS
from orchestration.evaluation.document import DOCUMENT, EvaluationDocument
from orchestration.evaluation.report_document import report_of
from orchestration.launch.reporter import Reporter
from orchestration.launch.run_config import RunConfig

GGPO_METRICS = "ggpo.jsonl"


def run(config: RunConfig, reporter: Reporter) -> None:
    """Render and publish the report."""
    storage = Storage(config.root)
    path = f"{config.metrics}/{DOCUMENT}"
    if not storage.exists(path):
        raise ValueError(f"no evaluation at {storage.path(path)}: run the job evaluate first")
    document = EvaluationDocument.from_json(storage.read_bytes(path))
    report = report_of(document, config, ggpo=_lines(storage, f"{config.metrics}/{GGPO_METRICS}"))
    manifest = {"producer": "orchestration.launch.report/1", "params": {"run": config.name}, "inputs": {}}
    with publish(storage, config.report, **manifest) as published:
        published.write_bytes("index.html", render(report).encode())
        published.write_bytes("report.json", report.to_json())
    reporter.log("\n" + as_text(report))
    page = storage.path(config.report, "index.html")
    reporter.log(f"report: {page}")
    reporter.finish(
        {"page": page, "methods": [row.name for row in report.methods], **graph_metadata(document)}
    )


def as_text(report: Report) -> str:
    """The result table for a terminal: method, overall with interval; then the differences."""
    width = max(len(row.name) for row in report.methods)
    lines = [f"{'method':<{width}}  overall  95 % interval"]
    for row in report.methods:
        value, low, high = (
            "    -" if share is None else f"{100 * share:5.1f}"
            for share in (row.overall.value, row.overall.low, row.overall.high)
        )
        lines.append(f"{row.name:<{width}}  {value}  {low} to {high}")
    return "\n".join([*lines, *(pair.line for pair in report.comparisons)])


def graph_metadata(document: EvaluationDocument) -> dict[str, Any]:
    """The drawing of one memory graph, if possible of a right answer, as Dagster shows it beside the numbers."""
    with_drawing = [example for example in document.examples if example.drawing]
    if not with_drawing:
        return {}
    example = next((example for example in with_drawing if example.correct), with_drawing[0])
    head, rest = example.drawing.split(">", 1)
    styled = f"{head}><style>{CSS}</style>{rest}"
    address = data_uri(styled.encode(), "image/svg+xml")
    return {"graph": {"raw_value": f"![memory graph]({address})", "type": "md"}}


def _lines(storage: Storage, path: str) -> list[dict[str, Any]]:
    if not storage.exists(path):
        return []
    return [json.loads(line) for line in storage.read_bytes(path).decode().splitlines() if line]
