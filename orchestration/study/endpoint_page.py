"""What the records of a study show, to look at: curves of sampled answers, areas seed by seed, and the table.

Holds the page and its drawings; the figures are those of ``record.py``.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import astuple

from infra.reporting.charts import Curve, curve_chart, curve_image, dots, dots_image
from model.evaluation.evaluation import SeedComparison
from orchestration.study.credit.page import STYLE
from orchestration.study.figures import seeds_line
from orchestration.study.page import TITLES
from orchestration.study.record import REFERENCE, Endpoint, Spending

AXIS = "area under sampled accuracy minus GSPO's, points"
ONLINE_AXIS = "share right while training, difference in points"


def endpoint_page(found: Endpoint) -> str:
    """One HTML file without references to others."""
    lines = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>A study's endpoint</title><style>{STYLE}</style><h1>A study's endpoint</h1>",
        "<p>Share of right sampled answers to unseen questions of invented worlds: nothing follows for real data. A line is the "
        "mean over seeds, the band around it reaches from the lowest seed to the highest.</p>",
        curve_chart(learning_curve(found)),
        "<p>Area under these curves, objective minus GSPO, paired by seed and question: each seed, and all with their 95 % "
        "interval over seeds and questions.</p>",
        dots(area_rows(found), label=AXIS),
        "<table><tr><th>objective<th>seed<th>update<th>right, %<th>searches<th>refused a rollout</tr>",
        *_rows(found),
        "</table><ul>",
        *(
            f"<li>{html.escape(TITLES.get(arm, arm))}: {seeds_line(area)}"
            for arm, area in found.areas.items()
        ),
        "</ul>",
        *_online(found),
        "</html>",
    ]
    return "\n".join(lines)


def endpoint_pictures(found: Endpoint) -> dict[str, str]:
    """The drawings as SVG documents of their own, by file name."""
    pictures = {
        "curve.svg": curve_image(learning_curve(found)),
        "areas.svg": dots_image(area_rows(found), label=AXIS),
        "learning.svg": curve_image(online_curve(found)) if any(found.learning.values()) else "",
        "online.svg": dots_image(online_rows(found), label=ONLINE_AXIS),
    }
    return {name: picture for name, picture in pictures.items() if picture}


def learning_curve(found: Endpoint) -> Curve:
    """Mean over seeds by update, with the range of the seeds."""
    return Curve.banded(
        "sampled answers to unseen questions",
        "update",
        "share right",
        {
            TITLES.get(arm, arm): [(update, *_spread(spent)) for update, spent in by_update.items()]
            for arm, by_update in found.spending.items()
        },
    )


def area_rows(found: Endpoint) -> list[tuple[str, float, float, float]]:
    """(name, value, low, high) in points: of each objective every seed, which has no interval, then all seeds."""
    return [
        row
        for arm, area in found.areas.items()
        for row in _rows_of(TITLES.get(arm, arm), area, _shared_seeds(found, arm, REFERENCE))
    ]


def _online(found: Endpoint) -> list[str]:
    """What the runs say of themselves while they train; nothing where records are of before."""
    rows = online_rows(found)
    if not rows:
        return []
    return [
        "<p>Share of right rollouts over the updates, each question before it is learnt from, paired by seed, update and "
        "question: each seed, and all with Student's 95 % interval over the seeds.</p>",
        curve_chart(online_curve(found)),
        dots(rows, label=ONLINE_AXIS),
        "<ul>",
        *(
            f"<li>{html.escape(_minus(arm, other))}: {seeds_line(each, over='runs')}"
            for arm, against in found.online.items()
            for other, each in against.items()
        ),
        "</ul>",
    ]


def online_curve(found: Endpoint) -> Curve:
    """Share of right rollouts by update while the runs train: mean over seeds, with the range of the seeds."""
    return Curve.banded(
        "training rollouts, each question before it is learnt from",
        "update",
        "share right",
        {
            TITLES.get(arm, arm): [
                (update, sum(shares) / len(shares), min(shares), max(shares))
                for update, shares in by_update.items()
            ]
            for arm, by_update in found.learning.items()
            if by_update
        },
    )


def online_rows(found: Endpoint) -> list[tuple[str, float, float, float]]:
    """As ``area_rows``, of accuracy while training."""
    return [
        row
        for arm, against in found.online.items()
        for other, each in against.items()
        for row in _rows_of(_minus(arm, other), each, _shared_seeds(found, arm, other))
    ]


def _minus(arm: str, other: str) -> str:
    return f"{TITLES.get(arm, arm)} minus {TITLES.get(other, other)}"


def _shared_seeds(found: Endpoint, arm: str, other: str) -> list[int]:
    return [seed for seed in found.seeds[arm] if seed in found.seeds[other]]


def _rows_of(
    title: str, compared: SeedComparison, seeds: Sequence[int]
) -> list[tuple[str, float, float, float]]:
    rows = [
        (f"{title}, seed {seed}", *(100 * share,) * 3)
        for seed, share in zip(seeds, compared.by_seed, strict=True)
    ]
    value, low, high = (100 * number for number in astuple(compared.difference))
    rows.append((f"{title}, all", value, low, high))
    return [row for row in rows if all(map(math.isfinite, row[1:]))]


def _spread(spent: Sequence[Spending]) -> tuple[float, float, float]:
    shares = [each.right for each in spent]
    return sum(shares) / len(shares), min(shares), max(shares)


def _rows(found: Endpoint) -> list[str]:
    return [
        f"<tr><td>{html.escape(TITLES.get(arm, arm))}<td>{seed}<td>{update}<td>{100 * each.right:.1f}"
        f"<td>{each.searches:.1f}<td>{each.refused:.2f}</tr>"
        for arm, by_update in found.spending.items()
        for place, seed in enumerate(found.seeds[arm])
        for update, spent in by_update.items()
        for each in (spent[place],)
    ]
