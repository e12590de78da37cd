"""A report as one HTML file: table of methods, comparisons, curves, counters and examples, from plain data.

Holds the records and their rendering. Asks nothing of the network, follows the reader's light or dark setting, and shows no
number without its interval. Which runs are compared is decided by the caller; curves are drawn in ``charts.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from pydantic import TypeAdapter

from infra.reporting.charts import Curve, bars, curve_chart

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval; ``value`` is None where nothing was scored. ``count`` is how many it rests on."""

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow:
    """One method: an estimate a benchmark (by name) and the mean over benchmarks; shares of 1."""

    name: str
    cells: Mapping[str, Estimate]
    overall: Estimate
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """``after`` minus ``before`` over the questions both answered, shares of 1; ``p_value`` of a paired test."""

    before: str
    after: str
    difference: Estimate
    p_value: float | None = None

    @property
    def verdict(self) -> str:
        """What may be said: ``better``, ``worse``, or ``no difference shown`` when the interval holds zero."""
        if self.difference.low is None or self.difference.high is None:
            return "unknown"
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "no difference shown"

    @property
    def line(self) -> str:
        """``before -> after: +4.2 points (+1.0 to +7.2), better``; a dash for what is not known."""
        change, low, high = (
            "-" if share is None else f"{100 * share:+.1f}"
            for share in (self.difference.value, self.difference.low, self.difference.high)
        )
        return f"{self.before} -> {self.after}: {change} points ({low} to {high}), {self.verdict}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterTable:
    """Numbers by method: one row a counter. ``rows`` are (counter, one value a method; None where unknown)."""

    methods: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingRow:
    """What one method spends on a question, and how much more than the reference on the same questions (paired)."""

    name: str
    tokens: Estimate
    repeats: Estimate
    tokens_more: Estimate | None = None
    repeats_more: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportExample:
    """One question, what a method answered, and the graph it built on the way as lines of text."""

    dataset: str
    question: str
    references: tuple[str, ...]
    method: str
    answer: str
    correct: bool | None
    memory: str = ""
    drawing: str = ""
    """The graph as SVG that we drew, styled by the report's ``drawing_style``; not escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything one report shows. ``facts`` are (name, value) lines such as recipe, seed and fingerprints."""

    schema_version: int = SCHEMA_VERSION
    title: str
    summary: str
    benchmarks: tuple[str, ...]
    methods: tuple[MethodRow, ...]
    comparisons: tuple[PairedDifference, ...] = ()
    curves: tuple[Curve, ...] = ()
    counters: CounterTable | None = None
    spending: tuple[SpendingRow, ...] = ()
    reference: str = ""
    """What ``spending`` is compared with."""
    examples: tuple[ReportExample, ...] = ()
    drawing_style: str = ""
    """CSS of the drawings of the examples."""
    facts: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for method in self.methods:
            if unknown := sorted(set(method.cells) - set(self.benchmarks)):
                raise ValueError(f"method {method.name!r} has results of unknown benchmarks {unknown}")
        if self.counters and any(
            len(values) != len(self.counters.methods) for _, values in self.counters.rows
        ):
            raise ValueError("a row of counters needs one value for each method")

    def to_json(self) -> bytes:
        """The file beside the page."""
        return ADAPTER.dump_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Report:
        """The report of a file; ``ValueError`` for anything else."""
        return ADAPTER.validate_json(data)


ADAPTER = TypeAdapter(Report)


def render(report: Report) -> str:
    """The page; the same report gives the same bytes."""
    overall = [(row.name, row.overall.value, row.overall.low, row.overall.high) for row in report.methods]
    return _template().render(
        report=report,
        bars=Markup(bars([entry for entry in overall if entry[1] is not None], label="correct answers, %")),
        drawings=[Markup(example.drawing) for example in report.examples],
        drawing_style=Markup(report.drawing_style),
        curves=[(curve.title, Markup(curve_chart(curve))) for curve in report.curves],
        best={name: _best(report.methods, name) for name in report.benchmarks},
    )


def percent(estimate: Estimate | None) -> str:
    """``61.2``, or a dash where nothing was scored."""
    return "–" if estimate is None or _missing(estimate.value) else f"{100 * (estimate.value or 0):.1f}"


def interval(estimate: Estimate | None, *, signed: bool = False) -> str:
    """``55.0–67.1``; with signs ``+2.0 to +9.5``; empty where there is none."""
    if estimate is None or _missing(estimate.low) or _missing(estimate.high):
        return ""
    low, high = 100 * (estimate.low or 0), 100 * (estimate.high or 0)
    return f"{low:+.1f} to {high:+.1f}" if signed else f"{low:.1f}–{high:.1f}"


def quantity(value: float | None) -> str:
    """A counter in three significant digits, thousands grouped."""
    if _missing(value) or value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def amount(estimate: Estimate | None, *, signed: bool = False) -> str:
    """``1,204 (1,100 to 1,320)``: a quantity with its interval; a dash where there is none."""
    if estimate is None or _missing(estimate.value):
        return "–"
    value, low, high = (
        ("+" if signed and number is not None and number > 0 else "") + quantity(number)
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low} to {high})"


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _best(methods: Sequence[MethodRow], benchmark: str) -> float | None:
    values = [
        cell.value for row in methods if (cell := row.cells.get(benchmark)) and not _missing(cell.value)
    ]
    return max((value for value in values if value is not None), default=None)


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(percent=percent, interval=interval, quantity=quantity, amount=amount)
    return environment.from_string(
        files("infra.reporting").joinpath("report.html.j2").read_text(encoding="utf-8")
    )
