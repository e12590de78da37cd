"""The report of an evaluation for people: a self-contained HTML page, the same as Markdown, and CSV.

Beside each row stands the paper's figure, with what differs named on it.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from app.answers.measuring.comparing import by_arm, clustered_accuracy
from app.answers.measuring.exports.paper import PAPER, differences, paper_figure
from app.answers.measuring.records import AnswerRecord
from infra.reporting.report import CounterTable, Estimate, MethodRow, PairedDifference, Report, render
from model.evaluation.statistics import Interval

COUNTED = (
    ("tokens a question", "tokens"),
    ("tokens of pictures a question", "visual_tokens"),
    ("calls", "calls"),
    ("searches", "searches"),
    ("repeated searches", "repeated_searches"),
    ("refused replies", "rejected"),
)


def report_of(result: Mapping[str, Any], records: Sequence[AnswerRecord], *, items: int | None) -> Report:
    """The report that the page is rendered from."""
    arms = by_arm(records)
    datasets = tuple(sorted({record.dataset for record in records}))
    notes = {name: tuple(each) for name, each in result.get("notes", {}).items()}
    differs = differences(
        model=str(result["model"]),
        judge=str(result["judge"]),
        items=items,
        notes=tuple(f"{name}: {', '.join(each)}" for name, each in notes.items()),
    )
    rows = [_row(name, own, datasets, differs) for name, own in arms.items()]
    paper = [row for name in arms if (row := _paper_row(name, datasets))]
    return Report(
        title=f"{result['model']}: {len({record.id for record in records}):,} questions",
        summary=f"Graded by {result['judge']}. Intervals are over documents and films, not over answers.",
        benchmarks=datasets,
        methods=(*rows, *paper),
        comparisons=tuple(_difference(each) for each in result.get("comparisons", ())),
        counters=_counters(arms),
        facts=(("index", str(result["index"])), ("paper's setting", PAPER), ("what differs", differs)),
    )


def _row(name: str, records: Sequence[AnswerRecord], datasets: Sequence[str], differs: str) -> MethodRow:
    cells = {each: _estimate([r for r in records if r.dataset == each]) for each in datasets}
    unscored = sum(record.correct is None for record in records)
    note = differs + (f"; {unscored:,} of {len(records):,} unscored" if unscored else "")
    if blind := sum(record.pictures_as_words > 0 for record in records):
        note += f"; {blind:,} of {len(records):,} were shown words for pictures: the model reads none"
    return MethodRow(name=name, cells=cells, overall=_estimate(records), note=note)


def _estimate(records: Sequence[AnswerRecord]) -> Estimate:
    interval, _ = clustered_accuracy(records)
    scored = len({record.id for record in records if record.correct is not None})
    return Estimate(**_known(interval), count=scored)


def _known(interval: Interval) -> dict[str, float | None]:
    numbers = {"value": interval.estimate, "low": interval.low, "high": interval.high}
    return {name: None if number != number else number for name, number in numbers.items()}


def _paper_row(memory: str, datasets: Sequence[str]) -> MethodRow | None:
    figures = {name: figure for name in datasets if (figure := paper_figure(memory, name)) is not None}
    if not figures:
        return None
    cells = {name: Estimate(value=figure) for name, figure in figures.items()}
    overall = Estimate(value=sum(figures.values()) / len(figures))
    return MethodRow(name=f"{memory} (paper)", cells=cells, overall=overall, note=PAPER)


def _difference(pair: Mapping[str, Any]) -> PairedDifference:
    bounds = pair["difference"]
    estimate = Estimate(
        value=bounds["estimate"], low=bounds["low"], high=bounds["high"], count=pair["questions"]
    )
    return PairedDifference(
        before=pair["against"], after=pair["of"], difference=estimate, p_value=pair["p_holm"]
    )


def _counters(arms: Mapping[str, Sequence[AnswerRecord]]) -> CounterTable:
    rows: list[tuple[str, tuple[float | None, ...]]] = []
    for label, name in COUNTED:
        rows.append(
            (
                label,
                tuple(
                    _mean([getattr(r, name) for r in own if r.outcome != "failed"]) for own in arms.values()
                ),
            )
        )
    recalls = [_mean([r.recall for r in own if r.recall is not None]) for own in arms.values()]
    rows.append(("gold found, share", tuple(recalls)))
    for label, name in (
        ("tokens a right answer", "tokens"),
        ("tokens of pictures a right answer", "visual_tokens"),
    ):
        rows.append((label, tuple(_a_right_answer(own, name) for own in arms.values())))
    return CounterTable(methods=tuple(arms), rows=tuple(rows))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _a_right_answer(records: Sequence[AnswerRecord], name: str) -> float | None:
    right = sum(record.correct is True for record in records)
    return sum(getattr(record, name) for record in records) / right if right else None


def html(report: Report) -> str:
    """The page; it asks nothing of the network."""
    return render(report)


def markdown(report: Report) -> str:
    """The table, comparisons and facts of the page."""
    heads = ["method", *report.benchmarks, "overall", "what differs"]
    lines = [f"# {report.title}", "", report.summary, "", _line(heads), _line(["---"] * len(heads))]
    for row in report.methods:
        cells = [_cell(row.cells.get(name)) for name in report.benchmarks]
        lines.append(_line([row.name, *cells, _cell(row.overall), row.note]))
    lines += ["", *(f"* {pair.line}" for pair in report.comparisons)]
    if report.counters:
        lines += [
            "",
            _line(["", *report.counters.methods]),
            _line(["---"] * (1 + len(report.counters.methods))),
        ]
        lines += [_line([name, *map(_number, values)]) for name, values in report.counters.rows]
    lines += ["", *(f"{name}: {value}  " for name, value in report.facts)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _cell(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "-"
    within = (
        ""
        if estimate.low is None or estimate.high is None
        else f" ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
    )
    return f"{100 * estimate.value:.1f}{within}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def write_csv(path: Path, records: Sequence[AnswerRecord]) -> None:
    """One row an answer; lists and mappings as they would be in JSON's place, joined by semicolons."""
    names = [field.name for field in fields(AnswerRecord)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for record in records:
            row = asdict(record)
            row["target"] = "; ".join(record.target)
            row["scores"] = "; ".join(f"{name}={value:.6g}" for name, value in sorted(record.scores.items()))
            writer.writerow({name: _plain(value) for name, value in row.items()})


def _plain(value: object) -> object:
    """No cell is taken for a formula by a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
