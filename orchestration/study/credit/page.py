"""The page of an audit: a figure of every objective's gain against GSPO's, and the tables."""

import html
import math

from infra.reporting.charts import dots
from model.audit.gains import Gain
from orchestration.study.credit.document import CreditDocument

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2733;"
    "background:#fff}table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .7rem;text-align:right;"
    "border-bottom:1px solid #d6dce3}td:first-child,th:first-child{text-align:left}.wins{font-weight:600}"
    "@media(prefers-color-scheme:dark){body{color:#e4e9ee;background:#161b21}td,th{border-color:#39434e}}"
)


def credit_page(document: CreditDocument) -> str:
    """One HTML file without references to others."""
    ordered = sorted(document.objectives.items(), key=lambda item: -_key(item[1].against))
    bars = tuple(
        (name, v.against.value, v.against.low, v.against.high)
        for name, v in ordered
        if math.isfinite(v.against.value)
    )
    figures = document.figures
    lines = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>Which credit pays</title><style>{STYLE}</style><h1>Which credit pays</h1>",
        f"<p>{document.questions} questions, {document.rollouts} rollouts, {document.with_spread} questions with right and "
        f"wrong ones; accuracy {figures.accuracy:.1%}, {figures.searches:.2f} searches a rollout, {figures.refused:.1%} of "
        f"replies refused, {figures.noise:.0%} of the search steps of right rollouts are noise. No training: gain of accuracy "
        "(a share) by a step of length 1, to first order, measured on other questions than the step was made from; 95 % "
        "intervals by jackknife over folds.</p>",
        dots(bars, label="gain of accuracy a unit step, against GSPO"),
        "<table><tr><th>objective<th>gain<th>against GSPO<th>95 %<th>against GGPO<th>95 %<th>Adam's first step, against GSPO"
        "<th>tokens weighed<th>source</tr>",
    ]
    for name, verdict in ordered:
        marked = " class='wins'" if verdict.against.wins else ""
        lines.append(
            f"<tr{marked}><td>{html.escape(name)}<td>{points(verdict.gain)}<td>{points(verdict.against)}"
            f"<td>{interval(verdict.against)}<td>{points(verdict.against_ggpo)}<td>{interval(verdict.against_ggpo)}"
            f"<td>{points(verdict.adam_against)}<td>{verdict.share:.0%}"
            f"<td>{html.escape(document.sources.get(name, ''))}</tr>"
        )
    lines.append(
        "</table><h2>What GSPO's gradient is made of</h2><table><tr><th>category<th>its part of GSPO's gain"
        "<th>gain of a step along it alone<th>tokens</tr>"
    )
    for name, part in document.categories.items():
        lines.append(
            f"<tr><td>{html.escape(name)}<td>{points(part.part)}<td>{points(part.alone)}<td>{part.share:.0%}</tr>"
        )
    datasets = sorted({dataset for verdict in document.objectives.values() for dataset in verdict.datasets})
    heads = "".join(f"<th>{html.escape(dataset)}" for dataset in datasets)
    lines.append(f"</table><h2>By dataset, against GSPO</h2><table><tr><th>objective{heads}</tr>")
    for name, verdict in ordered:
        cells = "".join(f"<td>{points(verdict.datasets[dataset])}" for dataset in datasets)
        lines.append(f"<tr><td>{html.escape(name)}{cells}</tr>")
    lines.append("</table></html>")
    return "\n".join(lines)


def _key(gain: Gain) -> float:
    return gain.value if math.isfinite(gain.value) else -math.inf


def points(gain: Gain) -> str:
    """Value and error; a dash for what is unknown."""
    if not math.isfinite(gain.value):
        return "-"
    return f"{gain.value:+.3f} ± {gain.error:.3f}"


def interval(gain: Gain) -> str:
    """Both bounds."""
    if not math.isfinite(gain.value):
        return "-"
    return f"{gain.low:+.3f} to {gain.high:+.3f}"
