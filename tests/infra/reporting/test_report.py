"""The report shows every number with its interval, asks nothing of the network, and is the same for the same data."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from infra.reporting.charts import Curve, bars, curve_chart
from infra.reporting.report import (
    CounterTable,
    Estimate,
    MethodRow,
    PairedDifference,
    Report,
    ReportExample,
    SpendingRow,
    amount,
    interval,
    percent,
    quantity,
    render,
)


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, count=40)


@pytest.fixture
def report() -> Report:
    return Report(
        title="Miniature",
        summary="Unseen worlds.",
        benchmarks=("hotpotqa", "squad"),
        methods=(
            MethodRow(
                name="cold start",
                cells={"hotpotqa": estimate(0.5, 0.4, 0.6), "squad": Estimate(value=None)},
                overall=estimate(0.5, 0.4, 0.6),
            ),
            MethodRow(
                name="GGPO",
                cells={"hotpotqa": estimate(0.625, 0.5, 0.75)},
                overall=estimate(0.625, 0.5, 0.75),
            ),
        ),
        comparisons=(
            PairedDifference(
                before="cold start", after="GGPO", difference=estimate(0.125, 0.02, 0.23), p_value=0.01
            ),
        ),
        curves=(
            Curve(
                title="Reward",
                x_label="update",
                y_label="mean reward",
                series=(("GGPO", ((0, 0.4), (1, 0.5))),),
            ),
        ),
        counters=CounterTable(methods=("cold start", "GGPO"), rows=(("searches", (3.25, None)),)),
        examples=(
            ReportExample(
                dataset="squad",
                question="Who leads <Belodu>?",
                references=(),
                method="GGPO",
                answer='<script>alert("x")</script>',
                correct=False,
                memory="n1 <- root | who leads Belodu | nothing",
            ),
        ),
        spending=(
            SpendingRow(
                name="cold start", tokens=estimate(1204.0, 1100.0, 1320.0), repeats=Estimate(value=None)
            ),
            SpendingRow(
                name="GGPO",
                tokens=estimate(900.0, 800.0, 1000.0),
                repeats=estimate(0.5, 0.25, 0.75),
                tokens_more=estimate(-304.0, -400.0, -200.0),
                repeats_more=estimate(0.25, -0.125, 0.5),
            ),
        ),
        reference="cold start",
        facts=(("seed", "0"),),
    )


class Page(HTMLParser):
    """Collects what a browser would fetch, the rows of tables, and whether tags close."""

    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.scripts = 0
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.fetched += [
            value or ""
            for name, value in attrs
            if name in ("src", "href") and not (value or "").startswith("#")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_asks_nothing_of_the_network_and_runs_no_script(report: Report):
    text = render(report)
    page = Page(text)
    assert page.fetched == []
    assert page.scripts == 0
    assert page.open == []
    assert re.findall(r"https?://|url\((?!#)", text) == []


def test_every_number_stands_beside_its_interval(report: Report):
    text = render(report)
    assert "62.5<small>50.0–75.0</small>" in text  # GGPO on hotpotqa and overall
    assert text.count("50.0<small>40.0–60.0</small>") == 2
    assert "+2.0 to +23.0" in text


def test_what_was_not_scored_is_a_dash_and_never_zero(report: Report):
    assert percent(None) == percent(Estimate(value=None)) == percent(Estimate(value=math.nan)) == "–"
    assert interval(Estimate(value=0.5)) == ""
    assert quantity(None) == quantity(math.nan) == "–"
    assert "<td>–<small></small></td>" in render(report)


def test_the_best_of_a_benchmark_is_marked(report: Report):
    assert re.findall(r'class="best">([\d.]+)', render(report)) == ["62.5"]


def test_text_of_models_is_shown_and_not_interpreted(report: Report):
    text = render(report)
    assert "&lt;script&gt;alert" in text
    assert "<script>" not in text


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.01, 0.2, "no difference shown"),
        (0.0, 0.2, "no difference shown"),
    ],
)
def test_an_interval_that_holds_zero_shows_no_difference(low: float, high: float, verdict: str):
    assert PairedDifference(before="a", after="b", difference=estimate(0.05, low, high)).verdict == verdict


def test_the_same_report_gives_the_same_bytes(report: Report):
    assert render(report) == render(replace(report))


def test_the_page_follows_light_and_dark(report: Report):
    text = render(report)
    assert "prefers-color-scheme: dark" in text
    assert "currentColor" in text
    assert "#010203" not in text


def test_drawings_are_well_formed(report: Report):
    drawings = [
        curve_chart(report.curves[0]),
        bars([("a & b", 0.5, 0.4, 0.6), ("c", 0.1, None, None)], label='share of "right"'),
    ]
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).tag == "svg"
    assert "mean reward" in drawings[0]
    assert bars([], label="nothing") == ""


def test_the_data_can_be_written_as_json(report: Report):
    data = json.loads(report.to_json())
    assert data["schema_version"] == 1
    assert data["methods"][1]["cells"]["hotpotqa"] == {"value": 0.625, "low": 0.5, "high": 0.75, "count": 40}
    assert Report.from_json(report.to_json()) == report


def test_a_report_of_no_results_is_still_a_page():
    assert "Results" in render(Report(title="Empty", summary="", benchmarks=(), methods=()))


def test_results_of_unknown_benchmarks_are_refused(report: Report):
    with pytest.raises(ValueError, match="unknown benchmarks \\['squad'\\]"):
        replace(report, benchmarks=("hotpotqa",))
    with pytest.raises(ValueError, match="one value for each method"):
        replace(report, counters=CounterTable(methods=("a", "b"), rows=(("searches", (1.0,)),)))


def test_what_is_spent_stands_with_its_interval_and_its_paired_difference(report: Report):
    page = render(report)
    assert "1,204 (1,100 to 1,320)" in page
    assert "-304 (-400 to -200)" in page
    assert "+0.25 (-0.125 to +0.5)" in page
    assert amount(None) == amount(Estimate(value=None)) == "–"


def test_a_band_belongs_to_its_series():
    line = ("GGPO", ((1.0, 0.4), (2.0, 0.5)))
    drawn = curve_chart(
        Curve(title="t", x_label="x", y_label="y", series=(line,), bands=(((1, 0.3, 0.5), (2, 0.4, 0.6)),))
    )
    assert len(drawn) > len(curve_chart(Curve(title="t", x_label="x", y_label="y", series=(line,))))
    with pytest.raises(ValueError, match="2 bands for 1 series"):
        Curve(title="t", x_label="x", y_label="y", series=(line,), bands=((), ()))
