"""The report of a run from its metric files: no model is loaded.

Holds the reading and arranging; the page itself is ``infra.reporting.report``. Writes ``reports/<run>/index.html`` and
``report.json`` beside it.
"""

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from infra.reporting.charts import Curve
from infra.reporting.report import (
    CounterTable,
    Estimate,
    MethodRow,
    PairedDifference,
    Report,
    ReportExample,
    SpendingRow,
    render,
    to_json,
)
from infra.storage.manifest import publish
from infra.storage.root import Storage
from memory_graph.drawing.svg import CSS, NAMESPACE
from orchestration.launch.process import run_script
from orchestration.launch.reporter import Reporter
from orchestration.launch.run_config import RunConfig
from orchestration.runs.training_curves import ggpo_curves

EVALUATION, GGPO, COLD_START = "evaluation.json", "ggpo.jsonl", "cold_start.jsonl"
LEAST_ROLLOUTS = 5  # a mean over fewer says nothing
TITLES = {
    "closed_book": "closed book",
    "vanilla": "vanilla RAG",
    "videorag": "VideoRAG",
    "universalrag": "UniversalRAG",
    "react": "ReAct",
    "mem1": "Mem1",
    "memagent": "MemAgent",
    "vimrag_text": "graph, text only",
    "vimrag_equal": "graph, equal budgets",
    "precaption": "captions at index time",
    "raw_visual": "all retrieved pixels",
    "context_caption": "captions given the query",
    "related_visual": "useful items' pixels",
    "cold_start": "VimRAG, cold start",
    "ggpo": "VimRAG, GGPO",
}
NOTES = {
    "closed_book": "no search",
    "vanilla": "one search",
    "videorag": "one search, clips first",
    "universalrag": "one search where a router says",
    "react": "the whole history",
    "mem1": "a text state rewritten each turn",
    "memagent": "a bounded text memory",
}
COUNTERS = {
    "mean_model_calls": "model calls",
    "mean_searches": "searches",
    "mean_repeated_searches": "repeated searches",
    "mean_dead_ends": "searches without a useful item",
    "mean_prompt_tokens": "prompt tokens",
    "mean_completion_tokens": "completion tokens",
    "mean_visual_tokens": "visual tokens",
    "gold_recall": "share of gold items retrieved",
}
Records = Sequence[Mapping[str, Any]]


def run(config: RunConfig, reporter: Reporter) -> None:
    """Render and publish."""
    storage = Storage(config.root)
    path = f"{config.metrics}/{EVALUATION}"
    if not storage.exists(path):
        raise ValueError(f"no evaluation at {storage.path(path)}: run the job evaluate first")
    document = json.loads(storage.read_bytes(path))
    training = {name: _lines(storage, f"{config.metrics}/{name}") for name in (COLD_START, GGPO)}
    report = build(document, ggpo=training[GGPO], cold_start=training[COLD_START], config=config)
    made = {"producer": "orchestration.launch.report/1", "params": {"run": config.name}, "inputs": {}}
    with publish(storage, config.report, **made) as published:
        published.write_bytes("index.html", render(report).encode())
        published.write_bytes(
            "report.json", json.dumps(to_json(report), ensure_ascii=False, allow_nan=False).encode()
        )
    reporter.say("\n" + as_text(report))
    page = storage.path(config.report, "index.html")
    reporter.say(f"report: {page}")
    reporter.finish(
        {"page": page, "methods": [row.name for row in report.methods], **graph_metadata(document)}
    )


def build(document: Mapping[str, Any], *, ggpo: Records, cold_start: Records, config: RunConfig) -> Report:
    """The report of an evaluation document and the metric records of both trainings."""
    methods = document["methods"]
    benchmarks = tuple(dict.fromkeys(row["dataset"] for method in methods for row in method["datasets"]))
    recipe = config.recipe
    return Report(
        title=f"VimRAG: {config.name}",
        summary=f"{document['questions']} unseen questions over {len(benchmarks)} benchmarks, the same for every method.",
        benchmarks=benchmarks,
        methods=tuple(_row(method) for method in methods),
        comparisons=tuple(_comparison(each) for each in document["comparisons"]),
        curves=(*cold_start_curves(cold_start), *ggpo_curves(ggpo), *spending_curves(methods)),
        counters=counters(methods),
        spending=spending_rows(document),
        reference=next((_title(each["against"]) for each in document.get("savings", ())), ""),
        examples=tuple(
            ReportExample(**{**each, "references": tuple(each["references"]), "drawing": _inline(each)})
            for each in document["examples"]
        ),
        drawing_style=CSS,
        facts=(
            ("recipe", recipe.name),
            ("worlds", f"{recipe.worlds.train} train, {recipe.worlds.val} val, {recipe.worlds.test} test"),
            (
                "updates",
                f"{recipe.ggpo.schedule.updates} of {recipe.ggpo.questions} x {recipe.ggpo.algorithm.group_size} rollouts",
            ),
            (
                "algorithm",
                f"{recipe.ggpo.algorithm.name}, ZeRO-{recipe.ggpo.engine.zero_stage}, {recipe.ggpo.ranks} rank(s)",
            ),
            (
                "graded by",
                ", ".join(sorted({each["judge"] for each in document.get("judging", {}).values()})),
            ),
            ("index", document["index"]),
            *((f"policy of {method['name']}", ", ".join(method["policies"])) for method in methods),
        ),
    )


def cold_start_curves(records: Records) -> tuple[Curve, ...]:
    """Accuracy by step, one line a stage; nothing without records."""
    stages = list(dict.fromkeys(record["name"] for record in records))
    if not stages:
        return ()
    series = tuple(
        (stage, tuple((float(r["step"]), float(r["accuracy"])) for r in records if r["name"] == stage))
        for stage in stages
    )
    return (
        Curve(title="Cold start: accuracy of each stage", x_label="step", y_label="accuracy", series=series),
    )


def spending_rows(document: Mapping[str, Any]) -> tuple[SpendingRow, ...]:
    """Tokens and repeated searches a method, beside the difference to the reference where there is one."""
    savings = {each["method"]: each for each in document.get("savings", ())}
    rows = []
    for method in document["methods"]:
        found, saved = method.get("spending"), savings.get(method["name"])
        if found is None:
            continue
        number = sum(row["scored"] for row in method["datasets"])
        rows.append(
            SpendingRow(
                name=_title(method["name"]),
                tokens=_estimate(found["tokens"], number),
                repeats=_estimate(found["repeats"], number),
                tokens_more=_estimate(saved["tokens"], saved["questions"]) if saved else None,
                repeats_more=_estimate(saved["repeats"], saved["questions"]) if saved else None,
            )
        )
    return tuple(rows)


def spending_curves(methods: Sequence[Mapping[str, Any]]) -> tuple[Curve, ...]:
    """Tokens by call and repeated searches by search with their intervals; steps that few rollouts reach are left out."""
    kinds = (
        ("tokens_by_call", "Tokens of the n-th call", "call", "tokens"),
        ("repeats_by_search", "Share of the n-th searches that repeat an earlier one", "search", "share"),
    )
    return tuple(
        curve for name, title, x, y in kinds if (curve := _stepwise(methods, name, title, x, y)) is not None
    )


def _stepwise(
    methods: Sequence[Mapping[str, Any]], name: str, title: str, x_label: str, y_label: str
) -> Curve | None:
    found = {
        _title(method["name"]): [
            each for each in method["spending"][name] if each["rollouts"] >= LEAST_ROLLOUTS
        ]
        for method in methods
        if "spending" in method
    }
    drawn = {label: steps for label, steps in found.items() if len(steps) > 1}
    if not drawn:
        return None
    return Curve(
        title=title,
        x_label=x_label,
        y_label=y_label,
        series=tuple(
            (label, tuple((float(each["step"]), each["estimate"]) for each in steps))
            for label, steps in drawn.items()
        ),
        bands=tuple(
            tuple((float(each["step"]), each["low"], each["high"]) for each in steps)
            for steps in drawn.values()
        ),
    )


def counters(methods: Sequence[Mapping[str, Any]]) -> CounterTable:
    """Means over datasets, each dataset counting the same."""

    def mean(method: Mapping[str, Any], name: str) -> float | None:
        values = [row[name] for row in method["datasets"] if row.get(name) is not None]
        return sum(values) / len(values) if values else None

    rows = tuple((label, tuple(mean(method, name) for method in methods)) for name, label in COUNTERS.items())
    return CounterTable(methods=tuple(_title(method["name"]) for method in methods), rows=rows)


def as_text(report: Report) -> str:
    """The result table for a terminal: method, overall with interval; then the differences."""
    width = max(len(row.name) for row in report.methods)
    lines = [f"{'method':<{width}}  overall  95 % interval"]
    for row in report.methods:
        lines.append(
            f"{row.name:<{width}}  {_share(row.overall.value)}  {_share(row.overall.low)} to {_share(row.overall.high)}"
        )
    for each in report.comparisons:
        change, low, high = (
            _points_text(v) for v in (each.difference.value, each.difference.low, each.difference.high)
        )
        lines.append(f"{each.before} -> {each.after}: {change} points ({low} to {high}), {each.verdict}")
    return "\n".join(lines)


def graph_metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    """The drawing of one memory graph, if possible of a right answer, as Dagster shows it beside the numbers."""
    drawn = [each for each in document["examples"] if each.get("drawing")]
    if not drawn:
        return {}
    shown = next((each for each in drawn if each["correct"]), drawn[0])
    head, rest = shown["drawing"].split(">", 1)
    alone = f"{head}><style>{CSS}</style>{rest}"
    address = f"data:image/svg+xml;base64,{base64.b64encode(alone.encode()).decode()}"
    return {"graph": {"raw_value": f"![memory graph]({address})", "type": "md"}}


def _inline(example: Mapping[str, Any]) -> str:
    """The drawing for a page of HTML, which needs no namespace."""
    return str(example.get("drawing", "")).replace(f' xmlns="{NAMESPACE}"', "")


def _row(method: Mapping[str, Any]) -> MethodRow:
    cells = {
        row["dataset"]: Estimate(
            value=row["accuracy_estimate"],
            low=row["accuracy_low"],
            high=row["accuracy_high"],
            count=row["scored"],
        )
        for row in method["datasets"]
    }
    total = sum(cell.count for cell in cells.values())
    name = method["name"]
    return MethodRow(
        name=_title(name), cells=cells, overall=_estimate(method["overall"], total), note=NOTES.get(name, "")
    )


def _comparison(each: Mapping[str, Any]) -> PairedDifference:
    return PairedDifference(
        before=_title(each["before"]),
        after=_title(each["after"]),
        difference=_estimate(each["difference"], each["questions"]),
        p_value=each["p_value"],
    )


def _estimate(interval: Mapping[str, float | None], count: int) -> Estimate:
    return Estimate(value=interval["estimate"], low=interval["low"], high=interval["high"], count=count)


def _lines(storage: Storage, path: str) -> list[dict[str, Any]]:
    if not storage.exists(path):
        return []
    return [json.loads(line) for line in storage.read_bytes(path).decode().splitlines() if line]


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _share(value: float | None) -> str:
    return "    -" if value is None else f"{100 * value:5.1f}"


def _points_text(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    return run_script(run, description="Render the report of a run.", argv=argv, needs_torch=False)


if __name__ == "__main__":
    sys.exit(main())
