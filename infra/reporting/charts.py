"""Charts of a report as SVG text that takes the page's own text colour and font.

Holds the drawing only. Colours are told apart by the colour-blind and on white and black alike; the same data give the same
bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"  # stands for the page's text colour until the SVG is written
COLOURS = ("#3b82c4", "#d9791f", "#2f9e77", "#b35ca8", "#8a8a3c", "#c9504a")
GREY = "#7d8896"
NAMESPACE = "http://www.w3.org/2000/svg"
WIDTH_IN = 7.2
IntervalPoint = tuple[float, float, float, float]
"""(x, y, low, high)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Lines over one axis. ``series`` are (name, points as (x, y))."""

    title: str
    x_label: str
    y_label: str
    series: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]
    bands: tuple[tuple[tuple[float, float, float], ...], ...] = ()
    """The interval around each series as (x, low, high); none, or one a series."""

    def __post_init__(self) -> None:
        if self.bands and len(self.bands) != len(self.series):
            raise ValueError(f"{len(self.bands)} bands for {len(self.series)} series of {self.title!r}")

    @classmethod
    def banded(
        cls, title: str, x_label: str, y_label: str, lines: Mapping[str, Sequence[IntervalPoint]]
    ) -> Curve:
        """Lines by name, each with the interval around it."""
        return cls(
            title=title,
            x_label=x_label,
            y_label=y_label,
            series=tuple((name, tuple((x, y) for x, y, _, _ in points)) for name, points in lines.items()),
            bands=tuple(tuple((x, low, high) for x, _, low, high in points) for points in lines.values()),
        )


def curve_chart(curve: Curve) -> str:
    """The lines of one curve; a series of one point is drawn as a dot."""
    figure, axes = _canvas(height_in=2.6)
    for number, (name, points) in enumerate(curve.series):
        style = {"color": COLOURS[number % len(COLOURS)], "label": name, "linewidth": 1.6}
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            marker="o" if len(points) < 20 else "",
            ms=3.5,
            **style,
        )
    for number, band in enumerate(curve.bands):
        steps, low, high = ([row[at] for row in band] for at in range(3))
        axes.fill_between(steps, low, high, color=COLOURS[number % len(COLOURS)], alpha=0.15, linewidth=0)
    if all(float(x).is_integer() for _, points in curve.series for x, _ in points):
        axes.locator_params(axis="x", integer=True)
    axes.set_xlabel(curve.x_label)
    axes.set_ylabel(curve.y_label)
    axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.6)
    if len(curve.series) > 1:
        axes.legend(frameon=False, labelcolor=INK)
    return _svg(figure, curve.title)


def curve_image(curve: Curve) -> str:
    """The lines of one curve as a document of its own, in a grey that is read on white and black alike."""
    return _document(curve_chart(curve), curve.title)


def bars(values: Sequence[tuple[str, float | None, float | None, float | None]], *, label: str) -> str:
    """Horizontal bars with whiskers from (name, value, low, high), shares of 1 shown in per cent; empty text for no bars."""
    if not values:
        return ""
    figure, axes = _canvas(height_in=0.6 + 0.36 * len(values))
    for place, (_, value, low, high) in enumerate(values):
        middle = 100 * (value or 0)
        axes.barh(place, middle, color=COLOURS[place % len(COLOURS)], height=0.62)
        if low is not None and high is not None:
            whisker = [[max(0.0, middle - 100 * low)], [max(0.0, 100 * high - middle)]]
            axes.errorbar(middle, place, xerr=whisker, color=INK, capsize=3, linewidth=1.2)
    axes.set_yticks(range(len(values)), [name for name, *_ in values])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(label)
    return _svg(figure, label)


def dots(values: Sequence[tuple[str, float, float, float]], *, label: str) -> str:
    """A dot with whiskers for each (name, value, low, high), and a line at 0; empty text for none.

    Coloured is what lies on one side of 0 with its whole interval; a value without one is grey.
    """
    if not values:
        return ""
    figure, axes = _canvas(height_in=0.6 + 0.26 * len(values))
    axes.axvline(0, color=INK, linewidth=0.8)
    for place, (_, value, low, high) in enumerate(values):
        colour = GREY if low == high else COLOURS[0] if low > 0 else COLOURS[5] if high < 0 else GREY
        axes.errorbar(
            value, place, xerr=[[value - low], [high - value]], fmt="o", ms=4.5, color=colour, capsize=3
        )
    axes.set_yticks(range(len(values)), [name for name, *_ in values])
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
    return _svg(figure, label)


def dots_image(values: Sequence[tuple[str, float, float, float]], *, label: str) -> str:
    """The dots as a document of its own, as ``curve_image``; empty text for none."""
    return _document(dots(values, label=label), label) if values else ""


def bars_image(values: Sequence[tuple[str, float | None, float | None, float | None]], *, label: str) -> str:
    """The bars as a document of its own, as ``curve_image``; empty text for no bars."""
    return _document(bars(values, label=label), label) if values else ""


def _document(drawing: str, title: str) -> str:
    drawing = drawing.replace("currentColor", GREY).replace("<svg", f'<svg xmlns="{NAMESPACE}"', 1)
    head, rest = drawing.split(">", 1)
    return f"{head}><title>{_escaped(title)}</title>{rest}"


def _canvas(*, height_in: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure  # half a second, and only reports need it

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.tick_params(colors=INK, labelsize=9)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    drawing = out.getvalue()
    drawing = drawing[drawing.index("<svg") :].replace(INK, "currentColor")
    # a page with several drawings must not mix their clip paths; namespaces are not fetched, yet none is needed inline
    drawing = re.sub(r' xmlns(:\w+)?="[^"]*"', "", drawing)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    return drawing.replace("xlink:href", "href").replace(
        "<svg", f'<svg role="img" aria-label="{_escaped(title)}"', 1
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
