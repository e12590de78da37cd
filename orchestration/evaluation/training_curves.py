"""Curves of a GGPO run from its lines of metrics, for the report and for the materialisation in Dagster.

Holds which numbers are drawn together; the drawing is ``infra.reporting.charts``. No model is loaded.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from infra.media import data_uri
from infra.reporting.charts import Curve, curve_image

Records = Sequence[Mapping[str, Any]]
Points = tuple[tuple[float, float], ...]
MAX_POINTS = 100  # of a line; more are averaged over neighbours
MAX_BYTES = 225_000  # of the curves in one materialisation
CURVES = (
    (
        "mean reward of the rollouts, and share of validation questions right",
        "share",
        (("mean_reward", "reward"), ("validation", "validation")),
    ),
    (
        "segments of an update",
        "segments",
        (("num_segments", "all"), ("num_trained", "trained"), ("num_pruned", "pruned")),
    ),
    (
        "share of segments pruned, by reason",
        "share",
        (
            ("pruned_dead_end", "right answer, rests on others"),
            ("pruned_gold", "wrong answer, found gold"),
            ("pruned_at_random", "by chance"),
            ("pruned_refused", "refused reply of a right rollout"),
        ),
    ),
    (
        "entropy, and divergence from the reference",
        "nats a token",
        (("entropy", "entropy"), ("divergence", "divergence")),
    ),
    ("share of ratios that the clip holds", "share", (("clip_fraction", "clipped"),)),
    (
        "searches of a rollout",
        "searches",
        (("mean_searches", "searches"), ("mean_repeated_searches", "repeated")),
    ),
    ("tokens of a rollout", "tokens", (("mean_tokens", "all"), ("mean_visual_tokens", "visual"))),
    (
        "seconds by phase",
        "seconds",
        (
            ("seconds_rollouts", "rollouts"),
            ("seconds_grading", "of them grading"),
            ("seconds_update", "update"),
            ("seconds_validation", "validation"),
            ("seconds_checkpoint", "checkpoint"),
        ),
    ),
)
NUMBERS = (
    "mean_reward", "share_right", "entropy", "divergence", "clip_fraction", "pruned_dead_end", "pruned_gold",
    "pruned_at_random", "mean_searches", "mean_repeated_searches", "mean_tokens",
)  # fmt: skip
PHASES = ("seconds_rollouts", "seconds_grading", "seconds_update", "seconds_validation", "seconds_checkpoint")


def ggpo_curves(records: Records) -> tuple[Curve, ...]:
    """All curves by update, from 1; a line without numbers is left out, and so is a curve without lines."""
    curves = []
    for title, label, lines in CURVES:
        series = tuple((name, points) for key, name in lines if (points := thinned(_points(records, key))))
        if series:
            curves.append(Curve(title=f"GGPO: {title}", x_label="update", y_label=label, series=series))
    return tuple(curves)


def materialisation(records: Records) -> dict[str, Any]:
    """Metadata of Dagster: the curves as Markdown, the last update's numbers, and the seconds of each phase in all."""
    if not records:
        return {}
    last = {f"last_{name}": float(records[-1][name]) for name in NUMBERS if _is_number(records[-1].get(name))}
    totals = {
        f"total_{name}": math.fsum(float(record[name]) for record in records if _is_number(record.get(name)))
        for name in PHASES
    }
    return {"curves": {"raw_value": as_markdown(ggpo_curves(records)), "type": "md"}, **last, **totals}


def as_markdown(curves: Sequence[Curve]) -> str:
    """Each curve as an image within the text; those beyond ``MAX_BYTES`` in all are only named."""
    text = ""
    for curve in curves:
        uri = data_uri(curve_image(curve).encode(), "image/svg+xml")
        image = f"**{curve.title}**\n\n![{curve.title}]({uri})\n\n"
        fits = len(text) + len(image) < MAX_BYTES - 1000  # room for the names of those that do not fit
        text += image if fits else f"{curve.title}: see the report\n\n"
    return text


def thinned(points: Points) -> Points:
    """At most ``MAX_POINTS``: means of neighbours, as many in each as it takes."""
    size = -(-len(points) // MAX_POINTS)
    if size <= 1:
        return points
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return tuple((_mean([x for x, _ in part]), _mean([y for _, y in part])) for part in parts)


def _points(records: Records, name: str) -> Points:
    return tuple((float(r["update"]) + 1, float(r[name])) for r in records if _is_number(r.get(name)))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
