"""How a drawn graph looks: the text styles that cards are measured with, and the CSS that says the same to a browser.

The CSS asks nothing of the network and touches nothing outside ``.memory-graph``. A page may set the variables ``--vg-ink``,
``--vg-paper``, ``--vg-accent``, ``--vg-muted`` and ``--vg-warn``; without them a light or dark palette follows the reader's
setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from memory_graph.drawing.glyphs import em_width


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStyle:
    """One class of text. Lengths in drawing units."""

    name: str  # CSS class
    size: float
    line: float  # distance of lines
    bold: bool = False

    @property
    def baseline(self) -> float:
        """From the top of a line to the foot of its letters."""
        return (self.line - self.size) / 2 + 0.8 * self.size

    def measure(self, text: str) -> float:
        """How wide ``text`` is at most."""
        return self.size * em_width(text, bold=self.bold)


TAG = TextStyle(name="tag", size=11, line=18, bold=True)
META = TextStyle(name="meta", size=10.5, line=18)
HEADING = TextStyle(name="heading", size=14, line=20, bold=True)  # question and answer
QUERY = TextStyle(name="query", size=13, line=18, bold=True)
SUMMARY = TextStyle(name="summary", size=12, line=17)
VERDICT = TextStyle(name="verdict", size=11, line=15, bold=True)
CAPTION = TextStyle(name="caption", size=11, line=15)
SMALL = TextStyle(name="small", size=10, line=14)
TEXT_STYLES = (TAG, META, HEADING, QUERY, SUMMARY, VERDICT, CAPTION, SMALL)

_LIGHT = {"ink": "#1b2330", "paper": "#fff", "accent": "#1f5fbf", "muted": "#596577", "warn": "#9a4d00"}
_DARK = {"ink": "#e7ebf2", "paper": "#12161d", "accent": "#7fb0ff", "muted": "#9ba7b8", "warn": "#e8a65c"}


def _palette(colours: Mapping[str, str]) -> str:
    """Inner variables, so that those of a page win in light and in dark."""
    return ";".join(f"--{name}:var(--vg-{name},{colour})" for name, colour in colours.items())


_TEXTS = "\n".join(
    f".memory-graph .{style.name}{{font-size:{style.size:g}px;font-weight:{600 if style.bold else 400}}}"
    for style in TEXT_STYLES
)

CSS = f"""\
.memory-graph{{{_palette(_LIGHT)};max-width:100%;height:auto}}
.memory-graph{{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}}
@media (prefers-color-scheme:dark){{.memory-graph{{{_palette(_DARK)}}}}}
.memory-graph text{{fill:var(--ink);white-space:pre;direction:ltr;letter-spacing:normal;word-spacing:normal}}
.memory-graph text{{font-variant-numeric:tabular-nums}}
{_TEXTS}
.memory-graph .ground{{fill:var(--paper)}}
.memory-graph .edge path{{fill:none;stroke:var(--ink);stroke-opacity:.34;stroke-width:1.4}}
.memory-graph .edge .head{{fill:var(--ink);fill-opacity:.5;stroke:none}}
.memory-graph .edge.dead-end path{{stroke-dasharray:4 4;stroke-opacity:.3}}
.memory-graph .edge.dead-end .head{{fill-opacity:.34}}
.memory-graph .edge.critical path{{stroke:var(--accent);stroke-opacity:1;stroke-width:2.2}}
.memory-graph .edge.critical .head{{fill:var(--accent);fill-opacity:1;stroke:none}}
.memory-graph .under{{fill:var(--paper)}}
.memory-graph .box{{fill:var(--ink);fill-opacity:.025;stroke:var(--ink);stroke-opacity:.22;stroke-width:1.2}}
.memory-graph .root .box{{fill-opacity:.06;stroke-opacity:.34}}
.memory-graph .critical .box{{fill:var(--accent);fill-opacity:.06;stroke:var(--accent);stroke-opacity:.85;stroke-width:1.6}}
.memory-graph .answer .box{{fill:var(--accent);fill-opacity:.14;stroke:var(--accent);stroke-opacity:1;stroke-width:2}}
.memory-graph .dead-end .box{{fill-opacity:0;stroke-dasharray:5 4;stroke-opacity:.4}}
.memory-graph .node{{outline:none}}
.memory-graph .ring{{fill:none;stroke:none;stroke-width:2.5}}
.memory-graph .node:hover .box{{stroke-opacity:1}}
.memory-graph .node:focus-visible .ring{{stroke:var(--accent)}}
.memory-graph .pill{{fill:var(--ink);fill-opacity:.1}}
.memory-graph .critical .pill,.memory-graph .answer .pill{{fill:var(--accent);fill-opacity:1}}
.memory-graph .critical .tag,.memory-graph .answer .tag{{fill:var(--paper)}}
.memory-graph .dead-end .pill{{fill-opacity:.06}}
.memory-graph .meta,.memory-graph .caption,.memory-graph .small.grant,.memory-graph .root .tag{{fill:var(--muted)}}
.memory-graph .dead-end .tag,.memory-graph .dead-end .query{{fill:var(--muted)}}
.memory-graph .dead-end .summary,.memory-graph .dead-end .small{{fill:var(--muted)}}
.memory-graph .verdict{{fill:var(--warn)}}
.memory-graph .plate{{fill:var(--ink);fill-opacity:.07}}
.memory-graph .frame{{fill:none;stroke:var(--ink);stroke-opacity:.2}}
.memory-graph .mark{{fill:none;stroke:var(--muted);stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round}}
.memory-graph .mark .solid{{fill:var(--muted)}}
.memory-graph .chip{{fill:var(--paper);fill-opacity:.88}}
.memory-graph .track{{fill:var(--ink);fill-opacity:.12}}
.memory-graph .energy{{fill:var(--accent)}}
.memory-graph .dead-end .energy{{fill:var(--muted)}}
.memory-graph .dead-end .thumbnail,.memory-graph .unseen .thumbnail{{opacity:.5;filter:grayscale(1)}}
@media (forced-colors:active){{.memory-graph{{forced-color-adjust:none}}}}
@media print{{.memory-graph .ground{{fill:none}}}}
"""
